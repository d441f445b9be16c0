// Promise 6: one user cannot see another. Every route with an object's id, for every kind of stranger; and what only an administrator may.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, request, sameOrigin, signIn } from '../support/http.mjs';

const fixture = useConfab({ prepare });
let owner;
let stranger;
let anonymous;
let own;
let member;

async function prepare(fixture) {
  member = await fixture.confab.addMember('stranger@example.org');
  member.cookie = await signIn(fixture.confab, member);
  owner = caller(fixture.confab, { key: fixture.confab.key });
  stranger = caller(fixture.confab, { key: member.key });
  anonymous = caller(fixture.confab, {});
  const conversation = (await owner('POST', '/v1/conversations', { json: { items: [{ role: 'user', content: 'private words' }], title: 'private title' } })).json.id;
  const item = (await owner('GET', `/v1/conversations/${conversation}/items`)).json.data[0].id;
  const response = (await owner('POST', '/v1/responses', { json: { model: 'script-echo', input: 'private', conversation } })).json.id;
  const running = (await owner('POST', '/v1/responses', { json: { model: 'script-words-n2000-i20', input: 'x', background: true } })).json.id;
  own = { conversation, item, response, running };
}

/** Every route that names an object, as a function of the ids. */
const routes = [
  ['GET', ({ conversation }) => `/v1/conversations/${conversation}`],
  ['POST', ({ conversation }) => `/v1/conversations/${conversation}`, () => ({ metadata: { mine: 'now' } })],
  ['PATCH', ({ conversation }) => `/api/conversations/${conversation}`, () => ({ title: 'taken' })],
  ['GET', ({ conversation }) => `/v1/conversations/${conversation}/items`],
  ['POST', ({ conversation }) => `/v1/conversations/${conversation}/items`, () => ({ items: [{ role: 'user', content: 'intruder' }] })],
  ['GET', ({ conversation, item }) => `/v1/conversations/${conversation}/items/${item}`],
  ['DELETE', ({ conversation, item }) => `/v1/conversations/${conversation}/items/${item}`],
  ['PUT', ({ conversation }) => `/api/conversations/${conversation}/head`, ({ item }) => ({ item_id: item })],
  ['GET', ({ conversation }) => `/api/conversations/${conversation}/tree`],
  ['POST', ({ conversation }) => `/api/conversations/${conversation}/fork`, ({ item }) => ({ item_id: item })],
  ['DELETE', ({ conversation }) => `/v1/conversations/${conversation}`],
  ['GET', ({ response }) => `/v1/responses/${response}`],
  ['GET', ({ response }) => `/v1/responses/${response}/input_items`],
  ['GET', ({ running }) => `/v1/responses/${running}?stream=true`],
  ['GET', ({ running }) => `/v1/responses/${running}?stream=true&starting_after=1`],
  ['POST', ({ running }) => `/v1/responses/${running}/cancel`],
  ['DELETE', ({ running }) => `/v1/responses/${running}`],
  ['DELETE', ({ response }) => `/v1/responses/${response}`],
  ['POST', () => '/v1/responses', ({ conversation }) => ({ model: 'script-echo', input: 'x', conversation })],
];

/** Well-formed ids of nothing. */
const none = () => Object.fromEntries(Object.entries(own).map(([name, id]) => [name, `${id.slice(0, -6)}000000`]));

