// Whether all is well, for administrators: the store and its disk, the model servers, memory; and what is wrong when something is.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { kAdmin, Confab, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';
import { startModelServer } from '../support/model_server.mjs';

const kPath = '/api/admin/health';
const kDiskLow = 1024 ** 3;
const fixture = useConfab({ prepare });
let admin;

const signedIn = async (confab) => caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });

async function prepare({ confab }) {
  admin = await signedIn(confab);
}

async function healthOf(api = admin) {
  const res = await api('GET', kPath);
  assert.equal(res.status, 200, res.text);
  return res.json;
}

/** The machine of the tests may be short of room itself. */
const codesOf = ({ findings }) => findings.map(({ code }) => code).filter((code) => code !== 'disk_low');

describe('the health of a server', () => {
  it('is that all is well, with the figures behind it', async () => {
    const health = await healthOf();
    assert.equal(health.object, 'health');
    assert.deepEqual(codesOf(health), ['no_backup']);
    assert.equal(health.findings.find(({ code }) => code === 'no_backup').serious, false);
    const short = health.store.disk_free_bytes < kDiskLow;
    assert.equal(health.status, short ? 'trouble' : 'ok');
    assert.match(health.version, /^\d/);
    assert.ok(Math.abs(health.at - Date.now() / 1000) < 60 && health.started_at <= health.at);
    const { store } = health;
    assert.deepEqual([store.ok, store.error, store.last_backup_at], [true, null, null]);
    // What is in the write-ahead log belongs to it: the file alone is a page or so before the first checkpoint.
    assert.ok(store.database_bytes > 400_000 && store.database_bytes % 4096 === 0, `${store.database_bytes}`);
    assert.ok(store.log_bytes > 0 && store.answered_ms >= 0 && store.answered_ms < 2_000);
    assert.ok(store.disk_free_bytes > 0 && store.disk_free_bytes <= store.disk_bytes);
    assert.ok(health.memory.usage_bytes > 0 && health.memory.level > 0 && health.memory.level < 1);
    assert.deepEqual(health.memory.given_up, []);
    assert.ok(health.connections >= 1 && health.answers === 0);
    const [server] = health.upstreams;
    assert.equal(health.upstreams.length, 1);
    assert.deepEqual([server.name, server.ok, server.error, server.last_failure, server.in_flight, server.waiting, server.slots], ['default', true, null, null, 0, 0, 0]);
    assert.ok(server.models > 5 && server.answered_ms >= 0);
  });

  it('counts what is under way', async () => {
    const { id } = (await admin('POST', '/v1/responses', { json: { model: 'script-words-n2000-i10', input: 'x', background: true } })).json;
    const health = await eventually(async () => {
      const now = await healthOf();
      return now.upstreams[0].in_flight === 1 && now;
    }, 'the request is seen');
    assert.equal(health.answers, 1);
    await admin('POST', `/v1/responses/${id}/cancel`, { json: {} });
    await eventually(async () => (await healthOf()).upstreams[0].in_flight === 0, 'it has ended');
  });

  it('remembers the newest failure of a model server, but none of its callers’', async () => {
    await admin('POST', '/v1/responses', { json: { model: 'script-error-404', input: 'x' } });
    assert.equal((await healthOf()).upstreams[0].last_failure, null);
    await admin('POST', '/v1/responses', { json: { model: 'script-error-500', input: 'x' } });
    const { last_failure: failure, ok } = (await healthOf()).upstreams[0];
    assert.equal(ok, true);
    assert.equal(failure.code, 'http_500');
    assert.ok(Math.abs(failure.at - Date.now() / 1000) < 60 && failure.message.length > 10);
  });

  it('knows of a backup', async () => {
    await fixture.confab.command(['backup', join(fixture.confab.home, 'whole.tar')]);
    const health = await healthOf();
    assert.ok(Math.abs(health.store.last_backup_at - Date.now() / 1000) < 60);
    assert.deepEqual(codesOf(health), []);
  });

  it('is the administrator’s alone', async () => {
    const member = await fixture.confab.addMember();
    const cookie = await signIn(fixture.confab, member);
    assertEnvelope(await caller(fixture.confab, { cookie, headers: sameOrigin(fixture.confab) })('GET', kPath), 403, { code: 'admin_required' });
    assertEnvelope(await caller(fixture.confab, { key: fixture.confab.key })('GET', kPath), 403, { code: 'cookie_required' });
  });
});

describe('a model server that is gone', () => {
  let model;
  let confab;
  let api;

  before(async () => {
    model = await startModelServer();
    confab = await Confab.start({ upstream: model.baseURL });
    api = await signedIn(confab);
  });
  after(async () => {
    try { await confab?.dispose(); } finally { await model?.close(); }
  });

  it('is found within the time of a look, by its name, and found back', async () => {
    assert.deepEqual(codesOf(await healthOf(api)), ['no_backup']);
    const { port } = model;
    await model.close();
    const health = await eventually(async () => {
      const now = await healthOf(api);
      return now.status === 'trouble' && codesOf(now).includes('upstream_unreachable') && now;
    }, 'the server is missed');
    const finding = health.findings.find(({ code }) => code === 'upstream_unreachable');
    assert.deepEqual(finding, { code: 'upstream_unreachable', serious: true, about: 'default' });
    const [server] = health.upstreams;
    assert.equal(server.ok, false);
    assert.ok(server.error && server.last_failure.message && server.answered_ms === null);
    model = await startModelServer({ port });
    await eventually(async () => !codesOf(await healthOf(api)).includes('upstream_unreachable'), 'it is back');
    assert.ok((await healthOf(api)).upstreams[0].last_failure, 'what was wrong is still told');
  });
});

describe('a server without a model server', () => {
  it('says so, but not that something is wrong', async () => {
    const confab = await Confab.start();
    try {
      const health = await healthOf(await signedIn(confab));
      assert.deepEqual(codesOf(health), ['no_upstream', 'no_backup']);
      assert.ok(health.findings.every(({ code, serious }) => code === 'disk_low' || !serious));
      assert.deepEqual(health.upstreams, []);
    } finally {
      await confab.dispose();
    }
  });
});
