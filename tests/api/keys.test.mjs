// API keys with scopes: models, looking only, an end; what they used; and that what lasts is cut when a key or a session ends (abuse case 20).

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, open, request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

const fixture = useConfab({ prepare });
const kMember = { email: 'member@example.org', password: 'another long password' };
const kCutWithinMs = 5_000;
let page;

async function prepare({ confab }) {
  await confab.addMember(kMember.email, kMember.password);
  page = await signedIn();
}

async function signedIn(person = kMember) {
  const cookie = await signIn(fixture.confab, person);
  return Object.assign(caller(fixture.confab, { cookie, headers: sameOrigin(fixture.confab) }), { cookie });
}

async function newKey(options = {}) {
  const res = await page('POST', '/api/keys', { json: { name: 'test', ...options } });
  assert.equal(res.status, 201, res.text);
  return { ...res.json, api: caller(fixture.confab, { key: res.json.key }) };
}

const rowOf = async (id) => (await page('GET', '/api/keys')).json.data.find((row) => row.id === id);
const revoke = async (key) => assert.equal((await page('DELETE', `/api/keys/${key.id}`)).status, 200);
const ask = (api, model = 'script-echo') => api('POST', '/v1/responses', { json: { model, input: 'hello' } });
const chat = (api, model = 'script-echo') => api('POST', '/v1/chat/completions', { json: { model, messages: [{ role: 'user', content: 'hello' }] } });

describe('a new key', () => {
  it('may do everything for ever unless it says otherwise', async () => {
    const key = await newKey();
    assert.deepEqual([key.models, key.read_only, key.expires_at, key.last_used_at], [[], false, null, null]);
    assert.deepEqual(key.usage, { requests: 0, input_tokens: 0, output_tokens: 0, cost: 0 });
    assert.equal((await ask(key.api)).status, 200);
  });

  it('is checked', async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const [json, param] of [
      [{ models: 'script-echo' }, 'models'], [{ models: [5] }, 'models'], [{ models: [''] }, 'models'], [{ models: ['m'.repeat(301)] }, 'models'],
      [{ models: Array.from({ length: 51 }, (_, i) => `m${i}`) }, 'models'], [{ read_only: 'yes' }, 'read_only'], [{ expires_at: now - 1 }, 'expires_at'],
      [{ expires_at: now + 11 * 366 * 86_400 }, 'expires_at'], [{ expires_at: 'tomorrow' }, 'expires_at'],
    ]) {
      assertEnvelope(await page('POST', '/api/keys', { json: { name: 'bad', ...json } }), 400, { param });
    }
  });
});

describe('a key for some models', () => {
  it('asks those and no others, by either dialect', async () => {
    const { api } = await newKey({ models: ['script-echo', 'script-words-*'] });
    for (const send of [ask, chat]) {
      assert.equal((await send(api, 'script-echo')).status, 200);
      assert.equal((await send(api, 'script-words-n3')).status, 200);
      fixture.model.reset();
      for (const model of ['script-count', 'script-echo2', 'xscript-words-n3', 'SCRIPT-ECHO']) {
        assertEnvelope(await send(api, model), 403, { code: 'model_not_allowed', param: 'model' });
      }
      assert.equal(fixture.model.stats().requests, 0, 'nothing was asked');
    }
  });

  it('sees only those', async () => {
    const { api } = await newKey({ models: ['script-words-*'] });
    const { data, default_model } = (await api('GET', '/v1/models')).json;
    assert.ok(data.length > 1 && data.every(({ id }) => id.startsWith('script-words-')), JSON.stringify(data));
    assert.equal(default_model, null);
    assert.equal((await api('GET', '/v1/models/script-words-n20-i5')).status, 200);
    assertEnvelope(await api('GET', '/v1/models/script-echo'), 404, { code: 'model_not_found' });
  });

  it('is matched in time that does not explode', async () => {
    const { api } = await newKey({ models: [`${'*a'.repeat(149)}*b`] });
    const begin = performance.now();
    assertEnvelope(await ask(api, 'a'.repeat(300)), 403, { code: 'model_not_allowed' });
    assert.ok(performance.now() - begin < 3_000);
  });
});

describe('a key that may only look', () => {
  it('changes nothing and asks nobody', async () => {
    const { id } = (await page('POST', '/v1/conversations', { json: { title: 'mine' } })).json;
    const { api } = await newKey({ read_only: true });
    assert.equal((await api('GET', `/v1/conversations/${id}`)).status, 200);
    assert.equal((await api('GET', '/v1/models')).status, 200);
    fixture.model.reset();
    for (const [method, path] of [
      ['POST', '/v1/responses'], ['POST', '/v1/chat/completions'], ['POST', '/v1/conversations'], ['POST', '/v1/files'], ['DELETE', `/v1/conversations/${id}`],
      ['PATCH', `/api/conversations/${id}`], ['PUT', `/api/conversations/${id}/head`], ['PATCH', '/api/me/settings'], ['POST', '/api/imports?filename=x.json'],
    ]) {
      assertEnvelope(await api(method, path, { json: {} }), 403, { code: 'key_read_only' });
    }
    assert.equal(fixture.model.stats().requests, 0);
    assert.equal((await page('GET', `/v1/conversations/${id}`)).status, 200);
  });
});

