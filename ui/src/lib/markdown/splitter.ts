// A growing Markdown text as a list of finished top-level blocks and one open end. Only the open end is lexed again when
// text arrives, so a long answer costs what its last block costs.
//
// When is a block finished? When a later block has begun with a *complete* line: a half line may still turn out to
// continue what stands before it ("text\n#" becomes "text\n#hashtag", one paragraph).
import type { Token } from 'marked';
import { lex } from './lexer';

export class Splitter {
  readonly done: Token[] = [];
  open: Token[] = [];
  private tail = '';

  append(text: string): void {
    this.tail += text;
    const complete = this.tail.lastIndexOf('\n') + 1;
    if (complete > 0 && text.includes('\n')) this.settle(this.tail.slice(0, complete));
    this.open = this.tail ? visible(lex(this.tail)) : [];
  }

  // No more text comes.
  finish(): void {
    this.done.push(...this.open);
    this.open = [];
    this.tail = '';
  }

  // Moves all but the last block of `lines` to `done`.
  private settle(lines: string): void {
    const tokens = lex(lines);
    let last = tokens.length - 1;
    while (last > 0 && tokens[last]!.type === 'space') last--;
    if (last <= 0) return;
    let length = 0;
    for (const token of tokens.slice(0, last)) length += token.raw.length;
    // The cut is only right if the tokens account for every character (marked normalises some); else wait.
    const rest = tokens.slice(last).reduce((sum, token) => sum + token.raw.length, 0);
    if (length + rest !== lines.length) return;
    this.done.push(...visible(tokens.slice(0, last)));
    this.tail = this.tail.slice(length);
  }
}

function visible(tokens: Token[]): Token[] {
  return tokens.filter((token) => token.type !== 'space' && token.type !== 'def');
}

// A text that is there as a whole.
export function blocksOf(text: string): Token[] {
  return visible(lex(text));
}
