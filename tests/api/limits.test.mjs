// Limits per person and per key: what is refused, with which code and headers, and what is not.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { RateLimitError } from 'openai';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, open, sameOrigin, signIn } from '../support/http.mjs';
import { eventually, form, image } from '../support/images.mjs';

const fixture = useConfab({ prepare });
const kNone = { requests_per_minute: null, tokens_per_minute: null, requests_per_month: null, tokens_per_month: null, concurrent_answers: null, storage_bytes: null };
let admin;
let people = 0;

async function prepare({ confab }) {
  admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
}

/** A member with a key of their own, and the limits they are given. */
async function newPerson(limits = {}) {
  people += 1;
  const person = { email: `person${people}@example.org`, password: 'another long password' };
  const { id } = (await admin('POST', '/api/admin/users', { json: person })).json;
  const { key, api } = await keyOf(person, 'test');
  const made = { ...person, id, key, api };
  if (Object.keys(limits).length) await limit(made, limits);
  return made;
}

async function limit(person, limits) {
  const res = await admin('PATCH', `/api/admin/users/${person.id}/limits`, { json: limits });
  assert.equal(res.status, 200, res.text);
  return res.json.limits;
}

async function everybody(json) {
  const res = await admin('PATCH', '/api/admin/limits', { json });
  assert.equal(res.status, 200, res.text);
}

async function keyOf(person, name = 'second') {
  const page = caller(fixture.confab, { cookie: await signIn(fixture.confab, person), headers: sameOrigin(fixture.confab) });
  const { id, key } = (await page('POST', '/api/keys', { json: { name } })).json;
  return { id, key, api: caller(fixture.confab, { key }) };
}

const ask = (api, model = 'script-echo') => api('POST', '/v1/responses', { json: { model, input: 'hello' } });
const chat = (api, model = 'script-echo') => api('POST', '/v1/chat/completions', { json: { model, messages: [{ role: 'user', content: 'hello' }] } });
const rateHeaders = (res) => Object.fromEntries(Object.entries(res.headers).filter(([name]) => name.startsWith('x-ratelimit-')));

describe('limits', () => {
  it('are off to begin with', async () => {
    const { api } = await newPerson();
    const { json } = await admin('GET', '/api/admin/limits');
    assert.deepEqual([json.person, json.key], [kNone, kNone]);
    const res = await ask(api);
    assert.equal(res.status, 200);
    assert.deepEqual(rateHeaders(res), {});
    assert.deepEqual((await api('GET', '/api/me/limits')).json.limits, kNone);
  });

  it('are checked when they are set', async () => {
    const { id } = await newPerson();
    for (const path of [`/api/admin/users/${id}/limits`]) {
      for (const value of [-1, 1.5, 'many', true, [], 2 ** 60]) assertEnvelope(await admin('PATCH', path, { json: { tokens_per_minute: value } }), 400, { param: 'tokens_per_minute' });
    }
    assertEnvelope(await admin('PATCH', '/api/admin/limits', { json: { person: { tokens_per_minute: 'x' } } }), 400, { param: 'person.tokens_per_minute' });
    assertEnvelope(await admin('PATCH', '/api/admin/limits', { json: { key: 5 } }), 400, { param: 'key' });
    for (const method of ['GET', 'PATCH']) {
      assertEnvelope(await admin(method, '/api/admin/users/user_00000000000000000000000000000000/limits', { json: {} }), 404);
      assertEnvelope(await admin(method, '/api/admin/keys/key_00000000000000000000000000000000/limits', { json: {} }), 404);
    }
  });
});

