// One item on the page: the item as the server knows it, and its text cut into blocks for Markdown.svelte.
import type { Token } from 'marked';
import { Splitter } from './markdown/splitter';
import { isAnswer, refusalOf, textOf, type Item } from './types';

// Blocks are handed over in groups of this size. A full group is never touched again, so that a frame of a long answer
// looks at the last group only.
export const groupSize = 40;

// A text that is revealed late is cut into blocks this many characters at a time, one piece a frame.
const revealStep = 32_768;

let nextKey = 1;

export class Row {
  readonly key = nextKey++;
  item = $state.raw<Item>() as Item;
  // Only for answers and thoughts; other texts are shown as they are.
  groups = $state.raw<readonly (readonly Token[])[]>([]);
  settled = $state(0);
  text = $state.raw('');
  refusal = $state.raw('');
  // How long the model thought, if this page saw it from the beginning to the end.
  seconds = $state<number | null>(null);
  // Sent from here and not yet known to the server by an id.
  local = $state(false);
  // Thoughts are cut into blocks once somebody wants to read them.
  private hidden: boolean;
  private cut = 0;
  private frame = 0;
  private splitter = new Splitter();
  // An answer that is continued: the server tells it again from its beginning, and the old text stays until that is passed.
  private retold: string | null = null;

  constructor(item: Item, options: { local?: boolean; live?: boolean } = {}) {
    this.local = options.local ?? false;
    this.item = item;
    this.text = textOf(item);
    this.refusal = refusalOf(item);
    this.hidden = item.type === 'reasoning';
    if (this.markdown && !this.hidden) {
      this.splitter.append(this.text);
      if (!options.live) this.splitter.finish(this.text);
      this.show();
    }
  }

  append(text: string): void {
    if (this.retold !== null) {
      this.retold += text;
      if (this.retold.length < this.text.length) return;
      const whole = this.retold;
      this.retold = null;
      if (!whole.startsWith(this.text)) return this.restart(whole);
      text = whole.slice(this.text.length);
    }
    this.text += text;
    if (!this.markdown || this.hidden || this.frame) return;
    this.splitter.append(text);
    this.show();
  }

  refuse(text: string): void {
    this.refusal += text;
  }

  // The answer goes on as `item`, whose events tell it from its beginning.
  goOn(item: Item): void {
    this.item = { ...item, status: 'in_progress' };
    this.retold = '';
    this.restart(this.text);
  }

  // The final or fuller version of this item. The blocks are only made anew when the text differs.
  replace(item: Item): void {
    const text = textOf(item);
    const finished = item.status !== 'in_progress';
    this.retold = null;
    this.refusal = refusalOf(item);
    this.local = false;
    this.item = item;
    if (text !== this.text) this.restart(text);
    if (finished) this.finish();
  }

  // Nothing more comes, and the server said nothing better.
  close(status: Item['status']): void {
    this.item = { ...this.item, status };
    this.finish();
  }

  // Somebody wants to read it: see `hidden`.
  reveal(): void {
    if (!this.hidden) return;
    this.hidden = false;
    this.pump();
  }

  private get markdown(): boolean {
    return isAnswer(this.item) || this.item.type === 'reasoning';
  }

  private restart(text: string): void {
    this.text = text;
    if (!this.markdown) return;
    this.splitter = new Splitter();
    this.settled = 0;
    this.cut = 0;
    if (this.hidden || this.frame) return;
    this.splitter.append(text);
    this.show();
  }

  private finish(): void {
    if (!this.markdown || this.hidden || this.frame) return;
    this.splitter.finish(this.text);
    this.show();
  }

  private pump = (): void => {
    this.frame = 0;
    const next = this.text.slice(this.cut, this.cut + revealStep);
    this.cut += next.length;
    this.splitter.append(next);
    this.show();
    if (this.cut < this.text.length) this.frame = requestAnimationFrame(this.pump);
    else if (this.item.status !== 'in_progress') this.finish();
  };

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
