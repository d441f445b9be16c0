// What is looked for, and what was found: asked a moment after the last key, and never shown when something else is wanted by then.
import { api, enc, isAbort, messageOf } from './api';
import type { Hit, Hits } from './types';

const restMs = 180;
const pageSize = 20;
// More than this nobody reads through; other words find it sooner.
const hitsMax = 200;

export type Order = 'relevance' | 'newest';

export class Search {
  query = $state('');
  order = $state<Order>('relevance');
  hits = $state.raw<readonly Hit[]>([]);
  // Messages that are stored but cannot be found yet.
  pending = $state(0);
  busy = $state(false);
  problem = $state('');
  // The words that `hits` belong to.
  answered = $state('');
  private next = $state<string | null>(null);
  private timer = 0;
  private asking: AbortController | null = null;

  get more(): boolean {
    return this.next !== null && this.hits.length < hitsMax;
  }

  // `now`: do not wait for another key.
  ask(now = false): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.problem = '';
    if (this.query.trim() === '') {
      this.hits = [];
      this.next = null;
      this.answered = '';
      this.busy = false;
      return;
    }
    this.busy = true;
    this.timer = window.setTimeout(() => void this.load(null), now ? 0 : restMs);
  }

  loadMore(): void {
    if (!this.busy && this.more) void this.load(this.next);
  }

  close(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
  }

  private async load(after: string | null): Promise<void> {
    const asking = new AbortController();
    const query = this.query.trim();
    this.asking = asking;
    this.busy = true;
    try {
      const cursor = after ? `&after=${enc(after)}` : '';
      const page = await api.get<Hits>(`/api/search?q=${enc(query)}&limit=${pageSize}&order=${this.order}${cursor}`, asking.signal);
      if (asking.signal.aborted) return;
      this.hits = after ? [...this.hits, ...page.data].slice(0, hitsMax) : page.data;
      this.next = page.has_more ? page.next : null;
      this.pending = page.pending;
      this.answered = query;
    } catch (error) {
      if (isAbort(error) || asking.signal.aborted) return;
      this.problem = messageOf(error);
    } finally {
      if (this.asking === asking) this.busy = false;
    }
  }
}
