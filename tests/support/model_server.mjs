// The scripted model server: an OpenAI-compatible upstream whose answers are known in advance (see `model_scripts.mjs`).
// It owns its sockets and counts what a client of it does: connections opened, requests, answers the client broke off.
//
//   node model_server.mjs PORT          run by hand          import { startModelServer }          from a test
//
// Besides `POST /v1/chat/completions` and `GET /v1/models` there are `GET /_stats` and `POST /_reset`. Loopback only.

import http from 'node:http';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { chunk, completion, errorBody, kCreated, planFor, usageOf } from './model_scripts.mjs';

/** The models that `/v1/models` names. Every other script works too: real servers list incompletely as well. */
export const kListedModels = [
  'script-echo', 'script-words-n20-i5', 'script-words-n150-i20', 'script-words-n400-i10', 'script-words-n2000-i10', 'script-words-n15000-i10', 'script-count',
  'script-markdown', 'script-error-404', 'script-error-500', 'script-midstream-error', 'script-stall',
];
const kRequestsKept = 200;
const kFlushMs = 50;

/**
 * Starts a server; `port` 0 takes a free one. `listed` are further entries of `/v1/models`, with whatever members. Returns the handle that
 * tests hold; `close()` breaks every connection.
 */
export async function startModelServer({ port = 0, listed = [] } = {}) {
  const state = { listed, sockets: new Set(), requests: [], counts: freshCounts() };
  const server = http.createServer((req, res) => {
    handle(state, req, res).catch((error) => {
      if (!res.headersSent) sendJson(res, 500, { error: { message: String(error), type: 'server_error', param: null, code: null } });
      else res.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    state.counts.connections_opened += 1;
    state.sockets.add(socket.setNoDelay(true));
    socket.on('error', () => {});
    socket.on('close', () => state.sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    baseURL: `${url}/v1`,
    port: server.address().port,
    /** What arrived, oldest first: {method, path, headers, text, body}. Only the newest 200 are kept. */
    get requests() { return state.requests; },
    stats: () => statsOf(state),
    reset: () => reset(state),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of state.sockets) socket.destroy();
      await closed;
      state.sockets.clear();
    },
  };
}

function freshCounts() {
  return { connections_opened: 0, requests: 0, completed: 0, aborted: 0 };
}

function statsOf(state) {
  return { ...state.counts, live_sockets: state.sockets.size };
}

function reset(state) {
  state.counts = freshCounts();
  state.requests.length = 0;
}

async function handle(state, req, res) {
  const path = new URL(req.url, 'http://model').pathname;
  if (req.method === 'GET' && path === '/_stats') return sendJson(res, 200, statsOf(state));
  if (req.method === 'POST' && path === '/_reset') { reset(state); return sendJson(res, 200, statsOf(state)); }
  state.counts.requests += 1;
  const text = await readText(req);
  const body = text ? tryParse(text) : undefined;
  state.requests.push({ method: req.method, path, headers: req.headers, text, body });
  if (state.requests.length > kRequestsKept) state.requests.shift();
  if (req.method === 'GET' && path === '/v1/models') {
    const named = kListedModels.map((id) => ({ id, object: 'model', created: kCreated, owned_by: 'scripts' }));
    const data = [...named, ...state.listed];
    return sendJson(res, 200, { object: 'list', data });
  }
  if (req.method === 'POST' && path === '/v1/chat/completions') return complete(state, body, res);
  return sendJson(res, 404, { error: { message: `Unknown route ${path}`, type: 'invalid_request_error', param: null, code: null } });
}

async function complete(state, body, res) {
  const plan = body && planFor(body);
  if (!plan) {
    return sendJson(res, 404, { error: { message: `The model \`${body?.model}\` does not exist.`, type: 'invalid_request_error', param: null, code: 'model_not_found' } });
  }
  const answer = new Answer(res, plan.byByte);
  res.on('close', () => { state.counts[answer.finished ? 'completed' : 'aborted'] += 1; });
  await answer.pause(plan.script.delay);
  if (plan.status) {
    answer.finished = true;
    return sendJson(res, plan.status, plan.error ?? errorBody(plan.status), plan.status === 429 ? { 'retry-after': '1' } : {});
  }
  if (plan.html) {
    answer.finished = true;
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    return res.end(plan.html);
  }
  if (!body.stream || plan.noStream) return completeWhole(answer, plan, body);
  return completeStreamed(answer, plan, body);
}

/** Without `stream` a script takes as long as its stream would, so that tests can interrupt it as well. */
async function completeWhole(answer, plan, body) {
  await answer.pause(plan.script.interval * plan.deltas.length);
  if (answer.gone) return undefined;
  answer.finished = plan.ending !== 'stall';
  if (plan.ending === 'stall') return undefined;
  if (plan.ending === 'reset' || plan.ending === 'noterm') return answer.res.destroy();
  if (plan.ending === 'error') return sendJson(answer.res, 500, errorBody(500));
  return sendJson(answer.res, 200, completion(plan, body));
}

async function completeStreamed(answer, plan, body) {
  const { res } = answer;
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  await answer.event(chunk(body, { role: 'assistant', content: '' }));
  const start = performance.now();
  for (const [i, delta] of plan.deltas.entries()) {
    // Against a schedule, not after a fixed pause: timers are late, and lateness must not add up.
    if (plan.script.interval) await answer.pause(start + i * plan.script.interval - performance.now());
    if (answer.gone) return;
    await answer.event(chunk(body, delta));
  }
  if (plan.ending === 'stall') return;
  answer.finished = true;
  if (plan.ending === 'reset') {
    // A reset may overtake what was written before it; the words before the break are part of the script.
    await answer.pause(kFlushMs);
    res.destroy();
    return;
  }
  if (plan.ending === 'error') await answer.event(errorBody(500));
  if (plan.ending === 'done') {
    await answer.event(chunk(body, {}, plan.finish));
    if (body.stream_options?.include_usage) await answer.event({ ...chunk(body, null), usage: usageOf(plan, body) });
    await answer.write('data: [DONE]\n\n');
  }
  res.end();
}

/** One answer being written: it notices that the client went away, and honours backpressure. */
class Answer {
  constructor(res, byByte) {
    this.res = res;
    this.byByte = byByte;
    this.finished = false;
    this.leave = new Promise((resolve) => { res.on('close', resolve); });
  }

  get gone() {
    return this.res.destroyed || this.res.writableEnded;
  }

  /** Waits, but not longer than the client does. */
  async pause(ms) {
    if (!(ms > 0)) return;
    let timer;
    const elapsed = new Promise((resolve) => { timer = setTimeout(resolve, ms); });
    await Promise.race([elapsed, this.leave]);
    clearTimeout(timer);
  }

  event(object) {
    return this.write(`data: ${JSON.stringify(object)}\n\n`);
  }

  async write(text) {
    if (!this.byByte) return this.flush(text);
    for (const byte of Buffer.from(text)) {
      await this.flush(Buffer.from([byte]));
      await nextTurn();
    }
    return undefined;
  }

  async flush(data) {
    if (this.gone) return;
    if (!this.res.write(data)) await Promise.race([once(this.res, 'drain'), this.leave]);
  }
}

async function readText(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function tryParse(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

function sendJson(res, status, object, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(object));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const model = await startModelServer({ port: Number(process.argv[2] ?? 0) });
  console.log(`The scripted model server listens on ${model.baseURL}`);
}
