// A chunk of its own: see highlight.ts.
import { common, createLowlight } from 'lowlight';

export const lowlight = createLowlight(common);
