// Idempotency-Key (abuse case 54): a request that is sent again does nothing twice, whatever became of the first one, and the key of one
// person, route or body is nobody else's.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { useConfab } from '../support/confab.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';
import { allFrames, assertEnvelope, open, request } from '../support/http.mjs';

const fixture = useConfab();
const newKey = () => `test-${randomUUID()}`;

function post(path, json, key, options = {}) {
  return request(fixture.confab, 'POST', path, { key: fixture.confab.key, json, ...options, headers: { ...(key ? { 'idempotency-key': key } : {}), ...options.headers } });
}

const get = (path, key = fixture.confab.key) => request(fixture.confab, 'GET', path, { key });
const isReplay = (res) => res.headers['idempotent-replayed'] === 'true';
const itemsOf = async (id) => (await get(`/v1/conversations/${id}/items?order=asc`)).json.data;
const userTexts = async (id) => (await itemsOf(id)).filter(({ role }) => role === 'user').map(({ content }) => content[0].text);

async function newConversation() {
  const res = await post('/v1/conversations', {});
  assert.equal(res.status, 200, res.text);
  return res.json.id;
}

/** Sends and closes the connection without waiting for the answer. */
async function sendAndLeave(path, json, key, afterMs) {
  const controller = new AbortController();
  const sent = open(fixture.confab, 'POST', path, { key: fixture.confab.key, json, headers: { 'idempotency-key': key }, signal: controller.signal });
  await sleep(afterMs);
  controller.abort();
  await sent.then((res) => res.destroy(), () => {});
}

