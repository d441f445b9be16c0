// Signing in with OpenID Connect (abuse case 29): the whole flow against a provider with real keys, and everything by which a hostile
// provider, a hostile site or a stolen answer could make somebody of somebody else.

import { after, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Confab, kAdmin } from '../support/confab.mjs';
import { assertEnvelope, caller, cookieHeader, cookiesOf, request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';
import { makeToken, newKey, startIdentityProvider } from '../support/identity_provider.mjs';

let provider;
let confab;
let people = 0;
const newPerson = (more = {}) => ({ sub: `subject-${++people}`, email: `person${people}@example.org`, email_verified: true, name: `Person ${people}`, ...more });

before(async () => {
  provider = await startIdentityProvider();
  confab = await Confab.start({ args: [...provider.flags, '--new-people', 'member'], env: provider.environment });
});
beforeEach(async () => {
  provider.straighten();
  provider.person = newPerson();
  await confab.revive();
});
after(async () => {
  await confab?.dispose();
  await provider?.close();
});

const visit = (path, cookie, headers) => request(confab, 'GET', path, { cookie, headers });

/** The browser goes to the provider: its address there, and the cookie that remembers the attempt. */
async function begin(to = '') {
  const res = await visit(`/api/auth/oidc/start${to}`);
  assert.equal(res.status, 302, res.text);
  return { url: new URL(res.headers.location), cookie: cookieHeader(res), res };
}

/** The provider sends it back: the path at Confab. */
async function backFrom(url) {
  const res = await fetch(url, { redirect: 'manual' });
  assert.equal(res.status, 302);
  const back = new URL(res.headers.get('location'));
  return back.pathname + back.search;
}

async function wholeWay(to) {
  const attempt = await begin(to);
  const path = await backFrom(attempt.url);
  const res = await visit(path, attempt.cookie);
  assert.equal(res.status, 302, res.text);
  const session = cookiesOf(res).confab_session;
  return { ...attempt, path, res, place: res.headers.location, session: session && `confab_session=${session.value}` };
}

async function assertRefused(code, reason) {
  const mark = confab.log.length;
  const { place, session } = await wholeWay();
  assert.equal(place, `/login?problem=${code}`);
  assert.equal(session, undefined, 'no session');
  if (reason) await eventually(() => reason.test(confab.logSince(mark)), `the log says ${reason}: ${confab.logSince(mark)}`);
}

const me = async (cookie) => (await visit('/api/auth/me', cookie)).json.user;

describe('signing in with a provider', () => {
  it('makes an account and an ordinary session', async () => {
    const { place, session, res, url } = await wholeWay('?to=/c/conv_1');
    assert.equal(place, '/c/conv_1');
    const user = await me(session);
    assert.deepEqual([user.email, user.name, user.role], [provider.person.email, provider.person.name, 'member']);
    const { attributes } = cookiesOf(res).confab_session;
    assert.ok(attributes.httponly && attributes.samesite === 'Lax' && attributes.path === '/');
    assert.equal(cookiesOf(res).confab_oidc.attributes['max-age'], '0', 'the attempt is over');
    assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
    assert.equal(url.searchParams.get('scope'), 'openid email profile');
    assert.equal(url.searchParams.get('redirect_uri'), `${confab.url}/api/auth/oidc/callback`);
    const { form } = provider.requests.filter(({ path }) => path === '/token').at(-1);
    assert.equal(createHash('sha256').update(form.code_verifier).digest('base64url'), url.searchParams.get('code_challenge'));
    assert.ok(form.client_secret === undefined, 'the secret goes in the header');
  });

  it('is written down in the audit log, and so is a refusal', async () => {
    const admin = caller(confab, { cookie: await signIn(confab, kAdmin) });
    const newest = async () => (await admin('GET', '/api/admin/audit?limit=1&kind=sign_in')).json.data[0];
    await wholeWay();
    assert.deepEqual(((row) => [row.outcome, row.email, row.detail])(await newest()), ['ok', provider.person.email, 'by the identity provider']);
    provider.twist = { callback: { state: 'another' } };
    await assertRefused('openid_state');
    assert.deepEqual(((row) => [row.outcome, row.person, row.detail])(await newest()), ['openid_state', null, 'by the identity provider']);
  });

  it('is told in /api/status', async () => {
    assert.deepEqual((await visit('/api/status')).json.sign_in, { password: true, openid: { name: 'Test Provider' }, single_user: false });
  });

  it('knows people by subject, whatever becomes of their address', async () => {
    const first = await me((await wholeWay()).session);
    provider.person = { ...provider.person, email: 'moved@example.org', email_verified: false };
    assert.equal((await me((await wholeWay()).session)).id, first.id);
  });

  it('links an account that exists by a verified address, once', async () => {
    const member = await confab.addMember('linked@example.org');
    provider.person = newPerson({ email: ' Linked@Example.org' });
    const { session } = await wholeWay();
    assert.equal((await me(session)).id, (await me(await signIn(confab, member))).id);
    provider.person = newPerson({ email: 'linked@example.org' });
    await assertRefused('openid_taken');
  });

  it('links nothing by an address that is not verified', async () => {
    for (const email_verified of [false, undefined, 'true', 1]) {
      provider.person = newPerson({ email: kAdmin.email, email_verified });
      await assertRefused('openid_email');
    }
    provider.person = newPerson({ email: undefined });
    await assertRefused('openid_email');
  });

  it('asks for the address where the token has none', async () => {
    provider.userinfo = { sub: provider.person.sub, email: provider.person.email, email_verified: true };
    const fresh = await Confab.start({ args: [...provider.flags, '--new-people', 'member'], env: provider.environment });
    try {
      const shared = confab;
      confab = fresh;
      try {
        const { email } = provider.person;
        provider.person = { sub: provider.person.sub };
        assert.equal((await me((await wholeWay()).session)).email, email);
        provider.person = newPerson({ email: undefined });
        await assertRefused('openid_token', /about somebody else/);
      } finally {
        confab = shared;
      }
    } finally {
      await fresh.dispose();
    }
  });

  it('keeps suspended people out, and forgets deleted ones', async () => {
    const admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const { session } = await wholeWay();
    const user = await me(session);
    await admin('PATCH', `/api/admin/users/${user.id}`, { json: { suspended: true } });
    await assertRefused('account_suspended');
    await admin('DELETE', `/api/admin/users/${user.id}`);
    assert.notEqual((await me((await wholeWay()).session)).id, user.id);
  });

  it('leads back to pages of its own only', async () => {
    for (const to of ['//evil.example', '/\\evil.example', 'https://evil.example', '/api/auth/oidc/start', '/a b', `/${'x'.repeat(600)}`]) {
      assert.equal((await wholeWay(`?to=${encodeURIComponent(to)}`)).place, '/', to);
    }
  });

  it('takes tokens signed by the other algorithms too', async () => {
    for (const alg of ['ES256', 'PS256']) {
      provider.key = newKey(alg);
      assert.ok((await wholeWay()).session ?? await afterRateLimit(), alg);
    }
  });

  // A key that is not known has the keys fetched again, at most every 30 s: a fresh server need not wait.
  async function afterRateLimit() {
    await confab.restart();
    return (await wholeWay()).session;
  }
});

describe('an answer', () => {
  it('counts once', async () => {
    const { path, cookie, session } = await wholeWay();
    assert.ok(session);
    const asked = provider.count('/token');
    const again = await visit(path, cookie);
    assert.equal(again.headers.location, '/login?problem=openid_state');
    assert.equal(provider.count('/token'), asked, 'the code is not even sent');
  });

  it('fits the browser that asked only', async () => {
    const mine = await begin();
    const theirs = await begin();
    const path = await backFrom(theirs.url);
    for (const cookie of [undefined, mine.cookie, 'confab_oidc=forged', `${theirs.cookie.slice(0, -4)}AAAA`]) {
      const res = await visit(path, cookie);
      assert.equal(res.headers.location, '/login?problem=openid_state', cookie);
      assert.equal(cookiesOf(res).confab_session, undefined);
    }
  });

  it('without or with another state is refused', async () => {
    for (const state of ['', 'another', undefined]) {
      provider.twist = { callback: { state } };
      await assertRefused('openid_state');
    }
  });

  it('of another issuer is refused (mix-up), and so is one without when the provider tells its issuer', async () => {
    provider.twist = { callback: { iss: 'https://other.example' } };
    await assertRefused('openid_state', /another issuer/);
    provider.twist = { callback: { iss: undefined } };
    await assertRefused('openid_state', /another issuer/);
  });

  it('that refuses is told in clear words', async () => {
    provider.twist = { callback: { error: 'access_denied', code: undefined } };
    await assertRefused('openid_cancelled');
    provider.twist = { callback: { error: '<script>', code: undefined } };
    await assertRefused('openid_refused');
  });

  it('with a code that was made for somebody else is refused', async () => {
    const other = await begin();
    const stolen = new URL(await backFrom(other.url), confab.url).searchParams.get('code');
    provider.twist = { callback: { code: stolen } };
    await assertRefused('openid_refused', /invalid_grant/);
  });
});

describe('a token is refused', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const cases = {
    'without a signature': [() => ({ header: { alg: 'none' } }), /not (a signed token|one that is trusted)/],
    'signed with the public key as a shared secret': [() => ({ header: { alg: 'HS256' }, secret: provider.key.publicKey.export({ format: 'pem', type: 'spki' }) }), /not one that is trusted/],
    'signed with the client’s secret': [() => ({ header: { alg: 'HS256' }, secret: provider.clientSecret }), /not one that is trusted/],
    'signed by another key of the same name': [() => ({ key: { ...newKey(provider.key.alg), kid: provider.key.kid } }), /signature is wrong/],
    'that asks for an extension': [() => ({ header: { crit: ['b64'], b64: false } }), /extension|not a signed token/],
    'of another issuer': [() => ({ claims: { iss: 'https://other.example' } }), /another issuer/],
    'of another audience': [() => ({ claims: { aud: 'another-client' } }), /for somebody else/],
    'of many audiences and no party': [() => ({ claims: { aud: [provider.clientId, 'another'] } }), /for somebody else/],
    'made for another party': [() => ({ claims: { azp: 'another-client' } }), /for somebody else/],
    'that has expired': [() => ({ claims: { exp: now() - 61 } }), /expired/],
    'that never expires': [() => ({ drop: ['exp'] }), /expired/],
    'whose end is a text': [() => ({ claims: { exp: '9999999999' } }), /expired/],
    'from the future': [() => ({ claims: { iat: now() + 120 } }), /future/],
    'not valid yet': [() => ({ claims: { nbf: now() + 120 } }), /future/],
    'with another nonce': [() => ({ claims: { nonce: 'another' } }), /nonce/],
    'without a nonce': [() => ({ drop: ['nonce'] }), /nonce/],
    'that names nobody': [() => ({ drop: ['sub'] }), /names nobody/],
    'that is no token': [() => ({ token: 'not.a.token' }), /not a signed token/],
    'that is absent': [() => ({ token: '' }), /not a signed token/],
    'that is enormous': [() => ({ claims: { more: 'x'.repeat(20_000) } }), /too large/],
  };
  for (const [name, [twist, reason]] of Object.entries(cases)) {
    it(name, async () => {
      provider.twist = twist();
      await assertRefused('openid_token', reason);
    });
  }

  it('whose key nobody knows, and the keys are fetched again at most every 30 s', async () => {
    await confab.restart();
    assert.ok((await wholeWay()).session);
    const fetched = provider.count('/keys');
    for (let i = 0; i < 4; ++i) {
      provider.twist = { key: newKey() };
      await assertRefused('openid_token', /no key of the provider/);
    }
    assert.ok(provider.count('/keys') - fetched <= 1, `${provider.count('/keys') - fetched} times`);
  });

  it('whose key is weak, or of another use', async () => {
    for (const key of [newKey('RS256', 'weak', 1024), { ...newKey('RS256', 'sealing') }]) {
      if (key.kid === 'sealing') key.jwk.use = 'enc';
      provider.twist = { key, keys: [key.jwk] };
      await confab.restart();
      await assertRefused('openid_token', /no key of the provider/);
    }
  });

  it('that a key of another type signed: RSA is not taken for EC', async () => {
    const key = newKey('ES256', provider.key.kid);
    provider.twist = { key, header: { alg: 'RS256', kid: provider.key.kid }, token: undefined };
    provider.twist.token = makeToken({ alg: 'ES256', kid: provider.key.kid }, { iss: provider.issuer }, key.privateKey);
    await assertRefused('openid_token');
  });
});

