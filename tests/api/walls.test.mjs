// The walls around the server: what a browser is told, what another site can do with a visitor's cookie, what strangers can learn or set.
// docs/security.md says which abuse case is tested where.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, cookieHeader, cookiesOf, open, request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually, form, image } from '../support/images.mjs';
import { exchange } from '../support/raw.mjs';

const kCanary = 'sk-canary-3f1c9b7a5d';
const kPages = ['/', '/share', '/setup', '/login', '/settings', '/settings/keys', '/c/conv_1'];
const fixture = useConfab({ prepare });
let admin; // by cookie
let member;
let routes;

async function prepare({ confab }) {
  member = await confab.addMember();
  member.cookie = await signIn(confab, member);
  const cookie = await signIn(confab, kAdmin);
  admin = Object.assign(caller(confab, { cookie, headers: sameOrigin(confab) }), { cookie });
  routes = JSON.parse(await confab.bareCommand(['routes', '--json']));
}

const byKey = (method, path, options = {}) => request(fixture.confab, method, path, { key: fixture.confab.key, ...options });
const anonymously = (method, path, options = {}) => request(fixture.confab, method, path, options);
const byMember = (method, path, options = {}) => request(fixture.confab, method, path, { cookie: member.cookie, ...options, headers: { ...sameOrigin(fixture.confab), ...options.headers } });

/** A policy as an object: directive -> its values. */
function policyOf(res) {
  return Object.fromEntries(res.headers['content-security-policy'].split(';').map((part) => {
    const [name, ...values] = part.trim().split(/\s+/);
    return [name, values];
  }));
}

describe('one address', () => {
  it('has a share of the connections, and the next one has its own', async () => {
    const confab = await Confab.start({ args: ['--shards', '1', '--connections-per-address', '20'] });
    const open = [];
    try {
      const connect = async (localAddress) => {
        const socket = net.connect({ port: confab.port, host: '127.0.0.1', localAddress });
        let text = '';
        socket.on('error', () => {}).setEncoding('latin1').on('data', (part) => { text += part; });
        await once(socket, 'connect');
        open.push(socket);
        return { socket, text: () => text };
      };
      const first = [];
      for (let i = 0; i < 20; ++i) first.push(await connect('127.0.0.1'));
      const late = await connect('127.0.0.1');
      await eventually(() => late.socket.closed, 'the twenty-first is closed');
      assert.match(late.text(), /^HTTP\/1\.1 429 .*"code":"too_many_connections"/s);
      const other = await connect('127.0.0.2');
      other.socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      await eventually(() => /^HTTP\/1\.1 200/.test(other.text()), 'another address is served');
      assert.ok(first.every(({ socket }) => !socket.closed));
      first[0].socket.destroy();
      await eventually(async () => (await request(confab, 'GET', '/healthz').catch(() => ({}))).status === 200, 'a place is given back');
    } finally {
      for (const socket of open) socket.destroy();
      await confab.dispose();
    }
  });
});

describe('every page', () => {
  it('allows nothing but its own files, no markup from text, and no frame around it', async () => {
    for (const path of kPages) {
      const res = await anonymously('GET', path);
      assert.equal(res.status, 200, path);
      const policy = policyOf(res);
      assert.deepEqual(policy['default-src'], ["'none'"]);
      assert.deepEqual(policy['require-trusted-types-for'], ["'script'"]);
      assert.deepEqual(policy['trusted-types'], ["'none'"], 'no code may make a policy of its own');
      assert.deepEqual(policy['frame-ancestors'], ["'none'"]);
      assert.deepEqual(policy['base-uri'], ["'none'"]);
      for (const [directive, values] of Object.entries(policy)) {
        const known = ["'self'", "'none'", "'script'", 'blob:', 'data:'];
        assert.ok(values.every((value) => known.includes(value)), `${directive} ${values}`);
        if (/script|style|object|frame|connect/.test(directive)) assert.ok(!values.some((value) => ['blob:', 'data:'].includes(value)), `${directive} ${values}`);
      }
      assert.equal(res.headers['x-frame-options'], 'DENY');
      assert.equal(res.headers['referrer-policy'], 'no-referrer');
      assert.equal(res.headers['cross-origin-opener-policy'], 'same-origin');
      assert.match(res.headers['permissions-policy'], /camera=\(\).*microphone=\(\).*geolocation=\(\)/);
    }
  });
});

