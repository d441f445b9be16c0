// /v1/conversations and their items, with the official client; and answers inside a conversation.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { BadRequestError, NotFoundError } from 'openai';
import { useConfab } from '../support/confab.mjs';
import { caller, request, streamedEvents } from '../support/http.mjs';
import { checkEvents, collect, itemText, poll } from '../support/events.mjs';
import { countText, wordsText } from '../support/model_scripts.mjs';

const fixture = useConfab();
const message = (role, text) => ({ type: 'message', role, content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }] });
const conversations = () => fixture.client.conversations;

async function texts(id, query = {}) {
  const all = [];
  for await (const item of conversations().items.list(id, { order: 'asc', limit: 100, ...query })) all.push(itemText(item));
  return all;
}

/** Adds `count` messages, twenty at a time. */
async function seed(id, count) {
  const all = Array.from({ length: count }, (_, i) => `seed ${i}`);
  for (let i = 0; i < count; i += 20) {
    await conversations().items.create(id, { items: all.slice(i, i + 20).map((text, k) => message((i + k) % 2 ? 'assistant' : 'user', text)) });
  }
  return all;
}

describe('conversations', () => {
  it('are created, updated, retrieved and deleted', async () => {
    const made = await conversations().create({ metadata: { a: '1' }, items: [message('user', 'first')] });
    assert.match(made.id, /^conv_/);
    assert.equal(made.object, 'conversation');
    assert.deepEqual(made.metadata, { a: '1' });
    for (const key of ['title', 'updated_at', 'model', 'pinned', 'archived', 'head_item_id', 'active_response_id', 'last_response']) {
      assert.ok(key in made, `a Conversation lacks ${key}`);
    }
    const updated = await conversations().update(made.id, { metadata: { b: '2' } });
    assert.deepEqual(updated.metadata, { b: '2' });
    assert.deepEqual((await conversations().retrieve(made.id)).metadata, { b: '2' });
    const gone = await conversations().delete(made.id);
    assert.deepEqual({ id: gone.id, object: gone.object, deleted: gone.deleted }, { id: made.id, object: 'conversation.deleted', deleted: true });
    await assert.rejects(conversations().retrieve(made.id), NotFoundError);
    await assert.rejects(conversations().items.list(made.id), NotFoundError);
    await assert.rejects(conversations().delete(made.id), NotFoundError);
  });

  it('are listed newest first, page by page', async () => {
    const api = caller(fixture.confab, { key: fixture.confab.key });
    const made = [];
    for (let i = 0; i < 7; i += 1) made.push((await api('POST', '/v1/conversations', { json: { title: `list ${i}` } })).json.id);
    const seen = [];
    for (let after = ''; ;) {
      const { json } = await api('GET', `/v1/conversations?limit=3${after && `&after=${after}`}`);
      assert.equal(json.object, 'list');
      assert.ok(json.data.length <= 3);
      if (json.data.length) assert.deepEqual([json.first_id, json.last_id], [json.data[0].id, json.data.at(-1).id]);
      seen.push(...json.data.map((conversation) => conversation.id));
      if (!json.has_more) break;
      after = json.last_id;
    }
    assert.equal(new Set(seen).size, seen.length, 'no conversation twice');
    assert.deepEqual(seen.filter((id) => made.includes(id)), made.toReversed());
  });

  it('are renamed, pinned, archived and given a model by the page', async () => {
    const { id } = await conversations().create();
    const change = { title: 'A new name — 漢字', model: 'script-echo', pinned: true, archived: true, instructions: 'Be kind.' };
    const res = await request(fixture.confab, 'PATCH', `/api/conversations/${id}`, { json: change, key: fixture.confab.key });
    assert.equal(res.status, 200, res.text);
    const { title, model, pinned, archived } = res.json;
    assert.deepEqual({ title, model, pinned, archived }, { title: change.title, model: 'script-echo', pinned: true, archived: true });
  });

  it('keep to the limits of the dialect', async () => {
    const items = Array.from({ length: 21 }, (_, i) => message('user', `${i}`));
    const refused = await conversations().create({ items }).catch((thrown) => thrown);
    assert.ok(refused instanceof BadRequestError, `${refused}`);
    assert.match(refused.param, /^items/);
    const metadata = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v']));
    const many = await conversations().create({ metadata }).catch((thrown) => thrown);
    assert.ok(many instanceof BadRequestError, `${many}`);
    assert.match(many.param, /^metadata/);
    await assert.rejects(conversations().create({ metadata: { k: 'v'.repeat(513) } }), BadRequestError);
  });
});

