// Signing in, sessions, keys, and the boundary that a browser needs: cookies, CSRF, Host, framing.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, cookieHeader, cookiesOf, request, sameOrigin, signIn } from '../support/http.mjs';

const fixture = useConfab();
const same = () => sameOrigin(fixture.confab);
const login = (json, headers = same()) => request(fixture.confab, 'POST', '/api/auth/login', { json, headers });
const withCookie = (cookie) => (method, path, options = {}) => request(fixture.confab, method, path, { cookie, ...options, headers: { ...same(), ...options.headers } });

describe('signing in', () => {
  it('gives the user and a cookie that scripts and other sites cannot use', async () => {
    const res = await login(kAdmin);
    assert.equal(res.status, 200, res.text);
    assert.match(res.json.user.id, /^user_/);
    assert.deepEqual([res.json.user.email, res.json.user.role], [kAdmin.email, 'admin']);
    assert.equal(typeof res.json.user.created_at, 'number');
    const [[name, { value, attributes }], ...others] = Object.entries(cookiesOf(res));
    assert.equal(others.length, 0, 'one cookie');
    assert.ok(value.length >= 43, 'at least 256 bits');
    assert.equal(attributes.httponly, true);
    assert.equal(String(attributes.samesite).toLowerCase(), 'lax');
    assert.equal(attributes.path, '/');
    assert.equal(attributes.domain, undefined);
    if (name.startsWith('__')) assert.equal(attributes.secure, true);
    const me = await withCookie(cookieHeader(res))('GET', '/api/auth/me');
    assert.deepEqual(me.json.user, res.json.user);
    assert.ok(!res.text.includes('password'));
  });

  it('is refused alike for a wrong password and an unknown user', async () => {
    const wrong = await login({ email: kAdmin.email, password: 'not the password' });
    const unknown = await login({ email: 'nobody@example.org', password: 'not the password' });
    for (const res of [wrong, unknown]) {
      assertEnvelope(res, 401, { code: 'invalid_credentials' });
      assert.equal(res.headers['set-cookie'], undefined);
    }
    assert.equal(wrong.json.error.message, unknown.json.error.message);
  });

  it('is refused for what is no password', async () => {
    for (const password of [null, [], {}, 5, true, undefined]) assertEnvelope(await login({ email: kAdmin.email, password }), 400, { param: 'password' });
    assertEnvelope(await login({ email: kAdmin.email, password: '' }), [400, 401]);
    assertEnvelope(await login({ email: 5, password: 'a long password' }), 400, { param: 'email' });
    assertEnvelope(await login({ email: kAdmin.email, password: 'x'.repeat(5_000) }), [400, 401]);
    assertEnvelope(await login({ email: kAdmin.email, password: 'x'.repeat(1_000_000) }), [400, 413]);
  });

  it('makes a new session each time, and signing out ends only that', async () => {
    const first = await signIn(fixture.confab, kAdmin);
    const second = cookieHeader(await login(kAdmin, { ...same(), cookie: first }));
    assert.notEqual(first, second);
    const out = await withCookie(first)('POST', '/api/auth/logout', { json: {} });
    assert.equal(out.status, 200);
    assert.deepEqual(out.json, {});
    const [{ value, attributes }] = Object.values(cookiesOf(out));
    assert.ok(value === '' || attributes['max-age'] === '0' || new Date(attributes.expires) < new Date(), 'the cookie is cleared');
    assertEnvelope(await withCookie(first)('GET', '/api/auth/me'), 401, { code: 'not_signed_in' });
    assert.equal((await withCookie(second)('GET', '/api/auth/me')).status, 200);
  });

  it('lists the sessions and ends one', async () => {
    const mine = await signIn(fixture.confab, kAdmin);
    const other = await signIn(fixture.confab, kAdmin);
    const { json: { data } } = await withCookie(mine)('GET', '/api/auth/sessions');
    assert.equal(data.filter((session) => session.current).length, 1);
    const { json: { data: theirs } } = await withCookie(other)('GET', '/api/auth/sessions');
    const { id } = theirs.find((session) => session.current);
    assert.equal((await withCookie(mine)('DELETE', `/api/auth/sessions/${id}`)).status, 200);
    assertEnvelope(await withCookie(other)('GET', '/api/auth/me'), 401);
    assertEnvelope(await withCookie(mine)('DELETE', `/api/auth/sessions/${id}`), 404);
  });

  it('with a new password ends all sessions, its own too, and begins another one', async () => {
    const member = await fixture.confab.addMember('changer@example.org', 'the first password');
    const here = await signIn(fixture.confab, member);
    const elsewhere = await signIn(fixture.confab, member);
    const change = (current, next) => withCookie(here)('POST', '/api/auth/password', { json: { current_password: current, new_password: next } });
    assert.ok((await change('wrong password', 'the second password')).status >= 400);
    assertEnvelope(await change('the first password', 'short'), 400, { param: 'new_password' });
    const res = await change('the first password', 'the second password');
    assert.equal(res.status, 200, res.text);
    assert.notEqual(cookieHeader(res), here);
    assert.equal((await withCookie(cookieHeader(res))('GET', '/api/auth/me')).status, 200);
    for (const ended of [here, elsewhere]) assertEnvelope(await withCookie(ended)('GET', '/api/auth/me'), 401);
    assertEnvelope(await login(member), 401);
    await signIn(fixture.confab, { ...member, password: 'the second password' });
  });

  it('does not take a key where only a cookie counts, nor rubbish for a cookie', async () => {
    assertEnvelope(await request(fixture.confab, 'GET', '/api/auth/me', { key: fixture.confab.key }), [401, 403]);
    assertEnvelope(await request(fixture.confab, 'GET', '/api/keys', { key: fixture.confab.key }), [401, 403]);
    const name = (await signIn(fixture.confab, kAdmin)).split('=')[0];
    for (const value of ['', 'x', 'null', '0'.repeat(64), "' OR 1=1", 'a'.repeat(4000)]) {
      assertEnvelope(await request(fixture.confab, 'GET', '/v1/models', { cookie: `${name}=${value}` }), 401);
    }
  });
});

