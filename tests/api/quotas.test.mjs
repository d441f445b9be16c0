// What one user may have at once: answers under way and bytes held. 429 with Retry-After, decided before the body is read; others do not
// notice.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Confab, useConfab } from '../support/confab.mjs';
import { poll } from '../support/events.mjs';
import { assertEnvelope, open, request } from '../support/http.mjs';
import { parseResponses } from '../support/raw.mjs';

const kMiB = 1024 * 1024;
const kRuns = 4;      // the default of --user-runs
const kWaiting = 2;   // and how many more may wait
const kWaitMs = 2_000;

const fixture = useConfab({
  env: { CONFAB_USER_RUNS: '', CONFAB_USER_MEMORY_MIB: '' },  // the defaults
  prepare: async (it) => { it.member = await it.confab.addMember(); },
});

const begin = (key, model = 'script-stall') => request(fixture.confab, 'POST', '/v1/responses', { key, json: { model, input: 'x', background: true } });

function assertRefused(res, code) {
  assertEnvelope(res, 429, { code, type: 'rate_limit_error' });
  assert.match(res.headers['retry-after'] ?? '', /^[1-9]\d*$/, 'says when to come back');
}

async function cancelAll(key, ids) {
  for (const id of ids) await request(fixture.confab, 'POST', `/v1/responses/${id}/cancel`, { key });
}