describe('items', () => {
  it('are created, retrieved and deleted', async () => {
    const { id } = await conversations().create();
    const added = await conversations().items.create(id, { items: [message('user', 'Grüße 😀'), message('assistant', 'back')] });
    assert.equal(added.object, 'list');
    assert.deepEqual(added.data.map(itemText), ['Grüße 😀', 'back']);
    assert.deepEqual([added.first_id, added.last_id], [added.data[0].id, added.data[1].id]);
    const item = await conversations().items.retrieve(added.data[0].id, { conversation_id: id });
    assert.match(item.id, /^msg_/);
    assert.deepEqual([item.type, item.role, item.status, itemText(item)], ['message', 'user', 'completed', 'Grüße 😀']);
    assert.equal(item.content[0].type, 'input_text');
    assert.equal((await conversations().retrieve(id)).head_item_id, added.data[1].id);
    const conversation = await conversations().items.delete(item.id, { conversation_id: id });
    assert.equal(conversation.id, id);
    assert.deepEqual(await texts(id), ['back']);
    await assert.rejects(conversations().items.retrieve(item.id, { conversation_id: id }), NotFoundError);
  });

  it('page automatically past one hundred, both ways', async () => {
    const { id } = await conversations().create();
    const all = await seed(id, 130);
    assert.deepEqual(await texts(id), all);
    assert.deepEqual(await texts(id, { order: 'desc', limit: 33 }), all.toReversed());
    const newest = await conversations().items.list(id);
    assert.equal(newest.data.length, 20, 'twenty a page when nothing is said');
    assert.equal(itemText(newest.data[0]), 'seed 129', 'newest first when nothing is said');
    assert.equal(newest.has_more, true);
  });

  it('page up and down from a place, also while messages are added', async () => {
    const { id } = await conversations().create();
    const all = await seed(id, 60);
    const first = await conversations().items.list(id, { limit: 10 });
    await conversations().items.create(id, { items: [message('user', 'late')] });
    const older = await conversations().items.list(id, { limit: 10, after: first.data.at(-1).id });
    assert.deepEqual(older.data.map(itemText), all.slice(40, 50).toReversed());
    const newer = await conversations().items.list(id, { limit: 20, order: 'asc', after: first.data.at(-1).id });
    assert.deepEqual(newer.data.map(itemText), [...all.slice(51), 'late']);
    assert.equal(newer.has_more, false);
  });

  it('stay small in a page and whole by themselves', async () => {
    const { id } = await conversations().create();
    const text = 'ü'.repeat(400_000);
    const added = await conversations().items.create(id, { items: [message('user', text)] });
    const res = await request(fixture.confab, 'GET', `/v1/conversations/${id}/items?limit=100`, { key: fixture.confab.key });
    assert.ok(res.text.length < 300_000, `a page of ${res.text.length} characters`);
    const [cut] = res.json.data;
    assert.equal(cut.truncated, true);
    assert.equal(cut.bytes, 800_000);
    assert.ok(text.startsWith(itemText(cut)) && itemText(cut).length > 0, 'cut between characters');
    assert.equal(itemText(await conversations().items.retrieve(added.data[0].id, { conversation_id: id })), text);
  });

  it('keep a page under its bytes without losing one', async () => {
    const { id } = await conversations().create();
    const all = Array.from({ length: 20 }, (_, i) => `${i} ${'x'.repeat(30_000)}`);
    await conversations().items.create(id, { items: all.map((text) => message('user', text)) });
    const res = await request(fixture.confab, 'GET', `/v1/conversations/${id}/items?limit=100`, { key: fixture.confab.key });
    assert.ok(res.text.length < 300_000, `a page of ${res.text.length} characters`);
    assert.equal(res.json.has_more, true);
    assert.deepEqual(await texts(id), all);
  });
});

