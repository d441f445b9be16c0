// The audit log: every action that matters for security is one row, which says who, from where and to what, and never what was said.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';
import { assertEnvelope, caller, cookieHeader, request, sameOrigin, signIn } from '../support/http.mjs';

const kSecret = 'a-secret-that-no-log-may-hold';
const fixture = useConfab({ prepare });
let admin;
let adminId;

async function prepare({ confab }) {
  admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
  adminId = (await admin('GET', '/api/auth/me')).json.user.id;
}

async function good(promise, status = 200) {
  const res = await promise;
  assert.equal(res.status, status, res.text);
  return res.json;
}

const log = async (query = '') => (await good(admin('GET', `/api/admin/audit?limit=100${query}`))).data;
const newest = async () => (await log('&limit=1')).at(0);
const anonymously = (method, path, json) => request(fixture.confab, method, path, { json, headers: sameOrigin(fixture.confab) });

/** Does something, and returns the one row that it added. */
async function added(act) {
  const before = (await newest())?.id ?? 0;
  const result = await act();
  const rows = (await log()).filter((row) => row.id > before);
  assert.equal(rows.length, 1, JSON.stringify(rows));
  return { row: rows[0], result };
}

async function expectRow(act, wanted) {
  const { row, result } = await added(act);
  assert.equal(row.address, '127.0.0.1');
  assert.ok(Math.abs(row.at - Date.now() / 1000) < 60);
  const { kind, outcome = 'ok', email = kAdmin.email, object, detail } = wanted(result);
  assert.deepEqual([row.kind, row.outcome, row.email], [kind, outcome, email], JSON.stringify(row));
  if (object !== undefined) assert.equal(row.object, object, JSON.stringify(row));
  if (detail !== undefined) assert.equal(row.detail, detail, JSON.stringify(row));
  return result;
}