describe('requests per minute', () => {
  it('count down in the headers, then refuse before the body is read, and fill up again', async () => {
    const { api } = await newPerson({ requests_per_minute: 3 });
    for (const [send, left] of [[ask, '2'], [chat, '1'], [ask, '0']]) {
      const res = await send(api);
      assert.equal(res.status, 200, res.text);
      const headers = rateHeaders(res);
      assert.deepEqual([headers['x-ratelimit-limit-requests'], headers['x-ratelimit-remaining-requests']], ['3', left]);
      assert.match(headers['x-ratelimit-reset-requests'], /^(\d+m)?\d+m?s$/);
    }
    fixture.model.reset();
    const refused = await api('POST', '/v1/responses', { body: '{ this is not even JSON', headers: { 'content-type': 'application/json' } });
    assertEnvelope(refused, 429, { code: 'rate_limit_exceeded', type: 'rate_limit_error' });
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 20, `one comes back every 20 s: ${wait}`);
    const waitMs = Number(refused.headers['retry-after-ms']);
    assert.ok(waitMs > (wait - 1) * 1000 && waitMs <= wait * 1000, `${waitMs} ms, ${wait} s`);
    assert.equal(rateHeaders(refused)['x-ratelimit-remaining-requests'], '0');
    assert.equal(fixture.model.stats().requests, 0);
    assert.equal((await api('GET', '/v1/models')).status, 200, 'looking is not limited');
  });

  it('are a RateLimitError to the official client', async () => {
    const { key, api } = await newPerson({ requests_per_minute: 1 });
    await ask(api);
    const client = fixture.confab.client({ apiKey: key });
    await assert.rejects(client.responses.create({ model: 'script-echo', input: 'x' }), (error) => error instanceof RateLimitError && error.code === 'rate_limit_exceeded');
  });

  it('of 0 let nothing through', async () => {
    const { api } = await newPerson({ requests_per_minute: 0 });
    assertEnvelope(await ask(api), 429, { code: 'rate_limit_exceeded' });
  });

  it('are each person’s own', async () => {
    const [one, other] = [await newPerson({ requests_per_minute: 1 }), await newPerson({ requests_per_minute: 1 })];
    assert.equal((await ask(one.api)).status, 200);
    assertEnvelope(await ask(one.api), 429);
    assert.equal((await ask(other.api)).status, 200);
  });

  it('are one account, whatever the key or the cookie', async () => {
    const person = await newPerson({ requests_per_minute: 2 });
    const second = await keyOf(person);
    const page = caller(fixture.confab, { cookie: await signIn(fixture.confab, person), headers: sameOrigin(fixture.confab) });
    assert.equal((await ask(person.api)).status, 200);
    assert.equal((await ask(second.api)).status, 200);
    assertEnvelope(await ask(page), 429);
  });

  it('hold however many come at once, on all shards', async () => {
    const { api } = await newPerson({ requests_per_minute: 20 });
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(api)));
    assert.equal(answers.filter((res) => res.status === 200).length, 20);
    assert.equal(answers.filter((res) => res.status === 429).length, 40);
  });
});

describe('tokens per minute', () => {
  it('are charged when an answer ends, and what was too much is waited for', async () => {
    const { api } = await newPerson({ tokens_per_minute: 50 });
    const first = await ask(api, 'script-words-n100');
    assert.equal(first.status, 200);
    assert.equal(first.headers['x-ratelimit-remaining-tokens'], '50');
    const refused = await ask(api);
    assertEnvelope(refused, 429, { code: 'rate_limit_exceeded' });
    const used = first.json.usage.total_tokens;
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait > 30 && wait <= Math.ceil((used - 50 + 1) * 60 / 50) + 1, `${used} tokens, ${wait} s`);
    assert.equal(refused.headers['x-ratelimit-limit-tokens'], '50');
    assert.equal(refused.headers['x-ratelimit-remaining-tokens'], '0');
  });

  it('count what is relayed too, streamed or not, also where the model server counts nothing', async () => {
    for (const stream of [true, false]) {
      const { api } = await newPerson({ tokens_per_minute: 40 });
      const json = { model: 'script-words-n100', messages: [{ role: 'user', content: 'hello' }], stream };
      assert.equal((await api('POST', '/v1/chat/completions', { json })).status, 200);
      await eventually(async () => (await api('GET', '/api/me/limits')).json.used.tokens_per_minute >= 40, 'they are charged');
      assertEnvelope(await chat(api), 429, { code: 'rate_limit_exceeded' });
    }
  });
});

describe('the month', () => {
  it('is used up by requests that were answered, and by no others', async () => {
    const { api } = await newPerson({ requests_per_month: 2 });
    assert.equal((await ask(api, 'script-error-500')).status, 502);
    assert.equal((await ask(api, 'no-such-script')).status, 404);
    assertEnvelope(await api('POST', '/v1/responses', { json: {} }), 400);
    assert.equal((await ask(api)).status, 200);
    assert.equal((await chat(api)).status, 200);
    const refused = await ask(api);
    assertEnvelope(refused, 429, { code: 'insufficient_quota' });
    assert.equal(refused.headers['x-should-retry'], 'false');
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 31 * 86_400);
    assert.equal((await api('GET', '/api/me/limits')).json.used.requests_per_month, 2);
  });

  it('is remembered through a restart', async () => {
    const { api } = await newPerson({ requests_per_month: 1, tokens_per_month: 1_000_000 });
    assert.equal((await ask(api)).status, 200);
    await fixture.confab.restart();
    admin = caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    assertEnvelope(await ask(api), 429, { code: 'insufficient_quota' });
    assert.ok((await api('GET', '/api/me/limits')).json.used.tokens_per_month > 0);
  });

  it('is used up by tokens', async () => {
    const { api } = await newPerson({ tokens_per_month: 30 });
    assert.equal((await ask(api, 'script-words-n50')).status, 200);
    assertEnvelope(await ask(api), 429, { code: 'insufficient_quota' });
  });
});

