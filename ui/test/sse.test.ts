import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser, type SseEvent } from '../src/lib/sse';

function parse(...chunks: string[]): SseEvent[] {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

const sample = ': hello\n\nevent: a\ndata: {"x":1}\n\ndata: one\ndata: two\n\n:\n\ndata\n\nid: 7\nretry: 10\ndata:  spaced\n\n';
const expected = [
  { event: 'a', data: '{"x":1}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'message', data: '' },
  { event: 'message', data: ' spaced' },
];

test('reads events and drops comments', () => assert.deepEqual(parse(sample), expected));

for (const [name, end] of [['LF', '\n'], ['CR LF', '\r\n'], ['CR', '\r']] as const) {
  test(`gives the same events wherever ${name} text is cut`, () => {
    const text = sample.replaceAll('\n', end);
    for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(parse(text.slice(0, cut), text.slice(cut)), expected, `cut at ${cut}`);
    assert.deepEqual(parse(...text), expected, 'one character at a time');
  });
}

test('ignores a byte order mark at the start only', () => {
  assert.deepEqual(parse('\ufeffdata: a\n\n'), [{ event: 'message', data: 'a' }]);
});

test('keeps an unfinished event to itself', () => assert.deepEqual(parse('data: a\n'), []));

test('stays linear on one very long line that arrives in small pieces', () => {
  const cost = (pieces: number): number => {
    const parser = new SseParser();
    const before = process.cpuUsage();
    parser.push('data: ');
    for (let i = 0; i < pieces; i++) parser.push('0123456789');
    const [event] = parser.push('\n\n');
    const { user, system } = process.cpuUsage(before);
    assert.equal(event?.data.length, 10 * pieces);
    return user + system;
  };
  cost(10_000); // compiled by now
  const few = cost(10_000);
  const many = cost(80_000); // 8 times as many; quadratic would be 64 times
  assert.ok(many < 24 * few + 50_000, `${few} us for 10,000 pieces, ${many} us for 80,000`);
});
