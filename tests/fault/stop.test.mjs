// Stopping. An answer is stopped by its user, from any client, before its first token and in its middle: the socket to the model server is
// closed and what came is kept. And the whole program is stopped by the system for 15 s (SIGSTOP) in the middle of answers, and goes on.
// The two run side by side. Times are printed; the bound is generous, for a sanitized build on a busy machine is no measure.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { once } from 'node:events';
import { Confab } from '../support/confab.mjs';
import { startChaosServer } from '../support/chaos_server.mjs';
import { chaosConfig, stopAndCheck } from '../support/chaos_client.mjs';
import { checkEvents, itemText, outputText, poll } from '../support/events.mjs';
import { caller, open, request, streamedEvents } from '../support/http.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { Random, seedFrom } from '../support/random.mjs';
import { compareBytes, EventBytes, resume, startAnswer } from '../support/viewer.mjs';

const kClosedWithinMs = 5_000;  // the promise is 100 ms, of an optimised build on a machine of its own
const kStopMs = 15_000;
const kSeed = seedFrom('STOP_SEED');

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const fixture = {};

before(async () => {
  fixture.chaos = await startChaosServer();
  fixture.model = await startModelServer();
  fixture.deaf = await startDeafServer();
  fixture.confab = await Confab.start({
    args: ['--config', await chaosConfig({
      'chaos-*': fixture.chaos.baseURL, 'script-*': fixture.model.baseURL, 'deaf-*': `http://127.0.0.1:${fixture.deaf.port}/v1`,
    })],
  });
  // The first question looks at all model servers, the deaf one for five seconds.
  await request(fixture.confab, 'GET', '/v1/models', { key: fixture.confab.key });
});

after(async () => {
  try {
    await fixture.confab?.dispose();
  } finally {
    fixture.deaf?.close();
    await fixture.chaos?.close();
    await fixture.model?.close();
  }
});

