// The list in the sidebar: one view of all chats, newest first, as a window that pages at both ends, so that a list of any
// length stays small here. Pinned chats stand apart from it.
import { api, ApiError, enc } from './api';
import { notices } from './notices.svelte';
import type { BulkResult, Conversation, List } from './types';
import { placed, withNewer, withOlder, type WindowState } from './window';

const pageSize = 40;
const listMax = 240;
const pinnedMax = 100;
// As many ids as one bulk request takes.
const bulkMax = 100;

export type View = { kind: 'all' | 'archive' | 'trash' } | { kind: 'folder'; id: string; name: string } | { kind: 'tag'; name: string };

export type Action = 'trash' | 'restore' | 'delete' | 'archive' | 'unarchive' | 'move' | 'tag' | 'untag';

// What is shown of a view, as the list's parameters and as the bulk action's filter.
function filterOf(view: View): Record<string, string | boolean> {
  switch (view.kind) {
    case 'archive':
      return { archived: true };
    case 'trash':
      return { trash: true };
    case 'folder':
      return { folder: view.id, archived: false };
    case 'tag':
      return { tag: view.name, archived: false };
    default:
      return { archived: false };
  }
}

export function belongs(conversation: Conversation, view: View): boolean {
  if (view.kind === 'trash') return !!conversation.deleted_at;
  if (conversation.deleted_at) return false;
  if (view.kind === 'archive') return !!conversation.archived;
  if (conversation.archived) return false;
  if (view.kind === 'folder') return conversation.folder_id === view.id;
  if (view.kind === 'tag') return conversation.tags?.includes(view.name) ?? false;
  return true;
}

class Conversations {
  view = $state.raw<View>({ kind: 'all' });
  pinned = $state.raw<readonly Conversation[]>([]);
  loading = $state(false);
  loaded = $state(false);
  failed = $state(false);
  // How the list applies a change at its upper end without moving what is looked at.
  keepPlace: (change: () => void) => void = (change) => change();
  // Of the chats that are marked, or null while none can be.
  marked = $state.raw<ReadonlySet<string> | null>(null);
  // Everything in the view is marked, also what is not loaded.
  all = $state(false);
  // Rows are newest first: what the window calls newer lies further down here.
  private window = $state.raw<WindowState<Conversation>>({ rows: [], hasOlder: false, hasNewer: true });
  private generation = 0;

  get list(): readonly Conversation[] {
    return this.window.rows;
  }

  get hasMore(): boolean {
    return this.window.hasNewer;
  }

  get hasBefore(): boolean {
    return this.window.hasOlder;
  }

  // A chat by its id, if it is at hand.
  find(id: string): Conversation | undefined {
    return this.window.rows.find((one) => one.id === id) ?? this.pinned.find((one) => one.id === id);
  }

  show(view: View): void {
    this.reset();
    this.view = view;
    void this.more();
  }

  async more(): Promise<void> {
    if (this.loading || !this.hasMore) return;
    await this.page('desc', this.cursor, (rows, hasMore) => {
      this.keepPlace(() => (this.window = withNewer(this.window, rows, hasMore, listMax)));
    });
  }

  async before(): Promise<void> {
    const first = this.list[0];
    if (this.loading || !this.hasBefore || !first) return;
    await this.page('asc', first.id, (rows, hasMore) => {
      this.keepPlace(() => (this.window = withOlder(this.window, rows.reverse(), hasMore, listMax)));
      this.cursor = this.list.at(-1)?.id ?? this.cursor;
    });
  }

  // Where the next page starts. Kept apart from the list, whose order changes as chats move to the top.
  private cursor: string | null = null;

  private async page(order: 'asc' | 'desc', after: string | null, take: (rows: Conversation[], hasMore: boolean) => void): Promise<void> {
    this.loading = true;
    this.failed = false;
    const generation = this.generation;
    try {
      if (!this.loaded && this.view.kind === 'all') void this.loadPinned();
      const page = await api.get<List<Conversation>>(`/v1/conversations?${this.query(order)}${after ? `&after=${enc(after)}` : ''}`);
      if (generation !== this.generation) return;
      const known = new Set(this.list.map((one) => one.id));
      if (order === 'desc') this.cursor = page.data.at(-1)?.id ?? this.cursor;
      take(page.data.filter((one) => !known.has(one.id)), page.has_more === true && page.data.length > 0);
      this.loaded = true;
    } catch (error) {
      if (generation !== this.generation) return;
      this.failed = true;
      notices.error(error);
    } finally {
      if (generation === this.generation) this.loading = false;
    }
  }

  private query(order: string): string {
    const filter = Object.entries({ ...filterOf(this.view), ...(this.view.kind === 'all' ? { pinned: false } : {}) });
    return `limit=${pageSize}&order=${order}${filter.map(([name, value]) => `&${name}=${enc(value)}`).join('')}`;
  }

  private async loadPinned(): Promise<void> {
    const generation = this.generation;
    try {
      const page = await api.get<List<Conversation>>(`/v1/conversations?limit=${pinnedMax}&order=desc&pinned=true&archived=false`);
      if (generation === this.generation) this.pinned = page.data.filter((one) => one.pinned);
    } catch {
      // The list says so.
    }
  }