describe('a repeated request', () => {
  it('makes one conversation', async () => {
    const key = newKey();
    const body = { title: 'once', items: [{ role: 'user', content: 'hello' }] };
    const first = await post('/v1/conversations', body, key);
    const second = await post('/v1/conversations', body, key);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([second.status, second.json], [200, first.json]);
    assert.deepEqual([isReplay(first), isReplay(second)], [false, true]);
    const { json } = await get('/v1/conversations?limit=100');
    assert.equal(json.data.filter(({ title }) => title === 'once').length, 1);
    const other = await post('/v1/conversations', body, newKey());
    assert.notEqual(other.json.id, first.json.id);
  });

  it('makes one conversation, sent at the same time too', async () => {
    const key = newKey();
    const all = await Promise.all(Array.from({ length: 8 }, () => post('/v1/conversations', { title: 'at once' }, key)));
    const made = all.filter(({ status }) => status === 200);
    assert.equal(new Set(made.map(({ json }) => json.id)).size, 1);
    for (const res of all) if (res.status !== 200) assertEnvelope(res, 409, { code: 'idempotency_in_progress' });
    assert.equal((await get('/v1/conversations?limit=100')).json.data.filter(({ title }) => title === 'at once').length, 1);
  });

  it('adds items once', async () => {
    const id = await newConversation();
    const key = newKey();
    const body = { items: [{ role: 'user', content: 'one' }, { role: 'user', content: 'two' }] };
    const first = await post(`/v1/conversations/${id}/items`, body, key);
    const second = await post(`/v1/conversations/${id}/items`, body, key);
    assert.equal(first.status, 200, first.text);
    assert.ok(isReplay(second));
    assert.deepEqual(second.json.data.map((item) => [item.id, item.content]), first.json.data.map((item) => [item.id, item.content]));
    assert.deepEqual(await userTexts(id), ['one', 'two']);
    const elsewhere = await newConversation();
    assertEnvelope(await post(`/v1/conversations/${elsewhere}/items`, body, key), 422, { code: 'idempotency_key_reused' });
  });

  it('asks the model once for a response', async () => {
    const id = await newConversation();
    const key = newKey();
    const body = { model: 'script-echo', input: 'hello', conversation: id };
    const asked = fixture.model.requests.length;
    const first = await post('/v1/responses', body, key);
    const second = await post('/v1/responses', body, key);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([second.status, second.json, isReplay(second)], [200, first.json, true]);
    assert.deepEqual(await userTexts(id), ['hello']);
    assert.equal(fixture.model.requests.length, asked + 1);
  });

  it('attaches to the same stream, while it goes on and afterwards', async () => {
    const id = await newConversation();
    const key = newKey();
    const body = { model: 'script-words-n40-i20', input: 'hello', conversation: id, background: true, stream: true };
    const stream = () => open(fixture.confab, 'POST', '/v1/responses', { key: fixture.confab.key, json: body, headers: { 'idempotency-key': key } });
    const first = await stream();
    const second = await stream();
    assert.equal(second.headers['idempotent-replayed'], 'true');
    const [one, two] = await Promise.all([allFrames(first), allFrames(second)]);
    const three = await allFrames(await stream());
    const texts = (frames) => frames.map(({ text }) => text);
    assert.ok(one.length > 40);
    assert.deepEqual(texts(two), texts(one));
    assert.deepEqual(texts(three), texts(one));
    assert.deepEqual(await userTexts(id), ['hello']);
  });

  it('is told to wait while the first one is answered', async () => {
    const key = newKey();
    const body = { model: 'script-words-n20-i40', input: 'hello' };
    const first = post('/v1/responses', body, key);
    await sleep(300);
    const early = await post('/v1/responses', body, key);
    assertEnvelope(early, 409, { code: 'idempotency_in_progress' });
    assert.ok(Number(early.headers['retry-after']) >= 1);
    const done = await first;
    assert.equal(done.status, 200);
    assert.deepEqual((await post('/v1/responses', body, key)).json, done.json);
  });

  it('does not double a message whose sender left', async () => {
    const id = await newConversation();
    const key = newKey();
    const body = { model: 'script-words-n40-i40', input: 'only once', conversation: id };
    await sendAndLeave('/v1/responses', body, key, 500);
    let again;
    for (let tries = 0; tries < 50; ++tries) {
      again = await post('/v1/responses', body, key);
      if (again.status !== 409) break;
      await sleep(100);
    }
    assert.equal(again.status, 200, again.text);
    assert.equal(again.json.status, 'cancelled');
    assert.deepEqual(await userTexts(id), ['only once']);
  });

  it('does not double a message whose answer failed', async () => {
    const id = await newConversation();
    const key = newKey();
    const body = { model: 'script-error-500', input: 'only once', conversation: id };
    const first = await post('/v1/responses', body, key);
    assert.ok(first.status >= 400, first.text);
    const second = await post('/v1/responses', body, key);
    assert.ok(second.status >= 400, second.text);
    assert.deepEqual(await userTexts(id), ['only once']);
    const unstored = { ...body, store: false };
    const before = (await userTexts(id)).length;
    const key2 = newKey();
    const third = await post('/v1/responses', unstored, key2);
    const fourth = await post('/v1/responses', unstored, key2);
    assert.deepEqual([fourth.status, fourth.json], [third.status, third.json]);
    assert.equal((await userTexts(id)).length, before + 1);
  });

  it('gets the kept answer of what is not stored', async () => {
    const key = newKey();
    const body = { model: 'script-echo', input: 'hello', store: false };
    const first = await post('/v1/responses', body, key);
    const second = await post('/v1/responses', body, key);
    assert.deepEqual([second.status, second.json, isReplay(second)], [200, first.json, true]);
    const streamed = newKey();
    const stream = await open(fixture.confab, 'POST', '/v1/responses', { key: fixture.confab.key, json: { ...body, stream: true }, headers: { 'idempotency-key': streamed } });
    await allFrames(stream);
    assertEnvelope(await post('/v1/responses', { ...body, stream: true }, streamed), 409, { code: 'idempotent_answer_not_kept' });
  });

  it('asks the model once for a chat completion', async () => {
    const key = newKey();
    const body = { model: 'script-echo', messages: [{ role: 'user', content: 'hello' }] };
    const asked = fixture.model.requests.length;
    const first = await post('/v1/chat/completions', body, key);
    const second = await post('/v1/chat/completions', body, key);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([second.status, second.text, isReplay(second)], [200, first.text, true]);
    assert.equal(fixture.model.requests.length, asked + 1);
    const streamed = { ...body, stream: true };
    for (let i = 0; i < 2; ++i) {
      const res = await post('/v1/chat/completions', streamed, key);
      assert.match(res.headers['content-type'], /event-stream/, 'a stream takes no notice of the key');
    }
  });

  it('is told honestly that an answer was too large to be kept', async () => {
    const key = newKey();
    const body = { model: 'script-echo', messages: [{ role: 'user', content: 'x'.repeat(300 * 1024) }] };
    const first = await post('/v1/chat/completions', body, key);
    assert.equal(first.status, 200);
    assert.ok(first.text.length > 256 * 1024, 'the model says it all again');
    const asked = fixture.model.requests.length;
    assertEnvelope(await post('/v1/chat/completions', body, key), 409, { code: 'idempotent_answer_not_kept' });
    assert.equal(fixture.model.requests.length, asked);
  });

  it('is told that what it made is gone', async () => {
    const key = newKey();
    const made = await post('/v1/conversations', { title: 'short-lived' }, key);
    await request(fixture.confab, 'DELETE', `/v1/conversations/${made.json.id}`, { key: fixture.confab.key });
    assertEnvelope(await post('/v1/conversations', { title: 'short-lived' }, key), 404, { code: 'not_found' });
  });

  it('is remembered through a restart, and done then if it was not done before', { skip: kNoSqlite }, async () => {
    const key = newKey();
    const body = { title: 'before the restart' };
    const first = await post('/v1/conversations', body, key);
    const id = await newConversation();
    const cut = newKey();
    const asked = { model: 'script-words-n200-i50', input: 'cut off', conversation: id, background: true, stream: true };
    await sendAndLeave('/v1/responses', asked, cut, 500);
    await fixture.confab.kill();
    await fixture.confab.boot();
    assert.deepEqual((await post('/v1/conversations', body, key)).json, first.json);
    const frames = await allFrames(await open(fixture.confab, 'POST', '/v1/responses', { key: fixture.confab.key, json: asked, headers: { 'idempotency-key': cut } }));
    assert.equal(frames.at(-2).event.type, 'response.incomplete');
    assert.deepEqual(await userTexts(id), ['cut off']);
    // What a crash leaves that came after the note, before anything was made.
    const lost = newKey();
    const interrupted = await post('/v1/conversations', { title: lost }, lost);
    await request(fixture.confab, 'DELETE', `/v1/conversations/${interrupted.json.id}`, { key: fixture.confab.key });
    await fixture.confab.stop();
    sql(fixture.confab, `UPDATE repeatable_calls SET finished = 0, process = 7 WHERE made = '${interrupted.json.id}'`);
    await fixture.confab.boot();
    const redone = await post('/v1/conversations', { title: lost }, lost);
    assert.equal(redone.status, 200, redone.text);
    assert.equal(isReplay(redone), false);
    assert.notEqual(redone.json.id, interrupted.json.id);
  });
});

