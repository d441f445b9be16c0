// A temporary chat is nowhere but on the page, so that each request carries all of it.
import type { Row } from './row.svelte';

// Characters that are sent along at most; older messages are left out.
const charactersMax = 500_000;

export function wholeOf(rows: readonly Row[]): unknown[] {
  const input: unknown[] = [];
  let room = charactersMax;
  for (const { item, text } of rows.toReversed()) {
    if (item.type !== 'message') continue;
    room -= text.length;
    if (room < 0 && input.length > 0) break;
    input.unshift({ type: 'message', role: item.role, content: [{ type: item.role === 'user' ? 'input_text' : 'output_text', text }] });
  }
  return input;
}
