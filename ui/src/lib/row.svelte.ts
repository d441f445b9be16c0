// One message on the page: the item as the server knows it, and its text cut into blocks for Markdown.svelte.
import type { Token } from 'marked';
import { Splitter } from './markdown/splitter';
import { textOf, type Item } from './types';

// Blocks are handed over in groups of this size. A full group is never touched again, so that a frame of a long answer
// looks at the last group only.
export const groupSize = 40;

let nextKey = 1;

export class Row {
  readonly key = nextKey++;
  item = $state.raw<Item>() as Item;
  // Only for answers; a user's text is shown as it is.
  groups = $state.raw<readonly (readonly Token[])[]>([]);
  settled = $state(0);
  text = $state.raw('');
  // Sent from here and not yet known to the server by an id.
  local: boolean;
  private splitter = new Splitter();

  constructor(item: Item, options: { local?: boolean; live?: boolean } = {}) {
    this.local = options.local ?? false;
    this.item = item;
    this.text = textOf(item);
    if (item.role !== 'user') {
      this.splitter.append(this.text);
      if (!options.live) this.splitter.finish(this.text);
      this.show();
    }
  }

  append(text: string): void {
    this.text += text;
    this.splitter.append(text);
    this.show();
  }

  // The final or fuller version of this message. The blocks are only made anew when the text differs.
  replace(item: Item): void {
    const text = textOf(item);
    if (text !== this.text) {
      this.text = text;
      if (item.role !== 'user') {
        this.splitter = new Splitter();
        this.splitter.append(text);
      }
    }
    this.local = false;
    this.item = item;
    if (item.role !== 'user') {
      this.splitter.finish(this.text);
      this.show();
    }
  }

  // Nothing more comes, and the server said nothing better.
  close(status: Item['status']): void {
    this.item = { ...this.item, status };
    this.splitter.finish(this.text);
    this.show();
  }

  private show(): void {
    const { done, open } = this.splitter;
    const blocks = done.length + open.length;
    const full = Math.min(Math.floor(done.length / groupSize), Math.floor(this.settled / groupSize));
    const groups = this.groups.slice(0, full);
    for (let start = full * groupSize; start < blocks; start += groupSize) {
      const group: Token[] = done.slice(start, start + groupSize);
      for (let i = Math.max(0, start - done.length); i < open.length && group.length < groupSize; i++) group.push(open[i]!);
      groups.push(group);
    }
    this.groups = groups;
    this.settled = done.length;
  }
}
