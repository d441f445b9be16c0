// The list in the sidebar: newest first, a page at a time.
import { api, ApiError, enc } from './api';
import { notices } from './notices.svelte';
import type { Conversation, List } from './types';

const pageSize = 40;

class Conversations {
  list = $state.raw<Conversation[]>([]);
  hasMore = $state(true);
  loading = $state(false);
  loaded = $state(false);
  failed = $state(false);
  private generation = 0;

  async more(): Promise<void> {
    if (this.loading || !this.hasMore) return;
    this.loading = true;
    this.failed = false;
    const generation = this.generation;
    try {
      const after = this.cursor;
      const query = after ? `&after=${enc(after)}` : '';
      const page = await api.get<List<Conversation>>(`/v1/conversations?limit=${pageSize}&order=desc${query}`);
      if (generation !== this.generation) return;
      const known = new Set(this.list.map((one) => one.id));
      this.list = [...this.list, ...page.data.filter((one) => !known.has(one.id))];
      this.cursor = page.data.at(-1)?.id ?? this.cursor;
      this.hasMore = page.has_more === true && page.data.length > 0;
      this.loaded = true;
    } catch (error) {
      if (generation !== this.generation) return;
      this.failed = true;
      notices.error(error);
    } finally {
      if (generation === this.generation) this.loading = false;
    }
  }

  // Where the next page starts. Kept apart from the list, whose order changes as chats move to the top.
  private cursor: string | null = null;

  reset(): void {
    this.generation++;
    this.list = [];
    this.cursor = null;
    this.hasMore = true;
    this.loaded = false;
    this.loading = false;
    this.failed = false;
  }

  // What became newest while nobody looked, put on top. Without the wish to know, errors stay silent.
  async catchUp(): Promise<void> {
    if (!this.loaded || this.loading) return;
    const generation = this.generation;
    try {
      const page = await api.get<List<Conversation>>(`/v1/conversations?limit=${pageSize}&order=desc`);
      if (generation !== this.generation) return;
      const fresh = new Set(page.data.map((one) => one.id));
      this.list = [...page.data, ...this.list.filter((one) => !fresh.has(one.id))];
    } catch {
      // Next time.
    }
  }

  // A conversation that was made or has changed. `top`: it has just been used.
  put(conversation: Conversation, top = false): void {
    const at = this.list.findIndex((one) => one.id === conversation.id);
    if (at >= 0 && !top) this.list = this.list.with(at, conversation);
    else if (at === 0) this.list = this.list.with(0, conversation);
    else if (at > 0 || top) this.list = [conversation, ...this.list.filter((one) => one.id !== conversation.id)];
  }

  async rename(id: string, title: string): Promise<void> {
    this.put(await api.patch<Conversation>(`/api/conversations/${enc(id)}`, { title }));
  }

  async remove(id: string): Promise<void> {
    try {
      await api.delete(`/v1/conversations/${enc(id)}`);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error; // gone already
    }
    this.list = this.list.filter((one) => one.id !== id);
  }
}

export const conversations = new Conversations();