describe('every answer', () => {
  /** One of each kind: what is asked for, and how. */
  async function answers() {
    const { id } = await fixture.client.conversations.create({ items: [{ role: 'user', content: 'x' }] });
    const file = (await byKey('POST', '/v1/files', form([['purpose', 'vision'], ['file', image('png'), 'x.png']]))).json.id;
    const page = await anonymously('GET', '/');
    const script = /\/assets\/[^"]+\.js/.exec(page.text)[0];
    const streamed = await byKey('POST', '/v1/responses', { json: { model: 'script-words-n3', input: 'x', stream: true } });
    const raw = await exchange(fixture.confab.port, 'GET / HTTP/1.1\r\n\r\n');
    const other = {
      asset: await anonymously('GET', script), status: await anonymously('GET', '/api/status'), list: await byKey('GET', '/v1/conversations'),
      item: await byKey('GET', `/v1/conversations/${id}/items`), export: await byKey('GET', `/api/conversations/${id}/export?format=md`), content: await byKey('GET', `/v1/files/${file}/content`),
      metrics: await anonymously('GET', '/metrics'), anonymous: await anonymously('GET', '/v1/models'), nowhere: await byKey('GET', '/nowhere'), method: await byKey('PUT', '/v1/models'),
      host: await byKey('GET', '/', { headers: { host: 'evil.example' } }), foreign: await admin('POST', '/api/keys', { json: { name: 'x' }, headers: { origin: 'http://evil.example' } }),
      options: await anonymously('OPTIONS', '/v1/responses', { headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } }),
      stream: streamed, gate: raw.responses[0],
    };
    return { page, ...other };
  }

  it('is what its type says, opens nothing to other sites, and says nothing of what it is made with', async () => {
    for (const [name, res] of Object.entries(await answers())) {
      assert.equal(res.headers['x-content-type-options'], 'nosniff', name);
      const names = Object.keys(res.headers);
      assert.deepEqual(names.filter((header) => header.startsWith('access-control-') || ['server', 'x-powered-by', 'via', 'timing-allow-origin'].includes(header)), [], name);
      const isHtml = /html|xml|svg/.test(res.headers['content-type'] ?? '');
      assert.equal(isHtml, name === 'page', `${name} is ${res.headers['content-type']}`);
      if (name !== 'asset') assert.doesNotMatch(res.headers['cache-control'], /public/, name);
    }
  });

  it('of a page that asks another server, cannot be made by a header', async () => {
    const tricks = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', 'x-original-url': '/api/keys', 'x-rewrite-url': '/api/keys', 'x-http-method-override': 'DELETE', 'x-host': 'evil.example' };
    const { text } = await anonymously('GET', '/login');
    const res = await anonymously('GET', '/login', { headers: tricks });
    assert.deepEqual([res.status, res.text], [200, text]);
    assert.ok(!JSON.stringify(res.headers).includes('evil'));
  });
});

