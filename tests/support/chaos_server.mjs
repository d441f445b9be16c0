// A model server that misbehaves: raw TCP or TLS, so that it can send what no HTTP library would. The model's name chooses how (see
// `chaos_faults.mjs`): `chaos-FAULT`, or `golden-FILE-CUTTING` for a recording of `tests/golden/upstreams`, cut into bytes or pieces.
// It notes what reached it and when each connection was closed. Loopback only.

import net from 'node:net';
import tls from 'node:tls';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kFaults, sendRecording } from './chaos_faults.mjs';

const kHeadEnd = '\r\n\r\n';
const kTlsHandshake = 0x16;
const kRequestsKept = 500;

/** A certificate that nobody signed, made by openssl; null when there is none on this machine. */
export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), 'confab-certificate-'));
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'pipe' });
    return { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) };
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Starts a server. `certificate` makes it speak TLS; `behave(talk)` replaces the choice by the model's name; `redirectTo` is where the
 * redirecting faults point. `requests` holds what arrived, oldest first: {path, head, body, model, at, closedAt, sent}.
 */
export async function startChaosServer({ certificate, behave, redirectTo = '' } = {}) {
  const state = { sockets: new Set(), requests: [], connections: 0 };
  const serve = (socket) => {
    state.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => state.sockets.delete(socket));
    readRequest(socket, (request) => answer(state, socket, request, { behave, redirectTo }));
  };
  const server = certificate ? tls.createServer(certificate, serve) : net.createServer(serve);
  server.on('connection', () => { state.connections += 1; });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    port,
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    get baseURL() { return `${this.url}/v1`; },
    get connections() { return state.connections; },
    requests: state.requests,
    live: () => state.sockets.size,
    /** The requests for one model, and the newest of them. */
    of: (model) => state.requests.filter((request) => request.model === model),
    last: (model) => state.requests.findLast((request) => request.model === model),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of state.sockets) socket.destroy();
      await closed;
    },
  };
}

/** Collects one request with a counted body; a connection is used once. */
function readRequest(socket, done) {
  let bytes = Buffer.alloc(0);
  const collect = (data) => {
    bytes = Buffer.concat([bytes, data]);
    if (bytes[0] === kTlsHandshake) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    const end = bytes.indexOf(kHeadEnd);
    if (end < 0) return;
    const head = bytes.toString('latin1', 0, end);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (bytes.length < end + 4 + length) return;
    socket.off('data', collect);
    socket.resume();
    const text = bytes.toString('utf8', end + 4, end + 4 + length);
    done({ path: head.split(' ')[1], head, text });
  };
  socket.on('data', collect);
}

async function answer(state, socket, { path, head, text }, { behave, redirectTo }) {
  let body;
  try { body = JSON.parse(text); } catch { /* a GET */ }
  const request = { path, head, body, model: body?.model, at: performance.now(), closedAt: null, sent: 0 };
  state.requests.push(request);
  if (state.requests.length > kRequestsKept) state.requests.shift();
  socket.on('close', () => { request.closedAt = performance.now(); });
  const talk = new Talk(socket, request, redirectTo);
  if (behave) return behave(talk);
  if (path.endsWith('/models')) return talk.json(200, { object: 'list', data: [] });
  const [, recording, cutting] = /^golden-(.+)-(bytes|pieces)$/.exec(request.model ?? '') ?? [];
  if (recording) return sendRecording(talk, recording, cutting);
  const fault = kFaults[/^\w+-(.+)$/.exec(request.model ?? '')?.[1]];
  return fault ? fault(talk) : talk.json(404, { error: { message: `no such fault: ${request.model}`, type: 'invalid_request_error', code: 'model_not_found' } });
}

/** One answer being given, well or badly. Every method stops quietly when the client has gone. */
class Talk {
  constructor(socket, request, redirectTo) {
    this.socket = socket;
    this.request = request;
    this.redirectTo = redirectTo;
    this.left = new Promise((resolve) => { socket.on('close', resolve); });
  }

  get gone() { return this.socket.destroyed || this.socket.writableEnded; }

  /** Writes bytes and waits while the client does not take them. */
  async write(data) {
    if (this.gone) return;
    const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data);
    this.request.sent += bytes.length;
    if (!this.socket.write(bytes)) await Promise.race([once(this.socket, 'drain').catch(() => {}), this.left]);
  }

  /** Writes bytes in pieces of the given sizes, each in a segment of its own as far as the kernel keeps to it. */
  async writeInPieces(data, sizes) {
    const bytes = Buffer.from(data);
    for (let at = 0, i = 0; at < bytes.length && !this.gone; i += 1) {
      const size = sizes(i);
      await this.write(bytes.subarray(at, at + size));
      await new Promise((resolve) => { setImmediate(resolve); });
      at += size;
    }
  }

  async pause(ms) {
    let timer;
    await Promise.race([new Promise((resolve) => { timer = setTimeout(resolve, ms); }), this.left]);
    clearTimeout(timer);
  }

  /** A head whose body ends with the connection, unless `headers` say otherwise. */
  head(status = 200, headers = {}) {
    const lines = Object.entries({ 'content-type': 'text/event-stream', connection: 'close', ...headers })
      .filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}`);
    return this.write([`HTTP/1.1 ${status} Chaos`, ...lines, '', ''].join('\r\n'));
  }

  async json(status, object, headers = {}) {
    const text = typeof object === 'string' ? object : JSON.stringify(object);
    await this.head(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
    await this.write(text);
    this.end();
  }

  event(object) { return this.write(`data: ${JSON.stringify(object)}\n\n`); }

  delta(delta, finish = null) { return this.event(chunkOf(delta, finish)); }

  async words(from, to, everyMs = 0) {
    for (let i = from; i < to && !this.gone; i += 1) {
      await this.delta({ content: i === 0 ? 'w0' : ` w${i}` });
      if (everyMs) await this.pause(everyMs);
    }
  }

  /** A regular end of the stream. */
  async finish(reason = 'stop') {
    await this.delta({}, reason);
    await this.write('data: [DONE]\n\n');
    this.end();
  }

  end() { this.socket.end(); }

  /** Ends with a reset. What was written before needs a moment, or the reset overtakes it. */
  async reset() {
    await this.pause(50);
    this.socket.resetAndDestroy();
  }
}

export function chunkOf(delta, finish = null) {
  return { id: 'chatcmpl-chaos', object: 'chat.completion.chunk', created: 1, model: 'chaos', choices: [{ index: 0, delta, finish_reason: finish }] };
}
