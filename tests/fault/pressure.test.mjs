// What is given up when memory runs short, and what never is. The program runs in a control group together with a ballast that the test
// makes as heavy as it wants, so that the group is exactly as full as a case needs; where no group can be made, only the last case runs.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Confab, kAdmin } from '../support/confab.mjs';
import { poll } from '../support/events.mjs';
import { form, image } from '../support/images.mjs';
import { assertEnvelope, open, request, sameOrigin, signIn } from '../support/http.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';
import { Ballast, kMiB, MemoryGroup } from '../support/memory_group.mjs';
import { startModelServer } from '../support/model_server.mjs';

const kLimit = 1024 * kMiB;  // the program under AddressSanitizer takes a quarter of it
const kRefuseWithinMs = 100;
const kSanitizerMs = 150;    // what the sanitizers, and a busy machine, may add

// What is freed is given back at once, so that the ballast alone decides how full the group is.
const kNoQuarantine = 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0';

const group = MemoryGroup.make('pressure', kLimit);
const it_ = {};

/** Waits until the program has said that the action began, or ended, and nothing later about it. */
async function settle(action, state) {
  await poll(() => it_.confab.log, (log) => {
    const last = log.lastIndexOf(` action=${action} `);
    return last >= 0 && log.slice(0, last).endsWith(`shedding_${state}`);
  });
}

/** Fills the group so far that `action` is the last one that is active. */
async function fill(fraction, action) {
  await it_.ballast.fill(fraction);
  await settle(action, 'began');
}

async function empty() {
  await it_.ballast.hold(0);
  if (/shedding_began action=defer_background/.test(it_.confab.log)) await settle('defer_background', 'ended');
}

const api = (method, path, options = {}) => request(it_.confab, method, path, { key: it_.confab.key, ...options });
const shed = async (what) => Number(new RegExp(`^confab_shed_total\\{what="${what}"\\} (\\d+)`, 'm').exec((await request(it_.confab, 'GET', '/metrics')).text)[1]);
const run = (model = 'script-echo', more = {}, key = it_.confab.key) => api('POST', '/v1/responses', { key, json: { model, input: 'x', background: true, ...more } });
const chat = () => api('POST', '/v1/chat/completions', { json: { model: 'script-echo', messages: [{ role: 'user', content: 'x' }] } });

async function refused(ask, status = 503, code = 'overloaded') {
  const asked = performance.now();
  const res = await ask();
  const took = performance.now() - asked;
  assertEnvelope(res, status, { code });
  assert.match(res.headers['retry-after'] ?? '', /^[1-9]\d*$/, 'says when to come back');
  assert.ok(took < kRefuseWithinMs + kSanitizerMs, `refused after ${took.toFixed(0)} ms`);
  return res;
}

async function taken(ask) {
  const res = await ask();
  assert.ok(res.status < 300, `${res.status} ${res.text}`);
  return res;
}

