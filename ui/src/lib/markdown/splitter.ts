// A growing Markdown text as a list of finished top-level blocks and one open end. Only the open end is lexed again when
// text arrives, so a long answer costs what its last block costs.
//
// When is a block finished? When a later block has begun with a *complete* line: a half line may still turn out to
// continue what stands before it ("text\n#" becomes "text\n#hashtag", one paragraph).
import type { Token } from 'marked';
import { lex, type Links } from './lexer';

export class Splitter {
  done: Token[] = [];
  open: Token[] = [];
  // Normalised text of the open end, and whether the last character of the input was a CR that stands in it as LF.
  private tail = '';
  private afterReturn = false;
  private links: Links | undefined;
  private definitions = false;

  append(text: string): void {
    if (text === '') return;
    const from = this.afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.afterReturn = text.endsWith('\r');
    this.tail += from.includes('\r') ? from.replace(/\r\n?/g, '\n') : from;
    const complete = this.tail.lastIndexOf('\n') + 1;
    if (complete > 0 && from.search(/[\n\r]/) >= 0) this.settle(this.tail.slice(0, complete));
    this.open = this.tail ? visible(lex(this.tail, this.links).tokens) : [];
  }

  // No more text comes; `whole` is all of it. Links may be used before their definition, which only now is known.
  finish(whole: string): void {
    const before = this.links ? Object.keys(this.links).length : 0;
    const after = this.tail ? Object.keys(lex(this.tail, this.links).links).length : before;
    if (this.definitions || after > before) this.done = blocksOf(whole);
    else this.done.push(...this.open);
    this.open = [];
    this.tail = '';
  }

  // Moves all but the last block of `lines` to `done`.
  private settle(lines: string): void {
    const { tokens, links } = lex(lines, this.links);
    let last = tokens.length - 1;
    while (last > 0 && tokens[last]!.type === 'space') last--;
    if (last <= 0) return;
    const rest = tokens.slice(last).reduce((text, token) => text + token.raw, '');
    // The last block must be exactly the end of the text, or the cut would lose something: then wait.
    if (rest === '' || !lines.endsWith(rest)) return;
    // Definitions have no token. Those of the last block are found again with it.
    const known = this.links ? Object.keys(this.links).length : 0;
    if (Object.keys(links).length > known) this.definitions = true;
    this.links = links;
    this.done.push(...visible(tokens.slice(0, last)));
    this.tail = this.tail.slice(lines.length - rest.length);
  }
}

function visible(tokens: Token[]): Token[] {
  return tokens.filter((token) => token.type !== 'space' && token.type !== 'def');
}

// A text that is there as a whole.
export function blocksOf(text: string): Token[] {
  return visible(lex(text).tokens);
}
