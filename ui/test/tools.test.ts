import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration } from '../src/lib/time';
import { preview, pretty, raw } from '../src/lib/tools';

test('JSON is laid out, anything else is left alone', () => {
  assert.deepEqual(pretty('{"a":[1,2]}'), { text: '{\n  "a": [\n    1,\n    2\n  ]\n}', json: true });
  for (const text of ['{"a":', 'plain words', '', '12', '"<b>"']) assert.deepEqual(pretty(text), { text, json: false });
});

test('a huge output is not parsed', () => {
  const text = `{"a":"${'x'.repeat(300_000)}"}`;
  assert.equal(pretty(text).json, false);
  assert.ok(preview(text).length <= 160);
});

test('a preview is one short line', () => {
  assert.equal(preview('{"city":"Köln","days":3}'), 'city: "Köln", days: 3');
  assert.equal(preview('{"city":"Kö'), '{"city":"Kö');
  assert.equal(preview('  two\n lines '), 'two lines');
  assert.equal(preview('null'), 'null');
});

test('an unknown kind of item is shown without what Confab added', () => {
  assert.equal(raw({ id: 'x', type: 'web_search_call', created_at: 1, response_id: 'r', model: 'm' }), '{"id":"x","type":"web_search_call"}');
});

test('durations read like a person says them', () => {
  assert.deepEqual([0.44, 9.94, 12.3, 99, 125].map(duration), ['0.4 s', '9.9 s', '12 s', '99 s', '2 min 5 s']);
});
