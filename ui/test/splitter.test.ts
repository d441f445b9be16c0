import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from 'marked';
import { lex } from '../src/lib/markdown/lexer';
import { blocksOf, Splitter } from '../src/lib/markdown/splitter';

const texts: Record<string, string> = {
  plain: 'One paragraph\nof two lines.\n\nAnother.\n',
  setext: 'Title\n=====\n\ntext\n---\n\nmore\n',
  hashtag: 'text\n#hashtag is no heading\n\n# heading\ntext\n',
  lists: '- one\n- two\n\n  still two\n\n- three\n\nafter\n\n1. a\n2. b\n   - c\n',
  'lazy list': '- one\nlazy\n*emphasis* here\n\n* other\n',
  fence: 'a\n\n```js\nconst a = 1;\n\n# not a heading\n```\n\nb\n~~~\nopen to the end\n\nstill\n',
  table: 'x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\ny\n',
  quote: '> a\n> b\nlazy\n\n> c\n\nd\n',
  html: '<div>\nraw\n</div>\n\ntext <b>inline</b>\n\n<!-- open\n\ncomment -->\nend\n',
  'indented code': 'text\n\n    code\n\n    more code\n\ntext\n',
  'hard breaks': 'a  \nb\\\nc\n\n***\n\nd\n',
  'carriage returns': 'a\r\nb\r\n\r\n# c\r\n\r\nd',
  references: 'see [one] and [two][2]\n\n[one]: https://one.example/\n\nthen [one] again\n\nand more\n\n[2]: https://two.example/\n',
  'tabs and spaces': '\t code\n\n-\tone\n-\ttwo\n\n   three\n',
};

const shape = (tokens: Token[]) => tokens.map((token) => `${token.type}: ${token.raw.trim()} ${links(token)}`);
const links = (token: Token): string => (token.type === 'link' ? `<${token.href}>` : '') + ((token as { tokens?: Token[] }).tokens ?? []).map(links).join('');

for (const [name, text] of Object.entries(texts)) {
  test(`${name}: cut anywhere, the blocks are those of the whole text`, () => {
    const whole = shape(blocksOf(text));
    for (let cut = 0; cut <= text.length; cut++) {
      const splitter = new Splitter();
      splitter.append(text.slice(0, cut));
      splitter.append(text.slice(cut));
      splitter.finish(text);
      assert.deepEqual(shape(splitter.done), whole, `cut at ${cut}`);
    }
    const splitter = new Splitter();
    for (const char of text) splitter.append(char);
    splitter.finish(text);
    assert.deepEqual(shape(splitter.done), whole, 'one character at a time');
  });
}

test('a finished block is never made anew', () => {
  const splitter = new Splitter();
  splitter.append('# one\n\ntwo\n\nthree\n');
  const first = splitter.done[0];
  splitter.append('\nfour\n\nfive\n');
  assert.equal(splitter.done[0], first);
  assert.ok(splitter.done.length >= 3);
});

test('a long answer costs what its last block costs', () => {
  const splitter = new Splitter();
  const part = 'Some words with **strong** and `code` in them, again and again.\n\n';
  const start = performance.now();
  for (let i = 0; i < 3_000; i++) splitter.append(part);
  assert.equal(splitter.done.length, 2_999);
  assert.ok(performance.now() - start < 3_000, `${performance.now() - start} ms for 200 KB`);
});

const hostile: Record<string, string> = {
  quotes: '> '.repeat(10_000) + 'x',
  'quotes without spaces': '>'.repeat(100_000),
  lists: '- '.repeat(10_000) + 'x',
  'mixed containers': '> - 1. '.repeat(5_000),
  brackets: '['.repeat(20_000),
  'images of brackets': '![['.repeat(20_000),
  'closed brackets': '[a]('.repeat(20_000),
  stars: '*a '.repeat(20_000),
  'mixed emphasis': '**a _b '.repeat(20_000),
  underscores: '_'.repeat(50_000),
  backticks: Array.from({ length: 600 }, (_, i) => '`'.repeat(i)).join(' '),
  angles: '<a '.repeat(20_000),
  'open comments': '<!--'.repeat(20_000),
  entities: '&#x'.repeat(30_000),
  tables: '|a'.repeat(5_000) + '\n' + '|-'.repeat(5_000) + '\n' + '|b'.repeat(5_000),
  'a deep list of lines': Array.from({ length: 300 }, (_, i) => `${' '.repeat(i * 2)}- x`).join('\n'),
  'a deep quote of lines': Array.from({ length: 300 }, (_, i) => `${'>'.repeat(i)} x`).join('\n'),
  tildes: '~~a '.repeat(20_000),
  addresses: 'a@b.'.repeat(20_000),
  dots: 'www.'.repeat(20_000),
  blanks: ' '.repeat(60_000) + 'x',
  'blank lines': ' \n'.repeat(50_000),
  definitions: '[a]: b\n'.repeat(10_000),
};
for (const [name, text] of Object.entries(hostile)) {
  test(`${name}: hostile text is lexed in bounded time`, () => {
    const start = performance.now();
    const { tokens } = lex(text);
    const took = performance.now() - start;
    assert.ok(tokens.length > 0 || name === 'definitions');
    assert.ok(depth(tokens) < 60, 'depth');
    assert.ok(took < 1_500, `${Math.round(took)} ms`);
  });
}

function depth(value: unknown): number {
  if (!value || typeof value !== 'object') return 0;
  let deepest = 0;
  const inner = value as { tokens?: unknown[]; items?: unknown[] };
  for (const one of [...(Array.isArray(value) ? value : []), ...(inner.tokens ?? []), ...(inner.items ?? [])]) deepest = Math.max(deepest, depth(one));
  return deepest + 1;
}