describe('the cookie', () => {
  it('is for this host, this site and not for scripts, when it is set and when it is cleared', async () => {
    const login = await anonymously('POST', '/api/auth/login', { json: kAdmin, headers: sameOrigin(fixture.confab) });
    const cookie = login.headers['set-cookie'][0].split(';')[0];
    const logout = await anonymously('POST', '/api/auth/logout', { json: {}, cookie, headers: sameOrigin(fixture.confab) });
    for (const res of [login, logout]) {
      const [{ attributes }] = Object.values(cookiesOf(res));
      assert.deepEqual({ httponly: attributes.httponly, samesite: attributes.samesite, path: attributes.path, domain: attributes.domain }, { httponly: true, samesite: 'Lax', path: '/', domain: undefined });
    }
  });

  it('is not an identity by any other way, nor is a key', async () => {
    const { key } = fixture.confab;
    const token = admin.cookie.split('=')[1];
    const carriers = [
      { headers: { 'x-api-key': key } }, { headers: { 'api-key': key } }, { headers: { authorization: key } }, { headers: { authorization: `Basic ${Buffer.from(`:${key}`).toString('base64')}` } },
      { headers: { 'proxy-authorization': `Bearer ${key}` } }, { cookie: `confab_session=${key}` }, { cookie: `key=${key}` }, { headers: { authorization: `Bearer ${token}` } }, { headers: { 'x-confab-session': token } },
      { headers: { authorization: '' }, cookie: admin.cookie }, { headers: { authorization: 'Bearer sk-revoked' }, cookie: admin.cookie },
    ];
    for (const carrier of carriers) assertEnvelope(await anonymously('GET', '/v1/models', carrier), 401);
    for (const query of [`api_key=${key}`, `key=${key}`, `access_token=${key}`, `confab_session=${token}`]) assertEnvelope(await anonymously('GET', `/v1/models?${query}`), 401);
  });
});