describe('answers at once', () => {
  const slow = { model: 'script-words-n15000-i10', input: 'go', stream: true, background: true };

  it('are counted until they end, also when nobody watches', async () => {
    const { api, key } = await newPerson({ concurrent_answers: 2 });
    const ids = [];
    for (let i = 0; i < 2; i += 1) {
      const res = await open(fixture.confab, 'POST', '/v1/responses', { json: slow, key });
      const text = await new Promise((resolve) => { res.once('data', (data) => resolve(`${data}`)); });
      ids.push(/resp_\w+/.exec(text)[0]);
      res.destroy();
    }
    const refused = await ask(api);
    assertEnvelope(refused, 429, { code: 'rate_limit_exceeded' });
    assert.equal(refused.headers['retry-after'], '1');
    assertEnvelope(await chat(api), 429, { code: 'rate_limit_exceeded' });
    assert.equal((await api('GET', '/api/me/limits')).json.used.concurrent_answers, 2);
    assert.equal((await api('POST', `/v1/responses/${ids[0]}/cancel`, { json: {} })).status, 200);
    assert.equal((await ask(api)).status, 200);
    await api('POST', `/v1/responses/${ids[1]}/cancel`, { json: {} });
    await eventually(async () => (await api('GET', '/api/me/limits')).json.used.concurrent_answers === 0, 'nothing is under way');
  });

  it('are given back whatever happens to the request', async () => {
    const { api, key } = await newPerson({ concurrent_answers: 1 });
    const under = async () => (await api('GET', '/api/me/limits')).json.used.concurrent_answers;
    assertEnvelope(await api('POST', '/v1/responses', { json: {} }), 400);
    assertEnvelope(await api('POST', '/v1/chat/completions', { json: { model: 'x' } }), 400);
    assert.equal((await ask(api, 'script-error-500')).status, 502);
    assert.equal((await chat(api, 'script-error-500')).status, 502);
    for (const stream of [false, true]) {
      const json = { model: 'script-words-n2000-i10', messages: [{ role: 'user', content: 'x' }], stream };
      const leaving = new AbortController();
      const asked = open(fixture.confab, 'POST', '/v1/chat/completions', { json, key, signal: leaving.signal }).catch(() => {});
      await eventually(async () => await under() === 1, 'it is under way');
      leaving.abort();
      await asked;
      await eventually(async () => await under() === 0, 'it is given back');
    }
    assert.equal((await ask(api)).status, 200);
  });
});

describe('storage', () => {
  it('is limited to what the administrator says', async () => {
    const { api } = await newPerson({ storage_bytes: 2_500 });
    const upload = () => api('POST', '/v1/files', form([['purpose', 'vision'], ['file', image('png'), 'x.png']]));
    let res = await upload();
    for (let i = 0; i < 20 && res.status === 200; i += 1) res = await upload();
    assertEnvelope(res, 429, { code: 'file_quota_exceeded' });
    const { limits, used } = (await api('GET', '/api/me/limits')).json;
    assert.equal(limits.storage_bytes, 2_500);
    assert.ok(used.storage_bytes > 0 && used.storage_bytes <= 2_500);
  });
});

describe('rules', () => {
  it('for everybody hold unless a person has their own, and change with the next request', async () => {
    const [one, other] = [await newPerson(), await newPerson()];
    assert.equal((await ask(one.api)).status, 200);
    await everybody({ person: { requests_per_minute: 0 } });
    assertEnvelope(await ask(one.api), 429);
    assert.deepEqual(await limit(other, { requests_per_minute: 'unlimited' }), { ...kNone, requests_per_minute: 'unlimited' });
    assert.equal((await ask(other.api)).status, 200);
    await limit(one, { requests_per_minute: 5 });
    assert.equal((await ask(one.api)).status, 200);
    await limit(one, { requests_per_minute: null });
    assertEnvelope(await ask(one.api), 429);
    await everybody({ person: { requests_per_minute: null } });
    assert.equal((await ask(one.api)).status, 200);
  });

  it('for a key come on top of the person’s', async () => {
    const person = await newPerson({ requests_per_minute: 3 });
    const narrow = await keyOf(person);
    assert.equal((await admin('PATCH', `/api/admin/keys/${narrow.id}/limits`, { json: { requests_per_minute: 1 } })).status, 200);
    assert.equal((await ask(narrow.api)).headers['x-ratelimit-limit-requests'], '1');
    for (let i = 0; i < 3; i += 1) assertEnvelope(await ask(narrow.api), 429, { code: 'rate_limit_exceeded' });
    assert.equal((await ask(person.api)).headers['x-ratelimit-remaining-requests'], '1', 'what the key was refused was not the person’s');
    const { json } = await narrow.api('GET', '/api/me/limits');
    assert.equal(json.key_limits.requests_per_minute, 1);
    const keys = (await admin('GET', `/api/admin/users/${person.id}/keys`)).json.data;
    assert.deepEqual(keys.map(({ name }) => name).sort(), ['second', 'test']);
    assert.ok(keys.every((key) => key.key === undefined && !JSON.stringify(key).includes(narrow.key)));
  });

  it('for every key leave cookies alone', async () => {
    const person = await newPerson();
    await everybody({ key: { requests_per_minute: 0 } });
    assertEnvelope(await ask(person.api), 429);
    const page = caller(fixture.confab, { cookie: await signIn(fixture.confab, person), headers: sameOrigin(fixture.confab) });
    assert.equal((await ask(page)).status, 200);
    await everybody({ key: { requests_per_minute: null } });
  });
});
