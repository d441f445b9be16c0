// The program around the API: the page and its headers, health, metrics, the commands, the configuration, the upstreams.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, open, request, sameOrigin, signIn, streamedEvents } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { startModelServer } from '../support/model_server.mjs';

const canary = `upstream-canary-${process.pid}-${Date.now()}`;
const fixture = useConfab({ env: { OPENAI_API_KEY: canary } });
const get = (path, headers = {}) => request(fixture.confab, 'GET', path, { headers });

describe('the page', () => {
  it('is delivered with a policy that lets nothing else run', async () => {
    const res = await get('/');
    assert.equal(res.status, 200);
    assert.match(res.headers['content-type'], /^text\/html/);
    const policy = Object.fromEntries(res.headers['content-security-policy'].split(';').map((part) => part.trim().split(/\s+(.*)/)).filter(([name]) => name));
    assert.equal(policy['default-src'], "'none'");
    assert.equal(policy['script-src'], "'self'");
    assert.equal(policy['style-src'], "'self'");
    assert.equal(policy['connect-src'], "'self'");
    assert.equal(policy['form-action'], "'self'");
    assert.equal(policy['base-uri'], "'none'");
    assert.equal(policy['frame-ancestors'], "'none'");
    assert.equal(policy['require-trusted-types-for'], "'script'");
    assert.equal(res.headers['x-content-type-options'], 'nosniff');
    assert.match(res.headers['referrer-policy'], /no-referrer|same-origin/);
    assert.doesNotMatch(res.text, /<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=/i, 'no inline script or style');
    assert.doesNotMatch(res.text, /https?:\/\/(?!127\.0\.0\.1|localhost|www\.w3\.org)/, 'nothing from elsewhere');
  });

  it('has assets that are compressed and cached for ever, and fit ninety kilobytes', async () => {
    const { text } = await get('/');
    const assets = [...text.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path);
    assert.ok(assets.some((path) => path.endsWith('.js')), 'the page has a script');
    let script = 0;
    for (const path of new Set(assets)) {
      for (const [encoding, decode] of [['br', brotliDecompressSync], ['gzip', gunzipSync], ['identity', (bytes) => bytes]]) {
        const res = await open(fixture.confab, 'GET', path, { headers: { 'accept-encoding': encoding } });
        const bytes = Buffer.concat(await toArray(res));
        assert.equal(res.statusCode, 200, path);
        assert.equal(res.headers['content-encoding'] ?? 'identity', encoding, path);
        assert.match(res.headers['cache-control'], /immutable/, path);
        assert.equal(res.headers['x-content-type-options'], 'nosniff', path);
        assert.ok(decode(bytes).length > 0);
        if (encoding === 'br' && path.endsWith('.js')) script += bytes.length;
      }
    }
    assert.ok(script <= 90 * 1024, `${script} bytes of script at the start`);
  });

  async function toArray(stream) {
    const parts = [];
    for await (const part of stream) parts.push(part);
    return parts;
  }

  it('protects what the API answers as well', async () => {
    const res = await request(fixture.confab, 'GET', '/v1/conversations', { key: fixture.confab.key });
    assert.equal(res.headers['x-content-type-options'], 'nosniff');
    assert.match(res.headers['cache-control'], /no-store|no-cache/);
    assert.match(res.headers['x-request-id'], /^req_/);
  });
});

describe('operations', () => {
  it('tell that the process runs and the store answers', async () => {
    assert.equal((await get('/healthz')).status, 200);
    assert.equal((await get('/readyz')).status, 200);
    const status = (await get('/api/status')).json;
    assert.equal(status.setup_required, false);
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    assert.deepEqual(Object.keys(status).sort(), ['setup_required', 'sign_in', 'signup', 'version'], 'and nothing more to strangers');
  });

  it('count what is opened and reused', async () => {
    const work = async (times) => {
      for (let i = 0; i < times; i += 1) {
        await fixture.client.chat.completions.create({ model: 'script-echo', messages: [{ role: 'user', content: 'x' }] });
        await fixture.client.conversations.create();
      }
    };
    // Every connection of the store prepares a statement the first time that it needs it, and which connection serves
    // a request is chance: so work goes on until some of it prepares nothing.
    let before;
    let prepared;
    for (let round = 0; round < 12 && prepared !== 0; round += 1) {
      before = await metrics();
      await work(10);
      const rows = [...(await metrics())].filter(([name]) => /statements?.*prepared|prepared.*statements?/.test(name));
      assert.ok(rows.length > 0);
      prepared = rows.reduce((total, [name, value]) => total + value - (before.get(name) ?? 0), 0);
    }
    assert.equal(prepared, 0, 'statements are not prepared again');
    const after = await metrics();
    const grown = (pattern) => [...after].filter(([name]) => pattern.test(name)).map(([name, value]) => [name, value - (before.get(name) ?? 0)]);
    const sum = (pattern) => {
      const rows = grown(pattern);
      assert.ok(rows.length > 0, `no metric like ${pattern} among ${[...new Set([...after.keys()].map((name) => name.split('{')[0]))].join(' ')}`);
      return rows.reduce((total, [, value]) => total + value, 0);
    };
    assert.equal(sum(/(store|db|sqlite).*conn.*open|(store|db|sqlite).*open.*conn/), 0, 'no database connection opened for a request');
    assert.ok(sum(/statements?.*reuse|reuse.*statements?/) >= 10, 'they are reused');
    assert.ok(sum(/upstream.*conn.*open|upstream.*open/) <= 8, 'the upstream connections stay');
    // What the shards count of these is summed up once in a second.
    const reused = (rows) => [...rows].filter(([name]) => /upstream.*reuse/.test(name)).reduce((total, [, value]) => total + value, 0);
    await poll(async () => reused(await metrics()) - reused(before), (more) => more >= 2);
  });

  async function metrics() {
    const res = await get('/metrics');
    assert.equal(res.status, 200);
    assert.match(res.headers['content-type'], /^text\/plain/);
    const rows = res.text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => /^(\S+(?:\{.*\})?) (\S+)/.exec(line));
    assert.ok(rows.every(Boolean), 'Prometheus text');
    return new Map(rows.map(([, name, value]) => [name, Number(value)]));
  }
});

