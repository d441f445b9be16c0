// A conversation that somebody has shared, read page by page. The link's token goes to the server in a header and so stands in no
// address, which logs keep.
import { api, ApiError, messageOf, request } from './api';
import type { ImageSource } from './images';
import { Row } from './row.svelte';
import type { Item } from './types';

// In the document at most: a long chat is read with the memory of a short one.
export const kSharedRowsMax = 300;

export interface SharedPage {
  title: string;
  created_at: number;
  expires_at: number | null;
  data: Item[];
  last_position: number;
  has_more: boolean;
}

// An image is named by its item's place and its own among the parts.
export function withImageIds(item: Item): Item {
  const named = (parts: Item['content']) => parts?.map((part) => (part.image === undefined ? part : { ...part, file_id: `${item.position}/images/${part.image}` }));
  return { ...item, ...(item.content ? { content: named(item.content)! } : {}), ...(Array.isArray(item.output) ? { output: named(item.output)! } : {}) };
}

export class Shared {
  rows = $state.raw<Row[]>([]);
  head = $state.raw<Omit<SharedPage, 'data'> | null>(null);
  gone = $state(false);
  problem = $state('');
  more = $state(true);
  // What was read before has left the page.
  dropped = $state(false);
  pages = $state(0);
  private after = 0;
  private loading = false;
  private images = new Map<string, Promise<string>>();

  constructor(private token: string) {}

  async load(): Promise<void> {
    if (this.loading || !this.more) return;
    this.loading = true;
    this.problem = '';
    try {
      const page = await this.get<SharedPage>(`?after=${this.after}`);
      this.head = page;
      this.after = page.last_position;
      this.more = page.has_more;
      this.pages += 1;
      this.keep([...this.rows, ...page.data.map((item) => new Row(withImageIds(item)))]);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        this.gone = true;
        this.rows = [];
      } else this.problem = messageOf(error);
    } finally {
      this.loading = false;
    }
  }

  restart(): void {
    this.close();
    this.images.clear();
    this.rows = [];
    this.dropped = false;
    this.more = true;
    this.after = 0;
    void this.load();
  }

  // The browser keeps in view what is read, whatever goes above it.
  private keep(rows: Row[]): void {
    this.dropped ||= rows.length > kSharedRowsMax;
    this.rows = rows.slice(-kSharedRowsMax);
    const first = this.rows[0]?.item.position ?? 0;
    for (const [id, url] of this.images) {
      if (parseInt(id, 10) >= first) continue;
      url.then((made) => URL.revokeObjectURL(made)).catch(() => {});
      this.images.delete(id);
    }
  }

  // The whole of an item that the page has only the beginning of.
  async whole(row: Row): Promise<void> {
    row.replace(withImageIds(await this.get<Item>(`/items/${row.item.position}`)));
  }

  readonly source: ImageSource = {
    url: (id) => {
      let url = this.images.get(id);
      if (!url) {
        url = request('GET', `/api/shared/items/${id}`, undefined, undefined, this.headers)
          .then((response) => response.blob())
          .then((blob) => URL.createObjectURL(blob));
        url.catch(() => this.images.delete(id));
        this.images.set(id, url);
      }
      return url;
    },
    describe: (id) => request('GET', `/api/shared/items/${id}`, undefined, undefined, this.headers).then(() => ({ filename: 'Image' })),
  };

  close(): void {
    for (const url of this.images.values()) url.then((made) => URL.revokeObjectURL(made)).catch(() => {});
  }

  private get headers() {
    return { 'confab-share': this.token };
  }

  private get<T>(path: string): Promise<T> {
    return api.get<T>(`/api/shared${path}`, undefined, this.headers);
  }
}
