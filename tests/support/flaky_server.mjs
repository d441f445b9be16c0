// A model server whose every answer a test decides: `handle(req, res, n)` gets each chat completion, counted from 0, with `req.body`
// parsed. `ok(res, text)` answers as a healthy server does. It counts requests and open sockets, and sees when a client hangs up.

import http from 'node:http';
import { once } from 'node:events';

export async function startFlakyServer(handle) {
  const sockets = new Set();
  const requests = [];
  const server = http.createServer(async (req, res) => {
    const parts = [];
    try {
      for await (const part of req) parts.push(part);
    } catch { return; }
    if (req.url.endsWith('/models')) {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ object: 'list', data: [{ id: 'flaky', object: 'model' }] }));
      return;
    }
    req.body = JSON.parse(Buffer.concat(parts).toString('utf8'));
    const entry = { body: req.body, headers: req.headers, at: performance.now(), closedAt: null };
    requests.push(entry);
    res.on('close', () => { entry.closedAt = performance.now(); });
    await handle(req, res, requests.length - 1);
  });
  server.on('connection', (socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseURL: `http://127.0.0.1:${server.address().port}/v1`,
    requests,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export function refuse(res, status, headers = {}, message = `scripted ${status}`) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ error: { message, type: 'server_error', param: null, code: null } }));
}

const frame = (delta, finish = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'flaky', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

/** Begins a streamed answer and leaves it open. */
export function begin(res, ...pieces) {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const content of pieces) res.write(frame({ content }));
}

/** A whole answer, streamed or not as the request wants it. */
export function ok(req, res, text = 'fine') {
  if (!req.body.stream) {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'flaky', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] }));
    return;
  }
  begin(res, text);
  res.write(frame({}, 'stop'));
  res.end('data: [DONE]\n\n');
}
