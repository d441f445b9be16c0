import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Row } from '../src/lib/row.svelte';
import type { Item } from '../src/lib/types';

const answer = (text: string, status: Item['status'] = 'completed'): Item => ({ id: 'msg_1', type: 'message', role: 'assistant', status, content: [{ type: 'output_text', text }] });
const raw = (row: Row) => row.groups.flat().map((token) => token.raw.trim());

test('an answer that goes on keeps its text until the server has told it again', () => {
  const row = new Row(answer('# One\n\nIt began and', 'incomplete'));
  row.goOn({ ...answer('', 'in_progress'), id: 'msg_2' });
  assert.equal(row.text, '# One\n\nIt began and');
  row.append('# One\n');
  assert.equal(row.text, '# One\n\nIt began and', 'never shorter');
  row.append('\nIt began and went');
  assert.equal(row.text, '# One\n\nIt began and went');
  row.append(' on.\n\nEnd.');
  assert.deepEqual(raw(row), ['# One', 'It began and went on.', 'End.']);
  row.replace(answer('# One\n\nIt began and went on.\n\nEnd.'));
  assert.deepEqual(raw(row), ['# One', 'It began and went on.', 'End.']);
});

test('an answer that goes on with other words takes them', () => {
  const row = new Row(answer('one two', 'incomplete'));
  row.goOn(answer('', 'in_progress'));
  row.append('one 2 and more');
  assert.equal(row.text, 'one 2 and more');
  assert.deepEqual(raw(row), ['one 2 and more']);
});

test('an answer that stops again before it got further keeps the old text', () => {
  const row = new Row(answer('one two three', 'incomplete'));
  row.goOn(answer('', 'in_progress'));
  row.append('one');
  row.close('incomplete');
  assert.equal(row.text, 'one two three');
  assert.equal(row.item.status, 'incomplete');
  assert.deepEqual(raw(row), ['one two three']);
});

test('a text that is replaced leaves no block of the old one', () => {
  const paragraphs = (word: string) => Array.from({ length: 100 }, (_, i) => `${word} ${i}`).join('\n\n');
  const row = new Row(answer(paragraphs('old')));
  row.replace(answer(paragraphs('new')));
  assert.equal(raw(row).length, 100);
  assert.ok(raw(row).every((text) => text.startsWith('new ')));
});

test('a refusal stands beside the text', () => {
  const row = new Row({ ...answer('First.', 'in_progress') }, { live: true });
  row.refuse('I will ');
  row.refuse('not.');
  assert.equal(row.refusal, 'I will not.');
  row.replace({ ...answer(''), content: [{ type: 'output_text', text: 'First.' }, { type: 'refusal', refusal: 'I will not.' }] });
  assert.equal(row.text, 'First.');
  assert.equal(row.refusal, 'I will not.');
});

test('thoughts are cut into blocks only once somebody reads them, a piece a frame', () => {
  const frames: (() => void)[] = [];
  Object.assign(globalThis, { requestAnimationFrame: (run: () => void) => frames.push(run) });
  const text = Array.from({ length: 5_000 }, (_, i) => `Thought ${i} about it.`).join('\n\n');
  const row = new Row({ id: 'rs_1', type: 'reasoning', status: 'in_progress', summary: [{ type: 'summary_text', text }] }, { live: true });
  row.append('\n\nAnd one more');
  assert.equal(row.groups.length, 0);
  row.reveal();
  assert.ok(row.groups.flat().length < 2_500, 'not all at once');
  row.append(' at the end.');
  while (frames.length) frames.shift()!();
  row.close('completed');
  assert.equal(row.groups.flat().length, 5_001);
  assert.equal(raw(row).at(-1), 'And one more at the end.');
});

test('thoughts of several parts are parted', () => {
  const row = new Row({ id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'one' }, { type: 'summary_text', text: 'two' }] });
  assert.equal(row.text, 'one\n\ntwo');
});
