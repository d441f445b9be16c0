import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lex } from '../src/lib/markdown/lexer';

test('addresses that never end are text, and many that do are links', () => {
  const start = process.cpuUsage();
  const hostile = lex('![a]('.repeat(2_000)).tokens;
  assert.ok(process.cpuUsage(start).user < 1_000_000, 'cubic, it took a minute');
  assert.deepEqual(hostile.map((token) => token.type), ['paragraph']);
  const links = (lex('[a](https://a.example) '.repeat(300)).tokens[0] as { tokens: { type: string }[] }).tokens;
  assert.equal(links.filter((token) => token.type === 'link').length, 300);
});
