// Which models which people may use: what somebody may not use is as unknown to them as what does not exist, whatever carries its name.

import { beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, sameOrigin, signIn } from '../support/http.mjs';
import { startModelServer } from '../support/model_server.mjs';

const fixture = useConfab({ prepare });
const kUnknown = { code: 'model_not_found', param: 'model' };
const kClosed = 'script-count';
let admin;
const ada = {};
const bob = {};

async function signedIn(person) {
  return caller(fixture.confab, { cookie: await signIn(fixture.confab, person), headers: sameOrigin(fixture.confab) });
}

async function prepare({ confab }) {
  admin = await signedIn(kAdmin);
  for (const [name, person] of Object.entries({ ada, bob })) {
    Object.assign(person, await confab.addMember(`${name}@example.org`));
    person.page = await signedIn(person);
    person.api = caller(confab, { key: person.key });
    person.id = (await person.page('GET', '/api/auth/me')).json.user.id;
  }
}

const kPath = '/api/admin/model-access';
const put = (json) => admin('PUT', kPath, { json });

async function good(promise, status = 200) {
  const res = await promise;
  assert.equal(res.status, status, res.text);
  return res.json;
}

const rule = (model, who, people) => good(put({ model, who, ...(people ? { people } : {}) }));
const others = (who) => good(put({ others: who }));

async function forgetRules() {
  await others('everybody');
  for (const { model } of (await good(admin('GET', kPath))).data) await rule(model, null);
}
beforeEach(forgetRules);

const ask = (api, model, more = {}) => api('POST', '/v1/responses', { json: { model, input: 'hello', ...more } });
const chat = (api, model, more = {}) => api('POST', '/v1/chat/completions', { json: { model, messages: [{ role: 'user', content: 'hello' }], ...more } });
const listed = async (api) => (await good(api('GET', '/v1/models'))).data.map(({ id }) => id);

async function conversation(api) {
  const { id } = await good(api('POST', '/v1/conversations', { json: { items: [{ role: 'user', content: 'hello' }] } }));
  return id;
}

/** Whatever carries the name of a model that is to be asked, or told about. */
const kCarriers = {
  'an answer': (api, model) => ask(api, model),
  'an answer as a stream': (api, model) => ask(api, model, { stream: true }),
  'an answer in the background': (api, model) => ask(api, model, { background: true }),
  'an answer that is not stored': (api, model) => ask(api, model, { store: false }),
  'an answer in a conversation': async (api, model) => ask(api, model, { conversation: await conversation(api) }),
  'another answer to the same question': async (api, model) => {
    const id = await conversation(api);
    const { data: [item] } = await good(api('GET', `/v1/conversations/${id}/items`));
    return api('POST', '/v1/responses', { json: { model, conversation: id, after: item.id, input: [] } });
  },
  'an answer that is continued': async (api, model) => api('POST', '/v1/responses', { json: { model, conversation: await conversation(api), continue: true, input: [] } }),
  'an answer after another one': async (api, model) => ask(api, model, { previous_response_id: (await good(ask(api, 'script-echo'))).id }),
  'a repeated request': (api, model) => api('POST', '/v1/responses', { json: { model, input: 'hello' }, headers: { ...sameOrigin(fixture.confab), 'idempotency-key': `key-${Math.random()}` } }),
  'a chat completion': (api, model) => chat(api, model),
  'a chat completion as a stream': (api, model) => chat(api, model, { stream: true }),
  'a chat completion whose name is escaped': (api, model) => api('POST', '/v1/chat/completions', {
    body: `{"model":"\\u0073${model.slice(1)}","messages":[{"role":"user","content":"x"}]}`, headers: { ...sameOrigin(fixture.confab), 'content-type': 'application/json' },
  }),
  'a model being looked up': (api, model) => api('GET', `/v1/models/${model}`),
  'the context of a conversation': async (api, model) => api('GET', `/api/conversations/${await conversation(api)}/context?model=${model}`),
};

