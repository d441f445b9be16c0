import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SendingKeys } from '../src/lib/sending';

test('the same request has the same key until something new is sent', () => {
  const keys = new SendingKeys();
  const key = keys.of('/v1/responses', { input: 'a' });
  assert.ok(/^[0-9a-f]{32}$/.test(key));
  assert.equal(keys.of('/v1/responses', { input: 'a' }), key);
  assert.ok(keys.of('/v1/responses', { input: 'b' }) !== key);
  assert.ok(keys.of('/v1/conversations', { input: 'a' }) !== key);
  keys.begin();
  assert.ok(keys.of('/v1/responses', { input: 'a' }) !== key);
});
