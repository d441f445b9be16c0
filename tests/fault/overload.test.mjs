// Ten times the load that the program is fit for, in a control group that is too small for it: it is not killed, goes on answering as many as
// at its rated load, says no quickly to the others, and lets go of everything afterwards.
//
// Under AddressSanitizer memory figures mean little, so what is checked here is behaviour; the figures are measured with the release program
// by bench/overload.mjs, for five minutes.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Confab } from '../support/confab.mjs';
import { poll } from '../support/events.mjs';
import { leasedBytes, request } from '../support/http.mjs';
import { kMiB, MemoryGroup } from '../support/memory_group.mjs';
import { startModelServer } from '../support/model_server.mjs';

const kLimit = 768 * kMiB;
const kUsers = 8;
const kRated = 8;  // clients, one for each user; ten times as many are more than each may have at once
const kRatedMs = 8_000;
const kOverloadMs = 25_000;
const kRefuseWithinMs = 250;  // 100, and what sanitizers and a busy machine add
const kQuestion = 'long '.repeat(20_000);  // 100 KB: what takes memory are prompts

// What is freed is given back, as without the sanitizer.
const kNoQuarantine = 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0';

const group = MemoryGroup.make('overload', kLimit);
const percentile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? 0;

/** One client: asks, reads the whole answer, asks again until `end`; waits as long as a refusal says. */
async function client(confab, key, end, figures) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({ model: 'script-words-n20-i100', input: kQuestion, stream: true });
  while (performance.now() < end) {
    const asked = performance.now();
    const res = await new Promise((resolve) => {
      const req = http.request({
        host: '127.0.0.1', port: confab.port, method: 'POST', path: '/v1/responses', agent,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
      });
      req.on('continue', () => req.end(body));
      req.on('response', (response) => resolve({ response, req }));
      req.on('error', (error) => resolve({ error }));
      req.flushHeaders();
    });
    if (res.error) {
      figures.broken.push(res.error.code ?? String(res.error));
      await sleep(200);
      continue;
    }
    const { response, req } = res;
    const answered = performance.now();
    let text = '';
    try {
      for await (const part of response.setEncoding('utf8')) text += part;
    } catch (error) {
      figures.broken.push(error.code ?? String(error));
    }
    if (response.statusCode === 200) {
      const complete = text.includes('event: response.completed') && text.endsWith('data: [DONE]\n\n');
      if (complete) figures.good += 1;
      else figures.cut.push(/"code":"(\w+)"/.exec(text.slice(-3000))?.[1] ?? text.slice(-100));
    } else {
      figures.refusals.push(answered - asked);
      figures.statuses[response.statusCode] = (figures.statuses[response.statusCode] ?? 0) + 1;
      req.destroy();
      await sleep(Number(response.headers['retry-after'] ?? 0) * 1000);
    }
  }
  agent.destroy();
}

async function load(confab, keys, clients, forMs) {
  const figures = { good: 0, refusals: [], statuses: {}, broken: [], cut: [] };
  const begin = performance.now();
  await Promise.all(Array.from({ length: clients }, (_, i) => client(confab, keys[i % keys.length], begin + forMs, figures)));
  figures.perSecond = figures.good / ((performance.now() - begin) / 1000);
  console.log(`${clients} clients: ${figures.perSecond.toFixed(1)} answers/s, refused ${JSON.stringify(figures.statuses)} within ` +
    `${percentile(figures.refusals, 0.5).toFixed(0)} (p50), ${percentile(figures.refusals, 0.95).toFixed(0)} (p95), ${percentile(figures.refusals, 1).toFixed(0)} ms, ` +
    `cut off ${figures.cut.length}, broken ${figures.broken.length}, group ${(group.usage() / kMiB).toFixed(0)} MiB`);
  return figures;
}

describe('ten times the rated load', { skip: group ? false : 'no memory control group can be made here', timeout: 240_000 }, () => {
  const it_ = {};
  before(async () => {
    it_.model = await startModelServer();
    it_.confab = await Confab.start({ upstream: it_.model.baseURL, group, env: { CONFAB_USER_RUNS: '', CONFAB_USER_MEMORY_MIB: '', ASAN_OPTIONS: kNoQuarantine } });
    it_.keys = [];
    for (let i = 0; i < kUsers; ++i) it_.keys.push((await it_.confab.addMember(`user${i}@example.org`)).key);
  });
  after(async () => {
    await it_.confab?.dispose();
    await it_.model?.close();
    await group.remove();
  });

  it('leaves the rated load standing, and the program alive', async () => {
    const { confab, keys } = it_;
    const { pid } = confab;
    const rated = await load(confab, keys, kRated, kRatedMs);
    assert.deepEqual(rated.statuses, {}, 'nobody is refused at the rated load');
    const over = await load(confab, keys, 10 * kRated, kOverloadMs);
    assert.equal(confab.pid, pid);
    assert.ok(confab.alive, 'not killed');
    assert.equal(group.oomKills(), 0);
    assert.ok(over.perSecond >= 0.8 * rated.perSecond, `${over.perSecond.toFixed(1)} answers/s of ${rated.perSecond.toFixed(1)}`);
    // Two requests of each user wait for 2 s before they are refused; all others are refused at once.
    assert.ok(percentile(over.refusals, 0.5) < kRefuseWithinMs, 'refusals come quickly');
    assert.ok(percentile(over.refusals, 1) < 2_000 + kRefuseWithinMs, 'nobody waits in line for longer than 2 s');
    assert.ok(over.refusals.length > 0, 'it was too much: some were refused');
    for (const status of Object.keys(over.statuses)) assert.ok(['429', '503'].includes(status), status);
    assert.deepEqual(over.broken, [], 'nobody loses a connection without a word');

    await poll(() => leasedBytes(confab), (bytes) => bytes === 0, { withinMs: 20_000 });
    assert.equal((await request(confab, 'POST', '/v1/responses', { key: keys[0], json: { model: 'script-echo', input: 'x' } })).status, 200);
  });
});
