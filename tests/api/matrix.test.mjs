// Abuse cases 11 and 19: who may call what. The program tells its own table of routes (`confab routes --json`), and every one of them is
// called by everybody there is: nobody, another member, the owner and an administrator, each member by cookie and by key, and with
// credentials that have ended. A route that has no entry below fails this test, and so does one that is open to more than the lists say.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually, form, image } from '../support/images.mjs';

const kSecret = 'owners-own-words';
const kSmall = 64 * 1024;
const kMember = { email: 'owner@example.org', password: 'a password of the owner' };

const kOpen = [
  'GET /api/status', 'POST /api/auth/setup', 'POST /api/auth/login', 'POST /api/auth/signup', 'GET /api/auth/oidc/start', 'GET /api/auth/oidc/callback', 'GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /', 'GET /setup', 'GET /login', 'GET /signup', 'GET /settings',
  'GET /settings/{section}', 'GET /c/{id}', 'GET /assets/{file}', 'GET /favicon.svg', 'GET /favicon.ico', 'GET /manifest.webmanifest', 'GET /robots.txt',
  'GET /share', 'GET /api/shared', 'GET /api/shared/items/{position}', 'GET /api/shared/items/{position}/images/{image}',
];
const kCookieOnly = [
  'POST /api/auth/logout', 'GET /api/auth/me', 'POST /api/auth/password', 'GET /api/auth/sessions', 'DELETE /api/auth/sessions/{id}', 'GET /api/keys', 'POST /api/keys',
  'DELETE /api/keys/{id}', 'POST /api/conversations/{id}/shares', 'GET /api/shares', 'DELETE /api/shares/{id}',
];
const kAdminOnly = [
  'GET /api/upstreams', 'POST /api/upstreams', 'DELETE /api/upstreams/{name}', 'POST /api/upstreams/discover', 'GET /api/settings', 'PATCH /api/settings',
  'GET /api/admin/users', 'POST /api/admin/users', 'GET /api/admin/users/{id}', 'PATCH /api/admin/users/{id}', 'DELETE /api/admin/users/{id}',
  'POST /api/admin/users/{id}/password', 'POST /api/admin/users/{id}/end-access', 'GET /api/admin/invitations', 'POST /api/admin/invitations',
  'GET /api/admin/resources', 'GET /api/admin/health', 'PATCH /api/upstreams/{name}', 'GET /api/admin/model-access', 'PUT /api/admin/model-access',
  'DELETE /api/admin/invitations/{id}', 'GET /api/admin/usage', 'GET /api/admin/usage/csv', 'GET /api/admin/usage/people', 'GET /api/admin/prices',
  'PUT /api/admin/prices', 'GET /api/admin/limits', 'PATCH /api/admin/limits', 'GET /api/admin/users/{id}/limits', 'PATCH /api/admin/users/{id}/limits',
  'GET /api/admin/users/{id}/keys', 'GET /api/admin/keys/{id}/limits', 'PATCH /api/admin/keys/{id}/limits', 'GET /api/admin/audit', 'GET /api/admin/audit/csv',
];

const fixture = useConfab({ prepare });
const callers = {};

async function prepare({ confab }) {
  const foreign = await confab.addMember('foreign@example.org');
  const owner = await confab.addMember(kMember.email, kMember.password);
  const headers = sameOrigin(confab);
  const cookieOf = async (person) => ({ cookie: await signIn(confab, person), headers });
  const people = { foreign, owner, admin: { ...kAdmin, key: confab.key } };
  callers.nobody = {};
  for (const [name, person] of Object.entries(people)) {
    callers[`${name}'s cookie`] = await cookieOf(person);
    callers[`${name}'s key`] = { key: person.key };
  }
  callers['an ended session'] = await cookieOf(owner);
  assert.equal((await call('an ended session', 'POST', '/api/auth/logout', { json: {} })).status, 200);
  const { id, key } = (await call("owner's cookie", 'POST', '/api/keys', { json: { name: 'short-lived' } })).json;
  assert.equal((await call("owner's cookie", 'DELETE', `/api/keys/${id}`)).status, 200);
  callers['a revoked key'] = { key };
}

function call(who, method, path, { headers = {}, ...options } = {}) {
  const { headers: own = {}, ...credentials } = callers[who];
  return request(fixture.confab, method, path, { ...credentials, ...options, headers: { ...own, ...headers } });
}

