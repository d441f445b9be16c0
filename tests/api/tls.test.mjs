// TLS built in: what a client of it sees, what it refuses, and how a certificate is replaced while people are connected.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { makeCertificate } from '../support/certificates.mjs';
import { Confab, kAdmin } from '../support/confab.mjs';
import { assertEnvelope, cookieHeader, cookiesOf, open, request, sameOrigin } from '../support/http.mjs';
import { eventually, form, image } from '../support/images.mjs';
import { startModelServer } from '../support/model_server.mjs';

const kLeased = (64 + 96) * 1024;  // of a connection, and of its TLS
let directory;
let model;
let confab;
let first;
let second;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'confab-tls-'));
  first = await makeCertificate(directory, 'first');
  second = await makeCertificate(directory, 'second');
  await copyFile(first.certificateFile, join(directory, 'used.crt'));
  await copyFile(first.keyFile, join(directory, 'used.key'));
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL, args: ['--tls-certificate', join(directory, 'used.crt'), '--tls-key', join(directory, 'used.key')] });
  confab.certificate = first.certificate;
});

after(async () => {
  await confab?.dispose();
  await model?.close();
  await rm(directory, { recursive: true, force: true });
});

const api = (method, path, options = {}) => request(confab, method, path, { key: confab.key, ...options });
const gauge = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await api('GET', '/metrics')).text)[1]);

/** The name of the certificate that a new connection is shown. */
async function shownName() {
  const socket = tls.connect({ host: '127.0.0.1', port: confab.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

describe('over TLS', () => {
  it('the address begins with https, and everything is answered', async () => {
    assert.match(confab.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const response = await api('POST', '/v1/responses', { json: { model: 'script-echo', input: 'in secret' } });
    assert.equal(response.json.output[0].content[0].text, 'in secret');
    const page = await request(confab, 'GET', '/');
    assert.equal(page.status, 200);
  });

  it('the session’s cookie is bound to this server and to TLS', async () => {
    const credentials = { email: kAdmin.email, password: kAdmin.password };
    const res = await request(confab, 'POST', '/api/auth/login', { json: credentials, headers: sameOrigin(confab) });
    assert.equal(res.status, 200, res.text);
    const cookies = cookiesOf(res);
    assert.deepEqual(Object.keys(cookies), ['__Host-confab_session']);
    const { value, attributes } = cookies['__Host-confab_session'];
    assert.ok(attributes.secure && attributes.httponly);
    assert.deepEqual([attributes.path, attributes.samesite, attributes.domain], ['/', 'Lax', undefined]);
    const me = (cookie) => request(confab, 'GET', '/api/auth/me', { cookie });
    assert.equal((await me(cookieHeader(res))).status, 200);
    assertEnvelope(await me(`confab_session=${value}`), 401);
    const out = await request(confab, 'POST', '/api/auth/logout', { cookie: cookieHeader(res), headers: sameOrigin(confab) });
    assert.ok(cookiesOf(out)['__Host-confab_session'].attributes.secure);
    assertEnvelope(await me(cookieHeader(res)), 401);
  });

  it('an answer streams, piece by piece', async () => {
    const res = await open(confab, 'POST', '/v1/responses', { key: confab.key, json: { model: 'script-words-n20-i50', input: 'x', stream: true } });
    let pieces = 0;
    let text = '';
    for await (const piece of res) {
      pieces += 1;
      text += piece;
    }
    assert.ok(pieces > 10, `${pieces} pieces`);
    assert.match(text, /event: response\.completed/);
    assert.ok(text.endsWith('data: [DONE]\n\n'));
  });

  it('a client that leaves ends its answer, and is forgotten', async () => {
    const aborter = new AbortController();
    const res = await open(confab, 'POST', '/v1/responses', { key: confab.key, json: { model: 'script-words-n10000-i20', input: 'x', stream: true }, signal: aborter.signal });
    await once(res, 'data');
    res.on('error', () => {});
    aborter.abort();
    await eventually(async () => await gauge('confab_runs_live') === 0, 'the answer is cancelled');
    await eventually(async () => await gauge('confab_http_connections_live') === 1, 'only the connection that asks is left');
  });

  it('large bodies pass whole in both directions', async () => {
    const bytes = image('png', 8_000_000);
    const { body, headers } = form([['purpose', 'vision'], ['file', bytes, 'x.png']]);
    const made = await api('POST', '/v1/files', { body, headers });
    assert.equal(made.status, 200, made.text);
    const res = await open(confab, 'GET', `/v1/files/${made.json.id}/content`, { key: confab.key });
    const parts = [];
    for await (const part of res) parts.push(part);
    assert.ok(bytes.equals(Buffer.concat(parts)));
    await api('DELETE', `/v1/files/${made.json.id}`);
  });

  it('a connection is kept for the next request', async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: first.certificate });
    const ports = new Set();
    for (let i = 0; i < 3; ++i) {
      const req = https.get({ host: '127.0.0.1', port: confab.port, path: '/healthz', agent });
      const [res] = await once(req, 'response');
      ports.add(res.socket.localPort);
      res.resume();
      await once(res, 'end');
    }
    agent.destroy();
    assert.equal(ports.size, 1);
  });

  it('a hundred clients hold what is leased for them, and give it back', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, async () => {
      const socket = tls.connect({ host: '127.0.0.1', port: confab.port, ca: first.certificate });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      return socket;
    }));
    assert.ok(await gauge('confab_budget_leased_bytes') >= 101 * kLeased);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => await gauge('confab_budget_leased_bytes') <= kLeased, 'it is given back');
  });
});

