// The messages of one conversation that are on the page: a window (window.ts) that pages at both ends, and the requests that
// fill it. Rows that were sent from here stand at its end under a local id until the server's is known.
import { api, ApiError, enc } from './api';
import { notices } from './notices.svelte';
import { Row } from './row.svelte';
import { imagesOf, ofModel, textOf, type Item, type List } from './types';
import { newest, pageRows, withNewer, withOlder, type WindowState } from './window';

export class History {
  closed = false;
  // How the list applies a change of rows without moving what the reader looks at.
  keepPlace: (change: () => void) => void = (change) => change();
  private window = $state.raw<WindowState<Row>>({ rows: [], hasOlder: false, hasNewer: false });
  private loadingOlder = false;
  private loadingNewer = false;

  // `path`: of the conversation. `elsewhere`: is this item shown by somebody else (the answer being written)?
  constructor(
    private readonly path: () => string,
    private readonly elsewhere: (item: Item) => boolean,
  ) {}

  get rows(): readonly Row[] {
    return this.window.rows;
  }

  get hasOlder(): boolean {
    return this.window.hasOlder;
  }

  get hasNewer(): boolean {
    return this.window.hasNewer;
  }

  get last(): Row | undefined {
    return this.window.rows.at(-1);
  }

  // Has every message sent from here arrived?
  get arrived(): boolean {
    return !this.window.rows.some((row) => row.local);
  }

  fetchNewest(): Promise<List<Item>> {
    return api.get<List<Item>>(`${this.path()}/items?order=desc&limit=${pageRows}`);
  }

  showNewest(page: List<Item>): void {
    this.window = newest(this.rowsOf(page.data).reverse(), page.has_more === true);
  }

  async loadNewest(): Promise<void> {
    try {
      const page = await this.fetchNewest();
      if (!this.closed) this.showNewest(page);
    } catch (error) {
      if (!this.closed) notices.error(error);
    }
  }

  async loadOlder(): Promise<void> {
    const first = this.window.rows[0];
    if (this.loadingOlder || !this.window.hasOlder || !first || first.local) return;
    this.loadingOlder = true;
    try {
      const page = await api.get<List<Item>>(`${this.path()}/items?order=desc&limit=${pageRows}&after=${enc(first.item.id)}`);
      // The window may have been replaced meanwhile ("jump to newest").
      if (this.closed || this.window.rows[0] !== first) return;
      const rows = this.rowsOf(page.data).reverse();
      this.keepPlace(() => (this.window = withOlder(this.window, rows, page.has_more === true)));
    } catch (error) {
      if (!this.closed) notices.error(error);
    } finally {
      this.loadingOlder = false;
    }
  }

  async loadNewer(): Promise<void> {
    const last = this.last;
    if (this.loadingNewer || !this.window.hasNewer || !last) return;
    this.loadingNewer = true;
    try {
      const page = await api.get<List<Item>>(`${this.path()}/items?order=asc&limit=${pageRows}&after=${enc(last.item.id)}`);
      if (this.closed || this.last !== last) return;
      const rows = this.rowsOf(page.data);
      this.keepPlace(() => (this.window = withNewer(this.window, rows, page.has_more === true)));
    } catch (error) {
      if (!this.closed) notices.error(error);
    } finally {
      this.loadingNewer = false;
    }
  }

  // The whole of a message that a page has cut.
  async loadWhole(row: Row): Promise<void> {
    try {
      const item = await api.get<Item>(`${this.path()}/items/${enc(row.item.id)}`);
      if (!this.closed) this.keepPlace(() => row.replace({ ...item, truncated: false }));
    } catch (error) {
      notices.error(error);
    }
  }

  has(id: string): boolean {
    return this.window.rows.some((row) => row.item.id === id);
  }

  // A newest message. Only while the window reaches the end.
  append(row: Row): void {
    this.window = withNewer(this.window, [row], false);
  }

  // Takes a row out of the window, not out of the conversation.
  take(row: Row): void {
    this.window = { ...this.window, rows: this.window.rows.filter((one) => one !== row) };
  }

  // The newest answer, with the thoughts and calls that belong to it.
  async deleteAnswer(): Promise<void> {
    const response = this.last?.item.response_id;
    for (let last = this.last; last && ofModel(last.item); last = this.last) {
      if (last.item.response_id !== response) return;
      try {
        await api.delete(`${this.path()}/items/${enc(last.item.id)}`);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error; // gone already
      }
      this.take(last);
      if (!response) return;
    }
  }

  // Messages sent from here get the ids that the server gave them. Throws when the server cannot be asked.
  async learnIds(): Promise<void> {
    const rows = this.window.rows;
    const local = rows.filter((row) => row.local);
    if (local.length === 0) return;
    const known = rows.filter((row) => !row.local).at(-1);
    const after = known ? `&after=${enc(known.item.id)}` : '';
    const page = await api.get<List<Item>>(`${this.path()}/items?order=asc&limit=${pageRows}${after}`);
    const sent = page.data.filter((item) => item.role === 'user');
    for (const row of local) {
      const at = sent.findIndex((item) => isSame(item, row));
      const [item] = at < 0 ? [] : sent.splice(at, 1);
      if (!item) continue;
      row.local = false;
      row.item = { ...item, content: row.item.content, truncated: false };
    }
  }

  private rowsOf(items: readonly Item[]): Row[] {
    return items.filter((item) => item.status !== 'in_progress' && !this.elsewhere(item)).map((item) => new Row(item));
  }
}

// Is this the message that was sent as `row`? A cut item of several parts comes without any.
function isSame(item: Item, row: Row): boolean {
  if (item.truncated) return row.text.startsWith(textOf(item));
  return textOf(item) === row.text && imagesOf(item).length === imagesOf(row.item).length;
}
