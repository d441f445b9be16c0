// Signing in by a header that a named proxy sets (`--trusted-header`), and a server for one person on this machine (`--single-user`).

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin } from '../support/confab.mjs';
import { assertEnvelope, request, sameOrigin } from '../support/http.mjs';

const refused = (confab, args, words) => assert.rejects(confab.bareCommand(['serve', '--data-dir', `${confab.home}/other`, ...args]),
  (error) => { assert.match(error.stderr, words); return true; });

describe('a header of a trusted proxy', () => {
  let confab;
  before(async () => {
    confab = await Confab.start({ args: ['--trusted-proxy', '127.0.0.1', '--trusted-header', 'Remote-Email', '--new-people', 'member'] });
  });
  after(() => confab?.dispose());

  const as = (email, method = 'GET', path = '/api/auth/me', options = {}) =>
    request(confab, method, path, { ...options, headers: { ...(email === undefined ? {} : { 'remote-email': email }), ...options.headers } });

  it('says who is there', async () => {
    const { json: { user } } = await as(' Admin@Example.org ');
    assert.deepEqual([user.email, user.role], [kAdmin.email, 'admin']);
    assert.equal((await as(kAdmin.email, 'GET', '/api/admin/users')).status, 200);
    const made = await as('new@example.org');
    assert.deepEqual([made.status, made.json.user.role], [200, 'member']);
    assert.equal((await as('new@example.org')).json.user.id, made.json.user.id);
    assertEnvelope(await as('new@example.org', 'GET', '/api/admin/users'), 403, { code: 'admin_required' });
    assert.equal(made.headers['set-cookie'], undefined);
  });

  it('says nothing when it is empty or no address', async () => {
    assertEnvelope(await as(undefined), 401, { code: 'not_signed_in' });
    assertEnvelope(await as(' '), 401, { code: 'not_signed_in' });
    assert.ok((await as('nobody')).status >= 400);
    assert.ok((await as(`${'x'.repeat(300)}@example.org`)).status >= 400);
  });

  it('that came twice says nothing', async () => {
    assertEnvelope(await as(['admin@example.org', 'new@example.org']), 401, { code: 'trusted_header_doubled' });
  });

  it('does not let other sites write', async () => {
    const json = { title: 'x' };
    assertEnvelope(await as(kAdmin.email, 'POST', '/v1/conversations', { json }), 403, { code: 'cross_site_request' });
    const foreign = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' };
    assertEnvelope(await as(kAdmin.email, 'POST', '/v1/conversations', { json, headers: foreign }), 403, { code: 'cross_site_request' });
    assert.equal((await as(kAdmin.email, 'POST', '/v1/conversations', { json, headers: sameOrigin(confab) })).status, 200);
  });

  it('gives way to an API key, and is none of a session', async () => {
    const { json } = await as('new@example.org', 'GET', '/v1/conversations', { key: confab.key });
    assert.equal(json.data.length, 1, 'the administrator’s');
    assertEnvelope(await as(undefined, 'GET', '/api/auth/me', { cookie: `confab_session=${kAdmin.email}` }), 401);
    // What is remembered of the header cannot be had by a cookie or a key of any text.
    await as(kAdmin.email);
    for (const text of [kAdmin.email, `address ${kAdmin.email}`, ' '.repeat(257) + kAdmin.email, 'only person']) {
      assertEnvelope(await as(undefined, 'GET', '/api/auth/me', { cookie: `confab_session=${text}` }), 401);
    }
  });

  it('ends with the person’s access, at once', async () => {
    const { json: { user } } = await as('short@example.org');
    const suspend = await as(kAdmin.email, 'PATCH', `/api/admin/users/${user.id}`, { json: { suspended: true }, headers: sameOrigin(confab) });
    assert.equal(suspend.status, 200, suspend.text);
    assertEnvelope(await as('short@example.org'), 403, { code: 'account_suspended' });
  });

  it('is not looked at when anybody else sends it', async () => {
    const other = await Confab.start({ args: ['--trusted-proxy', '10.9.9.9', '--trusted-header', 'Remote-Email', '--new-people', 'member'] });
    try {
      for (const headers of [{}, { 'x-forwarded-for': '10.9.9.9' }]) {
        const res = await request(other, 'GET', '/api/auth/me', { headers: { 'remote-email': kAdmin.email, ...headers } });
        assertEnvelope(res, 401, { code: 'not_signed_in' });
      }
    } finally {
      await other.dispose();
    }
  });

  it('makes no accounts unless said so', async () => {
    const strict = await Confab.start({ args: ['--trusted-proxy', '127.0.0.1', '--trusted-header', 'remote-email'] });
    try {
      assertEnvelope(await request(strict, 'GET', '/api/auth/me', { headers: { 'remote-email': 'new@example.org' } }), 401, { code: 'unknown_person' });
      assert.equal((await request(strict, 'GET', '/api/auth/me', { headers: { 'remote-email': kAdmin.email } })).status, 200);
    } finally {
      await strict.dispose();
    }
  });

  it('needs a named proxy and a sensible name', async () => {
    await refused(confab, ['--listen', '127.0.0.1:0', '--trusted-header', 'Remote-Email'], /trusted_proxies/);
    for (const name of ['Authorization', 'cookie', 'x-forwarded-for', 'a b', 'a:b']) {
      await refused(confab, ['--listen', '127.0.0.1:0', '--trusted-proxy', '127.0.0.1', '--trusted-header', name], /trusted_header/);
    }
  });
});