describe('the upstream key', () => {
  it('is replaced, and shown nowhere', async () => {
    const { confab } = fixture;
    const admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const server = await startModelServer();
    try {
      const json = { name: 'keyed', base_url: server.baseURL, api_key: 'first-canary' };
      const added = await admin('POST', '/api/upstreams', { json });
      assert.equal(added.status, 201, added.text);
      assert.ok(added.json.models.includes('script-echo'), added.text);
      const changed = await admin('PATCH', '/api/upstreams/keyed', { json: { api_key: ' second-canary ' } });
      assert.deepEqual([changed.status, changed.json.ok, /canary/.test(changed.text)], [200, true, false], changed.text);
      assert.equal(server.requests.at(-1).headers.authorization, 'Bearer second-canary');
      assertEnvelope(await admin('PATCH', '/api/upstreams/keyed', { json: { api_key: 'a\r\nb' } }), 400, { param: 'api_key' });
      assert.ok(!(await admin('GET', '/api/admin/audit')).text.includes('canary'));
    } finally {
      await admin('DELETE', '/api/upstreams/keyed');
      await server.close();
    }
  });

  it('is sent to the upstream, and shown nowhere', async () => {
    const { confab, model, client } = fixture;
    await client.chat.completions.create({ model: 'script-echo', messages: [{ role: 'user', content: 'x' }] });
    assert.equal(model.requests.at(-1).headers.authorization, `Bearer ${canary}`);
    const api = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const seen = [];
    for (const path of ['/v1/models', '/api/upstreams', '/metrics', '/api/status', '/api/keys']) {
      const res = await api('GET', path);
      assert.equal(res.status, 200, path);
      seen.push(res.text);
    }
    seen.push((await api('POST', '/v1/chat/completions', { json: { model: 'script-error-401', messages: [{ role: 'user', content: 'x' }] } })).text);
    seen.push((await api('POST', '/v1/responses', { json: { model: 'script-error-401', input: 'x' } })).text);
    seen.push(await confab.command(['config']), confab.log);
    for (const text of seen) assert.ok(!text.includes(canary), `the key shows in ${text.slice(0, 200)}`);
  });

  it('is not the caller’s key', async () => {
    await fixture.client.chat.completions.create({ model: 'script-echo', messages: [{ role: 'user', content: 'x' }] });
    assert.ok(!JSON.stringify(fixture.model.requests.at(-1).headers).includes(fixture.confab.key));
  });
});

describe('upstreams of the administrator', () => {
  it('are added and removed while the server runs', async () => {
    const api = await administrator();
    const second = await startModelServer();
    try {
      const added = await api('POST', '/api/upstreams', { json: { name: 'second', base_url: second.baseURL, api_key: 'sk-second' } });
      assert.equal(added.status, 201, added.text);
      assert.ok(!added.text.includes('sk-second'));
      const list = (await api('GET', '/api/upstreams')).json.data;
      const row = list.find((upstream) => upstream.name === 'second');
      assert.deepEqual([row.source, row.base_url], ['stored', second.baseURL]);
      await poll(() => api('GET', '/v1/models'), ({ json }) => json.upstreams.find((upstream) => upstream.name === 'second')?.ok === true);
      const gone = await api('DELETE', '/api/upstreams/second');
      assert.deepEqual(gone.json, { name: 'second', deleted: true });
      assertEnvelope(await api('DELETE', '/api/upstreams/second'), 404);
      const configured = list.find((upstream) => upstream.source === 'config');
      assert.ok((await api('DELETE', `/api/upstreams/${encodeURIComponent(configured.name)}`)).status >= 400, 'what the configuration says stays');
    } finally {
      await second.close();
    }
  });

  async function administrator() {
    return caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
  }

  it('are addresses of HTTP servers and nothing else', async () => {
    const api = await administrator();
    for (const url of ['file:///etc/passwd', 'gopher://127.0.0.1/', 'ftp://127.0.0.1/', 'javascript:1', '', 'not a url', 'http://', 'http://a b/', 'http://x\r\nHost: y/']) {
      assertEnvelope(await api('POST', '/api/upstreams', { json: { name: 'bad', base_url: url } }), 400, { param: 'base_url' });
    }
    assertEnvelope(await api('POST', '/api/upstreams', { json: { base_url: fixture.model.baseURL } }), 400, { param: 'name' });
  });
});