describe('a model that somebody may not use', () => {
  it('is unknown to them by every carrier of its name, and no server hears of it', async () => {
    await rule(kClosed, 'people', [bob.id]);
    for (const [what, send] of Object.entries(kCarriers)) {
      for (const api of [ada.api, ada.page]) {
        fixture.model.reset();
        const closed = await send(api, kClosed);
        assertEnvelope(closed, 404, kUnknown);
        const asked = fixture.model.stats().requests;
        assert.equal(asked, what === 'an answer after another one' ? 1 : 0, what);
        const missing = await send(api, 'script-missing');
        assertEnvelope(missing, 404, kUnknown);
        assert.equal(closed.text.replaceAll(kClosed, 'script-missing'), missing.text, what);
      }
    }
  });

  it('is not named beside one that is allowed, for a model server to choose', async () => {
    await rule(kClosed, 'people', [bob.id]);
    const raw = (api, body) => api('POST', '/v1/chat/completions', { body, headers: { ...sameOrigin(fixture.confab), 'content-type': 'application/json' } });
    const messages = '"messages":[{"role":"user","content":"x"}]';
    fixture.model.reset();
    for (const [param, body] of [
      ['Model', `{"model":"script-echo","Model":"${kClosed}",${messages}}`],
      ['MODEL', `{"MODEL":"${kClosed}","model":"script-echo",${messages}}`],
      ['models', `{"model":"script-echo","models":["${kClosed}"],${messages}}`],
      ['models', `{"model":"script-echo","\u006dodels":["${kClosed}"],${messages}}`],
      ['fallbacks', `{"model":"script-echo","Fallbacks":[{"script-echo":["${kClosed}"]}],${messages}}`],
      ['route', `{"model":"script-echo","route":"fallback",${messages}}`],
    ]) assertEnvelope(await raw(ada.api, body), 400, { param });
    assert.equal(fixture.model.stats().requests, 0);
    // A key that comes twice goes on once, as it was understood.
    assert.equal((await raw(ada.api, `{"model":"${kClosed}","model":"script-echo",${messages}}`)).status, 200);
    const [{ text }] = fixture.model.requests;
    assert.ok(!text.includes(kClosed) && text.includes('script-echo'), text);
    // Who may ask every model may name several.
    assert.equal((await raw(admin, `{"model":"script-echo","models":["${kClosed}"],${messages}}`)).status, 200);
    await rule(kClosed, null);
    assert.equal((await raw(ada.api, `{"model":"script-echo","models":["${kClosed}"],${messages}}`)).status, 200);
    const { json: { key } } = await ada.page('POST', '/api/keys', { json: { name: 'narrow', models: ['script-echo'] } });
    assertEnvelope(await raw(caller(fixture.confab, { key }), `{"model":"script-echo","models":["${kClosed}"],${messages}}`), 400, { param: 'models' });
  });

  it('is there for those on its list, and for administrators', async () => {
    await rule(kClosed, 'people', [bob.id]);
    for (const [what, send] of Object.entries(kCarriers)) {
      if (what === 'an answer that is continued') continue; // there is nothing to continue
      for (const api of [bob.api, bob.page, admin, caller(fixture.confab, { key: fixture.confab.key })]) {
        const res = await send(api, kClosed);
        assert.equal(res.status, 200, `${what}: ${res.text}`);
      }
    }
  });

  it('is in nobody else’s list of models, nor their default', async () => {
    const [first, second] = await listed(ada.api);
    await rule(first, 'administrators');
    assert.ok(!(await listed(ada.api)).includes(first));
    assert.ok((await listed(admin)).includes(first));
    assert.equal((await good(ada.page('GET', '/v1/models'))).default_model, second);
    assert.equal((await good(admin('GET', '/v1/models'))).default_model, first);
  });

  it('leaves a conversation readable that was held with it, which is then counted for another model', async () => {
    const { id } = await good(ada.api('POST', '/v1/conversations', { json: {} }));
    await good(ask(ada.api, kClosed, { conversation: id }));
    await rule(kClosed, 'administrators');
    const info = await good(ada.api('GET', `/api/conversations/${id}/context`));
    assert.notEqual(info.model, kClosed);
    assert.equal((await good(ada.api('GET', `/v1/conversations/${id}/items`))).data.length, 2);
    assertEnvelope(await ask(ada.api, kClosed, { conversation: id }), 404, kUnknown);
    assert.equal((await good(ada.api('GET', `/v1/conversations/${id}/items`))).data.length, 2, 'nothing was kept of it');
  });

  it('is not reached under a name that nobody lists', async () => {
    assert.equal((await chat(ada.api, 'script-words-n3')).status, 200, 'without rules, what nobody lists is tried');
    await rule(kClosed, 'administrators');
    for (const send of [ask, chat]) {
      assertEnvelope(await send(ada.api, 'script-words-n3'), 404, kUnknown);
      assertEnvelope(await send(ada.api, 'SCRIPT-COUNT'), 404, kUnknown);
      assert.equal((await send(admin, 'script-words-n3')).status, 200);
    }
    await rule('script-words-n3', 'everybody');
    assert.equal((await ask(ada.api, 'script-words-n3')).status, 200, 'a rule may name it');
  });

  it('is out of reach for a key whose scope names it', async () => {
    await rule(kClosed, 'administrators');
    const { key } = await good(ada.page('POST', '/api/keys', { json: { name: 'scoped', models: [kClosed] } }), 201);
    const api = caller(fixture.confab, { key });
    assertEnvelope(await ask(api, kClosed), 404, kUnknown);
    assertEnvelope(await ask(api, 'script-echo'), 403, { code: 'model_not_allowed' });
    assert.deepEqual(await listed(api), []);
  });
});

