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
  const part = 'Some words with **strong** and `code` in them, again and again.\n\n';
  const cost = (parts: number): number => {
    const splitter = new Splitter();
    const before = process.cpuUsage();
    for (let i = 0; i < parts; i++) splitter.append(part);
    const { user, system } = process.cpuUsage(before);
    assert.equal(splitter.done.length, parts - 1);
    return user + system;
  };
  cost(300); // compiled by now
  const few = cost(300);
  const many = cost(4_800); // 16 times as many; lexing the whole again would cost 256 times
  assert.ok(many < 100 * few + 50_000, `${few} us for 300 parts, ${many} us for 4,800`);
});
