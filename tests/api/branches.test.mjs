// Branches and pages of a conversation, from outside: editing, regenerating, switching, the tree, copies, jumps.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, signIn } from '../support/http.mjs';
import { itemText } from '../support/events.mjs';

const fixture = useConfab({ prepare });
let api;
let stranger;

async function prepare(fixture) {
  api = caller(fixture.confab, { key: fixture.confab.key });
  const member = await fixture.confab.addMember('branches@example.org');
  member.cookie = await signIn(fixture.confab, member);
  stranger = caller(fixture.confab, { key: member.key });
}

const make = async (texts = []) => (await api('POST', '/v1/conversations', {
  json: { title: 'tree', items: texts.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })) },
})).json.id;
const ask = (conversation, more) => api('POST', '/v1/responses', { json: { model: 'script-echo', conversation, ...more } });
const list = async (id, query = '') => {
  const res = await api('GET', `/v1/conversations/${id}/items?limit=100&order=asc${query}`);
  assert.equal(res.status, 200, res.text);
  return res.json;
};
const texts = (page) => page.data.map(itemText);
const setHead = (id, json) => api('PUT', `/api/conversations/${id}/head`, { json });

describe('branches', () => {
  it('are opened by an edit and by a regeneration, and switched between', async () => {
    const id = await make();
    assert.equal((await ask(id, { input: 'one' })).status, 200);
    const before = await list(id);
    const [question, answer] = before.data;
    assert.deepEqual([question.position, question.parent_id, answer.position, answer.parent_id], [1, null, 2, question.id]);
    assert.ok(!('siblings' in question) && !('siblings' in answer));
    assert.deepEqual([before.has_older, before.has_newer, before.leaf_id, before.head_position], [false, false, answer.id, 2]);

    assert.equal((await ask(id, { input: 'two', after: question.parent_id })).status, 200);
    const edited = await list(id);
    assert.deepEqual(texts(edited), ['two', 'two']);
    assert.deepEqual(edited.data[0].siblings, { index: 2, count: 2, previous_id: question.id, next_id: null });
    assert.ok(!('siblings' in edited.data[1]));

    assert.equal((await ask(id, { input: [], after: edited.data[0].id, model: 'script-words-n3' })).status, 200);
    const again = await list(id);
    assert.deepEqual(texts(again), ['two', 'w0 w1 w2']);
    assert.deepEqual(again.data[1].siblings, { index: 2, count: 2, previous_id: edited.data[1].id, next_id: null });

    const switched = await setHead(id, { item_id: question.id, descend: true });
    assert.deepEqual([switched.status, switched.json.head_item_id], [200, answer.id]);
    assert.equal((await setHead(id, { item_id: edited.data[0].id, descend: true })).json.head_item_id, again.data[1].id, 'the leaf looked at last');
    assert.equal((await setHead(id, { item_id: question.id })).json.head_item_id, question.id);
    assert.deepEqual(texts(await list(id)), ['one']);
    assert.equal((await setHead(id, { item_id: null })).json.head_item_id, null);
    assert.deepEqual(await list(id).then(({ data, leaf_id: leaf, head_position: head }) => [data, leaf, head]), [[], null, 0]);
  });

  it('are listed as a tree, page by page, parents first', async () => {
    const id = await make(['a', 'b', 'c']);
    const [a] = (await list(id)).data;
    await ask(id, { input: 'd', after: a.id });
    const seen = [];
    for (let after = ''; ;) {
      const { json } = await api('GET', `/api/conversations/${id}/tree?limit=2${after && `&after=${after}`}`);
      seen.push(...json.data);
      if (!json.has_more) break;
      after = json.last_id;
    }
    assert.equal(seen.length, 5);
    for (const [i, { parent_id: parent, ...item }] of seen.entries()) {
      assert.deepEqual(Object.keys(item).sort(), ['created_at', 'id', 'response_id', 'role', 'type']);
      assert.ok(parent === null ? i === 0 : seen.findIndex((one) => one.id === parent) < i);
    }
  });

  it('become a conversation of their own', async () => {
    const id = await make();
    await ask(id, { input: 'one' });
    await ask(id, { input: 'two' });
    const original = (await list(id)).data;
    const made = await api('POST', `/api/conversations/${id}/fork`, { json: { item_id: original[1].id } });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.title, (await api('GET', `/v1/conversations/${id}`)).json.title);
    await api('DELETE', `/v1/conversations/${id}`);
    const copy = (await list(made.json.id)).data;
    assert.deepEqual(copy.map(itemText), ['one', 'one']);
    assert.equal(copy[1].model, 'script-echo', 'kept when the original is gone');
    assert.ok(copy.every((item, i) => item.id !== original[i].id));
  });
});