/** Only the head of a POST, without a byte of its body: what comes back was decided before the body. */
async function headOnly(path, bytes, headers = '') {
  const socket = net.connect(it_.confab.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${it_.confab.key}\r\nContent-Length: ${bytes}\r\n${headers}\r\n`);
  const answer = await Promise.race([once(socket, 'data').then(([data]) => data.toString()), sleep(2_000, '')]);
  socket.destroy();
  return answer;
}

/** A connection that stays open and is used again. */
class Kept {
  constructor(confab) {
    this.port = confab.port;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  request(method, path, headers = {}) {
    return new Promise((resolve, reject) => {
      const req = http.request({ host: '127.0.0.1', port: this.port, method, path, headers, agent: this.agent }, (res) => {
        res.resume();
        res.on('end', () => resolve(res));
      });
      req.on('socket', (socket) => { this.socket = socket; });
      req.on('error', reject);
      req.end();
    });
  }

  close() { this.agent.destroy(); }
}

describe('under pressure', { skip: group ? false : 'no memory control group can be made here', timeout: 240_000 }, () => {
  before(async () => {
    it_.model = await startModelServer();
    it_.confab = await Confab.start({ upstream: it_.model.baseURL, group, env: { CONFAB_USER_MEMORY_MIB: '400', ASAN_OPTIONS: kNoQuarantine } });
    it_.member = await it_.confab.addMember();
    it_.ballast = await Ballast.start(group);
    console.log(`the idle program and the ballast take ${(group.usage() / kMiB).toFixed(0)} of ${kLimit / kMiB} MiB`);
  });
  after(async () => {
    await it_.ballast?.stop();
    await it_.confab?.dispose();
    await it_.model?.close();
    await group.remove();
  });

  it('at 70 % background work is put off', async () => {
    await empty();
    await taken(() => api('GET', '/api/search?q=word'));
    await fill(0.725, 'defer_background');
    await refused(() => api('GET', '/api/search?q=word'));
    await refused(() => api('GET', '/api/export'));
    await taken(() => run());
    await taken(() => api('POST', '/v1/files', form([['purpose', 'vision'], ['file', image('png', 5_000), 'a.png']])));
  });

  it('at 70 % an import waits, and goes on afterwards', async () => {
    await empty();
    await fill(0.725, 'defer_background');
    const conversation = { title: 'imported', create_time: 1, mapping: { a: { id: 'a', parent: null, children: [], message: { author: { role: 'user' }, create_time: 1, content: { content_type: 'text', parts: ['hello'] } } } } };
    const made = await taken(() => api('POST', '/api/imports?filename=conversations.json', { body: JSON.stringify([conversation]) }));
    await sleep(1_500);
    const waits = await api('GET', `/api/imports/${made.json.id}`);
    assert.ok(['queued', 'running'].includes(waits.json.status), waits.text);
    await empty();
    await poll(() => api('GET', `/api/imports/${made.json.id}`), (res) => res.json.status === 'completed');
  });

  it('at 70 % a title waits for its model, and the search index for its words', { skip: kNoSqlite }, async () => {
    await empty();
    const cookie = await signIn(it_.confab, kAdmin);
    const setting = (title_model) => taken(() => request(it_.confab, 'PATCH', '/api/settings', { json: { title_model }, cookie, headers: sameOrigin(it_.confab) }));
    const asked = () => it_.model.requests.filter((seen) => seen.body?.model === 'script-words-n3').length;
    const queued = () => Number(sql(it_.confab, 'SELECT count(*) FROM search_queue')[0]);
    await setting('script-words-n3');
    await poll(queued, (count) => count === 0);
    await fill(0.725, 'defer_background');
    const deferred = await shed('background_deferred');
    const conversation = (await taken(() => api('POST', '/v1/conversations', { json: {} }))).json.id;
    await taken(() => api('POST', '/v1/responses', { json: { model: 'script-echo', input: 'a pressing question', conversation } }));
    await sleep(2_500);
    assert.equal(asked(), 0, 'no title is asked for');
    assert.ok(queued() >= 2, 'question and answer are not indexed');
    assert.equal(await shed('background_deferred'), deferred + 1);
    await empty();
    await poll(asked, (count) => count === 1);
    await poll(queued, (count) => count === 0);
    await setting('');
  });

  it('at 75 % uploads and a second sign-in at once are refused', async () => {
    await empty();
    await fill(0.775, 'refuse_uploads');
    assert.match(await headOnly('/v1/files', 1_000_000, 'Content-Type: multipart/form-data; boundary=x\r\n'), /^HTTP\/1.1 503 .*retry-after: \d/s);
    assert.match(await headOnly('/api/imports', 1_000_000), /^HTTP\/1.1 503 /);
    assert.match(await headOnly('/v1/conversations', 1_000_000, 'Content-Type: application/json\r\n'), /^HTTP\/1.1 503 /, 'a large body is an upload');
    await taken(() => api('POST', '/v1/conversations', { json: {} }));
    await signIn(it_.confab, kAdmin);  // one at a time goes on
    const login = () => request(it_.confab, 'POST', '/api/auth/login', { json: kAdmin, headers: sameOrigin(it_.confab) });
    const both = await Promise.all([login(), login(), login()]);
    const statuses = both.map((res) => res.status).sort();
    assert.equal(statuses[0], 200, 'one of several is checked');
    assert.ok(statuses.includes(503), `and others are not: ${statuses}`);
    await taken(() => run());
  });

  it('at 80 % who holds more than a fair share is refused, and nobody else', async () => {
    await empty();
    // Announced bodies are leased before they come, so a user can hold much without the memory being used.
    const holding = [];
    const hold = (bytes, key) => {
      const socket = net.connect(it_.confab.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`POST /v1/conversations HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`);
      holding.push(socket);
    };
    for (let i = 0; i < 12; ++i) hold(31 * kMiB, it_.confab.key);  // 372 of a budget of some 750 MiB
    hold(1 * kMiB, it_.member.key);
    const other = await it_.confab.addMember('third@example.org');
    hold(1 * kMiB, other.key);
    await sleep(500);
    await fill(0.825, 'refuse_over_share');
    try {
      await refused(() => run(), 429, 'over_fair_share');
      await refused(chat, 429, 'over_fair_share');
      await taken(() => api('GET', '/v1/conversations'));
      await taken(() => run('script-echo', {}, it_.member.key));
    } finally {
      for (const socket of holding) socket.destroy();
    }
  });

  it('at 85 % no answer is begun, but those under way go on, and idle connections are closed', async () => {
    await empty();
    const before = await taken(() => run('script-words-n200-i20'));
    const kept = new Kept(it_.confab);
    assert.equal((await kept.request('GET', '/healthz')).statusCode, 200);
    const closed = once(kept.socket, 'close');
    await fill(0.875, 'refuse_runs');
    const pressed = performance.now();
    await refused(() => run());
    await refused(chat);
    assert.match(await headOnly('/v1/responses', 5_000_000, 'Content-Type: application/json\r\n'), /^HTTP\/1.1 503 /, 'before the body');
    await refused(() => request(it_.confab, 'POST', '/api/auth/login', { json: kAdmin, headers: sameOrigin(it_.confab) }));
    await taken(() => api('GET', '/v1/conversations'));
    await closed;
    assert.ok(performance.now() - pressed < 4_000, 'closed within 2 s of being idle, and not after 75');
    await poll(() => api('GET', `/v1/responses/${before.json.id}`), (res) => res.json.status === 'completed');
    // Hysteresis: it ends at 80, not at 85.
    await it_.ballast.fill(0.825);
    await sleep(600);
    await refused(() => run());
    await it_.ballast.fill(0.78);
    await settle('refuse_runs', 'ended');
    await taken(() => run());
    kept.close();
  });

  it('at 90 % new connections get an answer, but only what must never wait', async () => {
    await empty();
    const cookie = await signIn(it_.confab, kAdmin);
    const running = await taken(() => run('script-words-n2000-i20'));
    const kept = new Kept(it_.confab);
    await kept.request('GET', '/healthz');
    await fill(0.925, 'refuse_connections');
    await refused(() => api('GET', '/v1/conversations'));
    assert.equal((await kept.request('GET', '/v1/conversations', { authorization: `Bearer ${it_.confab.key}` })).statusCode, 200, 'who is there stays');
    for (let i = 0; i < 50; ++i) {
      const asked = performance.now();
      await taken(() => request(it_.confab, 'GET', '/healthz'));
      assert.ok(performance.now() - asked < kRefuseWithinMs + kSanitizerMs);
    }
    // Those who connect and say nothing do not keep health out.
    const silent = Array.from({ length: 200 }, () => net.connect(it_.confab.port, '127.0.0.1').on('error', () => {}));
    await sleep(100);
    const asked = performance.now();
    await taken(() => request(it_.confab, 'GET', '/healthz'));
    assert.ok(performance.now() - asked < 500, `health behind 200 silent connections: ${(performance.now() - asked).toFixed(0)} ms`);
    for (const socket of silent) socket.destroy();
    const stopped = await taken(() => api('POST', `/v1/responses/${running.json.id}/cancel`));
    assert.equal(stopped.json.status, 'cancelled');
    const out = await request(it_.confab, 'POST', '/api/auth/logout', { cookie, headers: sameOrigin(it_.confab) });
    assert.ok(out.status < 300, out.text);
    kept.close();
  });

  it('at 90 % a viewer that is behind is dropped, and only that one', async () => {
    await empty();
    const watch = (model) => open(it_.confab, 'POST', '/v1/responses', { json: { model, input: 'x', background: true, stream: true }, key: it_.confab.key });
    const before = await shed('viewer_dropped');
    // The answers begin once the memory is full: some 15 MB of events, more than any kernel's buffers hold, and a short one.
    const stuck = await watch('script-words-n60000-d4000');
    const closed = new Promise((resolve) => { stuck.on('close', resolve); stuck.on('error', resolve); });
    await once(stuck, 'data');
    stuck.pause();
    const live = await watch('script-words-n200-i20-d4000');
    const ended = new Promise((resolve) => { live.on('end', () => resolve('whole')); live.on('error', () => resolve('cut')); });
    live.resume();
    await fill(0.925, 'refuse_connections');
    assert.equal(await ended, 'whole');
    await sleep(1_000);
    await empty();
    assert.equal(await shed('viewer_dropped'), before + 1);
    stuck.resume();
    await closed;
  });

  it('at 95 % the heaviest user\'s largest answer is ended, and what came of it is kept', async () => {
    await empty();
    const mine = await taken(() => run('script-words-n3000-i20'));
    const larger = await taken(() => run('script-words-n3000-i20', { input: 'long '.repeat(100_000) }));
    const others = await taken(() => run('script-words-n100-i20', {}, it_.member.key));
    await sleep(1_000);
    const mark = it_.confab.log.length;
    await it_.ballast.fill(0.965);
    const [, first] = await poll(() => /run_interrupted id=(\S+)/.exec(it_.confab.log.slice(mark)), (found) => found);
    await it_.ballast.hold(0);
    assert.equal(first, larger.json.id);
    const ended = await poll(() => api('GET', `/v1/responses/${larger.json.id}`), (res) => res.status === 200 && res.json.status !== 'in_progress');
    assert.equal(ended.json.status, 'incomplete');
    assert.equal(ended.json.incomplete_details.reason, 'interrupted');
    assert.match(ended.json.output[0].content[0].text, /^w0 w1 w2 /);
    await poll(() => api('GET', '/v1/conversations'), (res) => res.status === 200);
    const other = await poll(() => api('GET', `/v1/responses/${others.json.id}`, { key: it_.member.key }), (res) => res.status === 200 && !['queued', 'in_progress'].includes(res.json.status));
    assert.ok(['completed', 'incomplete'].includes(other.json.status), other.text);
    await api('POST', `/v1/responses/${mine.json.id}/cancel`);
  });

  it('and everything works again afterwards, with nobody killed', async () => {
    await empty();
    for (const ask of [() => run(), chat, () => api('GET', '/api/search?q=word'), () => api('GET', '/v1/conversations')]) await taken(ask);
    assert.equal(group.oomKills(), 0);
    assert.match(it_.confab.log, /shedding_ended action=interrupt_runs/);
  });
});

describe('a server with less memory than it needs to begin with', () => {
  it('still answers for its health and refuses the rest', async () => {
    const confab = await Confab.start({ args: ['--memory-mib', '4'] });
    try {
      await poll(() => confab.log, (log) => /shedding_began action=interrupt_runs used_mib=\d+ limit_mib=4 bound=configured/.test(log));
      for (let i = 0; i < 20; ++i) assert.equal((await request(confab, 'GET', '/healthz')).status, 200);
      const res = await request(confab, 'POST', '/v1/responses', { key: confab.key, json: { model: 'confab-demo', input: 'x' } });
      assertEnvelope(res, 503, { code: 'overloaded' });
      const cancelled = await request(confab, 'POST', '/v1/responses/resp_01890000000070008000000000000000/cancel', { key: confab.key });
      assert.equal(cancelled.status, 404, 'stopping is never refused, only there is nothing to stop');
    } finally {
      await confab.dispose();
    }
  });
});