/** A process that listens but never accepts, with its queue full: whoever connects waits. */
async function startDeafServer() {
  const script = `require('net').createServer().listen({port: 0, host: '127.0.0.1', backlog: 1}, function () {
    require('fs').writeSync(1, this.address().port + '\\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const port = Number(line);
  const fillers = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
  await pause(100);
  return {
    port,
    close() {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

function report(what, times) {
  const sorted = [...times].sort((a, b) => a - b);
  console.log(`${what}: the model server was left after ${Math.round(sorted[Math.floor(sorted.length / 2)])} ms (median of ${sorted.length}), ${Math.round(sorted.at(-1))} ms at worst`);
  assert.ok(sorted.at(-1) < kClosedWithinMs, `the socket stayed open for ${Math.round(sorted.at(-1))} ms`);
}

/** The newest item of a conversation, and whether another turn can be had in it. */
async function checkUsable(conversation) {
  const { confab } = fixture;
  const events = await streamedEvents(confab, confab.key, { model: 'script-words-n5', input: 'and now?', conversation, background: true });
  assert.equal(checkEvents(events).text, wordsText(5));
}

describe('stop', { concurrency: true }, () => {
  it('before the first token', { timeout: 60_000 }, async () => {
    const times = [];
    for (const model of ['chaos-silent', 'chaos-only-comments', 'chaos-silent', 'chaos-only-comments', 'chaos-silent']) {
      const { closedMs, text } = await stopAndCheck(fixture, model, { said: '' });
      assert.equal(text, '');
      times.push(closedMs);
    }
    report('stopped before the first token', times);
  });

  it('in the middle keeps what came, and no less than was seen', { timeout: 60_000 }, async () => {
    const times = [];
    for (let i = 0; i < 5; i += 1) {
      const { closedMs, text, seen } = await stopAndCheck(fixture, 'chaos-slow', { said: wordsText(10) });
      assert.ok(wordsText(20_000).startsWith(text), `garbled: ${text.slice(-80)}`);
      assert.equal(text, seen, 'the viewer sees what is kept');
      times.push(closedMs);
    }
    report('stopped in the middle', times);
  });

  it('while the model server does not accept', { timeout: 60_000 }, async () => {
    const { confab } = fixture;
    const answer = await startAnswer(confab, { model: 'deaf-x', input: 'go' });
    await pause(300);
    assert.equal(answer.seen.done, false, `the deaf server was heard: ${answer.seen.events.at(-1)}`);
    const begin = performance.now();
    const res = await request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key: confab.key });
    const ms = performance.now() - begin;
    assert.equal(res.json.status, 'cancelled');
    assert.equal(await answer.ended, 'ended');
    console.log(`stopped while connecting: answered after ${Math.round(ms)} ms`);
    assert.ok(ms < kClosedWithinMs, `${Math.round(ms)} ms`);
  });

  it('of many at once', { timeout: 90_000 }, async () => {
    const { confab, model } = fixture;
    const many = 60;
    const kModel = 'script-words-n30-i10-d30000';
    const sockets = () => model.requests.filter(({ body }) => body?.model === kModel).length;
    const answers = await Promise.all(Array.from({ length: many }, () => startAnswer(confab, { model: kModel, input: 'go' })));
    await poll(sockets, (count) => count === many, { withinMs: 30_000 });
    const { aborted } = model.stats();
    const begin = performance.now();
    const stopped = await Promise.all(answers.map(({ id }) => request(confab, 'POST', `/v1/responses/${id}/cancel`, { key: confab.key })));
    await poll(() => model.stats().aborted, (count) => count >= aborted + many);
    console.log(`${many} stopped at once: all model connections left within ${Math.round(performance.now() - begin)} ms`);
    for (const { json } of stopped) assert.equal(json.status, 'cancelled');
    for (const answer of answers) assert.equal(await answer.ended, 'ended');
  });

  it('at any moment leaves nothing stuck, also when the answer is just ending', { timeout: 120_000 }, async () => {
    const { confab } = fixture;
    const random = new Random(kSeed);
    const statuses = {};
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const own = random.fork();
      await pause(i * 20);
      const { json: { id: conversation } } = await request(confab, 'POST', '/v1/conversations', { key: confab.key, json: {} });
      const answer = await startAnswer(confab, { model: 'script-words-n20-i10', input: 'go', conversation });
      await pause(own.between(0, 700));
      const stops = await Promise.all(Array.from({ length: own.between(1, 3) }, () => request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key: confab.key })));
      assert.equal(await answer.ended, 'ended');
      const { response } = checkEvents(answer.seen.parsed());
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      assert.ok(['cancelled', 'completed'].includes(response.status), response.status);
      for (const { json } of stops) assert.deepEqual([json.status, outputText(json)], [response.status, outputText(response)]);
      if (response.status === 'completed') assert.equal(outputText(response), wordsText(20));
      await checkUsable(conversation);
    }));
    console.log(`stopped at any moment (STOP_SEED=${kSeed}): ${JSON.stringify(statuses)}`);
  });

  it('by deleting the conversation', { timeout: 60_000 }, async () => {
    const { confab, chaos } = fixture;
    const { json: { id: conversation } } = await request(confab, 'POST', '/v1/conversations', { key: confab.key, json: {} });
    const seen = chaos.of('chaos-slow').length;
    const answer = await startAnswer(confab, { model: 'chaos-slow', input: 'delete me', conversation });
    const upstream = await poll(() => chaos.of('chaos-slow').slice(seen).find(({ body }) => JSON.stringify(body).includes('delete me')), Boolean);
    assert.equal((await request(confab, 'DELETE', `/v1/conversations/${conversation}`, { key: confab.key })).status, 200);
    await poll(() => upstream.closedAt, (at) => at !== null);
    await answer.ended;
    assert.equal((await request(confab, 'GET', `/v1/conversations/${conversation}`, { key: confab.key })).status, 404);
  });

  for (const [what, path, json] of [
    ['a streamed answer', '/v1/responses', { model: 'chaos-silent', input: 'leaving', stream: true }],
    ['an answer in one piece', '/v1/responses', { model: 'chaos-silent', input: 'leaving' }],
    ['a streamed chat completion', '/v1/chat/completions', { model: 'chaos-silent', messages: [{ role: 'user', content: 'leaving' }], stream: true }],
    ['a chat completion', '/v1/chat/completions', { model: 'chaos-silent', messages: [{ role: 'user', content: 'leaving' }] }],
  ]) {
    it(`by leaving ${what} that is not in the background`, { timeout: 60_000 }, async () => {
      const { confab, chaos } = fixture;
      const mark = `${what} ${Math.random()}`;
      const abort = new AbortController();
      const asked = open(confab, 'POST', path, { key: confab.key, json: { ...json, metadata: { mark }, input: json.input && mark, messages: json.messages && [{ role: 'user', content: mark }] }, signal: abort.signal });
      asked.then((res) => res.on('error', () => {}), () => {});
      const upstream = await poll(() => chaos.requests.find(({ body }) => JSON.stringify(body ?? '').includes(mark)), Boolean, { withinMs: 20_000 });
      const leftAt = performance.now();
      abort.abort();
      await poll(() => upstream.closedAt, (at) => at !== null);
      report(`left ${what}`, [upstream.closedAt - leftAt]);
    });
  }

  it('is the owner\'s alone', { timeout: 60_000 }, async () => {
    const { confab } = fixture;
    const { key } = await confab.addMember('stopper@example.org');
    const answer = await startAnswer(confab, { model: 'chaos-slow', input: 'go' });
    assert.equal((await request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key })).status, 404);
    assert.equal((await request(confab, 'GET', `/v1/responses/${answer.id}`, { key: confab.key })).json.status, 'in_progress');
    assert.equal((await request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key: confab.key })).json.status, 'cancelled');
    await answer.ended;
  });

  it(`of the whole program for ${kStopMs / 1000} s: everything goes on where it was`, { timeout: 120_000 }, async () => {
    const { model } = fixture;
    const confab = await Confab.start({ upstream: model.baseURL });
    try {
      await sleepThrough(confab);
    } finally {
      if (confab.alive) process.kill(confab.pid, 'SIGCONT');
      await confab.dispose();
    }
  });

  async function sleepThrough(confab) {
    const api = caller(confab, { key: confab.key });
    const scripts = [300, 300, 300, 100, 100, 1200, 1200, 1200].map((words) => ({ words, model: `script-words-n${words}-i10` }));
    const talks = await Promise.all(scripts.map(async (script) => {
      const { json: { id } } = await api('POST', '/v1/conversations', { json: {} });
      return { ...script, conversation: id, answer: await startAnswer(confab, { model: script.model, input: 'go', conversation: id }) };
    }));
    const { json: { id: notes } } = await api('POST', '/v1/conversations', { json: {} });
    const write = (text) => api('POST', `/v1/conversations/${notes}/items`, { json: { items: [{ role: 'user', content: text }] } });
    assert.equal((await write('before')).status, 200);
    await poll(() => talks.every(({ answer }) => answer.seen.events.length > 20), Boolean, { withinMs: 20_000 });
    process.kill(confab.pid, 'SIGSTOP');
    // What is asked of it now waits in the kernel: viewers, a message, a new answer, somebody who gives up.
    const late = talks.slice(0, 4).map(({ answer }) => {
      const seen = new EventBytes();
      return { answer, seen, ended: resume(confab, answer.id, seen) };
    });
    const written = write('during');
    const begun = startAnswer(confab, { model: 'script-words-n20-i10', input: 'asked while it slept' });
    const impatient = new AbortController();
    request(confab, 'GET', '/v1/models', { key: confab.key, signal: impatient.signal }).catch(() => {});
    setTimeout(() => impatient.abort(), 1_000);
    await pause(kStopMs);
    process.kill(confab.pid, 'SIGCONT');
    assert.equal((await written).status, 200);
    for (const { words, model, conversation, answer } of talks) {
      assert.equal(await answer.ended, 'ended', `${model}: the viewer lost its connection`);
      const { text, response } = checkEvents(answer.seen.parsed());
      assert.equal(response.status, 'completed');
      assert.equal(text, wordsText(words));
      const { json: items } = await api('GET', `/v1/conversations/${conversation}/items?order=asc`);
      assert.deepEqual(items.data.map(itemText), ['go', wordsText(words)]);
    }
    for (const { answer, seen, ended } of late) {
      assert.equal(await ended, 'ended');
      assert.match(compareBytes(seen.whole, answer.seen.whole), /^(same|another time)$/);
    }
    const asleep = await begun;
    assert.equal(await asleep.ended, 'ended');
    assert.equal(checkEvents(asleep.seen.parsed()).text, wordsText(20));
    assert.deepEqual((await api('GET', `/v1/conversations/${notes}/items?order=asc`)).json.data.map(itemText), ['before', 'during']);
  }
});