describe('a key', () => {
  it('with another body is refused', async () => {
    const key = newKey();
    assert.equal((await post('/v1/conversations', { title: 'a' }, key)).status, 200);
    assertEnvelope(await post('/v1/conversations', { title: 'b' }, key), 422, { code: 'idempotency_key_reused' });
  });

  it('of one person is nobody else’s', async () => {
    const key = newKey();
    const mine = await post('/v1/conversations', { title: 'mine' }, key);
    const member = await fixture.confab.addMember();
    const theirs = await post('/v1/conversations', { title: 'mine' }, key, { key: member.key });
    assert.equal(theirs.status, 200, theirs.text);
    assert.notEqual(theirs.json.id, mine.json.id);
    assert.equal(isReplay(theirs), false);
    assert.equal((await post('/v1/conversations', { title: 'another' }, newKey(), { key: member.key })).status, 200);
  });

  it('of one route is free on another', async () => {
    const key = newKey();
    const id = await newConversation();
    assert.equal((await post('/v1/conversations', {}, key)).status, 200);
    assert.equal((await post(`/v1/conversations/${id}/items`, { items: [{ role: 'user', content: 'x' }] }, key)).status, 200);
    assert.equal((await post('/v1/responses', { model: 'script-echo', input: 'x' }, key)).status, 200);
  });

  it('of a refused request is free again', async () => {
    const key = newKey();
    assertEnvelope(await post('/v1/conversations', { title: 5 }, key), 400, { param: 'title' });
    assert.equal((await post('/v1/conversations', { title: '5' }, key)).status, 200);
  });

  it('has a length and characters', async () => {
    for (const key of [' ', 'k'.repeat(256), 'schlüssel']) {
      assertEnvelope(await post('/v1/conversations', {}, Buffer.from(key).toString('latin1')), 400, { code: 'invalid_idempotency_key' });
    }
    assert.equal((await post('/v1/conversations', {}, 'k'.repeat(255))).status, 200);
    const doubled = await post('/v1/conversations', {}, ['one', 'two']);
    assertEnvelope(doubled, 400, { code: 'invalid_idempotency_key' });
  });
});