describe('a server for one person', () => {
  let confab;
  before(async () => {
    confab = await Confab.start({ args: ['--single-user'], admin: false });
  });
  after(() => confab?.dispose());

  const ask = (method, path, options = {}) => request(confab, method, path, options);

  it('signs nobody in: whoever is on this machine is the administrator', async () => {
    const { json: { user } } = await ask('GET', '/api/auth/me');
    assert.deepEqual([user.role, user.email], ['admin', 'me@localhost']);
    const { json } = await ask('GET', '/api/status');
    assert.deepEqual([json.setup_required, json.sign_in.single_user], [false, true]);
    assert.equal((await ask('POST', '/v1/conversations', { json: {}, headers: sameOrigin(confab) })).status, 200);
    assert.equal((await ask('GET', '/api/admin/users')).status, 200);
    await confab.restart();
    assert.equal((await ask('GET', '/api/auth/me')).json.user.id, user.id);
    assert.ok(!/Create the administrator/.test(confab.log), 'there is nothing to set up');
  });

  it('does nothing for other sites', async () => {
    for (const headers of [{ origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }, { origin: 'null' }, { 'sec-fetch-site': 'same-site' }, {}]) {
      assertEnvelope(await ask('POST', '/v1/conversations', { json: {}, headers }), 403, { code: 'cross_site_request' });
      assertEnvelope(await ask('POST', '/api/keys', { json: { name: 'x' }, headers }), 403, { code: 'cross_site_request' });
    }
  });

  it('has no other name (DNS rebinding), and answers no proxy', async () => {
    assertEnvelope(await ask('GET', '/api/auth/me', { headers: { host: 'evil.example' } }), 421, { code: 'unknown_host' });
    for (const name of ['x-forwarded-for', 'forwarded']) {
      assertEnvelope(await ask('GET', '/api/auth/me', { headers: { [name]: '1.2.3.4' } }), 403, { code: 'single_user_behind_proxy' });
    }
  });

  it('still refuses an API key that is wrong', async () => {
    assertEnvelope(await ask('GET', '/v1/conversations', { key: 'sk-wrong' }), 401, { code: 'invalid_api_key' });
  });

  it('is the administrator that there is', async () => {
    const set = await Confab.start({ args: ['--single-user'] });
    try {
      assert.equal((await request(set, 'GET', '/api/auth/me')).json.user.email, kAdmin.email);
    } finally {
      await set.dispose();
    }
  });

  it('starts on this machine only, and beside nothing that lets others in', async () => {
    await refused(confab, ['--listen', '0.0.0.0:0', '--insecure-listen', '--single-user'], /127\.0\.0\.1 only/);
    await refused(confab, ['--listen', '127.0.0.1:0', '--single-user', '--trusted-proxy', '127.0.0.1'], /single_user goes with no proxy/);
    await refused(confab, ['--listen', '127.0.0.1:0', '--single-user', '--oidc-issuer', 'https://id.example.org', '--oidc-client-id', 'x'], /single_user goes with/);
  });
});