describe('another site', () => {
  const attacks = [
    { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }, { origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' },
    { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' }, {}, { origin: 'http://127.0.0.1.evil.example' }, { origin: 'http://localhost:1' }, { 'sec-fetch-site': 'nonsense' }, { origin: '' },
  ];
  const plainly = { 'content-type': 'text/plain', referer: 'http://127.0.0.1/' };

  it('cannot make a visitor change anything, on any route', async () => {
    const unsafe = routes.filter(({ method }) => method !== 'GET');
    assert.ok(unsafe.length > 25, `${unsafe.length} routes`);
    for (const { method, pattern, access } of unsafe) {
      const path = pattern.replace(/\{[^}]+\}/g, 'x');
      for (const headers of attacks) {
        // Who is not known by a cookie may be a program, and those say nothing of where they are from.
        const silent = Object.keys(headers).length === 0;
        if (silent && access === 'open') continue;
        const res = await anonymously(method, path, { cookie: admin.cookie, body: '{}', headers: { ...plainly, ...headers } });
        const what = `${method} ${path} with ${JSON.stringify(headers)}: ${res.status} ${res.text}`;
        assert.equal(res.status, 403, what);
        assert.equal(res.json.error.code, 'cross_site_request', what);
      }
    }
  });

  it('gets no stream with the cookie of a visitor that it could read', async () => {
    const { id } = await fixture.client.responses.create({ model: 'script-words-n5', input: 'x', background: true });
    const foreign = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site', accept: 'text/event-stream' };
    const res = await open(fixture.confab, 'GET', `/v1/responses/${id}?stream=true`, { cookie: admin.cookie, headers: foreign });
    res.destroy();
    assert.deepEqual(Object.keys(res.headers).filter((name) => name.startsWith('access-control-')), []);
    const preflight = await anonymously('OPTIONS', `/v1/responses/${id}`, { headers: { ...foreign, 'access-control-request-headers': 'authorization' } });
    assert.ok(preflight.status >= 400, 'a preflight fails');
  });

  it('does not become this one by a name that leads here', async () => {
    for (const host of ['evil.example', 'localhost.', 'localhost.evil.example', '127.0.0.1.nip.io', 'xn--localhost-', 'ip6-localhost', 'confab', 'kubernetes.docker.internal']) {
      for (const path of ['/', '/login', '/api/status', '/healthz', '/metrics', '/v1/models', '/nowhere']) {
        assertEnvelope(await byKey('GET', path, { headers: { host, 'x-forwarded-host': '127.0.0.1' } }), 421, { code: 'unknown_host' });
      }
      const res = await anonymously('POST', '/api/auth/login', { json: kAdmin, headers: { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' } });
      assertEnvelope(res, 421);
      assert.equal(res.headers['set-cookie'], undefined);
    }
  });
});

describe('who guesses passwords', () => {
  const guess = (email, headers) => anonymously('POST', '/api/auth/login', { json: { email, password: 'a wrong password' }, headers: { ...sameOrigin(fixture.confab), ...headers } });

  it('is slowed down, whatever address they claim to have', async () => {
    let tries = 0;
    let res;
    // A slow machine may let a short pause pass by; each failure makes the next one longer.
    do {
      tries += 1;
      const address = `203.0.113.${tries}`;
      res = await guess('victim@example.org', { 'x-forwarded-for': address, 'x-real-ip': address, forwarded: `for=${address}`, 'true-client-ip': address, 'cf-connecting-ip': address });
    } while (res.status === 401 && tries < 60);
    assertEnvelope(res, 429, { code: 'too_many_logins' });
    assert.ok(Number(res.headers['retry-after']) >= 1);
    assert.equal((await guess('another@example.org')).status, 401, 'others are not');
  });

  it('gains nothing by guessing many times at once', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, () => guess('hurried@example.org')));
    assert.equal(all.filter(({ status }) => status === 401).length, 5);
    assert.ok(all.every(({ status }) => [401, 429].includes(status)), `${all.map(({ status }) => status)}`);
  });

  it('does not guess on with the cookie of somebody who left it', async () => {
    const left = await fixture.confab.addMember('left@example.org');
    const cookie = await signIn(fixture.confab, left);
    const change = (current) => request(fixture.confab, 'POST', '/api/auth/password', {
      json: { current_password: current, new_password: 'another long password' }, cookie, headers: sameOrigin(fixture.confab),
    });
    for (let i = 0; i < 5; ++i) assertEnvelope(await change('a wrong password'), 401, { code: 'invalid_credentials' });
    assertEnvelope(await change(left.password), 429, { code: 'too_many_logins' });
  });

  it('does not take the server down by doing it all at once', async () => {
    const all = await Promise.all(Array.from({ length: 24 }, (_, i) => guess(`nobody${i}@example.org`)));
    for (const { status, text } of all) assert.ok([401, 429, 503].includes(status), text);
    assert.equal((await anonymously('GET', '/readyz')).status, 200);
    await signIn(fixture.confab, member);
  });

  it('learns nothing from a machine-only address behind a proxy', async () => {
    for (const headers of [{ 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }]) assertEnvelope(await anonymously('GET', '/metrics', { headers }), 403, { code: 'loopback_only' });
  });
});

describe('a new server', () => {
  let servers = [];
  before(async () => { servers = await Promise.all([1, 2].map(() => Confab.start({ admin: false }))); });
  after(() => Promise.all(servers.map((server) => server.dispose())));

  it('has no account, no password and no secret that another one has', async () => {
    const secrets = await Promise.all(servers.map(async (server) => ({
      token: /\/setup#(\S+)/.exec(server.log)[1], key: (await readFile(join(server.dataDir, 'secret.key'))).toString('hex'),
    })));
    assert.notEqual(secrets[0].token, secrets[1].token);
    assert.notEqual(secrets[0].key, secrets[1].key);
    assert.ok(secrets[0].token.length >= 43 && secrets[0].key.length >= 64);
    assert.equal(statSync(join(servers[0].dataDir, 'secret.key')).mode & 0o077, 0, 'the key is its owner’s only');
    assert.equal(statSync(servers[0].dataDir).mode & 0o077, 0, 'the directory too');
    for (const [email, password] of [['admin@example.org', 'admin'], ['admin@localhost', 'password'], ['admin@admin', 'changeme1'], ['root@localhost', 'confab123']]) {
      const res = await request(servers[0], 'POST', '/api/auth/login', { json: { email, password }, headers: sameOrigin(servers[0]) });
      assertEnvelope(res, 401);
    }
    for (const key of ['sk-', 'sk-confab', 'sk-test', 'sk-1234']) assertEnvelope(await request(servers[0], 'GET', '/v1/models', { key }), 401);
  });

  it('is closed until somebody has set it up with its token', async () => {
    for (const { method, pattern, access } of routes) {
      if (access === 'open') continue;
      const res = await request(servers[1], method, pattern.replace(/\{[^}]+\}/g, 'x'), { headers: sameOrigin(servers[1]) });
      assert.equal(res.status, 401, `${method} ${pattern}: ${res.status}`);
    }
  });
});

