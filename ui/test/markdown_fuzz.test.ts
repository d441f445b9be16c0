// Random Markdown, cut at random: nothing throws, nothing takes long, no text is lost, links lead only where they may.
// FUZZ_SECONDS (5) says how long, FUZZ_SEED begins elsewhere, or repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from 'marked';
import { lex } from '../src/lib/markdown/lexer';
import { blocksOf, Splitter } from '../src/lib/markdown/splitter';
import { safeUrl } from '../src/lib/markdown/url';
import { random } from './random';

const seconds = Number(process.env.FUZZ_SECONDS ?? 5);
const seed = Number(process.env.FUZZ_SEED ?? 1); // the same texts every time; another seed looks further
const slowest = 2_000; // ms for one text of at most 4 KB; quadratic behaviour takes minutes

const pieces = [
  'a', 'word ', ' ', '  ', '    ', '\t', '\n', '\n\n', '\r\n', '#', '## ', '- ', '* ', '+ ', '1. ', '> ', '>', '```', '~~~', '`', '``', '*', '**', '_', '__', '~~',
  '[', ']', '(', ')', '![', '](', '[x]: ', 'http://a.example/', 'https://user@b.example', 'javascript:alert(1)', 'java\tscript:', 'data:text/html,', '//c.example',
  'mailto:a@b.example', '<', '>', '<b>', '</b>', '<script>', '<img src=x onerror=alert(1)>', '<svg onload=', '<!--', '-->', '<?', '<![CDATA[', '&amp;', '&#x6A;', '&colon;',
  '|', '|---|', '---', '===', '\\', '\u202e', '\u200b', '\ud83d\ude00', '\ud83d', '\u4e2d\u6587', '$$', '\\(', '[^1]', '[ ] ', '\0', '\u2028',
];

function document(next: () => number): string {
  let text = '';
  const length = 1 + Math.floor(next() * 120);
  for (let i = 0; i < length; i++) {
    const piece = pieces[Math.floor(next() * pieces.length)]!;
    text += next() < 0.03 ? piece.repeat(1 + Math.floor(next() * 60)) : piece;
  }
  return text.slice(0, 4_096);
}

function* all(tokens: Token[]): Generator<Token> {
  for (const token of tokens) {
    yield token;
    const inner = token as { tokens?: Token[]; items?: Token[]; header?: { tokens: Token[] }[]; rows?: { tokens: Token[] }[][] };
    yield* all(inner.tokens ?? []);
    yield* all(inner.items ?? []);
    for (const cell of [...(inner.header ?? []), ...(inner.rows ?? []).flat()]) yield* all(cell.tokens);
  }
}

function check(text: string, next: () => number): void {
  const start = performance.now();
  const { tokens } = lex(text);
  for (const token of all(tokens)) {
    if (token.type !== 'link' && token.type !== 'image') continue;
    const url = safeUrl(String(token.href));
    assert.ok(url === null || /^(https?:\/\/|mailto:)/.test(url), `leads to ${url}`);
  }
  const splitter = new Splitter();
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + Math.floor(next() * 40);
    splitter.append(text.slice(at, end));
    at = end;
  }
  splitter.finish(text);
  const kept = (blocks: Token[]) => blocks.map((token) => token.raw).join('').replace(/\s+/g, '');
  assert.equal(kept(splitter.done), kept(blocksOf(text)), 'text was lost between two blocks');
  const took = performance.now() - start;
  assert.ok(took < slowest, `${took} ms`);
}

test(`random Markdown for ${seconds} s (FUZZ_SEED=${seed})`, () => {
  const end = performance.now() + seconds * 1_000;
  let runs = 0;
  for (; performance.now() < end; runs++) {
    const next = random(seed + runs);
    const text = document(next);
    try {
      check(text, next);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed + runs}: ${JSON.stringify(text)}: ${String(error)}`);
    }
  }
  assert.ok(runs > 10, `${runs} documents`);
});
