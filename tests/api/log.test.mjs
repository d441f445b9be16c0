// The log: JSON lines when that is set, a line for each request under the id that its answer carries, and never a word of anybody.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { caller, request, sameOrigin, signIn } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { form, image } from '../support/images.mjs';

const kSecret = 'canary-9f3b-words-of-somebody';
const fixture = useConfab({ args: ['--log-format', 'json', '--log-level', 'trace'] });

/** The lines of the log, but for the few words to the person who started the program. */
function lines(confab = fixture.confab) {
  const all = confab.log.split('\n').filter((line) => line && !/^(Confab listens|Nobody has an account|  http:)/.test(line));
  return all.map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return assert.fail(`no JSON: ${line}`);
    }
  });
}

const requestLine = (id) => poll(() => lines().filter((line) => line.event === 'request' && line.id === id), (found) => found.length > 0);

describe('the log as JSON lines', () => {
  it('says when, how bad and what', async () => {
    const [line] = await poll(() => lines().filter(({ event }) => event === 'listening'), (found) => found.length === 1);
    assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 120_000, line.time);
    assert.equal(line.level, 'info');
    assert.equal(typeof line.shards, 'number');
  });

  it('has one line for each request, under the id of its answer', async () => {
    const { confab } = fixture;
    const { id: conversation } = await fixture.client.conversations.create();
    const cases = [
      ['GET', `/v1/conversations/${conversation}/items?limit=5`, {}, { route: '/v1/conversations/{id}/items', status: 200 }],
      ['GET', '/v1/conversations/conv_00000000000000000000000000000000', {}, { route: '/v1/conversations/{id}', status: 404 }],
      ['GET', `/nowhere/${kSecret}`, {}, { route: '-', status: 404 }],
      ['GET', '/api/admin/users', {}, { route: '/api/admin/users', status: 403 }],
      ['POST', '/v1/responses', { json: { model: 'script-words-n5', input: kSecret, stream: true } }, { route: '/v1/responses', status: 200 }],
    ];
    for (const [method, path, options, wanted] of cases) {
      const res = await request(confab, method, path, { key: confab.key, ...options });
      const found = await requestLine(res.headers['x-request-id']);
      assert.equal(found.length, 1, path);
      const { route, status, milliseconds, complete, user } = found[0];
      assert.deepEqual({ route, status }, wanted);
      assert.equal(found[0].method, method);
      assert.ok(milliseconds >= 0 && milliseconds < 10_000);
      assert.equal(complete, true);
      assert.ok(user >= (wanted.route === '-' ? 0 : 1), 'whose request it was');
    }
  });

  it('never holds what people write, ask for or call things', async () => {
    const { confab, client } = fixture;
    const admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const key = caller(confab, { key: confab.key });
    const ids = [];
    const send = async (call, ...options) => { ids.push((await call(...options)).headers['x-request-id']); };
    const { id } = await client.conversations.create();
    const messages = [{ role: 'user', content: kSecret }];
    for (const model of ['script-echo', 'script-error-500', 'script-error-404', 'script-midstream-error', 'script-tool', 'script-html', kSecret]) {
      await send(key, 'POST', '/v1/responses', { json: { model, input: kSecret, instructions: kSecret, conversation: id, stream: true } });
      await send(key, 'POST', '/v1/responses', { json: { model, input: kSecret, metadata: { a: kSecret } } });
      await send(key, 'POST', '/v1/chat/completions', { json: { model, messages } });
      await send(key, 'POST', '/v1/chat/completions', { json: { model, messages, stream: true } });
    }
    await send(key, 'POST', '/v1/responses', { body: `{"input":"${kSecret}`, headers: { 'content-type': 'application/json' } });
    await send(key, 'POST', '/v1/responses', { json: { [kSecret]: kSecret, input: [{ type: kSecret }], model: 'x' } });
    await send(key, 'GET', `/api/search?q=${kSecret}`);
    await send(key, 'GET', `/${kSecret}?${kSecret}=${kSecret}`);
    await send(key, 'PATCH', `/api/conversations/${id}`, { json: { title: kSecret, tags: [kSecret] } });
    await send(key, 'POST', '/api/folders', { json: { name: kSecret } });
    await send(key, 'POST', '/v1/files', form([['purpose', 'vision'], ['file', image('png'), `${kSecret}.png`]]));
    await send(key, 'POST', `/api/imports?filename=${kSecret}.json`, { body: `[{"title":"${kSecret}"}]`, headers: { 'content-type': 'application/octet-stream' } });
    await send(admin, 'POST', '/api/auth/login', { json: { email: `${kSecret}@example.org`, password: kSecret } });
    await send(admin, 'POST', '/api/keys', { json: { name: kSecret } });
    for (const one of ids) await requestLine(one);
    assert.equal(new Set(ids).size, ids.length);
    await confab.stop();
    assert.ok(!confab.log.includes(kSecret), `the log holds it: ${confab.log.slice(Math.max(0, confab.log.indexOf(kSecret) - 300), confab.log.indexOf(kSecret) + 100)}`);
    assert.ok(!confab.log.includes(confab.key) && !confab.log.includes(kAdmin.password), 'nor keys and passwords');
    assert.ok(lines().some(({ event }) => event === 'stopped'));
    await confab.boot();
  });
});

describe('the log as text', () => {
  it('is for people, and has no line for each request unless asked for', async () => {
    const confab = await Confab.start();
    try {
      const res = await request(confab, 'GET', '/healthz');
      await confab.stop();
      assert.match(confab.log, /^\d{4}-\d\d-\d\dT[\d:.]+Z info listening address=/m);
      assert.ok(!confab.log.includes(res.headers['x-request-id']));
    } finally {
      await confab.dispose();
    }
  });

  it('refuses another format', async () => {
    await assert.rejects(fixture.confab.bareCommand(['serve', '--log-format', 'xml', '--data-dir', '/nonexistent']), /log_format is text or json/);
  });
});