describe('keys', () => {
  it('are shown once, work, are listed without their secret, and end when revoked', async () => {
    const api = withCookie(await signIn(fixture.confab, kAdmin));
    const made = await api('POST', '/api/keys', { json: { name: 'laptop' } });
    assert.equal(made.status, 201, made.text);
    assert.match(made.json.key, /^sk-\S{20,}$/);
    assert.ok(made.json.key.startsWith(made.json.prefix));
    assert.equal((await fixture.confab.client({ apiKey: made.json.key }).models.list()).object, 'list');
    const list = await api('GET', '/api/keys');
    const row = list.json.data.find((key) => key.id === made.json.id);
    assert.equal(row.name, 'laptop');
    assert.ok(!list.text.includes(made.json.key));
    const gone = await api('DELETE', `/api/keys/${made.json.id}`);
    assert.deepEqual(gone.json, { id: made.json.id, deleted: true });
    const after = await request(fixture.confab, 'GET', '/v1/models', { key: made.json.key });
    assertEnvelope(after, 401, { code: 'invalid_api_key' });
    assertEnvelope(await api('POST', '/api/keys', { json: { name: 5 } }), 400, { param: 'name' });
  });

  it('are nothing when malformed', async () => {
    for (const authorization of ['Bearer', 'Bearer ', 'Basic abc', fixture.confab.key, 'Bearer sk-', `Bearer ${fixture.confab.key}x`, `Bearer ${fixture.confab.key.slice(0, -1)}`]) {
      assertEnvelope(await request(fixture.confab, 'GET', '/v1/models', { headers: { authorization } }), 401);
    }
    assertEnvelope(await request(fixture.confab, 'GET', '/v1/models'), 401);
  });
});

