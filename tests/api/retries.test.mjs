// What a model server that fails, refuses or redirects looks like from outside: tried again before the first token, never after it.

import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { begin, ok, refuse, startFlakyServer } from '../support/flaky_server.mjs';
import { collect, outputText, poll } from '../support/events.mjs';
import { assertEnvelope, request } from '../support/http.mjs';

let current = (req, res) => ok(req, res);
let flaky;
let confab;
let client;
let from = 0;

before(async () => {
  flaky = await startFlakyServer((req, res, n) => current(req, res, n - from));
  confab = await Confab.start({ upstream: flaky.baseURL });
  client = confab.client({ timeout: 120_000 });
});

after(async () => {
  try { await confab?.dispose(); } finally { await flaky?.close(); }
});

afterEach(() => {
  current = (req, res) => ok(req, res);
});

/** From now on the server does this; requests are counted from 0. */
function script(handle) {
  current = handle;
  from = flaky.requests.length;
}

const sent = () => flaky.requests.length - from;
const ask = (more = {}) => client.responses.create({ model: 'flaky', input: 'x', ...more });
const chat = (more = {}) => client.chat.completions.create({ model: 'flaky', messages: [{ role: 'user', content: 'x' }], ...more });
const failing = (times, how) => (req, res, n) => (n < times ? how(req, res) : ok(req, res, 'at last'));
const thrown = (promise) => promise.then(() => assert.fail('an error was expected'), (error) => error);

describe('a server that bears few requests at once', () => {
  it('gets no more than it bears, and everybody has an answer', async () => {
    let busy = 0;
    let refused = 0;
    script((req, res) => {
      if (busy >= 4) { refused += 1; refuse(res, 429); return; }
      busy += 1;
      setTimeout(() => { busy -= 1; ok(req, res, 'served'); }, 60);
    });
    const answers = await Promise.allSettled(Array.from({ length: 40 }, () => ask()));
    const served = answers.filter((one) => one.status === 'fulfilled' && outputText(one.value) === 'served').length;
    console.log(`40 at once to a server that bears 4: ${served} served, ${refused} refusals, ${sent()} requests`);
    assert.ok(served >= 20, `${served} of 40`);
    assert.ok(refused < 80, `${refused} refusals: without a limit there would be more`);
  });
});

describe('an answer of a server that fails at first', () => {
  for (const status of [408, 429, 500, 502, 503, 504, 529]) {
    it(`comes after two answers with ${status}`, async () => {
      script(failing(2, (_, res) => refuse(res, status)));
      assert.equal(outputText(await ask()), 'at last');
      assert.equal(sent(), 3);
    });
  }

  it('comes after connections that break without an answer', async () => {
    script(failing(2, (_, res) => res.destroy()));
    assert.equal(outputText(await ask()), 'at last');
    assert.equal(sent(), 3);
  });

  it('comes after an answer that ends before it begins', async () => {
    script(failing(1, (_, res) => { res.writeHead(200, { 'content-type': 'text/event-stream' }); res.end(); }));
    assert.equal(outputText(await ask()), 'at last');
    assert.equal(sent(), 2);
  });

  it('comes through chat completions too, streamed or not', async () => {
    script(failing(2, (_, res) => refuse(res, 503)));
    assert.equal((await chat()).choices[0].message.content, 'at last');
    assert.equal(sent(), 3);
    script(failing(2, (_, res) => refuse(res, 500)));
    const chunks = await collect(await chat({ stream: true }));
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join(''), 'at last');
    assert.equal(sent(), 3);
  });

  it('is given up after three tries, with the last error', async () => {
    script((_, res) => refuse(res, 500, {}, 'it is broken'));
    const error = await thrown(ask());
    assert.equal(error.status, 502);
    assert.equal(error.code, 'upstream_error');
    assert.match(error.message, /it is broken/);
    assert.equal(sent(), 3);
  });

  it('is not asked for again when it makes no sense', async () => {
    for (const status of [400, 401, 403, 404, 413, 422]) {
      script((_, res) => refuse(res, status));
      await thrown(ask());
      assert.equal(sent(), 1, `after ${status}`);
    }
  });

  it('is not asked for again after the first token', async () => {
    script((_, res) => { begin(res, 'half'); setTimeout(() => res.destroy(), 50); });
    const response = await ask();
    assert.equal(response.status, 'failed');
    assert.equal(outputText(response), 'half');
    assert.equal(sent(), 1);
  });

  it('waits as long as the server wishes', async () => {
    script(failing(1, (_, res) => refuse(res, 429, { 'retry-after': '1' })));
    assert.equal(outputText(await ask()), 'at last');
    const [first, second] = flaky.requests.slice(from);
    assert.ok(second.at - first.at >= 990, `waited ${second.at - first.at} ms`);
  });

  it('is given up at once when the server wishes too long a wait, and says how long', async () => {
    script((_, res) => refuse(res, 429, { 'retry-after': '120' }));
    const error = await thrown(ask());
    assert.equal(error.status, 429);
    assert.equal(error.headers.get('retry-after'), '120');
    assert.match(error.message, /120 seconds/);
    assert.equal(sent(), 1);
    const relayed = await thrown(chat());
    assert.match(relayed.message, /120 seconds/);
    assert.equal(relayed.headers.get('retry-after'), '120');
  });

  it('is counted in the metrics', async () => {
    const { text } = await request(confab, 'GET', '/metrics');
    const [, retries] = /^confab_upstream_retries_total\{upstream="[^"]+"\} (\d+)/m.exec(text);
    assert.ok(Number(retries) >= 10, retries);
    for (const name of ['slots_limit', 'slots_in_use', 'slots_waiting', 'refusals_total', 'busy_total']) {
      assert.match(text, new RegExp(`^confab_upstream_${name}\\{upstream="[^"]+"\\} \\d+`, 'm'));
    }
  });
});

