import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxRows, newest, pageRows, withNewer, withOlder, type WindowState } from '../src/lib/window';

const total = 1_000;
// A server with messages 0..total-1.
const older = (first: number) => Array.from({ length: Math.min(pageRows, first) }, (_, i) => first - Math.min(pageRows, first) + i);
const newer = (last: number) => Array.from({ length: Math.min(pageRows, total - 1 - last) }, (_, i) => last + 1 + i);

function contiguous(state: WindowState<number>): void {
  state.rows.forEach((row, i) => assert.equal(row, state.rows[0]! + i));
  assert.ok(state.rows.length <= maxRows);
  assert.equal(state.hasOlder, state.rows[0]! > 0);
  assert.equal(state.hasNewer, state.rows.at(-1)! < total - 1);
}

test('stays contiguous and capped all the way up and back down', () => {
  let state = newest(older(total), true);
  contiguous(state);
  while (state.hasOlder) {
    const page = older(state.rows[0]!);
    state = withOlder(state, page, page[0]! > 0);
    contiguous(state);
  }
  assert.equal(state.rows[0], 0);
  while (state.hasNewer) {
    const page = newer(state.rows.at(-1)!);
    state = withNewer(state, page, page.at(-1)! < total - 1);
    contiguous(state);
  }
  assert.equal(state.rows.at(-1), total - 1);
});

test('a short conversation has no ends to fetch', () => {
  const state = newest([1, 2, 3], false);
  assert.deepEqual(state, { rows: [1, 2, 3], hasOlder: false, hasNewer: false });
});

test('messages sent into a full window let the oldest go', () => {
  const rows = Array.from({ length: maxRows }, (_, i) => i);
  const state = withNewer({ rows, hasOlder: false, hasNewer: false }, [maxRows], false);
  assert.equal(state.rows.length, maxRows);
  assert.equal(state.hasOlder, true);
  assert.equal(state.hasNewer, false);
});