describe('a provider', () => {
  const badStarts = {
    'that calls itself by another name': { discovery: { issuer: 'https://other.example' } },
    'that leads to plain HTTP elsewhere': { discovery: { token_endpoint: 'http://other.example/token' } },
    'that leads to a file': { discovery: { jwks_uri: 'file:///etc/passwd' } },
    'whose address hides another': { discovery: { authorization_endpoint: 'http://127.0.0.1@other.example/' } },
    'that is out of order': { '/.well-known/openid-configuration': (res, send) => send(500, {}) },
    'that redirects': { '/.well-known/openid-configuration': (res) => { res.writeHead(302, { location: 'http://127.0.0.1:1/' }); res.end(); } },
    'that answers without end': { '/.well-known/openid-configuration': (res) => { res.writeHead(200); const more = () => { if (!res.destroyed) res.write('x'.repeat(65536), more); }; more(); } },
    'that answers with no JSON': { '/.well-known/openid-configuration': (res) => res.end('<html>') },
  };
  for (const [name, twist] of Object.entries(badStarts)) {
    it(`${name} is not gone to`, async () => {
      await confab.restart();
      provider.twist = twist;
      const res = await visit('/api/auth/oidc/start');
      assert.match(res.headers.location, /^\/login\?problem=(openid_provider|openid_unreachable)$/);
      assert.equal(res.headers['set-cookie'], undefined);
    });
  }

  it('whose token endpoint redirects, fails or says nonsense gets no second request and no session', async () => {
    await confab.restart();
    const refuse = async (answer, code) => {
      provider.twist = { '/token': answer };
      const asked = provider.requests.length;
      await assertRefused(code);
      assert.equal(provider.requests.slice(asked).filter(({ path }) => path === '/elsewhere').length, 0);
    };
    await refuse((res) => { res.writeHead(307, { location: `${provider.issuer}/elsewhere` }); res.end(); }, 'openid_unreachable');
    await refuse((res, send) => send(500, {}), 'openid_provider');
    await refuse((res, send) => send(200, []), 'openid_provider');
    await refuse((res, send) => send(400, { error: 'invalid_grant' }), 'openid_refused');
  });

  it('that is not there is said to be', async () => {
    const gone = await startIdentityProvider();
    await gone.close();
    const alone = await Confab.start({ args: gone.flags, env: gone.environment });
    try {
      const res = await request(alone, 'GET', '/api/auth/oidc/start');
      assert.equal(res.headers.location, '/login?problem=openid_unreachable');
    } finally {
      await alone.dispose();
    }
  });
});