describe('a member', () => {
  const claims = { role: 'admin', admin: true, is_admin: true, user: kAdmin.email, user_id: 1, owner: 1, password_hash: 'x', created_at: 1, email: 'taken@example.org', updated_at: 1, id: 'user_1' };

  it('does not become more, or somebody else, by a field of a body', async () => {
    const before = (await byMember('GET', '/api/auth/me')).json.user;
    const made = await byMember('POST', '/api/keys', { json: { name: 'claims', ...claims } });
    assert.equal(made.status, 201);
    const { id } = (await byMember('POST', '/v1/conversations', { json: { title: 'claims', ...claims } })).json;
    await byMember('PATCH', `/api/conversations/${id}`, { json: { pinned: true, ...claims } });
    await byMember('PATCH', '/api/me/settings', { json: { retention_days: null, ...claims } });
    const changed = await byMember('POST', '/api/auth/password', { json: { current_password: member.password, new_password: member.password, ...claims } });
    assert.equal(changed.status, 200, changed.text);
    member.cookie = cookieHeader(changed);
    await anonymously('POST', '/api/auth/login', { json: { email: member.email, password: member.password, role: 'admin' }, headers: sameOrigin(fixture.confab) });
    assert.deepEqual((await byMember('GET', '/api/auth/me')).json.user, before);
    assertEnvelope(await byMember('GET', '/api/settings'), 403, { code: 'admin_required' });
    assertEnvelope(await admin('GET', `/v1/conversations/${id}`), 404);
    const lists = (await admin('GET', '/api/keys')).json.data.map(({ name }) => name);
    assert.ok(!lists.includes('claims'));
    assert.equal((await request(fixture.confab, 'GET', `/v1/conversations/${id}`, { key: made.json.key })).status, 200, 'the key is the member’s');
    const mine = (await byMember('GET', `/v1/conversations/${id}`)).json;
    assert.ok(mine.created_at > 1 && mine.updated_at > 1);
  });

  it('finds nothing of others, whatever the question', async () => {
    const { id } = await fixture.client.post('/conversations', { body: { title: 'quokka plans' } });
    await fixture.client.responses.create({ model: 'script-echo', input: 'the quokka smiles', conversation: id });
    const search = async (who, q) => (await who('GET', `/api/search?q=${encodeURIComponent(q)}`)).json;
    await eventually(async () => (await search(byKey, 'quokka smiles')).data.length >= 2, 'the words are in the index');
    for (const q of ['quokka', 'in:title quokka', 'from:assistant quokka', 'quok', 'model:echo quokka', '"quokka smiles"', 'quokka OR user:1', '*', `user:${kAdmin.email}`]) {
      assert.deepEqual((await search(byMember, q)).data, [], q);
    }
    // A wildcard of LIKE or GLOB is no wildcard here.
    assert.ok((await search(byKey, 'model:echo quokka')).data.length > 0);
    for (const wild of ['%', '_', 'script%', '*', '?']) assert.deepEqual((await search(byKey, `model:${wild} quokka`)).data, [], wild);
  });
});