describe('without an upstream', () => {
  it('the built-in model answers and says how to connect one', async () => {
    const confab = await Confab.start();
    try {
      const page = await confab.client().models.list();
      assert.deepEqual(page.data.map((model) => [model.id, model.owned_by]), [['confab-demo', 'confab']]);
      const response = await confab.client().responses.create({ model: 'confab-demo', input: 'hello' });
      assert.equal(response.status, 'completed');
      assert.match(response.output_text, /no model/i);
      assert.match(response.output_text, /OPENAI_BASE_URL|--upstream-url|OLLAMA_BASE_URL/);
    } finally {
      await confab.dispose();
    }
  });

  it('that answers, the error is clear and the question is kept', async () => {
    const dead = await startModelServer();
    await dead.close();
    const confab = await Confab.start({ upstream: dead.baseURL });
    try {
      const client = confab.client();
      const { id } = await client.conversations.create();
      const last = (await streamedEvents(confab, confab.key, { model: 'script-echo', input: 'anyone?', conversation: id, background: true })).at(-1);
      assert.equal(last.type, 'response.failed');
      assert.match(last.response.error.message, /reach|connect|refused/i);
      assert.equal((await client.conversations.items.list(id)).data.length, 1);
      const { upstreams: [row] } = (await request(confab, 'GET', '/v1/models', { key: confab.key })).json;
      assert.equal(row.ok, false);
      assert.ok(row.error);
      const error = await client.chat.completions.create({ model: 'script-echo', messages: [{ role: 'user', content: 'x' }] }).catch((thrown) => thrown);
      assert.ok([502, 503, 504].includes(error.status), `${error}`);
    } finally {
      await confab.dispose();
    }
  });
});

describe('the commands', () => {
  it('work while the server runs and while it does not', async () => {
    const confab = await Confab.start({ upstream: fixture.model.baseURL });
    try {
      const member = await confab.addMember('cli@example.org', 'a password for the cli');
      assert.match(await confab.command(['user', 'list']), /cli@example\.org/);
      assert.match(await confab.command(['key', 'list']), /test/);
      await confab.stop();
      const offline = await confab.addKey(member.email, 'offline');
      await confab.command(['user', 'add', 'later@example.org', '--role', 'member', '--password-stdin'], { input: 'another password\n' });
      assert.match(await confab.command(['user', 'list']), /later@example\.org/);
      await confab.boot();
      for (const apiKey of [member.key, offline]) assert.ok((await confab.client({ apiKey }).models.list()).data.length > 0);
      assert.match(await confab.command(['user', 'add', 'waits@example.org', '--role', 'pending', '--password-stdin'], { input: 'another password\n' }), /waits@example\.org was added as pending/);
      assertEnvelope(await request(confab, 'POST', '/api/auth/login', { json: { email: 'waits@example.org', password: 'another password' }, headers: sameOrigin(confab) }), 403, { code: 'account_pending' });
      await assert.rejects(confab.command(['user', 'add', 'no@example.org', '--role', 'owner', '--password-stdin'], { input: 'another password\n' }));
      await assert.rejects(confab.command(['user', 'add', 'cli@example.org', '--role', 'member', '--password-stdin'], { input: 'twice the same\n' }));
      await assert.rejects(confab.command(['user', 'add', 'short@example.org', '--role', 'member', '--password-stdin'], { input: 'short\n' }));
      await assert.rejects(confab.command(['key', 'add', '--user', 'nobody@example.org', '--name', 'x']));
      assert.match(await confab.command(['config']), /listen/i);
    } finally {
      await confab.dispose();
    }
  });

  it('take the upstream from the environment, and a flag over it', async () => {
    const env = { OPENAI_BASE_URL: fixture.model.baseURL, CONFAB_ADMIN_EMAIL: kAdmin.email, CONFAB_ADMIN_PASSWORD: kAdmin.password };
    const confab = await Confab.start({ env });
    try {
      assert.ok((await confab.client().models.list()).data.some((model) => model.id === 'script-echo'));
    } finally {
      await confab.dispose();
    }
    const other = await startModelServer();
    const flagged = await Confab.start({ env: { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }, upstream: other.baseURL });
    try {
      const { upstreams } = (await request(flagged, 'GET', '/v1/models', { key: flagged.key })).json;
      assert.ok(upstreams.some((upstream) => upstream.base_url === other.baseURL && upstream.ok));
    } finally {
      await flagged.dispose();
      await other.close();
    }
  });
});