describe('who comes in', () => {
  async function withOptions(args, work) {
    const shared = confab;
    confab = await Confab.start({ args: [...provider.flags, ...args], env: provider.environment });
    try {
      await work();
    } finally {
      await confab.dispose();
      confab = shared;
    }
  }

  it('is nobody who has no account, unless said otherwise', () => withOptions([], async () => {
    await assertRefused('openid_no_account');
    provider.person = newPerson({ email: kAdmin.email });
    assert.equal((await me((await wholeWay()).session)).role, 'admin');
  }));

  it('may have to wait for an administrator', () => withOptions(['--new-people', 'pending'], async () => {
    await assertRefused('account_pending');
    await assertRefused('account_pending');
  }));

  it('may be of certain domains only', () => withOptions(['--new-people', 'member', '--oidc-email-domain', 'Example.org'], async () => {
    assert.ok((await wholeWay()).session);
    for (const more of [{ email: 'x@evil.org' }, { email: 'x@example.org.evil.org' }, { email: 'x@sub.example.org' }, { email_verified: false }, { email: undefined }]) {
      provider.person = newPerson(more);
      await assertRefused('openid_domain');
    }
  }));

  it('has the role that the provider says, each time', () => withOptions(['--new-people', 'member', '--oidc-role-claim', 'realm.groups', '--oidc-admin-value', 'bosses', '--oidc-member-value', 'staff'], async () => {
    provider.person = newPerson({ realm: { groups: ['x', 'bosses'] } });
    const user = await me((await wholeWay()).session);
    assert.equal(user.role, 'admin');
    provider.person = { ...provider.person, realm: { groups: 'staff' } };
    assert.deepEqual(await me((await wholeWay()).session), { ...user, role: 'member' });
    for (const realm of [{ groups: ['guests'] }, { groups: { bosses: true } }, 'bosses', undefined]) {
      provider.person = { ...provider.person, realm };
      await assertRefused('openid_role');
    }
    provider.person = newPerson({ email: kAdmin.email, realm: { groups: ['staff'] } });
    assert.equal((await me((await wholeWay()).session)).role, 'admin', 'the last administrator stays one');
  }));

  it('comes by no password when that is off', () => withOptions(['--password-login', 'off', '--new-people', 'member'], async () => {
    const login = await request(confab, 'POST', '/api/auth/login', { json: kAdmin, headers: sameOrigin(confab) });
    assertEnvelope(login, 403, { code: 'password_login_off' });
    assert.deepEqual([(await visit('/api/status')).json.sign_in.password, (await visit('/api/status')).json.signup], [false, 'off']);
    const { session } = await wholeWay();
    const json = { current_password: 'x', new_password: 'long enough a password' };
    assertEnvelope(await request(confab, 'POST', '/api/auth/password', { json, cookie: session, headers: sameOrigin(confab) }), 403, { code: 'password_login_off' });
  }));
});

