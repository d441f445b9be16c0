import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusalText } from '../src/lib/refusals';

test('a refusal is told in our own words, whatever the address of the page says', () => {
  assert.equal(refusalText(''), '');
  assert.ok(refusalText('openid_no_account').includes('no account here'));
  for (const code of ['<b>call 0900</b>', 'toString', '__proto__', 'constructor']) assert.equal(refusalText(code), 'You could not be signed in. Please try again.');
});
