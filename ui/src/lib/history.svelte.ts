// The messages of one conversation that are on the page: a window (window.ts) into one path through it that pages at both ends,
// and the requests that fill it. Rows that were sent from here stand at its end under a local id until the server's is known.
import { api, ApiError, enc } from './api';
import { notices } from './notices.svelte';
import { Row } from './row.svelte';
import { imagesOf, ofModel, textOf, type Item, type ItemPage } from './types';
import { before, newest, pageRows, placed, withNewer, withOlder, type WindowState } from './window';

export class History {
  closed = false;
  // How the list applies a change of rows without moving what the reader looks at.
  keepPlace: (change: () => void) => void = (change) => change();
  // How many items the path had when the server was last asked.
  length = $state(0);
  // The beginning of a conversation that is nowhere else was let go.
  forgotten = $state(false);
  private window = $state.raw<WindowState<Row>>({ rows: [], hasOlder: false, hasNewer: false });
  private loadingOlder = false;
  private loadingNewer = false;
  // The end of the path that is shown, while it is not in the window.
  private leaf: string | null = null;

  // `path`: of the conversation. `elsewhere`: is this item shown by somebody else (the answer being written)?
  constructor(
    private readonly path: () => string,
    private readonly elsewhere: (item: Item) => boolean,
    private readonly onlyHere: boolean = false,
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

  // The item that precedes a row: undefined when that is not known, null at the beginning.
  parentOf(row: Row): string | null | undefined {
    if (row.item.parent_id !== undefined) return row.item.parent_id;
    const at = this.window.rows.indexOf(row);
    if (at > 0) return this.window.rows[at - 1]!.item.id;
    return this.hasOlder ? undefined : null;
  }

  // The first row of the answer that `row` belongs to.
  answerOf(row: Row): Row {
    const { rows } = this.window;
    let at = rows.indexOf(row);
    const response = row.item.response_id;
    while (response && at > 0 && ofModel(rows[at - 1]!.item) && rows[at - 1]!.item.response_id === response) at--;
    return rows[at] ?? row;
  }

  // Where a row stands on its path, from 1.
  positionOf(row: Row): number {
    if (row.item.position) return row.item.position;
    const at = this.window.rows.indexOf(row);
    const known = this.window.rows.slice(0, at).findLastIndex((one) => one.item.position);
    return known >= 0 ? this.window.rows[known]!.item.position! + at - known : at + 1;
  }

  fetchNewest(): Promise<ItemPage> {
    return this.fetch('order=desc');
  }

  // A page about one item, a share of the path (0 to 1), or a time.
  fetchAt(place: 'around' | 'at' | 'date', value: string | number): Promise<ItemPage> {
    const pin = place === 'around' ? '' : this.pin;
    return this.fetch(`${place}=${enc(value)}${pin}`);
  }

  showNewest(page: ItemPage): void {
    this.note(page);
    this.leaf = null;
    this.window = newest(this.rowsOf(page.data).reverse(), page.has_older ?? page.has_more === true);
  }

  // Shows a page from anywhere. Rows that stay keep their elements.
  showAt(page: ItemPage): void {
    this.note(page);
    this.window = placed(this.rowsOf(page.data), page.has_older === true, page.has_newer === true);
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
      const page = await this.fetch(`order=desc&after=${enc(first.item.id)}${this.pin}`);
      // The window may have been replaced meanwhile ("jump to newest").
      if (this.closed || this.window.rows[0] !== first) return;
      this.note(page);
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
      const page = await this.fetch(`order=asc&after=${enc(last.item.id)}${this.pin}`);
      if (this.closed || this.last !== last) return;
      this.note(page);
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

  // From `row` on, what is shown belongs to another branch now.
  cutFrom(row: Row): void {
    this.keepPlace(() => (this.window = before(this.window, row)));
    this.leaf = null;
  }

  // The branch of `item` instead of what stands there now from `row` on. What precedes it is the same on both paths.
  async branch(row: Row, item: string): Promise<void> {
    const at = this.window.rows.indexOf(row);
    const page = at > 0 ? await this.fetch(`order=asc&after=${enc(this.window.rows[at - 1]!.item.id)}`) : await this.fetchAt('around', item);
    if (this.closed || this.window.rows[at] !== row) return;
    this.note(page);
    const rows = this.rowsOf(page.data);
    this.keepPlace(() => {
      if (at === 0) this.window = placed(rows, page.has_older === true, page.has_newer === true);
      else this.window = withNewer(before(this.window, row), rows, page.has_newer ?? page.has_more === true);
    });
  }

  // What the server says about an item now: its alternatives may have become more.
  async renew(row: Row): Promise<void> {
    const item = await api.get<Item>(`${this.path()}/items/${enc(row.item.id)}`);
    if (!this.closed) row.item = { ...row.item, position: item.position, parent_id: item.parent_id, siblings: item.siblings ?? null };
  }

  has(id: string): boolean {
    return this.window.rows.some((row) => row.item.id === id);
  }

  // A newest message. Only while the window reaches the end.
  append(row: Row): void {
    this.window = withNewer(this.window, [row], false);
    if (this.onlyHere && this.window.hasOlder) {
      this.forgotten = true;
      this.window = { ...this.window, hasOlder: false };
    }
    this.length = Math.max(this.length, this.positionOf(row));
  }

  // Takes a row out of the window, not out of the conversation.
  take(row: Row): void {
    this.window = { ...this.window, rows: this.window.rows.filter((one) => one !== row) };
  }

  // Messages sent from here get the ids that the server gave them. Throws when the server cannot be asked.
  async learnIds(): Promise<void> {
    const rows = this.window.rows;
    const local = rows.filter((row) => row.local);
    if (local.length === 0) return;
    const known = rows.filter((row) => !row.local).at(-1);
    const page = known ? await this.fetch(`order=asc&after=${enc(known.item.id)}`) : await this.fetchNewest();
    this.length = page.head_position ?? this.length;
    const sent = page.data.filter((item) => item.role === 'user');
    for (const row of local) {
      const at = sent.findIndex((item) => isSame(item, row));
      const [item] = at < 0 ? [] : sent.splice(at, 1);
      if (!item) continue;
      row.local = false;
      row.item = { ...item, content: row.item.content, truncated: false };
    }
  }

  private fetch(query: string): Promise<ItemPage> {
    return api.get<ItemPage>(`${this.path()}/items?limit=${pageRows}&${query}`);
  }

  // Names the path that is paged: what is appended or chosen elsewhere does not mix into it.
  private get pin(): string {
    const leaf = this.hasNewer ? this.leaf : (this.window.rows.findLast((row) => !row.local)?.item.id ?? null);
    return leaf ? `&leaf=${enc(leaf)}` : '';
  }

  private note(page: ItemPage): void {
    this.leaf = page.leaf_id ?? null;
    this.length = page.head_position ?? page.data.length;
  }

  private rowsOf(items: readonly Item[]): Row[] {
    const shown = new Map(this.window.rows.map((row) => [row.item.id, row]));
    return items.filter((item) => item.status !== 'in_progress' && !this.elsewhere(item)).map((item) => renewed(shown.get(item.id), item) ?? new Row(item));
  }
}

// The row that shows this item already, with what may have changed around it.
function renewed(row: Row | undefined, item: Item): Row | undefined {
  if (!row || row.item.status !== item.status || (!item.truncated && textOf(item) !== row.text)) return undefined;
  row.item = { ...item, ...(row.item.truncated ? {} : { content: row.item.content, truncated: false }) };
  return row;
}

// Is this the message that was sent as `row`? A cut item of several parts comes without any.
function isSame(item: Item, row: Row): boolean {
  if (item.truncated) return row.text.startsWith(textOf(item));
  return textOf(item) === row.text && imagesOf(item).length === imagesOf(row.item).length;
}

export const notFound = (error: unknown) => error instanceof ApiError && (error.status === 404 || error.code === 'item_not_found');