describe('the rules', () => {
  it('hold at once, by every shard, and after a restart', async () => {
    for (const who of ['administrators', 'everybody', 'people', null]) {
      await rule(kClosed, who);
      const open = who === 'everybody' || who === null;
      for (let i = 0; i < 8; ++i) assert.equal((await ask(ada.api, kClosed)).status, open ? 200 : 404, `${who}`);
    }
    await rule(kClosed, 'people', [bob.id]);
    await fixture.confab.restart();
    assertEnvelope(await ask(ada.api, kClosed), 404, kUnknown);
    assert.equal((await ask(bob.api, kClosed)).status, 200);
  });

  it('may close everything but what they name', async () => {
    await rule('script-echo', 'everybody');
    await others('administrators');
    assert.deepEqual(await listed(ada.api), ['script-echo']);
    assert.equal((await ask(ada.api, 'script-echo')).status, 200);
    assertEnvelope(await ask(ada.api, kClosed), 404, kUnknown);
    const later = await startModelServer({ listed: [{ id: 'script-later', object: 'model' }] });
    try {
      await good(admin('POST', '/api/upstreams', { json: { name: 'later', base_url: later.baseURL } }), 201);
      assert.ok((await listed(admin)).includes('script-later'));
      assert.deepEqual(new Set(await listed(ada.api)), new Set(['script-echo']), 'a model that comes later is closed as well');
    } finally {
      await admin('DELETE', '/api/upstreams/later');
      await later.close();
    }
  });

  it('are told with names, and forget who is deleted', async () => {
    const { id } = await good(admin('POST', '/api/admin/users', { json: { email: 'gone@example.org', name: 'Gone', password: 'long enough a password' } }), 201);
    const table = await rule(kClosed, 'people', [id, bob.id]);
    assert.equal(table.object, 'model_access');
    assert.equal(table.others, 'everybody');
    assert.deepEqual(table.data.map(({ model, who }) => [model, who]), [[kClosed, 'people']]);
    assert.deepEqual(table.data[0].people.map(({ email }) => email).toSorted(), ['bob@example.org', 'gone@example.org']);
    assert.equal(table.data[0].people.find((one) => one.id === id).name, 'Gone');
    await good(admin('DELETE', `/api/admin/users/${id}`));
    assert.deepEqual((await good(admin('GET', kPath))).data[0].people.map(({ email }) => email), ['bob@example.org']);
  });

  it('are checked', async () => {
    for (const [json, param, code] of [
      [{}, 'model'], [{ model: '', who: 'everybody' }, 'model'], [{ model: 5, who: 'everybody' }, 'model'], [{ model: 'm'.repeat(1_000), who: 'everybody' }, 'model'],
      [{ model: 'a' }, 'who', 'missing_required_parameter'], [{ model: 'a', who: 'nobody' }, 'who'], [{ model: 'a', who: 'people', people: 'ada' }, 'people'],
      [{ model: 'a', who: 'people', people: ['ada'] }, 'people'], [{ model: 'a', who: 'everybody', people: [ada.id] }, 'people'],
      [{ model: 'a', who: 'people', people: [ada.id.slice(0, -6) + '000000'] }, 'people', 'user_not_found'],
      [{ model: 'a', who: 'people', people: Array.from({ length: 501 }, () => ada.id) }, 'people', 'too_many_people'],
      [{ others: 'people' }, 'others'], [{ others: null }, 'others'], [{ others: 'everybody', model: 'a' }, 'others', 'mutually_exclusive_parameters'],
    ]) {
      assertEnvelope(await put(json), 400, { param, ...(code ? { code } : {}) });
    }
    assert.deepEqual((await good(admin('GET', kPath))).data, []);
  });

  it('are the administrator’s alone, and written into the audit log', async () => {
    for (const api of [ada.api, ada.page]) {
      for (const method of ['GET', 'PUT']) assertEnvelope(await api(method, kPath, { json: { model: kClosed, who: 'everybody' } }), 403);
    }
    await rule(kClosed, 'people', [ada.id, bob.id]);
    const { data: [row] } = await good(admin('GET', '/api/admin/audit?limit=1'));
    assert.deepEqual([row.kind, row.object, row.detail, row.email], ['model_access_changed', kClosed, 'people 2', kAdmin.email]);
  });
});

describe('without a model server', () => {
  it('the demonstration is a model like any other', async () => {
    const { Confab } = await import('../support/confab.mjs');
    const confab = await Confab.start();
    try {
      const page = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
      const api = caller(confab, { key: (await confab.addMember()).key });
      assert.equal((await ask(api, 'confab-demo')).status, 200);
      await good(page('PUT', kPath, { json: { model: 'script-echo', who: 'administrators' } }));
      assert.equal((await ask(api, 'confab-demo')).status, 200, 'it is listed');
      await good(page('PUT', kPath, { json: { model: 'confab-demo', who: 'administrators' } }));
      assertEnvelope(await ask(api, 'confab-demo'), 404, kUnknown);
      assert.deepEqual((await good(api('GET', '/v1/models'))).data, []);
    } finally {
      await confab.dispose();
    }
  });
});