describe('an answer in a conversation', () => {
  const answer = (id, body) => fixture.client.responses.create({ model: 'script-echo', conversation: id, ...body });

  it('is appended with its question, and the history comes first', async () => {
    const { id } = await conversations().create({ items: [message('user', 'zero'), message('assistant', 'null')] });
    const first = await answer(id, { input: 'one' });
    assert.equal(first.conversation.id, id);
    assert.deepEqual(await texts(id), ['zero', 'null', 'one', 'one']);
    const counted = await answer(id, { model: 'script-count', input: 'two' });
    const history = ['zero', 'null', 'one', 'one', 'two'].map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }));
    assert.equal(counted.output_text, countText(history));
    const { data: [newest] } = await conversations().items.list(id, { limit: 1 });
    assert.deepEqual([newest.role, newest.model, newest.response_id], ['assistant', 'script-count', counted.id]);
    const conversation = await conversations().retrieve(id);
    assert.equal(conversation.active_response_id, null);
    assert.equal(conversation.last_response.id, counted.id);
    assert.equal(conversation.last_response.status, 'completed');
  });

  it('takes the conversation as an object too, and makes a title', async () => {
    const { id } = await conversations().create();
    await fixture.client.responses.create({ model: 'script-echo', conversation: { id }, input: 'Plan a garden for me' });
    const conversation = await conversations().retrieve(id);
    assert.match(conversation.title, /garden/);
  });

  it('comes one at a time', async () => {
    const { id } = await conversations().create();
    const stream = await answer(id, { model: 'script-words-n2000-i10', input: 'x', stream: true, background: true });
    const [created] = await collect(stream, () => true);
    assert.equal((await conversations().retrieve(id)).active_response_id, created.response.id);
    const error = await answer(id, { input: 'y' }).catch((thrown) => thrown);
    assert.ok(error instanceof BadRequestError, `${error}`);
    assert.deepEqual([error.code, error.param, error.type], ['conversation_locked', 'conversation', 'invalid_request_error']);
    await fixture.client.responses.cancel(created.response.id);
    await poll(() => conversations().retrieve(id), (conversation) => conversation.active_response_id === null);
    assert.equal((await answer(id, { input: 'z' })).output_text, 'z');
    assert.ok(!(await texts(id)).includes('y'), 'what was refused is not stored');
  });

  it('can be tried again after a failure, with the question kept', async () => {
    const { id } = await conversations().create();
    const failed = checkEvents(await streamedEvents(fixture.confab, fixture.confab.key, { model: 'script-error-500', input: 'keep me', conversation: id, background: true }));
    assert.equal(failed.terminal.type, 'response.failed');
    assert.deepEqual(await texts(id), ['keep me']);
    const { last_response: last } = await conversations().retrieve(id);
    assert.equal(last.status, 'failed');
    assert.ok(last.error.message);
    const retried = await answer(id, { model: 'script-words-n4', input: [] });
    assert.equal(retried.output_text, wordsText(4));
    assert.deepEqual(await texts(id), ['keep me', wordsText(4)]);
  });

  it('is cancelled when the conversation is deleted', async () => {
    const before = fixture.model.stats().aborted;
    const { id } = await conversations().create();
    const stream = await answer(id, { model: 'script-words-n2000-i10', input: 'x', stream: true, background: true });
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === 'response.output_text.delta' && events.filter((one) => one.type === event.type).length === 3) await conversations().delete(id);
    }
    assert.equal(events.at(-1).type, 'response.incomplete', 'its viewer is told');
    await poll(() => fixture.model.stats().aborted, (aborted) => aborted === before + 1);
  });

  it('of an unknown conversation is refused', async () => {
    await assert.rejects(answer('conv_00000000000000000000000000', { input: 'x' }), NotFoundError);
  });
});