describe('what is done', () => {
  it('is written down: coming and going', async () => {
    const credentials = { email: 'visitor@example.org', password: kSecret };
    await fixture.confab.addMember(credentials.email, credentials.password);
    const email = credentials.email;
    const res = await expectRow(() => anonymously('POST', '/api/auth/login', credentials), () => ({ kind: 'sign_in', email }));
    const visitor = caller(fixture.confab, { cookie: cookieHeader(res), headers: sameOrigin(fixture.confab) });
    const { user } = await good(visitor('GET', '/api/auth/me'));
    const wrong = { ...credentials, password: 'wrong password' };
    await expectRow(() => anonymously('POST', '/api/auth/login', wrong), () => ({ kind: 'sign_in', outcome: 'invalid_credentials', email: null, object: user.id, detail: email }));
    await expectRow(() => anonymously('POST', '/api/auth/login', { email: kSecret, password: 'x' }), () => ({ kind: 'sign_in', outcome: 'invalid_credentials', email: null, object: null, detail: null }));
    const change = { current_password: kSecret, new_password: `${kSecret}-2` };
    await expectRow(() => visitor('POST', '/api/auth/password', { json: { ...change, current_password: 'wrong one' } }), () => ({ kind: 'password_changed', outcome: 'invalid_credentials', email }));
    const changed = await expectRow(() => visitor('POST', '/api/auth/password', { json: change }), () => ({ kind: 'password_changed', email }));
    const again = caller(fixture.confab, { cookie: cookieHeader(changed), headers: sameOrigin(fixture.confab) });
    await signIn(fixture.confab, { email, password: change.new_password });
    const other = (await good(again('GET', '/api/auth/sessions'))).data.find((one) => !one.current);
    await expectRow(() => again('DELETE', `/api/auth/sessions/${other.id}`), () => ({ kind: 'session_ended', email, object: other.id }));
    await expectRow(() => again('POST', '/api/auth/logout', { json: {} }), () => ({ kind: 'sign_out', email }));
  });

  it('is written down: keys and shares', async () => {
    const made = await expectRow(() => good(admin('POST', '/api/keys', { json: { name: kSecret } }), 201), (key) => ({ kind: 'key_made', object: key.id }));
    await expectRow(() => good(admin('DELETE', `/api/keys/${made.id}`)), () => ({ kind: 'key_revoked', object: made.id }));
    const { id } = await good(admin('POST', '/v1/conversations', { json: { title: kSecret, items: [{ role: 'user', content: kSecret }] } }));
    const share = await expectRow(() => good(admin('POST', `/api/conversations/${id}/shares`, { json: {} }), 201), (one) => ({ kind: 'share_made', object: one.id, detail: id }));
    await expectRow(() => good(admin('DELETE', `/api/shares/${share.id}`)), () => ({ kind: 'share_revoked', object: share.id }));
    const text = JSON.stringify(await log());
    for (const secret of [kSecret, share.token, made.key]) assert.ok(!text.includes(secret), secret);
  });

  it('is written down: people and invitations', async () => {
    const email = 'person@example.org';
    const { id } = await expectRow(() => good(admin('POST', '/api/admin/users', { json: { email, password: kSecret } }), 201), (person) => ({ kind: 'person_made', object: person.id, detail: `${email} role=member` }));
    const path = `/api/admin/users/${id}`;
    await expectRow(() => good(admin('PATCH', path, { json: { role: 'admin' } })), () => ({ kind: 'person_changed', object: id, detail: `${email} role=admin` }));
    await expectRow(() => good(admin('PATCH', path, { json: { suspended: true } })), () => ({ kind: 'person_suspended', object: id, detail: email }));
    await expectRow(() => good(admin('PATCH', path, { json: { suspended: false } })), () => ({ kind: 'person_restored', object: id }));
    await expectRow(() => good(admin('POST', `${path}/password`, { json: {} })), () => ({ kind: 'password_reset', object: id, detail: email }));
    await expectRow(() => good(admin('POST', `${path}/end-access`, { json: {} })), () => ({ kind: 'access_ended', object: id, detail: email }));
    await expectRow(() => good(admin('DELETE', path)), () => ({ kind: 'person_deleted', object: id, detail: email }));
    await expectRow(() => good(admin('PATCH', '/api/settings', { json: { signup: 'invitation', signup_role: 'member' } })), () => ({ kind: 'settings_changed', detail: 'signup signup_role' }));
    const made = await expectRow(() => good(admin('POST', '/api/admin/invitations', { json: { note: kSecret } }), 201), (one) => ({ kind: 'invitation_made', object: one.id, detail: 'member' }));
    const guest = { email: 'guest@example.org', password: kSecret };
    await expectRow(() => anonymously('POST', '/api/auth/signup', guest), () => ({ kind: 'sign_up', outcome: 'invitation_required', email: null }));
    await expectRow(() => anonymously('POST', '/api/auth/signup', { ...guest, invitation: made.token }), () => ({ kind: 'sign_up', email: guest.email, detail: 'by invitation' }));
    await expectRow(() => good(admin('DELETE', `/api/admin/invitations/${made.id}`)), () => ({ kind: 'invitation_withdrawn', object: made.id }));
    const text = JSON.stringify(await log());
    for (const secret of [kSecret, made.token]) assert.ok(!text.includes(secret));
  });

  it('is written down: servers, settings, limits, prices', async () => {
    const upstream = { name: 'extra', base_url: fixture.model.baseURL, api_key: kSecret };
    await expectRow(() => good(admin('POST', '/api/upstreams', { json: upstream }), 201), () => ({ kind: 'upstream_added', object: 'extra' }));
    await expectRow(() => good(admin('PATCH', '/api/upstreams/extra', { json: { slots: 3 } })), () => ({ kind: 'upstream_changed', object: 'extra', detail: 'slots=3' }));
    await expectRow(() => good(admin('DELETE', '/api/upstreams/extra')), () => ({ kind: 'upstream_removed', object: 'extra' }));
    await expectRow(() => good(admin('PATCH', '/api/settings', { json: { title_model: kSecret, trash_days: 30 } })), () => ({ kind: 'settings_changed', detail: 'title_model trash_days' }));
    await good(admin('PATCH', '/api/settings', { json: { title_model: '' } }));
    await expectRow(() => good(admin('PATCH', '/api/admin/limits', { json: {} })), () => ({ kind: 'limits_changed', object: null }));
    await expectRow(() => good(admin('PATCH', `/api/admin/users/${adminId}/limits`, { json: {} })), () => ({ kind: 'limits_changed', object: adminId }));
    await expectRow(() => good(admin('PUT', '/api/admin/model-access', { json: { others: 'everybody' } })), () => ({ kind: 'model_access_changed', object: null, detail: 'everybody' }));
    await expectRow(() => good(admin('PUT', '/api/admin/prices', { json: { data: [] } })), () => ({ kind: 'prices_changed' }));
    assert.ok(!JSON.stringify(await log()).includes(kSecret));
  });

  it('is written down when the command line does it', async () => {
    const email = 'by-command@example.org';
    const commands = [
      [['user', 'add', email, '--role', 'member', '--password-stdin'], 'person_made', `${email} role=member`],
      [['key', 'add', '--user', email, '--name', kSecret], 'key_made', email],
      [['user', 'passwd', email, '--password-stdin'], 'password_reset', email],
    ];
    for (const [args, kind, detail] of commands) {
      const { row } = await added(() => fixture.confab.command(args, { input: `${kSecret}-long\n` }));
      assert.deepEqual([row.kind, row.email, row.person, row.address, row.detail], [kind, 'command line', null, null, detail]);
    }
    await fixture.confab.stop();
    await fixture.confab.command(['user', 'add', 'alone@example.org', '--role', 'member', '--password-stdin'], { input: `${kSecret}-long\n` });
    await fixture.confab.boot();
    const { kind, email: by, detail } = await newest();
    assert.deepEqual([kind, by, detail], ['person_made', 'command line', 'alone@example.org role=member']);
    assert.ok(!JSON.stringify(await log()).includes(kSecret));
  });

  it('is every route that changes an account, a key, a rule or a server', async () => {
    const others = new Set(['POST /api/upstreams/discover']);
    const routes = JSON.parse(await fixture.confab.bareCommand(['routes', '--json']));
    const silent = routes.filter(({ method, access, audit }) => method !== 'GET' && access !== 'user' && !audit).map(({ method, pattern }) => `${method} ${pattern}`);
    assert.deepEqual(silent.filter((name) => !others.has(name)), []);
    const comesBack = '/api/auth/oidc/callback';  // the browser is sent there, so it is a GET
    assert.deepEqual(routes.filter(({ method, pattern, access, audit }) => audit && pattern !== comesBack && (method === 'GET' || access === 'user')), [], 'turns and reading are not written down');
  });

  it('is no row when it failed for another reason', async () => {
    const before = (await newest()).id;
    assertEnvelope(await admin('POST', '/api/keys', { json: {} }), 400);
    assertEnvelope(await admin('DELETE', `/api/keys/key_${'0'.repeat(32)}`), 404);
    assertEnvelope(await anonymously('POST', '/api/auth/login', { email: 5 }), 400);
    assert.equal((await newest()).id, before);
  });
});

