// The faults that are not crashes: SIGTERM with answers under way, a model server that dies and comes back, a key that ends.

import { after, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { AuthenticationError } from 'openai';
import { Confab, kAdmin } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { allFrames, caller, open, request, sameOrigin, signIn, streamedEvents } from '../support/http.mjs';
import { checkEvents, itemText, outputText, poll } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

let model;
let confab;
let client;

before(async () => {
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL });
  client = confab.client();
});

// One fault fails one test: a program that is down is started again.
beforeEach(async () => { if (!confab.alive) await confab.boot(); });

after(async () => {
  try { await confab?.dispose(); } finally { await model?.close(); }
});

const isDelta = (event) => event.type === 'response.output_text.delta';
const textOf = (events) => events.filter(isDelta).map((event) => event.delta).join('');

/** Starts an answer in a conversation of its own; resolves at its first words, with a promise of everything its viewer will see. */
async function begin(script = 'script-words-n2000-i10', apiClient = client) {
  const { id } = await apiClient.conversations.create();
  const stream = await apiClient.responses.create({ model: script, input: 'go', conversation: id, background: true, stream: true });
  const events = [];
  let started;
  const first = new Promise((resolve, reject) => { started = { resolve, reject }; });
  const all = (async () => {
    try {
      for await (const event of stream) {
        events.push(event);
        if (isDelta(event)) started.resolve();
      }
    } catch { /* The connection may break; what was seen counts. */ }
    started.reject(new Error(`ended without a word: ${JSON.stringify(events.at(-1))}`));
    return events;
  })();
  await first;
  return { conversation: id, response: events[0].response.id, all };
}

async function answerOf(conversation) {
  const { data } = await client.conversations.items.list(conversation, { order: 'asc' });
  assert.deepEqual(data.map((item) => item.role), ['user', 'assistant']);
  return data[1];
}

describe('SIGTERM', () => {
  it('lets short answers end, saves long ones, and leaves with 0', async () => {
    const long = await Promise.all(Array.from({ length: 5 }, () => begin()));
    const short = await begin('script-words-n40-i10');
    const took = await confab.stop();
    assert.ok(took < 20_000, `took ${Math.round(took)} ms`);
    const seen = await Promise.all(long.map((one) => one.all));
    const ended = await short.all;
    await confab.boot();
    for (const [i, one] of long.entries()) {
      const item = await answerOf(one.conversation);
      const saved = itemText(item);
      assert.equal(item.status, 'incomplete');
      assert.ok(wordsText(2000).startsWith(saved), 'garbled');
      assert.ok(saved.length >= textOf(seen[i]).length, `saved ${saved.length} of ${textOf(seen[i]).length} characters that its viewer saw`);
      const response = await client.responses.retrieve(one.response);
      assert.equal(response.status, 'incomplete');
      assert.equal(outputText(response), saved);
      assert.equal((await client.conversations.retrieve(one.conversation)).active_response_id, null);
    }
    assert.equal(ended.at(-1).type, 'response.completed', 'a short answer ended within the grace period');
    assert.equal(itemText(await answerOf(short.conversation)), wordsText(40));
  });

  it('takes nothing new while it drains', async () => {
    const running = await begin('script-words-n150-i10');
    const stopping = confab.stop();
    const refused = await poll(async () => {
      try { return (await request(confab, 'GET', '/readyz')).status; } catch { return 'closed'; }
    }, (status) => status !== 200);
    assert.ok([503, 'closed'].includes(refused), `${refused}`);
    const outcome = await request(confab, 'POST', '/v1/responses', { json: { model: 'script-echo', input: 'late' }, key: confab.key }).then((res) => res.status, () => 'closed');
    assert.ok([503, 'closed'].includes(outcome), `new work was answered with ${outcome}`);
    await stopping;
    await running.all;
    await confab.boot();
  });

  it('is quick when there is nothing to drain, and heeded from the ready line on', async () => {
    for (let i = 0; i < 5; i += 1) {
      assert.ok(await confab.stop() < 3_000);
      await confab.boot();
    }
  });
});

describe('a model server that dies', () => {
  it('leaves a failed answer with its partial text, and the next one works', async () => {
    const one = await begin();
    const { port } = model;
    await model.close();
    const events = await one.all;
    assert.equal(events.at(-1).type, 'response.failed');
    assert.ok(events.at(-1).response.error.message);
    const saved = itemText(await answerOf(one.conversation));
    assert.equal(saved, textOf(events));
    assert.ok(saved.length > 0 && wordsText(2000).startsWith(saved));
    const failed = await streamedEvents(confab, confab.key, { model: 'script-words-n5', input: 'still there?', conversation: one.conversation, background: true });
    assert.equal(failed.at(-1).type, 'response.failed');
    model = await startModelServer({ port });
    const again = await client.responses.create({ model: 'script-words-n5', input: [], conversation: one.conversation });
    assert.equal(again.output_text, wordsText(5));
    const { data } = await client.conversations.items.list(one.conversation, { order: 'asc' });
    assert.deepEqual(data.map(itemText), ['go', saved, 'still there?', wordsText(5)]);
  });
});

describe('a viewer that stops reading', () => {
  it('does not hold the answer up, and finds all of it later', async () => {
    const json = { model: 'script-words-n20000', input: 'go', background: true, stream: true };
    const res = await open(confab, 'POST', '/v1/responses', { json, key: confab.key });
    const [first] = await once(res, 'data');
    res.pause();
    const id = /resp_\w+/.exec(first)[0];
    const done = await poll(() => client.responses.retrieve(id), (response) => response.status !== 'in_progress' && response.status !== 'queued', { withinMs: 20_000 });
    res.destroy();
    assert.equal(done.status, 'completed');
    assert.equal(outputText(done), wordsText(20000));
    const again = await allFrames(await open(confab, 'GET', `/v1/responses/${id}?stream=true`, { key: confab.key }));
    assert.equal(checkEvents(again.slice(0, -1).map((frame) => frame.event)).text, wordsText(20000));
  });
});

describe('a key that is revoked', () => {
  it('ends for new requests at once, while the answer it began is kept', async () => {
    const key = await confab.addKey('admin@example.org', 'doomed');
    const doomed = confab.client({ apiKey: key });
    const one = await begin('script-words-n100-i10', doomed);
    const page = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const row = (await page('GET', '/api/keys')).json.data.find((candidate) => candidate.name === 'doomed');
    assert.equal((await page('DELETE', `/api/keys/${row.id}`)).status, 200);
    await assert.rejects(doomed.models.list(), AuthenticationError);
    await assert.rejects(doomed.responses.retrieve(one.response), AuthenticationError);
    const done = await poll(() => client.responses.retrieve(one.response), (response) => response.status !== 'in_progress');
    assert.equal(done.status, 'completed');
    assert.equal(outputText(done), wordsText(100));
    await one.all;
  });

  it('ends by the command as well', async () => {
    const key = await confab.addKey('admin@example.org', 'doomed-too');
    const doomed = confab.client({ apiKey: key });
    assert.ok((await doomed.models.list()).data.length > 0);
    const row = (await confab.command(['key', 'list'])).split('\n').find((line) => line.includes('doomed-too'));
    const id = /key_\w+/.exec(row)?.[0] ?? row.trim().split(/\s+/)[0];
    await confab.command(['key', 'revoke', id]);
    await poll(() => doomed.models.list().then(() => 200, (error) => error.status), (status) => status === 401, { withinMs: 5_000 });
  });
});