describe('what is not TLS as it should be', () => {
  /** Sends the bytes and waits until the server has closed, or reset, the connection. */
  function untilClosed(bytes) {
    const socket = net.connect(confab.port, '127.0.0.1').on('error', () => {});
    socket.write(bytes);
    return new Promise((resolve) => { socket.resume().once('close', resolve); });
  }

  it('old versions and ciphers without forward secrecy are refused', async () => {
    const openssl = (...flags) => new Promise((resolve) => {
      const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${confab.port}`, ...flags], (error, stdout, stderr) => resolve(stdout + stderr));
      child.stdin.end();
    });
    assert.match(await openssl('-tls1_3'), /New, TLSv1\.3, Cipher is TLS_/);
    assert.match(await openssl('-tls1_2'), /New, TLSv1\.2, Cipher is ECDHE-/);
    assert.match(await openssl('-alpn', 'h2,http/1.1'), /ALPN protocol: http\/1\.1/);
    for (const flags of [['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'], ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA']]) {
      assert.match(await openssl(...flags), /Cipher is \(NONE\)/, flags.join(' '));
    }
  });

  it('a client that speaks plain HTTP is told so', async () => {
    const socket = net.connect(confab.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let text = '';
    for await (const part of socket) text += part;
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(text, /https:\/\//);
  });

  it('a client that never shakes hands is let go', { timeout: 60_000 }, async () => {
    await Promise.all(['', '\x16\x03\x01'].map(async (bytes) => {
      const begin = performance.now();
      await untilClosed(bytes);
      assert.ok(performance.now() - begin < 30_000);
    }));
    await eventually(async () => await gauge('confab_budget_leased_bytes') <= kLeased, 'nothing is held for them');
  });

  it('rubbish is not', async () => {
    await untilClosed(Buffer.concat([Buffer.from([22, 3, 1, 255, 255]), Buffer.alloc(70_000, 7)]));
    assert.equal((await api('GET', '/healthz')).status, 200);
  });
});

describe('a certificate', () => {
  it('is read again on SIGHUP, while connections go on', async () => {
    const res = await open(confab, 'POST', '/v1/responses', { key: confab.key, json: { model: 'script-words-n60-i50', input: 'x', stream: true } });
    let text = '';
    res.setEncoding('utf8').on('data', (part) => { text += part; });
    await once(res, 'data');
    await copyFile(second.certificateFile, join(directory, 'used.crt'));
    await copyFile(second.keyFile, join(directory, 'used.key'));
    assert.equal(await shownName(), 'first', 'not before it is told');
    process.kill(confab.pid, 'SIGHUP');
    await eventually(async () => await shownName() === 'second', 'new connections get the new one');
    confab.certificate = second.certificate;
    await once(res, 'end');
    assert.match(text, /event: response\.completed/);
  });

  it('that cannot be read leaves the one in use', async () => {
    const mark = confab.log.length;
    await writeFile(join(directory, 'used.crt'), 'no certificate');
    process.kill(confab.pid, 'SIGHUP');
    await eventually(() => /certificate_not_renewed/.test(confab.logSince(mark)), 'the log says so');
    assert.equal(await shownName(), 'second');
    await copyFile(second.certificateFile, join(directory, 'used.crt'));
  });

  it('is asked for in full, and its faults are named', async () => {
    const locked = await makeCertificate(directory, 'locked', { password: 'secret' });
    const bad = [
      [['--tls-certificate', first.certificateFile], /both tls_certificate and tls_key/],
      [['--tls-certificate', first.certificateFile, '--tls-key', second.keyFile], /is not that of the certificate/],
      [['--tls-certificate', join(directory, 'none.crt'), '--tls-key', first.keyFile], /certificate .*none\.crt cannot be read/],
      [['--tls-certificate', first.keyFile, '--tls-key', first.keyFile], /certificate .* cannot be read as PEM/],
      [['--tls-certificate', first.certificateFile, '--tls-key', first.certificateFile], /key .* cannot be read as PEM/],
      [['--tls-certificate', locked.certificateFile, '--tls-key', locked.keyFile], /without a password/],
    ];
    for (const [flags, message] of bad) {
      await assert.rejects(
        confab.bareCommand(['serve', '--listen', '127.0.0.1:0', '--data-dir', join(directory, 'data'), ...flags]),
        (error) => { assert.match(error.stderr, message); return true; },
      );
    }
  });
});