/** Sends the head of a request that announces a body, and none of the body. Resolves with the response, if one comes; `socket` to close. */
function announce(confab, path, bytes, key = confab.key) {
  const socket = net.connect(confab.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`);
  const response = once(socket, 'data').then(([data]) => {
    const [first] = parseResponses(data);
    return first;
  });
  return { socket, response };
}

describe('answers of one user at once', () => {
  it('are four; two more requests wait for one to end, and further ones are refused at once', async () => {
    const { confab, member } = fixture;
    const running = [];
    for (let i = 0; i < kRuns; ++i) {
      const res = await begin(confab.key);
      assert.equal(res.status, 200, res.text);
      running.push(res.json.id);
    }
    const waiting = Array.from({ length: kWaiting }, () => begin(confab.key, 'script-echo'));
    await sleep(200);
    const asked = performance.now();
    assertRefused(await begin(confab.key), 'user_runs_exceeded');
    const chat = await request(confab, 'POST', '/v1/chat/completions', { key: confab.key, json: { model: 'script-echo', messages: [{ role: 'user', content: 'x' }] } });
    assertRefused(chat, 'user_runs_exceeded');
    assert.ok(performance.now() - asked < 1_000, 'without waiting');
    const other = await begin(member.key, 'script-echo');
    assert.equal(other.status, 200, 'somebody else does not notice');

    await cancelAll(confab.key, running.slice(0, 2));
    for (const res of await Promise.all(waiting)) assert.equal(res.status, 200, `who waited gets the place: ${res.text}`);
    await cancelAll(confab.key, running.slice(2));
  });

  it('wait two seconds and no longer', async () => {
    const { confab } = fixture;
    const running = [];
    for (let i = 0; i < kRuns; ++i) running.push((await begin(confab.key)).json.id);
    const asked = performance.now();
    assertRefused(await begin(confab.key), 'user_runs_exceeded');
    const took = performance.now() - asked;
    assert.ok(took > kWaitMs - 100 && took < kWaitMs + 1_000, `refused after ${took.toFixed(0)} ms`);
    await cancelAll(confab.key, running);
    const after = await begin(confab.key, 'script-echo');
    assert.equal(after.status, 200, 'ended answers count no longer');
    await poll(() => request(confab, 'GET', `/v1/responses/${after.json.id}`, { key: confab.key }), (res) => res.json.status === 'completed');
  });

  it('end with the connection of a chat completion', async () => {
    const { confab } = fixture;
    const streams = [];
    for (let i = 0; i < kRuns; ++i) {
      streams.push(await open(confab, 'POST', '/v1/chat/completions', {
        key: confab.key, json: { model: 'script-stall', stream: true, messages: [{ role: 'user', content: 'x' }] },
      }));
      assert.equal(streams[i].statusCode, 200);
    }
    assertRefused(await begin(confab.key), 'user_runs_exceeded');
    for (const stream of streams) {
      stream.on('error', () => {});
      stream.destroy();
    }
    assert.equal((await begin(confab.key, 'script-echo')).status, 200);
  });
});

describe('bytes of one user', () => {
  it('are 16 MiB; what would be more is refused before its body is sent', async () => {
    const { confab, member } = fixture;
    const path = `/v1/conversations/${(await request(confab, 'POST', '/v1/conversations', { key: confab.key, json: {} })).json.id}/items`;
    const first = announce(confab, path, 10 * kMiB);
    await sleep(200);
    const second = announce(confab, path, 7 * kMiB);
    assertRefused(await second.response, 'user_memory_exceeded');
    const small = announce(confab, path, 5 * kMiB);
    const others = announce(confab, '/v1/conversations', 10 * kMiB, member.key);
    const answered = await Promise.race([small.response, others.response, sleep(300, null)]);
    assert.equal(answered, null, 'what fits, and what is somebody else\'s, is waited for');
    for (const { socket } of [first, second, small, others]) socket.destroy();
    await poll(async () => {
      const again = announce(confab, path, 15 * kMiB);
      const res = await Promise.race([again.response, sleep(200, null)]);
      again.socket.destroy();
      return res;
    }, (res) => res === null);
  });

  it('may be more in a single request', async () => {
    const { confab } = fixture;
    const content = 'x'.repeat(9 * kMiB);
    const item = (text) => ({ type: 'message', role: 'user', content: text });
    const conversation = await request(confab, 'POST', '/v1/conversations', { key: confab.key, json: {} });
    const res = await request(confab, 'POST', `/v1/conversations/${conversation.json.id}/items`, { key: confab.key, json: { items: [item(content), item(content)] } });
    assert.equal(res.status, 200, res.text.slice(0, 300));
  });

  it('count what is parsed, so that a small text of very many values is none', async () => {
    const confab = await Confab.start({ env: { CONFAB_MEMORY_MIB: '200', ASAN_OPTIONS: 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0' } });
    try {
      const many = `{"metadata":[${'1,'.repeat(8 * kMiB)}1]}`;  // 16 MiB of text, some 200 MiB of values
      const res = await request(confab, 'POST', '/v1/conversations', { key: confab.key, body: many, headers: { 'content-type': 'application/json' } });
      assertEnvelope(res, 503, { code: 'overloaded' });
      const again = () => request(confab, 'POST', '/v1/conversations', { key: confab.key, json: {} });
      await poll(async () => (await again()).status, (status) => status === 200, { withinMs: 20_000 });
    } finally {
      await confab.dispose();
    }
  });
});

describe('the limits', () => {
  it('can be set, are shown, and are refused when they make no sense', async () => {
    const confab = await Confab.start({ args: ['--user-runs', '1', '--user-memory-mib', '2'], env: { CONFAB_USER_RUNS: '9' } });
    try {
      const shown = await confab.command(['config', '--user-runs', '1']);
      assert.match(shown, /^user_runs = 1 {2}# flag$/m);
      assert.match(await confab.command(['config']), /^user_runs = 9 {2}# environment CONFAB_USER_RUNS$/m);
      for (const flag of ['--user-runs', '--user-memory-mib']) {
        await assert.rejects(confab.command(['config', flag, '0']), /must be at least 1/);
      }
      const first = announce(confab, '/v1/conversations', 1024 * 1024);
      await sleep(200);
      const second = announce(confab, '/v1/conversations', 1024 * 1024 + 1);
      assertRefused(await second.response, 'user_memory_exceeded');
      first.socket.destroy();
      second.socket.destroy();
    } finally {
      await confab.dispose();
    }
  });
});