describe('stopping before the first token', () => {
  it('ends a pause between two tries at once', async () => {
    script((_, res) => refuse(res, 503, { 'retry-after': '25' }));
    const response = await ask({ background: true });
    await poll(sent, (count) => count === 1);
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    const begun = performance.now();
    const stopped = await client.responses.cancel(response.id);
    console.log(`stopped in a pause after ${Math.round(performance.now() - begun)} ms`);
    assert.equal(stopped.status, 'cancelled');
    assert.ok(performance.now() - begun < 20_000, 'it waited for the pause to end');
    assert.equal(sent(), 1);
  });

  it('closes the connection to a server that has not begun to answer', async () => {
    script(() => {});
    const response = await ask({ background: true });
    await poll(sent, (count) => count === 1);
    const begun = performance.now();
    const stopped = await client.responses.cancel(response.id);
    const closed = await poll(() => flaky.requests.at(-1).closedAt, Boolean);
    console.log(`stopped before the first byte: closed after ${Math.round(closed - begun)} ms`);
    assert.equal(stopped.status, 'cancelled');
    assert.deepEqual(stopped.output, []);
    assert.equal(sent(), 1, 'and it is not tried again');
  });

  it('closes the connection in the middle of the answer and keeps what came', async () => {
    script((_, res) => begin(res, 'the ', 'first ', 'part'));
    const stream = await ask({ background: true, stream: true });
    let id;
    for await (const event of stream) {
      id ??= event.response?.id;
      if (event.type === 'response.output_text.delta' && event.delta === 'part') break;
    }
    const begun = performance.now();
    const stopped = await client.responses.cancel(id);
    const closed = await poll(() => flaky.requests.at(-1).closedAt, Boolean);
    console.log(`stopped in the middle: closed after ${Math.round(closed - begun)} ms`);
    assert.equal(stopped.status, 'cancelled');
    assert.equal(outputText(stopped), 'the first part');
  });

  it('works while waiting for a slot', async () => {
    const held = [];
    script((req, res) => { if (held.length === 0) { held.push(res); begin(res, 'slow'); } else refuse(res, 503); });
    const first = await ask({ background: true });
    await poll(sent, (count) => count === 1);
    const others = await Promise.all(Array.from({ length: 12 }, () => ask({ background: true })));
    const waiting = async () => Number(/^confab_upstream_slots_waiting\{[^}]+\} (\d+)/m.exec((await request(confab, 'GET', '/metrics')).text)[1]);
    await poll(waiting, (count) => count > 0, { everyMs: 5 });
    const begun = performance.now();
    const stopped = await Promise.all([...others, first].map((one) => client.responses.cancel(one.id)));
    console.log(`stopped 13, some in the line, after ${Math.round(performance.now() - begun)} ms`);
    assert.equal(stopped.at(-1).status, 'cancelled');
    assert.ok(stopped.some((one) => one.status === 'cancelled'));
    assert.ok(stopped.every((one) => ['cancelled', 'failed'].includes(one.status)), JSON.stringify(stopped.map((one) => one.status)));
    assert.equal(await waiting(), 0);
  });

  it('deleting the conversation stops its answer', async () => {
    script((_, res) => begin(res, 'for nobody'));
    const { id } = await client.conversations.create();
    await ask({ background: true, conversation: id });
    await poll(sent, (count) => count === 1);
    const begun = performance.now();
    await client.conversations.delete(id);
    const closed = await poll(() => flaky.requests.at(-1).closedAt, Boolean);
    console.log(`deleted the conversation: closed after ${Math.round(closed - begun)} ms`);
  });
});

describe('a server that redirects', () => {
  it('is not followed: the key stays here, and the message names where it points', async () => {
    const elsewhere = await startFlakyServer((req, res) => ok(req, res));
    try {
      script((_, res) => { res.writeHead(302, { location: `${elsewhere.baseURL.replace('http://', 'http://user:secret@')}/chat/completions?token=secret` }); res.end('moved'); });
      const host = new URL(elsewhere.baseURL).host;
      const error = await thrown(ask());
      assert.equal(error.status, 502);
      assert.equal(error.code, 'upstream_redirect');
      assert.ok(error.message.includes(`http://${host}`), error.message);
      assert.ok(!error.message.includes('secret'), error.message);
      const res = await request(confab, 'POST', '/v1/chat/completions', { key: confab.key, json: { model: 'flaky', messages: [{ role: 'user', content: 'x' }] } });
      assertEnvelope(res, 502, { code: 'upstream_redirect' });
      assert.equal(elsewhere.requests.length, 0);
      assert.equal(sent(), 2, 'and not tried again');
    } finally {
      await elsewhere.close();
    }
  });
});
