// Folders, tags, filters, the trash, bulk changes, settings, titles that a model finds, and chats that leave nothing.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, open, request, sameOrigin, signIn } from '../support/http.mjs';
import { poll } from '../support/events.mjs';

const fixture = useConfab();
const api = (method, path, json) => request(fixture.confab, method, path, { json, key: fixture.confab.key });
const make = async (json = {}) => (await api('POST', '/v1/conversations', json)).json;
const ids = (res) => { assert.equal(res.status, 200, res.text); return res.json.data.map((row) => row.id); };
const list = async (query) => ids(await api('GET', `/v1/conversations?limit=100&${query}`));
const answer = (json) => api('POST', '/v1/responses', { model: 'script-words-n5', ...json });

describe('organising', () => {
  let stranger;
  before(async () => { stranger = caller(fixture.confab, await fixture.confab.addMember('stranger@example.org')); });

  it('keeps folders, and conversations in them', async () => {
    const made = await api('POST', '/api/folders', { name: '  Work ' });
    assert.equal(made.status, 201, made.text);
    assert.match(made.json.id, /^fold_/);
    assert.deepEqual([made.json.name, made.json.conversations], ['Work', 0]);
    const { id } = await make();
    const moved = await api('PATCH', `/api/conversations/${id}`, { folder_id: made.json.id });
    assert.equal(moved.json.folder_id, made.json.id);
    assert.deepEqual(await list(`folder=${made.json.id}`), [id]);
    assert.ok(!(await list('folder=none')).includes(id));
    assert.equal((await api('PATCH', `/api/folders/${made.json.id}`, { name: 'Play' })).json.name, 'Play');
    const folders = (await api('GET', '/api/folders')).json.data;
    assert.deepEqual(folders.map(({ name, conversations }) => [name, conversations]), [['Play', 1]]);
    for (const [method, json] of [['PATCH', { name: 'x' }], ['DELETE', undefined]]) {
      assertEnvelope(await stranger(method, `/api/folders/${made.json.id}`, { json }), 404);
    }
    assertEnvelope(await stranger('GET', `/v1/conversations?folder=${made.json.id}`), 404);
    assertEnvelope(await api('POST', '/api/folders', { name: ' ' }), 400, { param: 'name' });
    assert.equal((await api('DELETE', `/api/folders/${made.json.id}`)).json.deleted, true);
    assert.equal((await api('GET', `/v1/conversations/${id}`)).json.folder_id, null);
  });

  it('keeps tags, in one spelling', async () => {
    const one = await make();
    const two = await make();
    const tagged = await api('PATCH', `/api/conversations/${one.id}`, { tags: [' To  do ', 'Ünï'] });
    assert.deepEqual(tagged.json.tags, ['To do', 'Ünï']);
    assert.deepEqual((await api('PATCH', `/api/conversations/${two.id}`, { tags: ['TO DO', 'to do'] })).json.tags, ['To do']);
    assert.deepEqual(await list('tag=to%20do'), [two.id, one.id]);
    assert.deepEqual((await api('GET', '/api/tags')).json.data, [{ name: 'To do', conversations: 2 }, { name: 'Ünï', conversations: 1 }]);
    for (const tags of [[''], ['x'.repeat(65)], ['a\u0000b'], [1], Array.from({ length: 21 }, (_, i) => `${i}`)]) {
      assertEnvelope(await api('PATCH', `/api/conversations/${one.id}`, { tags }), 400, { param: 'tags' });
    }
    assert.deepEqual((await stranger('GET', '/api/tags')).json.data, []);
    for (const { id } of [one, two]) await api('DELETE', `/v1/conversations/${id}`);
    assert.deepEqual((await api('GET', '/api/tags')).json.data, []);
  });

  it('has a trash that is read, restored and emptied', async () => {
    const { id } = await make({ items: [{ type: 'message', role: 'user', content: 'kept' }] });
    const trashed = await api('POST', `/api/conversations/${id}/trash`);
    assert.equal(typeof trashed.json.deleted_at, 'number', trashed.text);
    assert.ok(!(await list('')).includes(id));
    assert.ok((await list('trash=true')).includes(id));
    assert.equal((await api('GET', `/v1/conversations/${id}/items`)).json.data.length, 1);
    const refused = { code: 'conversation_in_trash' };
    assertEnvelope(await api('POST', `/v1/conversations/${id}/items`, { items: [{ type: 'message', role: 'user', content: 'x' }] }), 409, refused);
    assertEnvelope(await answer({ conversation: id, input: 'x' }), 409, refused);
    assertEnvelope(await stranger('POST', `/api/conversations/${id}/restore`), 404);
    assert.equal((await api('POST', `/api/conversations/${id}/restore`)).json.deleted_at, null);
    assert.equal((await answer({ conversation: id, input: 'x' })).status, 200);
    await api('POST', `/api/conversations/${id}/trash`);
    assert.equal((await api('DELETE', `/v1/conversations/${id}`)).json.deleted, true);
    assertEnvelope(await api('POST', `/api/conversations/${id}/restore`), 404);
  });

  it('changes many at once, and says which it could not', async () => {
    const made = [];
    for (let i = 0; i < 6; i += 1) made.push((await make()).id);
    const unknown = `conv_${'0'.repeat(32)}`;
    const archived = await api('POST', '/api/conversations/bulk', { ids: [...made, unknown], action: 'archive' });
    assert.equal(archived.json.done, 6, archived.text);
    assert.deepEqual(archived.json.failed.map(({ id, code }) => [id, code]), [[unknown, 'not_found']]);
    assert.deepEqual(await list('archived=true'), made.toReversed());
    assert.equal((await stranger('POST', '/api/conversations/bulk', { json: { ids: made, action: 'delete' } })).json.done, 0);
    await api('POST', '/api/conversations/bulk', { ids: made, action: 'tag', tag: 'batch' });
    assert.equal((await api('POST', '/api/conversations/bulk', { all: true, tag: 'batch', action: 'delete' })).json.done, 6);
    assert.deepEqual(await list('tag=batch'), []);
    for (const json of [{ action: 'trash' }, { ids: made, all: true, action: 'trash' }, { ids: [], action: 'trash' }, { ids: made, action: 'burn' },
      { ids: made, action: 'move' }, { ids: made, action: 'tag' }, { ids: Array(101).fill(unknown), action: 'trash' }]) {
      assertEnvelope(await api('POST', '/api/conversations/bulk', json), 400);
    }
  });
});