describe('a key that expires', () => {
  it('is refused from that second on, also where it is remembered', async () => {
    const expires_at = Math.floor(Date.now() / 1000) + 3;
    const { api, id } = await newKey({ expires_at });
    assert.equal((await api('GET', '/v1/models')).status, 200);
    assert.equal((await rowOf(id)).expires_at, expires_at);
    await sleep(expires_at * 1000 + 100 - Date.now());
    assertEnvelope(await api('GET', '/v1/models'), 401, { code: 'invalid_api_key' });
    assert.equal((await rowOf(id)).expires_at, expires_at, 'its row stays, to be seen');
  });
});

describe('what a key used', () => {
  it('is shown with it', async () => {
    const key = await newKey();
    const { usage } = (await ask(key.api)).json;
    await chat(key.api);
    const row = await eventually(async () => {
      const now = await rowOf(key.id);
      return now.usage.requests === 2 && now;
    }, 'both answers are counted');
    assert.ok(row.usage.input_tokens > usage.input_tokens && row.usage.output_tokens > usage.output_tokens, JSON.stringify(row));
    assert.ok(row.last_used_at > 0);
  });
});

// ---- abuse case 20 ----

/** A stream that says words for far longer than the test waits. Resolves at its first bytes. */
async function endless(credentials, path = '/v1/responses', extra = {}) {
  const model = 'script-words-n15000-i10';
  const json = path === '/v1/responses' ? { model, input: 'go', stream: true, ...extra } : { model, messages: [{ role: 'user', content: 'go' }], stream: true };
  const res = await open(fixture.confab, 'POST', path, { json, ...credentials });
  assert.equal(res.statusCode, 200);
  let text = '';
  const ended = new Promise((resolve) => {
    res.setEncoding('utf8').on('data', (part) => { text += part; });
    for (const event of ['end', 'error', 'close']) res.on(event, () => resolve(performance.now()));
  });
  await eventually(() => text.includes('w3'), 'the stream has begun');
  return { ended, res, text: () => text };
}

const cutSoon = (stream) => Promise.race([stream.ended, sleep(kCutWithinMs).then(() => assert.fail('the stream goes on'))]);
const headers = () => sameOrigin(fixture.confab);

describe('a stream whose key is revoked', () => {
  it('is cut within five seconds, and with it the model server’s', async () => {
    for (const path of ['/v1/responses', '/v1/chat/completions']) {
      const key = await newKey();
      fixture.model.reset();
      const stream = await endless({ key: key.key }, path);
      await revoke(key);
      await cutSoon(stream);
      await eventually(() => fixture.model.stats().aborted === 1, `the model server was let go, ${path}`);
    }
  });

  it('is cut by the command as well', async () => {
    const key = await newKey();
    const stream = await endless({ key: key.key });
    await fixture.confab.command(['key', 'revoke', key.id]);
    await cutSoon(stream);
  });

  it('is another key’s too, and goes on', async () => {
    const [doomed, other] = [await newKey(), await newKey()];
    const [lost, kept, cookie] = [await endless({ key: doomed.key }), await endless({ key: other.key }), await endless({ cookie: page.cookie, headers: headers() })];
    await revoke(doomed);
    await cutSoon(lost);
    const before = [kept.text().length, cookie.text().length];
    await sleep(500);
    assert.ok(kept.text().length > before[0] && cookie.text().length > before[1], 'the others go on');
    kept.res.destroy();
    cookie.res.destroy();
  });

  it('is no stream of the answer’s owner, for whom a background answer goes on', async () => {
    const key = await newKey();
    const stream = await endless({ key: key.key }, '/v1/responses', { background: true });
    const id = /resp_\w+/.exec(stream.text())[0];
    await revoke(key);
    await cutSoon(stream);
    assert.equal((await page('GET', `/v1/responses/${id}`)).json.status, 'in_progress');
    assert.equal((await page('POST', `/v1/responses/${id}/cancel`, { json: {} })).status, 200);
  });

  it('ends an answer that is waited for, too', async () => {
    const key = await newKey();
    fixture.model.reset();
    const waiting = request(fixture.confab, 'POST', '/v1/responses', { key: key.key, json: { model: 'script-words-n2000-i10', input: 'go' } }).then((res) => `${res.status}`, () => 'cut');
    await eventually(() => fixture.model.stats().requests === 1, 'the model server is asked');
    await revoke(key);
    assert.equal(await Promise.race([waiting, sleep(kCutWithinMs).then(() => 'still waiting')]), 'cut');
  });
});

describe('a stream whose session ends', () => {
  it('is cut when its person ends the session elsewhere, or signs out, and that is answered', async () => {
    const elsewhere = await signedIn();
    const stream = await endless({ cookie: elsewhere.cookie, headers: headers() });
    const { data } = (await elsewhere('GET', '/api/auth/sessions')).json;
    assert.equal((await page('DELETE', `/api/auth/sessions/${data.find(({ current }) => current).id}`)).status, 200);
    await cutSoon(stream);
    const again = await signedIn();
    const own = await endless({ cookie: again.cookie, headers: headers() });
    assert.equal((await again('POST', '/api/auth/logout', { json: {} })).status, 200);
    await cutSoon(own);
  });

  it('is cut by a new password, also where it was set: that session goes on under another name', async () => {
    const person = await fixture.confab.addMember('changer@example.org', 'the old long password');
    const [here, there] = [await signedIn(person), await signedIn(person)];
    const [own, other] = [await endless({ cookie: here.cookie, headers: headers() }), await endless({ cookie: there.cookie, headers: headers() })];
    const res = await here('POST', '/api/auth/password', { json: { current_password: person.password, new_password: 'the new long password' } });
    assert.equal(res.status, 200, res.text);
    for (const stream of [own, other]) await cutSoon(stream);
  });
});
