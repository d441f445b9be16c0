import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, classes, digits, each, percent, quantile, summary, time, top, topBytes } from '../src/lib/figures';

test('shows bytes with a unit and at most three digits', () => {
  const shown = [0, 512, 1024, 3482, 102_400, 1_020_000, 1_048_576, 134_217_728, 1e12].map(bytes);
  assert.deepEqual(shown, ['0 B', '512 B', '1 KB', '3.4 KB', '100 KB', '996 KB', '1 MB', '128 MB', '931 GB']);
});

test('shows numbers with the digits that matter', () => {
  assert.deepEqual([0, 0.001, 0.254, 3.41, 12.34, 128.6, 12_400].map(digits), ['0', '< 0.01', '0.25', '3.41', '12.3', '129', '12,400']);
  assert.deepEqual([0.0004, 0.25, 1.31].map(time), ['0.4 ms', '250 ms', '1.31 s']);
  assert.equal(percent(0.123), '12.3 %');
});

test('says a plot in words', () => {
  assert.equal(summary('Memory', [], bytes), 'Memory: nothing recorded yet');
  assert.equal(summary('Memory', [1024, 3072, 2048], bytes), 'Memory: now 2 KB, between 1 KB and 3 KB in the last 15 minutes');
  assert.equal(summary('Memory', [1024, 1025], bytes), 'Memory: now 1 KB, unchanged in the last 15 minutes');
});

test('divides what was used by what was done, when anything was', () => {
  assert.equal(each([1, 2, 3], [0.5, 0, 1]), 4);
  assert.equal(each([1, 2], [0, 0]), null);
  assert.equal(each(undefined, undefined), null);
});

test('names the classes of a histogram', () => {
  const histogram = { bounds: [1, 2, 5], counts: [5, 3, 1, 1], sum: 20 };
  assert.deepEqual(classes(histogram, String), [
    { name: '1', count: 5, share: 0.5 },
    { name: '2', count: 3, share: 0.3 },
    { name: '3–5', count: 1, share: 0.1 },
    { name: 'over 5', count: 1, share: 0.1 },
  ]);
  assert.equal(quantile(histogram, 0.5), 1);
  assert.equal(quantile(histogram, 0.8), 2);
  assert.equal(quantile(histogram, 1), null);
  assert.equal(quantile({ bounds: [1], counts: [0, 0], sum: 0 }, 0.5), null);
});

test('gives a plot a round top', () => {
  assert.deepEqual([0, 0.012, 1, 1.2, 7, 31, 99].map(top), [1, 0.015, 1, 1.5, 8, 40, 100]);
});

test('gives a plot of bytes a top that is round in its unit', () => {
  assert.deepEqual([0, 700, 31 * 1024 ** 2, 700 * 1024 ** 2].map((value) => bytes(topBytes(value))), ['1 B', '800 B', '40 MB', '800 MB']);
});