describe('settings and titles', () => {
  let admin;
  before(async () => {
    const cookie = await signIn(fixture.confab, kAdmin);
    admin = (method, path, json) => request(fixture.confab, method, path, { json, cookie, headers: sameOrigin(fixture.confab) });
  });
  after(() => admin('PATCH', '/api/settings', { title_model: '' }));

  it('are checked, kept, and the administrator’s', async () => {
    const kept = (await admin('GET', '/api/settings')).json;
    assert.deepEqual([kept.title_model, kept.retention_days, kept.trash_days, kept.compaction], ['', null, 30, 'off']);
    const changed = await admin('PATCH', '/api/settings', { retention_days: 90, trash_days: 7, compaction: 'auto' });
    assert.deepEqual([changed.json.retention_days, changed.json.trash_days, changed.json.compaction], [90, 7, 'auto'], changed.text);
    await admin('PATCH', '/api/settings', { retention_days: null, trash_days: 30, compaction: 'off' });
    assert.equal((await admin('GET', '/api/settings')).json.retention_days, null);
    for (const json of [{ retention_days: 0 }, { trash_days: null }, { trash_days: 'x' }, { compaction: 'on' }, { title_model: 1 }]) {
      assertEnvelope(await admin('PATCH', '/api/settings', json), 400);
    }
    const member = caller(fixture.confab, await fixture.confab.addMember('settings@example.org'));
    assert.ok([401, 403].includes((await member('GET', '/api/settings')).status));
    assert.equal((await member('PATCH', '/api/me/settings', { json: { retention_days: 5 } })).json.retention_days, 5);
    assert.equal((await member('GET', '/api/me/settings')).json.retention_days, 5);
    assert.equal((await api('GET', '/api/me/settings')).json.retention_days, null);
  });

  it('say which model a chat without one starts with', async () => {
    const listed = async () => (await api('GET', '/v1/models')).json;
    const first = (await listed()).default_model;
    const other = (await listed()).data.map((model) => model.id).find((id) => id !== first);
    assert.equal((await admin('PATCH', '/api/settings', { default_model: ` ${other} ` })).json.default_model, other);
    assert.equal((await listed()).default_model, other);
    const chat = await make();
    assert.equal((await api('GET', `/api/conversations/${chat.id}/context`)).json.model, other);
    const allow = (who) => admin('PUT', '/api/admin/model-access', { model: other, who });
    assert.equal((await allow('administrators')).status, 200);
    const member = caller(fixture.confab, await fixture.confab.addMember('first-model@example.org'));
    assert.equal((await member('GET', '/v1/models')).json.default_model, first, 'a model one may not use is nobody’s first');
    await allow(null);
    await admin('PATCH', '/api/settings', { default_model: 'gone-since' });
    assert.equal((await listed()).default_model, first, 'nor one that no server lists');
    await admin('PATCH', '/api/settings', { default_model: '' });
    assertEnvelope(await admin('PATCH', '/api/settings', { default_model: 'x'.repeat(1000) }), 400);
  });

  it('have a model find a title, once, and never over a person’s', async () => {
    await admin('PATCH', '/api/settings', { title_model: 'script-words-n3' });
    const titleOf = async (id) => (await api('GET', `/v1/conversations/${id}`)).json.title;
    const asked = () => fixture.model.requests.filter((seen) => seen.body?.model === 'script-words-n3').length;
    const first = await make();
    await answer({ conversation: first.id, input: 'What is the capital of France?' });
    await poll(() => titleOf(first.id), (title) => title === 'w0 w1 w2');
    const before = asked();
    await answer({ conversation: first.id, input: 'And of Spain?' });
    const given = await make({ title: 'Mine' });
    await answer({ conversation: given.id, input: 'hello' });
    const fresh = await make();
    await answer({ conversation: fresh.id, input: 'hello' });
    await poll(() => titleOf(fresh.id), (title) => title === 'w0 w1 w2');
    assert.equal(await titleOf(given.id), 'Mine');
    assert.equal(asked(), before + 1, 'one request for the one new conversation');
    await admin('PATCH', '/api/settings', { title_model: 'script-words-n3-d800' });
    const late = await make();
    await answer({ conversation: late.id, input: 'first words' });
    await poll(() => fixture.model.requests.filter((seen) => seen.body?.model === 'script-words-n3-d800').length, (count) => count === 1);
    await api('PATCH', `/api/conversations/${late.id}`, { title: 'Given meanwhile' });
    await poll(async () => (await api('GET', '/metrics')).text ?? '', (text) => /confab_titles_dropped_total [1-9]/.test(text));
    assert.equal(await titleOf(late.id), 'Given meanwhile');
  });
});

