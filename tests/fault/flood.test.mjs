// Too much, from either side: model servers that send without end, and viewers that take nothing. What is kept has a bound, memory does
// too, and nobody else notices. The faults are in `support/chaos_faults.mjs`; figures are printed.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { Confab } from '../support/confab.mjs';
import { startChaosServer } from '../support/chaos_server.mjs';
import { kWordsBefore } from '../support/chaos_faults.mjs';
import { chaosConfig, chatStream, stopAndCheck } from '../support/chaos_client.mjs';
import { checkEvents, outputText, poll } from '../support/events.mjs';
import { open, request, streamedEvents } from '../support/http.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { compareBytes, EventBytes, resume, resumePath, startAnswer } from '../support/viewer.mjs';

const kMiB = 2 ** 20;
const kAnswerBytesMax = 2 * kMiB;  // llm/completion_stream.hpp
const kBefore = wordsText(kWordsBefore);
// Sockets hold some megabytes on either side.
const kSocketBytesMax = 64 * kMiB;
// What one flood may add to the peak of the memory, sanitizers' share included: some copies of the largest answer.
const kGrowthMax = 160 * kMiB;
const noProc = existsSync('/proc/self/status') ? false : 'there is no /proc here to read memory from';

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const fixture = {};

/** Freed memory that AddressSanitizer holds back is no memory of the program's. */
const smallQuarantine = { ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'quarantine_size_mb=1'].filter(Boolean).join(':') };

before(async () => {
  fixture.chaos = await startChaosServer();
  fixture.model = await startModelServer();
  fixture.confab = await Confab.start({
    env: smallQuarantine,
    args: ['--config', await chaosConfig({ 'chaos-*': fixture.chaos.baseURL, 'script-*': fixture.model.baseURL })],
  });
  fixture.patient = await beginPatient();
  // The first answer of all sets up what is set up once.
  await streamedEvents(fixture.confab, fixture.confab.key, { model: 'chaos-large-delta', input: 'go', background: true });
});

after(async () => {
  try {
    await fixture.confab?.dispose();
  } finally {
    await fixture.patient?.confab.dispose();
    await fixture.chaos?.close();
    await fixture.model?.close();
  }
});

/** A viewer that takes nothing is let go after half a minute; on a program of its own it waits for that while the other tests run. */
async function beginPatient() {
  const confab = await Confab.start({ upstream: fixture.chaos.baseURL });
  const answer = await startAnswer(confab, { model: 'chaos-large-answer', input: 'go' });
  return { confab, answer, socket: await takesNothing(confab, 'GET', resumePath(answer.id)), since: performance.now() };
}

