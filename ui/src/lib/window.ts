// The part of a conversation that is in memory: a contiguous run of rows, oldest first, never longer than `max`. When one end
// grows past it, the other end is let go and fetched again when it is scrolled back to. No DOM, no network: see chat.svelte.ts.
export interface WindowState<T> {
  readonly rows: readonly T[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
}

// Page size and cap of the chat. 150 rows fill about ten screens, so both ends are far from the view when one is dropped; with
// a page in flight the document stays well below 200 message elements.
export const pageRows = 30;
export const maxRows = 150;

export function newest<T>(page: readonly T[], hasMore: boolean): WindowState<T> {
  return { rows: page, hasOlder: hasMore, hasNewer: false };
}

// A page from anywhere.
export function placed<T>(page: readonly T[], hasOlder: boolean, hasNewer: boolean): WindowState<T> {
  return { rows: page, hasOlder, hasNewer };
}

// Only what precedes `row`: another branch goes on from there.
export function before<T>(state: WindowState<T>, row: T): WindowState<T> {
  const at = state.rows.indexOf(row);
  return { rows: at < 0 ? state.rows : state.rows.slice(0, at), hasOlder: state.hasOlder, hasNewer: false };
}

export function withOlder<T>(state: WindowState<T>, page: readonly T[], hasMore: boolean, max = maxRows): WindowState<T> {
  const rows = [...page, ...state.rows];
  const dropped = rows.length > max;
  return { rows: dropped ? rows.slice(0, max) : rows, hasOlder: hasMore, hasNewer: state.hasNewer || dropped };
}

export function withNewer<T>(state: WindowState<T>, page: readonly T[], hasMore: boolean, max = maxRows): WindowState<T> {
  const rows = [...state.rows, ...page];
  const dropped = rows.length > max;
  return { rows: dropped ? rows.slice(rows.length - max) : rows, hasOlder: state.hasOlder || dropped, hasNewer: hasMore };
}
