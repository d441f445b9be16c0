// Tool calls, their outputs and items of kinds unknown here, as something to read.
import type { Item } from './types';

// More than this is not laid out anew; more than `shownMax` is not shown at once.
const prettyMax = 262_144;
export const shownMax = 20_000;
const previewMax = 160;

// JSON on lines of its own; anything else as it came.
export function pretty(text: string): { text: string; json: boolean } {
  const start = text.trimStart()[0];
  if (text.length > prettyMax || (start !== '{' && start !== '[')) return { text, json: false };
  try {
    return { text: JSON.stringify(JSON.parse(text), null, 2), json: true };
  } catch {
    return { text, json: false };
  }
}

// One line that says what it is about: `city: "Köln", unit: "celsius"`.
export function preview(text: string): string {
  const start = text.slice(0, previewMax * 4);
  if (text.length <= prettyMax && start.trimStart().startsWith('{')) {
    try {
      const members = Object.entries(JSON.parse(text) as object);
      return members.map(([name, value]) => `${name}: ${JSON.stringify(value)?.slice(0, previewMax)}`).join(', ').slice(0, previewMax);
    } catch {
      // Not JSON, or not yet.
    }
  }
  return start.replace(/\s+/g, ' ').trim().slice(0, previewMax);
}

// A kind of item that the page knows nothing about.
export function raw(item: Item): string {
  const { created_at: _at, response_id: _response, model: _model, ...rest } = item;
  return JSON.stringify(rest);
}
