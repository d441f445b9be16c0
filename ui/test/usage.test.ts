import { test } from 'node:test';
import assert from 'node:assert/strict';
import { chartOf, daysBetween, seriesMax, show, summary, type UsageRow } from '../src/lib/usage';

const row = (day: string, model: string, tokens: number, cost = 0): UsageRow => ({ day, model, requests: 1, input_tokens: tokens, output_tokens: 0, cost });

test('a chart has a bar for each day, also for days without use', () => {
  assert.deepEqual(daysBetween('2026-02-27', '2026-03-02'), ['2026-02-27', '2026-02-28', '2026-03-01', '2026-03-02']);
  const chart = chartOf({ from: '2026-02-27', to: '2026-03-02', data: [row('2026-02-28', 'a', 30), row('2026-03-02', 'b', 60), row('2026-03-02', 'a', 40)] }, 'tokens');
  assert.deepEqual(chart.bars.map((bar) => bar.total), [0, 30, 0, 100]);
  assert.equal(chart.most, 100);
  assert.equal(chart.total, 130);
  assert.deepEqual(chart.series, [{ model: 'a', total: 70 }, { model: 'b', total: 60 }]);
});

test('pieces of a bar stand on one another, and the tallest bar is as high as the chart', () => {
  const chart = chartOf({ from: '2026-01-01', to: '2026-01-02', data: [row('2026-01-01', 'a', 25), row('2026-01-01', 'b', 75), row('2026-01-02', 'a', 50)] }, 'tokens');
  assert.deepEqual(chart.bars[0]!.pieces, [{ series: 0, from: 0, height: 25 }, { series: 1, from: 25, height: 75 }].map((piece) => ({ ...piece })));
  assert.equal(chart.bars[1]!.pieces[0]!.height, 50);
});

test('no more models than colours: the rest is one', () => {
  const data = Array.from({ length: 20 }, (_, i) => row('2026-01-01', `m${i}`, 100 - i));
  const chart = chartOf({ from: '2026-01-01', to: '2026-01-01', data }, 'tokens');
  assert.equal(chart.series.length, seriesMax);
  assert.equal(chart.series.at(-1)!.model, 'Other models');
  assert.equal(chart.series.reduce((sum, one) => sum + one.total, 0), chart.total);
  assert.ok(chart.bars[0]!.pieces.every((piece) => piece.series < seriesMax));
});

test('nothing used is said, and is no division by nothing', () => {
  const chart = chartOf({ from: '2026-01-01', to: '2026-01-03', data: [row('2026-01-02', 'free', 10)] }, 'cost');
  assert.deepEqual([chart.most, chart.total, chart.series.length], [0, 0, 0]);
  assert.ok(chart.bars.every((bar) => bar.pieces.length === 0));
  assert.equal(summary(chart, 'cost', 'USD'), 'Nothing was used in this time.');
});

test('the summary says what the chart shows', () => {
  const chart = chartOf({ from: '2026-01-01', to: '2026-01-02', data: [row('2026-01-01', 'a', 10), row('2026-01-02', 'b', 90)] }, 'tokens');
  assert.equal(summary(chart, 'tokens', 'USD'), '100 tokens in 2 days. The most on 2026-01-02: 90 tokens. Most by b: 90 tokens.');
});

test('small amounts of money are not rounded to nothing', () => {
  assert.ok(/^0[.,]0123 EUR$/.test(show(0.0123, 'cost', 'EUR')));
  assert.ok(/^12[.,]00 USD$/.test(show(12, 'cost', 'USD')));
});