describe('the configuration', () => {
  const refused = (args, words) => assert.rejects(confab.bareCommand(['serve', '--listen', '127.0.0.1:0', '--data-dir', `${confab.home}/other`, ...args]),
    (error) => { assert.match(error.stderr, words); return true; });

  it('is checked', async () => {
    await refused(['--oidc-issuer', 'https://id.example.org'], /oidc_client_id/);
    for (const issuer of ['http://id.example.org', 'ftp://x', 'https://a@b', 'http://localhost.evil.example', 'https://']) {
      await refused(['--oidc-issuer', issuer, '--oidc-client-id', 'x'], /https:\/\/ URL/);
    }
    await refused(['--oidc-issuer', 'https://id.example.org', '--oidc-client-id', 'x', '--oidc-scope', 'email'], /openid/);
    await refused(['--password-login', 'off'], /no other way/);
    await refused(['--new-people', 'all'], /new_people/);
    await refused(['--oidc-client-secret-file', '/nonexistent'], /no secret/);
  });

  it('does not show the secret', async () => {
    const shown = await confab.command(['config', ...provider.flags]);
    assert.match(shown, /set, not shown/);
    assert.ok(!shown.includes(provider.clientSecret));
    assert.ok(!confab.log.includes(provider.clientSecret));
  });
});