describe('an object of another user', () => {
  it('is as if it were not there', async () => {
    for (const [method, path, body] of routes) {
      const json = (ids) => (body ? body(ids) : undefined);
      const foreign = await stranger(method, path(own), { json: json(own) });
      const missing = await stranger(method, path(none()), { json: json(none()) });
      const what = `${method} ${path(own)}`;
      assert.equal(foreign.status, 404, `${what} -> ${foreign.status} ${foreign.text}`);
      assertEnvelope(foreign, 404);
      assert.equal(missing.status, 404, `${what}, of an unknown id`);
      const shape = (res, ids) => Object.values(ids).reduce((text, id) => text.replaceAll(id, 'ID'), res.text);
      assert.equal(shape(foreign, own), shape(missing, none()), `${what}: foreign and unknown differ`);
      assert.ok(!foreign.text.includes('private'));
    }
  });

  it('cannot be continued', async () => {
    const res = await stranger('POST', '/v1/responses', { json: { model: 'script-echo', input: 'x', previous_response_id: own.response } });
    assertEnvelope(res, 400, { code: 'previous_response_not_found', param: 'previous_response_id' });
  });

  it('cannot be smuggled in as an item of one’s own', async () => {
    const { json: { id } } = await stranger('POST', '/v1/conversations', { json: {} });
    assertEnvelope(await stranger('GET', `/v1/conversations/${id}/items/${own.item}`), 404);
    assertEnvelope(await stranger('DELETE', `/v1/conversations/${id}/items/${own.item}`), 404);
    assertEnvelope(await stranger('GET', `/v1/conversations/${id}/items?after=${own.item}`), [400, 404]);
    const reference = await stranger('POST', '/v1/responses', { json: { model: 'script-echo', input: [{ type: 'item_reference', id: own.item }] } });
    assert.ok(reference.status >= 400 || !reference.text.includes('private'), reference.text);
  });

  it('is in none of the lists', async () => {
    const { json } = await stranger('GET', '/v1/conversations?limit=100');
    assert.ok(json.data.every((conversation) => conversation.id !== own.conversation));
    const foreignCursor = await stranger('GET', `/v1/conversations?after=${own.conversation}`);
    assertEnvelope(foreignCursor, [400, 404], { param: 'after' });
  });

  it('is closed to nobody at all, and to a key that ended', async () => {
    const revoked = await fixture.confab.addKey('stranger@example.org', 'short-lived');
    const api = caller(fixture.confab, { key: revoked });
    await revoke('short-lived');
    for (const [method, path, body] of routes) {
      for (const nobody of [anonymous, api]) assertEnvelope(await nobody(method, path(own), { json: body ? body(own) : undefined }), 401);
    }
  });

  it('is still its owner’s, whole', async () => {
    const conversation = await owner('GET', `/v1/conversations/${own.conversation}`);
    assert.equal(conversation.json.title, 'private title');
    assert.deepEqual(conversation.json.metadata, {});
    const items = (await owner('GET', `/v1/conversations/${own.conversation}/items?order=asc`)).json.data;
    assert.deepEqual(items.map((item) => item.content[0].text), ['private words', 'private', 'private']);
    assert.equal((await owner('GET', `/v1/responses/${own.running}`)).json.status, 'in_progress', 'nobody cancelled it');
    assert.equal((await owner('POST', `/v1/responses/${own.running}/cancel`)).json.status, 'cancelled');
  });

  async function revoke(name) {
    const api = signedIn();
    const { id } = (await api('GET', '/api/keys')).json.data.find((row) => row.name === name);
    assert.equal((await api('DELETE', `/api/keys/${id}`)).status, 200);
  }
});

/** The stranger in a browser: what administrators do, and keys, take the cookie only. */
function signedIn() {
  return caller(fixture.confab, { cookie: member.cookie, headers: sameOrigin(fixture.confab) });
}

describe('a member', () => {
  it('has no say over the upstreams', async () => {
    const cases = [['GET', '/api/upstreams'], ['POST', '/api/upstreams', { name: 'x', base_url: 'http://127.0.0.1:1/v1' }],
      ['DELETE', '/api/upstreams/x'], ['POST', '/api/upstreams/discover', {}]];
    for (const [method, path, json] of cases) {
      assertEnvelope(await signedIn()(method, path, { json }), 403);
      assertEnvelope(await stranger(method, path, { json }), 403);
      assertEnvelope(await anonymous(method, path, { json }), 401);
    }
  });

  it('does not become more by saying so', async () => {
    const res = await stranger('POST', '/v1/conversations', { json: { user: 'admin', owner: 'admin', user_id: 1, role: 'admin', created_at: 1, id: own.conversation } });
    assert.notEqual(res.json.id, own.conversation);
    assert.ok(res.json.created_at > 1_600_000_000);
  });

  it('cannot end the keys and sessions of others', async () => {
    const admin = caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    for (const path of ['/api/keys', '/api/auth/sessions']) {
      const { data } = (await admin('GET', path)).json;
      assert.ok(data.length > 0);
      for (const { id } of data) assertEnvelope(await signedIn()('DELETE', `${path}/${id}`), 404);
    }
    assert.equal((await owner('GET', '/v1/models')).status, 200);
    assert.equal((await admin('GET', '/api/auth/me')).status, 200);
  });
});