/** Bytes of the program's memory, now (VmRSS) and at its peak (VmHWM). */
function memory(name) {
  if (noProc) return 0;
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${fixture.confab.pid}/status`, 'utf8'))[1]) * 1024;
}

const inMiB = (bytes) => `${Math.round(bytes / kMiB)} MiB`;

/** Runs `act` and checks what it added to the memory's peak. */
async function bounded(what, act, growthMax = kGrowthMax) {
  const before = Math.max(memory('VmHWM'), memory('VmRSS'));
  const begin = performance.now();
  const sent = await act();
  const growth = memory('VmHWM') - before;
  console.log(`${what}: ${sent === undefined ? '' : `${inMiB(sent)} sent, `}memory grew by ${inMiB(growth)}, ${Math.round(performance.now() - begin)} ms`);
  assert.ok(growth <= growthMax, `memory grew by ${inMiB(growth)}`);
}

/** The socket to the model server is closed; returns how much it had sent by then. */
async function sentUntilClosed(model) {
  const upstream = await poll(() => fixture.chaos.last(model), (request) => request?.closedAt !== null, { withinMs: 30_000 });
  return upstream.sent;
}

describe('a model server that sends without end', () => {
  const sent = {};
  const kFloods = {
    endless: { text: 'x'.repeat(kAnswerBytesMax), code: 'answer_too_large' },
    'endless-thoughts': { text: '', code: 'answer_too_large' },
    'line-1g': { text: kBefore, code: 'event_too_large' },
    'comment-1g': { text: kBefore, code: 'event_too_large' },
    'document-1g': { text: '', code: 'event_too_large' },
    'page-1g': { text: '', code: 'not_an_api' },
    'head-endless': { text: '', code: /^upstream_/ },
    'header-1g': { text: '', code: /^upstream_/ },
  };
  for (const [name, { text, code }] of Object.entries(kFloods)) {
    it(`${name}: ends as failed, with what fits`, { timeout: 90_000 }, () => bounded(name, async () => {
      const { confab } = fixture;
      const { response } = checkEvents(await streamedEvents(confab, confab.key, { model: `chaos-${name}`, input: 'go', background: true }));
      assert.equal(response.status, 'failed');
      assert.match(response.error.code, code instanceof RegExp ? code : new RegExp(`^${code}$`));
      assert.ok(outputText(response) === text, `${outputText(response).length} characters kept, not ${text.length}`);
      sent[name] = await sentUntilClosed(`chaos-${name}`);
      return sent[name];
    }));
  }

  it('is left at once when its answer is cut off', () => {
    for (const [name, bytes] of Object.entries(sent)) assert.ok(bytes < kSocketBytesMax, `${name}: ${inMiB(bytes)} were taken`);
  });

  it('endless-after-done: is left alone after [DONE]', { timeout: 90_000 }, () => bounded('endless-after-done', async () => {
    const { confab } = fixture;
    const { response } = checkEvents(await streamedEvents(confab, confab.key, { model: 'chaos-endless-after-done', input: 'go', background: true }));
    assert.equal(response.status, 'completed');
    assert.equal(outputText(response), kBefore);
    return sentUntilClosed('chaos-endless-after-done');
  }));

  for (const name of ['endless-comments', 'endless-nothing']) {
    it(`${name}: says nothing, holds nothing, and is stopped`, { timeout: 90_000 }, () => bounded(name, async () => {
      await stopAndCheck(fixture, `chaos-${name}`, { said: kBefore, began: (upstream) => upstream.sent > 4 * kMiB });
      return sentUntilClosed(`chaos-${name}`);
    }));
  }

  it('refusal-endless: an error page that does not end is an error all the same', { timeout: 60_000 }, async () => {
    const { confab } = fixture;
    const answer = await startAnswer(confab, { model: 'chaos-refusal-endless', input: 'go' });
    const ended = await Promise.race([answer.ended, pause(6_000).then(() => 'still in progress')]);
    if (ended !== 'ended') await request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key: confab.key });
    await answer.ended;
    assert.equal(ended, 'ended');
    assert.equal(answer.seen.parsed().at(-1).response.error.code, 'upstream_error');
  });
});

describe('a model server that sends without end, passed on', () => {
  for (const name of ['line-1g', 'comment-1g']) {
    it(`${name}: the client learns of it`, { timeout: 90_000 }, () => bounded(name, async () => {
      const { deltas, error, done } = await chatStream(fixture.confab, `chaos-${name}`);
      assert.equal(deltas, kBefore);
      assert.equal(error?.code, 'event_too_large');
      assert.ok(!done || error, 'an end as if all were well');
      return sentUntilClosed(`chaos-${name}`);
    }));
  }

  for (const name of ['document-1g', 'head-endless']) {
    it(`${name}: is refused`, { timeout: 90_000 }, () => bounded(name, async () => {
      const { res, error } = await chatStream(fixture.confab, `chaos-${name}`);
      assert.ok(res.status >= 500 || error, `${res.status} ${res.text.slice(0, 100)}`);
      return sentUntilClosed(`chaos-${name}`);
    }));
  }

  it('endless, to a client that leaves: the model server is left too', { timeout: 90_000 }, () => bounded('endless, left', async () => {
    const json = { model: 'chaos-endless', messages: [{ role: 'user', content: 'go' }], stream: true };
    const res = await open(fixture.confab, 'POST', '/v1/chat/completions', { key: fixture.confab.key, json });
    let bytes = 0;
    for await (const data of res) {
      bytes += data.length;
      if (bytes > 4 * kMiB) break;
    }
    res.destroy();
    return sentUntilClosed('chaos-endless');
  }));

  it('endless, to a client that takes nothing: the model server has to wait', { timeout: 90_000 }, () => bounded('endless, not taken', async () => {
    const { chaos, confab } = fixture;
    const seen = chaos.of('chaos-endless').length;
    const slow = await takesNothing(confab, 'POST', '/v1/chat/completions', { model: 'chaos-endless', messages: [{ role: 'user', content: 'go' }], stream: true });
    await poll(() => chaos.of('chaos-endless').length, (count) => count > seen);
    const upstream = chaos.last('chaos-endless');
    await settled(() => upstream.sent);
    const { sent } = upstream;
    slow.destroy();
    await sentUntilClosed('chaos-endless');
    assert.ok(sent < kSocketBytesMax, `${inMiB(sent)} were taken for a client that takes nothing`);
    return sent;
  }));
});

/** A client that sends a request and never reads. */
async function takesNothing(confab, method, path, json) {
  const socket = net.connect({ port: confab.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  const body = json ? JSON.stringify(json) : '';
  socket.write([`${method} ${path} HTTP/1.1`, `Host: 127.0.0.1:${confab.port}`, `Authorization: Bearer ${confab.key}`,
    'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));
  return socket;
}

/** Waits until a number has not changed for a second. */
async function settled(ask) {
  for (let last = -1, now = ask(); now !== last; now = ask()) {
    last = now;
    await pause(1_000);
  }
}

describe('viewers that take nothing', () => {
  const kSlow = 6;
  const kText = 24 * 1024 * 64;

  it(`neither slow an answer of 1.5 MiB nor the other viewers, and hold no memory: ${kSlow} of them`, { timeout: 120_000 }, async () => {
    const { confab } = fixture;
    const alone = performance.now();
    assert.equal(await (await startAnswer(confab, { model: 'chaos-large-answer', input: 'go' })).ended, 'ended');
    const aloneMs = performance.now() - alone;
    await bounded(`${kSlow} viewers`, async () => {
      const begin = performance.now();
      const answer = await startAnswer(confab, { model: 'chaos-large-answer', input: 'go' });
      const slow = await Promise.all(Array.from({ length: kSlow }, () => takesNothing(confab, 'GET', resumePath(answer.id))));
      const other = new EventBytes();
      await Promise.all([answer.ended, resume(confab, answer.id, other)]);
      const ms = performance.now() - begin;
      for (const socket of slow) socket.destroy();
      console.log(`an answer of ${(kText / kMiB).toFixed(1)} MiB alone: ${Math.round(aloneMs)} ms, beside ${kSlow} viewers that take nothing: ${Math.round(ms)} ms`);
      const { response } = answer.seen.parsed().at(-1);
      assert.equal(response.status, 'completed');
      assert.equal(outputText(response).length, kText);
      assert.match(compareBytes(other.whole, answer.seen.whole), /^(same|another time)$/);
      // No measure of speed: waiting for one of them would take thirty seconds.
      assert.ok(ms < aloneMs * 2 + 15_000, `${Math.round(ms)} ms instead of ${Math.round(aloneMs)}`);
    }, kSlow * 8 * kMiB);
  });

  it('are let go, and come back to the same bytes', { timeout: 180_000 }, async () => {
    const { confab, answer, socket, since } = fixture.patient;
    await answer.ended;
    const live = async () => Number(/^confab_http_connections_live (\d+)/m.exec((await request(confab, 'GET', '/metrics')).text)[1]);
    await poll(live, (count) => count <= 1, { everyMs: 500, withinMs: 90_000 });
    console.log(`a viewer that takes nothing was let go within ${Math.round((performance.now() - since) / 1000)} s`);
    const taken = new EventBytes();
    let bytes = '';
    socket.on('data', (data) => { bytes += data.toString('latin1'); });
    socket.resume();
    await once(socket, 'close');
    for (const data of chunksOf(bytes)) taken.feed(data);
    taken.cut();
    assert.ok(!taken.done, 'it had taken everything: the answer is too small for this test');
    assert.equal(await resume(confab, answer.id, taken), 'ended');
    assert.match(compareBytes(taken.whole, answer.seen.whole), /^(same|another time)$/);
  });

  /** The data of a chunked body that may end anywhere. */
  function* chunksOf(text) {
    let at = text.indexOf('\r\n\r\n') + 4;
    while (at > 3 && at < text.length) {
      const line = text.indexOf('\r\n', at);
      const size = parseInt(text.slice(at, line), 16);
      if (line < 0 || !size) return;
      yield Buffer.from(text.slice(line + 2, line + 2 + size), 'latin1');
      at = line + 2 + size + 2;
    }
  }
});
