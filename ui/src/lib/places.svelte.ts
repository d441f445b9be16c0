// Going to any place of a conversation: a message, a share of the whole, a time; and going on elsewhere from one.
import { api, enc } from './api';
import { conversations } from './conversations.svelte';
import { notFound, type History } from './history.svelte';
import { notices } from './notices.svelte';
import { router } from './router.svelte';
import type { Row } from './row.svelte';
import type { Conversation, ItemPage } from './types';

export class Places {
  // The message that was jumped to, until another is.
  found = $state<string | null>(null);
  // Set by the list: bring an item into view.
  reveal: (item: string) => void = () => {};
  private wishes = 0;

  constructor(
    private readonly history: History,
    private readonly id: () => string | null,
  ) {}

  // A new chat that begins with a copy of everything up to `row`.
  async fork(row: Row): Promise<void> {
    try {
      const made = await api.post<Conversation>(`/api/conversations/${enc(this.id() ?? '')}/fork`, { item_id: row.item.id });
      conversations.put(made, true);
      router.go(`/c/${enc(made.id)}`);
      notices.info('This is a copy. The chat it was made from stays as it was.');
    } catch (error) {
      notices.error(error);
    }
  }

  // Goes to a message of this conversation, wherever it is.
  async goTo(item: string): Promise<void> {
    if (!this.id()) return;
    this.found = item;
    if (!this.history.has(item)) {
      try {
        const page = await this.pageAbout(item);
        if (this.history.closed || this.found !== item) return;
        if (!page) {
          notices.info('That message is not there any more.');
          return;
        }
        this.history.showAt(page);
      } catch (error) {
        if (!this.history.closed) notices.error(error);
        return;
      }
    }
    this.reveal(item);
  }

  // Goes to a share of the conversation (0 to 1) or to a time. False when a later wish overtook this one.
  async jump(place: 'at' | 'date', value: number): Promise<boolean> {
    const wish = ++this.wishes;
    try {
      const page = await this.history.fetchAt(place, value);
      if (this.history.closed || wish !== this.wishes || page.data.length === 0) return false;
      this.history.showAt(page);
      const { data } = page;
      const wanted = place === 'date' ? data.find((item) => (item.created_at ?? 0) >= value) : undefined;
      const position = Math.round(value * ((page.head_position ?? 1) - 1)) + 1;
      this.reveal((wanted ?? (place === 'at' ? data.find((item) => (item.position ?? 0) >= position) : undefined) ?? data.at(-1)!).id);
      return true;
    } catch (error) {
      if (!this.history.closed && wish === this.wishes) notices.error(error);
      return false;
    }
  }

  // The page about an item. If it stands on another branch, that one is opened. Null when there is no such item.
  async pageAbout(item: string): Promise<ItemPage | null> {
    let page: ItemPage | null = null;
    try {
      page = await this.history.fetchAt('around', item);
      const { head_item_id: head, active_response_id: busy } = await api.get<Conversation>(`/v1/conversations/${enc(this.id() ?? '')}`);
      // What is written next must go where one reads; while an answer is made, branches cannot be changed.
      if (busy || page.leaf_id === undefined || page.leaf_id === head) return page;
    } catch (error) {
      if (!notFound(error)) throw error;
      return null;
    }
    try {
      await api.put(`/api/conversations/${enc(this.id() ?? '')}/head`, { item_id: item, descend: true });
      return await this.history.fetchAt('around', item);
    } catch (error) {
      if (!notFound(error)) throw error;
      return page;
    }
  }
}
