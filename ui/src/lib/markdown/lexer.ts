// Markdown -> tokens. marked's lexer, made safe for text that wants to hurt: nesting is capped, and runs that would make its
// inline scan quadratic stay plain text. Tokens become DOM nodes in chat/Markdown*.svelte; no HTML string is ever made.
import { Lexer, type Token, type TokensList } from 'marked';

// Deeper than anybody reads; marked recurses for each level.
const maxDepth = 20;
// Every delimiter is searched a partner to the end of its paragraph: beyond this many in one paragraph it is not prose.
const maxDelimiters = 1_000;
// An address that never ends is searched to the end of its paragraph by each that stands around it: cubic.
const maxOpenLinks = 100;
// Lists and quotes re-scan their own text once per level and line.
const maxContainerBytes = 200_000;

class CappedLexer extends Lexer {
  private depth = 0;

  override blockTokens(src: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[];
  override blockTokens(src: string, tokens?: TokensList, lastParagraphClipped?: boolean): TokensList;
  override blockTokens(src: string, tokens: Token[] = [], lastParagraphClipped?: boolean): Token[] {
    if (this.depth >= maxDepth || (this.depth > 0 && src.length > maxContainerBytes)) {
      tokens.push({ type: 'text', raw: src, text: src } as Token);
      return tokens;
    }
    this.depth++;
    try {
      return super.blockTokens(src, tokens, lastParagraphClipped);
    } finally {
      this.depth--;
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.depth >= maxDepth || tooManyDelimiters(src)) {
      tokens.push({ type: 'text', raw: src, text: src } as Token);
      return tokens;
    }
    this.depth++;
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.depth--;
    }
  }
}

function tooManyDelimiters(src: string): boolean {
  if (src.length <= 2 * maxOpenLinks) return false;
  let count = 0;
  let open = 0;
  for (let i = 0; i < src.length; i++) {
    switch (src.charCodeAt(i)) {
      case 33: // !
      case 42: // *
      case 60: // <
      case 91: // [
      case 92: // backslash
      case 93: // ]
      case 95: // _
      case 96: // `
      case 126: // ~
        if (++count > maxDelimiters) return true;
        break;
      case 40: // (
        if (src.charCodeAt(i - 1) === 93 && ++open > maxOpenLinks) return true;
        break;
      case 41: // )
        if (open > 0 && src.charCodeAt(i - 1) !== 92) open--;
    }
  }
  return false;
}

export type Links = TokensList['links'];

export interface Lexed {
  tokens: Token[];
  // Link definitions ("[name]: address") seen so far. Map without prototype: names come from the text.
  links: Links;
}

// `links`: definitions of text that stands before this one.
export function lex(text: string, links?: Links): Lexed {
  try {
    const lexer = new CappedLexer({ gfm: true });
    Object.assign(lexer.tokens.links, links);
    const tokens = lexer.lex(text);
    return { tokens: [...tokens], links: tokens.links };
  } catch {
    // marked gave up (a stack overflow, for one): show what was written.
    return { tokens: [{ type: 'text', raw: text, text } as Token], links: links ?? Object.create(null) };
  }
}