describe('what is served', () => {
  it('takes no line of its own into a header from a name', async () => {
    const names = ['x\r\nset-cookie: a=b', 'x\nx: y', 'x"; filename="y.html', '\u2028x', 'é\u0000x', '%0d%0aset-cookie: a=b'];
    for (const name of names) {
      const { body, headers } = form([['purpose', 'vision'], ['file', image('png'), name]]);
      const made = await byKey('POST', '/v1/files', { body, headers });
      if (made.status === 400) continue;
      assert.equal(made.status, 200, made.text);
      const res = await byKey('GET', `/v1/files/${made.json.id}/content`);
      assert.match(res.headers['content-disposition'], /^inline; filename\*=UTF-8''[\w.%-]*$/, name);
      assert.deepEqual([res.headers['set-cookie'], res.headers.x, res.headers['content-type']], [undefined, undefined, 'image/png']);
    }
    const odd = await byKey('GET', '/v1/models', { headers: { 'x-client-request-id': 'caf\u00e9' } });
    assert.equal(odd.headers['x-client-request-id'], undefined, 'only plain text is repeated');
  });

  it('comes once, however many ranges of it are asked for', async () => {
    const bytes = image('png', 20_000);
    const { id } = (await byKey('POST', '/v1/files', form([['purpose', 'vision'], ['file', bytes, 'x.png']]))).json;
    const ranges = Array.from({ length: 1_000 }, (_, i) => `${i}-`).join(',');
    for (const path of [`/v1/files/${id}/content`, '/']) {
      const plain = await byKey('GET', path);
      const res = await byKey('GET', path, { headers: { range: `bytes=${ranges}` } });
      assert.equal(res.status, 200);
      assert.equal(res.text.length, plain.text.length);
      assert.doesNotMatch(res.headers['content-type'], /multipart/);
    }
  });
});

describe('the key of a model server', () => {
  it('is in no answer, no export, no log and no file in the clear', async () => {
    const added = await admin('POST', '/api/upstreams', { json: { name: 'canary', base_url: fixture.model.baseURL, api_key: kCanary } });
    assert.equal(added.status, 201, added.text);
    const { id } = await fixture.client.conversations.create();
    for (const model of ['script-error-401', 'canary/script-error-401', 'script-echo']) await byKey('POST', '/v1/responses', { json: { model, input: 'x', conversation: id } });
    const seen = [added.text, fixture.confab.log];
    for (const path of ['/api/upstreams', '/v1/models', '/api/settings', '/api/export', `/v1/conversations/${id}`, `/v1/conversations/${id}/items`]) seen.push((await admin('GET', path)).text);
    const backup = join(fixture.confab.home, 'backup.tar');
    await fixture.confab.command(['backup', backup]);
    seen.push(await readFile(backup, 'latin1'));
    const files = await readdir(fixture.confab.dataDir, { recursive: true, withFileTypes: true });
    for (const file of files.filter((one) => one.isFile())) seen.push(await readFile(join(file.parentPath ?? file.path, file.name), 'latin1'));
    assert.ok(files.length > 2);
    for (const text of seen) assert.ok(!text.includes(kCanary), `the key shows in ${text.slice(0, 200)}`);
    assert.ok(fixture.model.requests.some(({ headers }) => headers.authorization === `Bearer ${kCanary}`), 'and yet it is used');
    assert.equal((await admin('DELETE', '/api/upstreams/canary')).status, 200);
  });
});

describe('docs/security.md', () => {
  it('names tests that exist, for every case', async () => {
    const root = new URL('../../', import.meta.url);
    const text = await readFile(new URL('docs/security.md', root), 'utf8');
    let count = 0;
    for (const [, path, names] of text.matchAll(/`((?:tests|ui)\/[\w./]+)`((?:[:,]? “[^”]+”)*)/g)) {
      const source = await readFile(new URL(path, root), 'utf8');
      for (const [, name] of names.matchAll(/“([^”]+)”/g)) {
        count += 1;
        assert.ok(source.includes(name), `${path} has no “${name}”`);
      }
    }
    assert.ok(count > 60, `${count} names`);
    const cases = [...text.matchAll(/^\| (\d+)(?:, (\d+))? /gm)].flatMap(([, ...numbers]) => numbers.filter(Boolean).map(Number));
    assert.deepEqual(cases, Array.from({ length: 54 }, (_, i) => i + 1));
  });
});