describe('another site', () => {
  const attacks = [
    { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }, { origin: 'http://evil.example' }, { origin: 'null' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {},
  ];

  it('cannot write with the cookie of a visitor', async () => {
    const cookie = await signIn(fixture.confab, kAdmin);
    const { json: { id } } = await withCookie(cookie)('POST', '/v1/conversations', { json: {} });
    const count = async () => (await withCookie(cookie)('GET', '/v1/conversations?limit=100')).json.data.length;
    const before = await count();
    for (const headers of attacks) {
      const plain = { ...headers, 'content-type': 'text/plain' };
      for (const one of [headers, plain]) {
        const send = (method, path, json) => request(fixture.confab, method, path, { json, cookie, headers: one });
        for (const [method, path, json] of [['POST', '/v1/conversations', {}], ['POST', '/api/keys', { name: 'x' }], ['DELETE', `/v1/conversations/${id}`, undefined],
          ['PATCH', `/api/conversations/${id}`, { title: 'stolen' }], ['POST', '/v1/responses', { model: 'script-echo', input: 'x' }], ['POST', '/api/auth/logout', {}]]) {
          const res = await send(method, path, json);
          assert.ok([403, 415].includes(res.status), `${method} ${path} with ${JSON.stringify(one)} -> ${res.status} ${res.text}`);
          assertEnvelope(res, [403, 415]);
        }
      }
    }
    assert.equal(await count(), before);
    assert.equal((await withCookie(cookie)('GET', '/api/auth/me')).status, 200, 'still signed in');
  });

  it('cannot sign a visitor in', async () => {
    const res = await login(kAdmin, { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' });
    assertEnvelope(res, 403);
    assert.equal(res.headers['set-cookie'], undefined);
  });

  it('may write with a key, which no browser sends by itself', async () => {
    const res = await request(fixture.confab, 'POST', '/v1/conversations', { json: {}, key: fixture.confab.key, headers: { origin: 'http://evil.example' } });
    assert.ok([200, 201].includes(res.status), res.text);
  });

  it('cannot write with plain text either way', async () => {
    const cookie = await signIn(fixture.confab, kAdmin);
    const res = await withCookie(cookie)('POST', '/v1/conversations', { body: '{}', headers: { 'content-type': 'text/plain' } });
    assertEnvelope(res, 415);
  });

  it('reads nothing: no CORS headers', async () => {
    const cookie = await signIn(fixture.confab, kAdmin);
    for (const [method, path] of [['GET', '/v1/models'], ['OPTIONS', '/v1/models'], ['OPTIONS', '/v1/responses'], ['GET', '/api/auth/me'], ['GET', '/']]) {
      for (const origin of ['http://evil.example', 'null']) {
        const res = await request(fixture.confab, method, path, { cookie, headers: { origin, 'access-control-request-method': 'POST' } });
        const allowed = Object.keys(res.headers).filter((name) => name.startsWith('access-control-'));
        assert.deepEqual(allowed, [], `${method} ${path}`);
      }
    }
  });

  it('cannot come by another name', async () => {
    for (const host of ['evil.example', `evil.example:${fixture.confab.port}`, '127.0.0.1.evil.example', 'localhost.evil.example', 'a.localhost', '0x7f.1']) {
      for (const path of ['/', '/v1/models', '/api/status']) {
        const res = await request(fixture.confab, 'GET', path, { key: fixture.confab.key, headers: { host } });
        assertEnvelope(res, 421);
      }
    }
    // An address cannot be rebound: only names are dangerous.
    for (const host of [`127.0.0.1:${fixture.confab.port}`, `localhost:${fixture.confab.port}`, '127.0.0.1']) {
      assert.equal((await request(fixture.confab, 'GET', '/v1/models', { key: fixture.confab.key, headers: { host } })).status, 200, host);
    }
  });
});

describe('the first administrator', () => {
  it('is whoever has the printed address, once', async () => {
    const confab = await Confab.start({ admin: false, upstream: fixture.model.baseURL });
    try {
      const token = /\/setup#(\S+)/.exec(confab.log)?.[1] ?? assert.fail(`no set-up address in:\n${confab.log}`);
      const api = caller(confab, { headers: sameOrigin(confab) });
      assert.equal((await api('GET', '/api/status')).json.setup_required, true);
      const user = { email: 'first@example.org', password: 'a long enough password', name: 'First' };
      const setup = (json) => api('POST', '/api/auth/setup', { json });
      for (const wrong of ['', 'x', null, [], `${token}x`]) assertEnvelope(await setup({ ...user, token: wrong }), [400, 403]);
      assertEnvelope(await setup({ ...user, token: 'x'.repeat(token.length) }), 403, { code: 'setup_token_invalid' });
      assertEnvelope(await setup({ ...user, token, password: 'short' }), 400, { param: 'password' });
      const race = await Promise.all([setup({ ...user, token }), setup({ ...user, email: 'second@example.org', token })]);
      assert.deepEqual(race.map((res) => res.status).sort(), [201, 409].sort(), 'one of two racing administrators');
      const won = race.find((res) => res.status === 201);
      assert.equal(won.json.user.role, 'admin');
      assert.equal((await api('GET', '/api/auth/me', { cookie: cookieHeader(won) })).status, 200);
      assertEnvelope(await setup({ ...user, token }), 409, { code: 'setup_already_done' });
      assert.equal((await api('GET', '/api/status')).json.setup_required, false);
      const mark = confab.log.length;
      await confab.restart();
      assert.ok(!confab.logSince(mark).includes('/setup#'), 'the address is not printed again');
    } finally {
      await confab.dispose();
    }
  });
});
