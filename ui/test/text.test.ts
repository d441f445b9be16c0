import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEntities, revealInCode, revealInProse } from '../src/lib/markdown/text';

test('decodes entities once', () => {
  assert.equal(decodeEntities('a &lt;b&gt; &amp;amp; &#65;&#x42; &unknown; &#0; &#xD800;'), 'a <b> &amp; AB &unknown; \ufffd \ufffd');
});

test('writes out what reorders its surroundings', () => {
  assert.equal(revealInProse('a\u202eb\u2066c'), 'a[U+202E]b[U+2066]c');
});

test('leaves emoji, joiners and Persian alone in prose', () => {
  for (const text of ['👩\u200d💻', 'می\u200cخواهم', 'שלום\u200f!', '🏴\u{e0067}\u{e0062}\u{e007f}']) assert.equal(revealInProse(text), text);
});

test('writes out hidden tag characters', () => assert.equal(revealInProse('hi\u{e0041}'), 'hi[U+E0041]'));

test('writes out every invisible character in code', () => {
  assert.equal(revealInCode('a\u200bb\u00adc\ufeffd\u202ee\tf\ng\u0000'), 'a[U+200B]b[U+00AD]c[U+FEFF]d[U+202E]e\tf\ng[U+0000]');
});