describe('a temporary chat', () => {
  it('leaves no word on the disk, neither while it is answered nor afterwards', async () => {
    const marker = 'xyzzy-temporary-marker';
    const files = async () => {
      const names = await readdir(fixture.confab.dataDir, { recursive: true, withFileTypes: true });
      return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    };
    const expectClean = async () => {
      for (const name of await files()) {
        const bytes = await readFile(name).catch(() => Buffer.alloc(0));
        assert.ok(!bytes.includes(marker), `${name} has the marker`);
      }
    };
    const json = { model: 'script-echo-i100', store: false, stream: true, instructions: marker, input: `${marker} ${'word '.repeat(20)}` };
    const res = await open(fixture.confab, 'POST', '/v1/responses', { json, key: fixture.confab.key });
    assert.equal(res.statusCode, 200);
    let text = '';
    for await (const part of res) {
      text += part;
      await expectClean();
    }
    assert.match(text, /response\.completed/);
    assert.ok(text.includes(marker), 'it was answered with the marker');
    await new Promise((resolve) => { setTimeout(resolve, 600); });
    await expectClean();
    // The scan does find what is stored.
    await answer({ input: 'abcde-stored-marker' });
    const stored = await Promise.all((await files()).map((name) => readFile(name)));
    assert.ok(stored.some((bytes) => bytes.includes('abcde-stored-marker')));
  });
});