describe('a page', () => {
  it('is asked for around an item, at a share, at a date, and stays on the path of its leaf', async () => {
    const id = await make(Array.from({ length: 20 }, (_, i) => `m${i}`));
    const all = (await list(id)).data;
    const page = (query) => api('GET', `/v1/conversations/${id}/items?limit=4&${query}`).then(({ json }) => json);
    const around = await page(`around=${all[10].id}`);
    assert.deepEqual(texts(around), ['m8', 'm9', 'm10', 'm11']);
    assert.deepEqual([around.has_older, around.has_newer, around.leaf_id], [true, true, all[19].id]);
    assert.deepEqual(texts(await page('at=0')), ['m0', 'm1', 'm2', 'm3']);
    assert.deepEqual(texts(await page('at=1.0')), ['m16', 'm17', 'm18', 'm19']);
    assert.deepEqual(texts(await page('date=0')), ['m0', 'm1', 'm2', 'm3']);
    assert.deepEqual(texts(await page('date=99999999999')), ['m16', 'm17', 'm18', 'm19']);

    await ask(id, { input: 'aside', after: all[4].id });
    const pinned = await page(`leaf=${all[19].id}&order=asc&after=${all[4].id}`);
    assert.deepEqual(texts(pinned), ['m5', 'm6', 'm7', 'm8']);
    assert.deepEqual(texts(await page(`order=asc&after=${all[4].id}`)), ['aside', 'aside']);
    assert.equal((await page(`around=${all[10].id}`)).leaf_id, all[19].id, 'an item elsewhere is shown on its own path');
  });

  it('cannot be asked for in two ways, nor with what is none', async () => {
    const id = await make(['a']);
    const [{ id: item }] = (await list(id)).data;
    for (const [query, param] of [['at=2'], ['at=-1'], ['at=nan'], ['at=x'], ['date=x'], ['date=-1'], [`at=0&date=0`], [`around=${item}&after=${item}`]].map(([query]) => [query, /around|at|date/])) {
      assertEnvelope(await api('GET', `/v1/conversations/${id}/items?${query}`), 400, { param });
    }
    for (const query of ['around=x', 'leaf=x', `around=${item.slice(0, -4)}0000`, `leaf=${item.slice(0, -4)}0000`]) {
      assertEnvelope(await api('GET', `/v1/conversations/${id}/items?${query}`), 404, { code: 'item_not_found' });
    }
  });
});

describe('what is not there', () => {
  it('is not found, also when it is somebody else\'s', async () => {
    const id = await make(['private']);
    const [{ id: item }] = (await list(id)).data;
    const theirs = (await stranger('POST', '/v1/conversations', { json: { items: [{ role: 'user', content: 'theirs' }] } })).json.id;
    for (const [method, path, json] of [['PUT', 'head', { item_id: item }], ['GET', 'tree'], ['POST', 'fork', { item_id: item }]]) {
      assertEnvelope(await stranger(method, `/api/conversations/${id}/${path}`, { json }), 404);
      if (json) assertEnvelope(await stranger(method, `/api/conversations/${theirs}/${path}`, { json }), 404, { code: 'item_not_found' });
    }
    const body = { model: 'script-echo', conversation: theirs, input: 'x', after: item };
    assertEnvelope(await stranger('POST', '/v1/responses', { json: body }), 404, { code: 'item_not_found', param: 'after' });
    assertEnvelope(await api('PUT', `/api/conversations/${id}/head`, { json: {} }), 400, { param: 'item_id' });
    assertEnvelope(await api('PUT', `/api/conversations/${id}/head`, { json: { item_id: 7 } }), 400, { param: 'item_id' });
    assertEnvelope(await api('POST', `/api/conversations/${id}/fork`, { json: {} }), 400, { param: 'item_id' });
    assertEnvelope(await api('POST', '/v1/responses', { json: { model: 'script-echo', input: 'x', after: item } }), 400, { param: 'after' });
    assertEnvelope(await ask(id, { input: 'x', after: 7 }), 400, { param: 'after' });
  });

  it('is locked while an answer is made', async () => {
    const id = await make(['a']);
    const [{ id: item }] = (await list(id)).data;
    const running = await api('POST', '/v1/responses', { json: { model: 'script-words-n2000-i20', conversation: id, input: 'x', background: true } });
    assertEnvelope(await ask(id, { input: 'y', after: item }), 400, { code: 'conversation_locked', param: 'conversation' });
    await api('POST', `/v1/responses/${running.json.id}/cancel`);
  });
});