describe('the log', () => {
  it('comes newest first, in pages, by person and by kind', async () => {
    const seen = [];
    let after = '';
    for (let pages = 0; pages < 200; ++pages) {
      const page = await good(admin('GET', `/api/admin/audit?limit=7${after}`));
      seen.push(...page.data.map((row) => row.id));
      assert.equal(page.next !== null, page.has_more);
      if (!page.has_more) break;
      after = `&after=${page.next}`;
    }
    assert.deepEqual(seen, seen.toSorted((a, b) => b - a));
    assert.ok(seen.length >= 7 && new Set(seen).size === seen.length);
    const signIns = await log('&kind=sign_in');
    assert.ok(signIns.length > 0 && signIns.every((row) => row.kind === 'sign_in'));
    const own = await log(`&person=${adminId}`);
    assert.ok(own.length > 0 && own.every((row) => row.person === adminId));
    const both = await log(`&person=${adminId}&kind=sign_in`);
    assert.ok(both.length > 0 && both.every((row) => row.person === adminId && row.kind === 'sign_in'));
    for (const query of ['&kind=nothing', '&person=x', '&after=x', '&after=-1', '&limit=0']) assertEnvelope(await admin('GET', `/api/admin/audit?${query.slice(1)}`), 400);
  });

  it('can be kept as a table that nothing runs in', async () => {
    const formula = '=1+1@example.org';
    await good(admin('POST', '/api/admin/users', { json: { email: formula, password: 'long enough a password' } }), 201);
    const res = await admin('GET', '/api/admin/audit/csv');
    assert.equal(res.status, 200);
    assert.match(res.headers['content-type'], /^text\/csv/);
    assert.match(res.headers['content-disposition'], /confab-audit/);
    const lines = res.text.trim().split('\r\n');
    assert.equal(lines[0], 'time,kind,outcome,person_id,email,address,object,detail');
    assert.ok(lines.length > 10);
    assert.ok(res.text.includes(formula));
    assert.doesNotMatch(res.text, /(^|,)"?[=+@]/m, 'no cell begins like a formula');
    const some = (await admin('GET', '/api/admin/audit/csv?kind=key_made')).text.trim().split('\r\n').slice(1);
    assert.ok(some.length > 0 && some.every((line) => line.includes(',key_made,') || line.includes('"key_made"')));
  });

  it('does not fill with what strangers try', async () => {
    const count = async () => (await log('&kind=sign_in')).filter((row) => row.outcome !== 'ok').length;
    const before = await count();
    for (let i = 0; i < 75; ++i) await anonymously('POST', '/api/auth/login', { email: `nobody${i}@example.org`, password: 'x' });
    const more = await count() - before;
    assert.ok(more <= 60, `${more} rows: at most thirty a minute, and a minute may end in between`);
  });

  it('cannot be changed nor shortened, by whoever has the database but by dropping its triggers', { skip: kNoSqlite }, async () => {
    await fixture.confab.stop();
    const statements = [
      "UPDATE audit_log SET email = 'somebody else'", 'DELETE FROM audit_log', 'DELETE FROM audit_log WHERE entry = 1',
      "INSERT OR REPLACE INTO audit_log SELECT entry, at, kind, 'changed', actor_no, actor, email, address, object, detail FROM audit_log WHERE entry = 1",
    ];
    const rows = () => sql(fixture.confab, 'SELECT * FROM audit_log ORDER BY entry');
    const before = rows();
    for (const statement of statements) assert.throws(() => sql(fixture.confab, statement), /the audit log is only added to/, statement);
    assert.deepEqual(rows(), before);
    const old = Math.floor(Date.now() / 1000) - 366 * 86_400;
    sql(fixture.confab, `INSERT INTO audit_log (at, kind, outcome, actor_no, actor, email, address, object, detail) VALUES (${old}, 'sign_in', 'ok', 0, '', '', '', '', 'old')`);
    await fixture.confab.boot();
    for (let i = 0; i < 100 && (await log()).some((row) => row.detail === 'old'); ++i) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(!(await log()).some((row) => row.detail === 'old'), 'what is older than a year goes');
    assert.ok((await log()).length >= Math.min(100, before.length), 'and nothing else');
  });
});