  reset(): void {
    this.generation++;
    this.window = placed([], false, true);
    this.pinned = [];
    this.cursor = null;
    this.loaded = false;
    this.loading = false;
    this.failed = false;
    this.marked = null;
    this.all = false;
  }

  // What became newest while nobody looked, put on top. Without the wish to know, errors stay silent.
  async catchUp(): Promise<void> {
    if (!this.loaded || this.loading || this.hasBefore) return;
    const generation = this.generation;
    try {
      const page = await api.get<List<Conversation>>(`/v1/conversations?${this.query('desc')}`);
      if (generation !== this.generation || this.hasBefore) return;
      const fresh = new Set(page.data.map((one) => one.id));
      this.set([...page.data, ...this.list.filter((one) => !fresh.has(one.id))]);
    } catch {
      // Next time.
    }
  }

  // A conversation that was made or has changed. `top`: it has just been used.
  put(conversation: Conversation, top = false): void {
    const aside = this.view.kind === 'all' && !!conversation.pinned;
    const here = belongs(conversation, this.view);
    this.pinned = placeIn(this.pinned, conversation, here && aside, top || !this.pinned.some((one) => one.id === conversation.id));
    const at = this.list.findIndex((one) => one.id === conversation.id);
    if (!here || aside) {
      if (at >= 0) this.set(this.list.filter((one) => one.id !== conversation.id));
    } else if (top && !this.hasBefore) this.set(placeIn(this.list, conversation, true, true));
    else if (at >= 0) this.set(this.list.with(at, conversation));
    // Back from somewhere else: where its time puts it, if that is in the window.
    else if (!top && this.loaded) this.set(byTime(this.list, conversation, this.hasBefore, this.hasMore));
  }

  async change(id: string, fields: Partial<Conversation>): Promise<void> {
    this.put(await api.patch<Conversation>(`/api/conversations/${enc(id)}`, fields));
  }

  async trash(id: string): Promise<void> {
    this.put(await api.post<Conversation>(`/api/conversations/${enc(id)}/trash`));
  }

  async restore(id: string): Promise<void> {
    this.put(await api.post<Conversation>(`/api/conversations/${enc(id)}/restore`));
  }

  // For good.
  async remove(id: string): Promise<void> {
    try {
      await api.delete(`/v1/conversations/${enc(id)}`);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error; // gone already
    }
    this.drop([id]);
  }

  mark(id: string, yes: boolean): void {
    const marked = new Set(this.all ? this.list.map((one) => one.id) : this.marked);
    if (yes) marked.add(id);
    else marked.delete(id);
    this.all = false;
    this.marked = marked;
  }

  // Does something with these chats, or with everything in the view. Answers how many it was done to.
  async bulk(action: Action, ids: readonly string[] | 'all', more: { folder_id?: string; tag?: string } = {}): Promise<number> {
    // The tag to choose by and the tag to give would be one member of the request.
    if (ids === 'all' && more.tag !== undefined && this.view.kind === 'tag') throw new Error('Among the chats of a tag, mark those that are to get another one by one.');
    let done = 0;
    let failed = 0;
    const requests: Record<string, unknown>[] = [];
    if (ids === 'all') requests.push({ all: true, ...filterOf(this.view) });
    else for (let i = 0; i < ids.length; i += bulkMax) requests.push({ ids: ids.slice(i, i + bulkMax) });
    for (const one of requests) {
      const result = await api.post<BulkResult>('/api/conversations/bulk', { ...one, action, ...more });
      done += result.done;
      failed += result.failed.length;
      if (result.failed.length) notices.show('error', `${failed} could not be changed: ${result.failed[0]!.message}`);
    }
    const view = this.view;
    this.show(view);
    return done;
  }

  private drop(ids: readonly string[]): void {
    this.pinned = this.pinned.filter((one) => !ids.includes(one.id));
    this.set(this.list.filter((one) => !ids.includes(one.id)));
  }

  private set(rows: readonly Conversation[]): void {
    const over = rows.length > listMax;
    this.window = { ...this.window, rows: over ? rows.slice(0, listMax) : rows, hasNewer: this.window.hasNewer || over };
    if (over) this.cursor = this.list.at(-1)!.id;
  }
}

function placeIn(list: readonly Conversation[], one: Conversation, here: boolean, top: boolean): readonly Conversation[] {
  const at = list.findIndex((other) => other.id === one.id);
  if (!here) return at < 0 ? list : list.filter((other) => other.id !== one.id);
  if (at >= 0 && (!top || at === 0)) return list.with(at, one);
  return [one, ...list.filter((other) => other.id !== one.id)];
}

function byTime(list: readonly Conversation[], one: Conversation, before: boolean, more: boolean): readonly Conversation[] {
  const at = list.findIndex((other) => other.updated_at < one.updated_at);
  if (at === 0 && before) return list;
  if (at < 0) return more ? list : [...list, one];
  return [...list.slice(0, at), one, ...list.slice(at)];
}

export const conversations = new Conversations();