async function asOwner(method, path, options) {
  const res = await call("owner's cookie", method, path, options);
  assert.ok(res.status < 300, `${method} ${path}: ${res.status} ${res.text}`);
  return res.json;
}

// ---- the objects of the owner ----

async function conversation() {
  const items = [{ role: 'user', content: kSecret }];
  const { id } = await asOwner('POST', '/v1/conversations', { json: { title: kSecret, items } });
  const { data: [item] } = await asOwner('GET', `/v1/conversations/${id}/items`);
  return { id, item: item.id };
}

async function trashed() {
  const made = await conversation();
  await asOwner('POST', `/api/conversations/${made.id}/trash`, { json: {} });
  return made;
}

async function response() {
  const { id } = await asOwner('POST', '/v1/responses', { json: { model: 'script-echo', input: kSecret, background: true } });
  await eventually(async () => (await asOwner('GET', `/v1/responses/${id}`)).status === 'completed', 'the answer is there');
  return { id };
}

const upload = (name) => form([['purpose', 'vision'], ['file', image('png'), name]]);

async function file() {
  const { id } = await asOwner('POST', '/v1/files', upload(`${kSecret}.png`));
  return { id };
}

async function folder() {
  folders += 1;
  const { id } = await asOwner('POST', '/api/folders', { json: { name: `${kSecret} ${folders}` } });
  return { id };
}
let folders = 0;

const kImport = { body: '[]', headers: { 'content-type': 'application/octet-stream' } };

/** An import that has ended: only one goes at a time. */
async function importing() {
  const running = async () => (await asOwner('GET', '/api/imports')).data.some(({ status }) => ['queued', 'running'].includes(status));
  await eventually(async () => !await running(), 'no import runs');
  const { id } = await asOwner('POST', `/api/imports?filename=${kSecret}.json`, kImport);
  await eventually(async () => !await running(), 'the import has ended');
  return { id };
}

async function shareOf() {
  const { id } = await conversation();
  return { id: (await asOwner('POST', `/api/conversations/${id}/shares`, { json: {} })).id };
}

/** A share that is over is the same 404 for everybody, the owner and administrators included. */
async function endedShare() {
  const { id } = await conversation();
  const { id: share, token } = await asOwner('POST', `/api/conversations/${id}/shares`, { json: {} });
  await asOwner('DELETE', `/api/shares/${share}`);
  return { token, position: 1, image: 0 };
}
const withToken = ({ token }) => ({ headers: { 'confab-share': token } });
const isUnknownShare = (res) => assertEnvelope(res, 404, { code: 'share_not_found' });

async function key() {
  const { id } = await asOwner('POST', '/api/keys', { json: { name: kSecret } });
  return { id };
}

async function session() {
  const ids = async () => (await asOwner('GET', '/api/auth/sessions')).data.map(({ id }) => id);
  const before = await ids();
  await signIn(fixture.confab, kMember);
  const id = (await ids()).find((one) => !before.includes(one));
  return { id };
}

let upstreams = 0;
async function storedUpstream() {
  const name = `extra${upstreams++}`;
  const res = await call("admin's cookie", 'POST', '/api/upstreams', { json: { name, base_url: fixture.model.baseURL } });
  assert.equal(res.status, 201, res.text);
  return { name };
}

let people = 0;
async function asAdmin(method, path, json) {
  const res = await call("admin's cookie", method, path, { json });
  assert.ok(res.status < 300, `${method} ${path}: ${res.status} ${res.text}`);
  return res.json;
}

const newPerson = () => ({ email: `person${people++}@example.org`, password: 'long enough a password' });

async function person() {
  const { id } = await asAdmin('POST', '/api/admin/users', newPerson());
  return { id };
}

async function invitation() {
  await asAdmin('PATCH', '/api/settings', { signup: 'invitation' });
  const { id } = await asAdmin('POST', '/api/admin/invitations', {});
  return { id };
}

async function asset() {
  const { text } = await call('nobody', 'GET', '/');
  return { file: /\/assets\/([^"]+\.js)/.exec(text)?.[1] ?? 'none.js' };
}

// ---- what is sent to each route ----

/**
 * `of`: makes the owner's object that the pattern names, or what else the pattern needs; `shared` then says that it is nobody's.
 * `send`: the rest of the request. `allowed`: what those may expect who may call; 200 unless said. `check`: of an allowed answer.
 * `session`: the call ends its session, so each has a new one.
 */
const json = (value) => () => ({ json: value });
const kRoutes = {
  'GET /api/status': {},
  'POST /api/auth/setup': { send: json({ token: 'x'.repeat(43), email: 'x@example.org', password: 'long enough a password' }), allowed: [409] },
  'POST /api/auth/login': { send: json(kMember) },
  'POST /api/auth/signup': { send: () => ({ json: newPerson() }), allowed: [403], check: (res) => assert.match(res.json.error.code, /^(signup_off|invitation_)/) },
  'GET /api/auth/oidc/start': { allowed: [404], check: (res) => assert.equal(res.json.error.code, 'openid_off') },
  'GET /api/auth/oidc/callback': { allowed: [404], check: (res) => assert.equal(res.json.error.code, 'openid_off') },
  'GET /api/admin/users': {},
  'POST /api/admin/users': { send: () => ({ json: newPerson() }), allowed: [201] },
  'GET /api/admin/users/{id}': { of: person, shared: true },
  'PATCH /api/admin/users/{id}': { of: person, shared: true, send: json({ name: 'another' }) },
  'DELETE /api/admin/users/{id}': { of: person, shared: true },
  'POST /api/admin/users/{id}/password': { of: person, shared: true, send: json({}) },
  'POST /api/admin/users/{id}/end-access': { of: person, shared: true, send: json({}) },
  'GET /api/admin/invitations': {},
  'POST /api/admin/invitations': { of: invitation, shared: true, send: json({}), allowed: [201] },
  'DELETE /api/admin/invitations/{id}': { of: invitation, shared: true },
  'POST /api/auth/logout': { send: json({}), session: true },
  'GET /api/auth/me': {},
  'POST /api/auth/password': { send: json({ current_password: 'not the password of anybody', new_password: 'long enough a password' }), allowed: [400, 401, 403], check: (res) => assert.equal(res.json.error.code, 'invalid_credentials') },
  'GET /api/auth/sessions': {},
  'DELETE /api/auth/sessions/{id}': { of: session },
  'GET /api/keys': {},
  'POST /api/keys': { send: json({ name: 'mine' }), allowed: [201] },
  'DELETE /api/keys/{id}': { of: key },
  'GET /api/usage': {},
  'GET /api/usage/csv': {},
  'GET /api/me/limits': {},
  'GET /api/admin/usage': {},
  'GET /api/admin/usage/csv': {},
  'GET /api/admin/usage/people': {},
  'GET /api/admin/audit': {},
  'GET /api/admin/audit/csv': {},
  'GET /api/admin/prices': {},
  'PUT /api/admin/prices': { send: json({ data: [] }) },
  'GET /api/admin/model-access': {},
  'PUT /api/admin/model-access': { send: json({ others: 'everybody' }) },
  'GET /api/admin/limits': {},
  'PATCH /api/admin/limits': { send: json({}) },
  'GET /api/admin/users/{id}/limits': { of: person, shared: true },
  'PATCH /api/admin/users/{id}/limits': { of: person, shared: true, send: json({}) },
  'GET /api/admin/users/{id}/keys': { of: person, shared: true },
  'GET /api/admin/keys/{id}/limits': { of: key, shared: true },
  'PATCH /api/admin/keys/{id}/limits': { of: key, shared: true, send: json({}) },
  'GET /v1/models': {},
  'GET /v1/models/{name...}': { of: () => ({ 'name...': 'script-echo' }), shared: true },
  'GET /api/upstreams': {},
  'POST /api/upstreams': { send: json({ name: 'x', base_url: 'ftp://nowhere' }), allowed: [400] },
  'PATCH /api/upstreams/{name}': { of: storedUpstream, shared: true, once: true, send: json({ slots: 2 }) },
  'DELETE /api/upstreams/{name}': { of: storedUpstream, shared: true, once: true },
  'POST /api/upstreams/discover': { send: json({}) },
  'GET /v1/conversations': {},
  'GET /api/conversations': {},
  'GET /v1/conversations/{id}': { of: conversation },
  'GET /api/conversations/{id}': { of: conversation },
  'DELETE /v1/conversations/{id}': { of: conversation },
  'DELETE /api/conversations/{id}': { of: conversation },
  'POST /v1/conversations': { send: json({}) },
  'POST /v1/conversations/{id}': { of: conversation, send: json({ metadata: { a: 'b' } }) },
  'PATCH /api/conversations/{id}': { of: conversation, send: json({ title: 'taken' }) },
  'GET /api/conversations/{id}/context': { of: conversation },
  'PUT /api/conversations/{id}/head': { of: conversation, send: ({ item }) => ({ json: { item_id: item } }) },
  'GET /api/conversations/{id}/tree': { of: conversation },
  'POST /api/conversations/{id}/fork': { of: conversation, send: ({ item }) => ({ json: { item_id: item } }), allowed: [201] },
  'GET /v1/conversations/{id}/items': { of: conversation },
  'POST /v1/conversations/{id}/items': { of: conversation, send: json({ items: [{ role: 'user', content: 'x' }] }) },
  'GET /v1/conversations/{id}/items/{item}': { of: conversation },
  'DELETE /v1/conversations/{id}/items/{item}': { of: conversation },
  'POST /v1/responses': { send: json({ model: 'script-echo', input: 'x' }) },
  'GET /v1/responses/{id}': { of: response },
  'DELETE /v1/responses/{id}': { of: response },
  'POST /v1/responses/{id}/cancel': { of: response },
  'GET /v1/responses/{id}/input_items': { of: response },
  'POST /v1/chat/completions': { send: json({ model: 'script-echo', messages: [{ role: 'user', content: 'x' }] }) },
  'GET /api/search': { query: `?q=${kSecret}` },
  'POST /v1/files': { send: () => upload('mine.png') },
  'GET /v1/files': {},
  'GET /v1/files/{id}': { of: file },
  'DELETE /v1/files/{id}': { of: file },
  'GET /v1/files/{id}/content': { of: file },
  'GET /api/folders': {},
  'POST /api/folders': { send: () => ({ json: { name: `mine ${folders++}` } }), allowed: [200, 201] },
  'PATCH /api/folders/{id}': { of: folder, send: () => ({ json: { name: `mine ${folders++}` } }) },
  'DELETE /api/folders/{id}': { of: folder },
  'GET /api/tags': {},
  'POST /api/conversations/bulk': {
    of: conversation, shared: true, send: ({ id }) => ({ json: { ids: [id], action: 'archive' } }),
    check: (res, who) => assert.equal(res.json.done, who.startsWith('owner') ? 1 : 0, `${who}: ${res.text}`),
  },
  'POST /api/conversations/{id}/trash': { of: conversation, send: json({}) },
  'POST /api/conversations/{id}/restore': { of: trashed, send: json({}) },
  'GET /api/settings': {},
  'PATCH /api/settings': { send: json({ trash_days: 30 }) },
  'GET /api/me/settings': {},
  'PATCH /api/me/settings': { send: json({ retention_days: null }) },
  'GET /api/conversations/{id}/export': { of: conversation },
  'GET /api/export': {},
  'POST /api/imports': { query: '?filename=x.json', send: () => kImport, allowed: [202, 409] },
  'GET /api/imports': {},
  'GET /api/imports/{id}': { of: importing },
  'DELETE /api/imports/{id}': { of: importing, allowed: [200, 409] },
  'GET /api/admin/resources': {},
  'GET /api/admin/health': {},
  'POST /api/conversations/{id}/shares': { of: conversation, send: json({}), allowed: [201] },
  'GET /api/shares': {},
  'DELETE /api/shares/{id}': { of: shareOf },
  'GET /api/shared': { of: endedShare, shared: true, send: withToken, allowed: [404], check: isUnknownShare },
  'GET /api/shared/items/{position}': { of: endedShare, shared: true, send: withToken, allowed: [404], check: isUnknownShare },
  'GET /api/shared/items/{position}/images/{image}': { of: endedShare, shared: true, send: withToken, allowed: [404], check: isUnknownShare },
  'GET /share': {},
  'GET /healthz': {},
  'GET /readyz': {},
  'GET /metrics': {},
  'GET /': {},
  'GET /setup': {},
  'GET /login': {},
  'GET /signup': {},
  'GET /settings': {},
  'GET /settings/{section}': { of: () => ({ section: 'keys' }), shared: true },
  'GET /c/{id}': { of: () => ({ id: 'conv_0' }), shared: true },
  'GET /assets/{file}': { of: asset, shared: true },
  'GET /favicon.svg': { allowed: [200, 404] },
  'GET /favicon.ico': { allowed: [200, 404] },
  'GET /manifest.webmanifest': { allowed: [200, 404] },
  'GET /robots.txt': { allowed: [200, 404] },
};

/** 'allowed', or the status and code of the refusal. */
function outcome(access, who, isObject) {
  if (access === 'open') return 'allowed';
  if (['nobody', 'an ended session', 'a revoked key'].includes(who)) return { status: 401 };
  if (access !== 'user' && who.endsWith('key')) return { status: 403, code: 'cookie_required' };
  if (access === 'admin' && !who.startsWith('admin')) return { status: 403, code: 'admin_required' };
  return isObject && !who.startsWith('owner') ? { status: 404 } : 'allowed';
}

/** Those who are refused come first, so that a refusal with an effect is noticed when the owner's turn comes. */
const inOrder = () => Object.keys(callers).sort((a, b) => a.startsWith('owner') - b.startsWith('owner'));

const table = async () => JSON.parse(await fixture.confab.bareCommand(['routes', '--json']));

describe('the table of routes', () => {
  it('is what this test knows, and no more is open than it says', async () => {
    const routes = await table();
    const names = routes.map(({ method, pattern }) => `${method} ${pattern}`);
    assert.deepEqual(names.filter((name) => !kRoutes[name]), [], 'new route without a test: give it an entry in kRoutes');
    assert.deepEqual(Object.keys(kRoutes).filter((name) => !names.includes(name)), [], 'no longer a route');
    assert.equal(new Set(names).size, names.length, 'a route is there twice');
    const withAccess = (access) => names.filter((_, i) => routes[i].access === access).sort();
    assert.deepEqual(withAccess('open'), kOpen.toSorted());
    assert.deepEqual(withAccess('cookie_user'), kCookieOnly.toSorted());
    assert.deepEqual(withAccess('admin'), kAdminOnly.toSorted());
    assert.deepEqual(withAccess('user').length, names.length - kOpen.length - kCookieOnly.length - kAdminOnly.length);
  });

  it('lets strangers send little', async () => {
    for (const { method, pattern, access, body_bytes_max: most, body_mode: mode } of await table()) {
      if (access === 'open' || method === 'GET') assert.ok(most <= kSmall && mode === 'whole', `${method} ${pattern} takes ${most} bytes, ${mode}`);
    }
  });
});

describe('every route, called by everybody', () => {
  it('answers what its policy says', async () => {
    const seen = {};
    for (const { method, pattern, access } of await table()) {
      const entry = kRoutes[`${method} ${pattern}`];
      if (entry) await callRoute({ method, pattern, access, entry, seen });
    }
    assert.ok(Object.values(seen).every((count) => count > 100), `calls by outcome: ${JSON.stringify(seen)}`);
  });
});

async function callRoute({ method, pattern, access, entry, seen }) {
  const isObject = Boolean(entry.of && !entry.shared);
  let made = await entry.of?.() ?? {};
  for (const who of inOrder()) {
    const wanted = outcome(access, who, isObject);
    const path = pattern.replace(/\{([^}]+)\}/g, (_, name) => made[name]) + (entry.query ?? '');
    const options = entry.send?.(made) ?? {};
    if (entry.session && wanted === 'allowed') options.cookie = await signIn(fixture.confab, kMember);
    const res = await call(who, method, path, options);
    const what = `${method} ${pattern} by ${who}: ${res.status} ${res.text.slice(0, 300)}`;
    const kind = wanted === 'allowed' ? 'allowed' : 'refused';
    seen[kind] = (seen[kind] ?? 0) + 1;
    if (wanted === 'allowed') {
      assert.ok((entry.allowed ?? [200]).includes(res.status), what);
      entry.check?.(res, who);
      if (entry.of && isObject) made = await entry.of();
    } else {
      assert.equal(res.status, wanted.status, what);
      assertEnvelope(res, wanted.status, wanted.code ? { code: wanted.code } : {});
      assert.equal(res.headers['set-cookie'], undefined, what);
    }
    if (!who.startsWith('owner') && access !== 'open') assert.ok(!res.text.includes(kSecret) || path.includes(kSecret), `the owner's words in ${what}`);
  }
}
