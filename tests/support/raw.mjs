// Raw sockets, for requests that no HTTP library would send: bytes in, the responses that came back out, and whether the server closed.

import net from 'node:net';

/**
 * Sends `data` (a string, a Buffer or an array of them) on a fresh connection and reads until the server closes or is quiet.
 *
 * Quiet means: `expect` responses have come and nothing more within `quietMs`. With `expect` unset only the end of the connection,
 * or `withinMs`, ends the reading. Strings are sent as latin1, so that any byte can be written.
 */
export function exchange(port, data, { expect = Infinity, quietMs = 150, withinMs = 5_000 } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const parts = [];
    let quiet;
    const finish = (closed) => {
      clearTimeout(late);
      clearTimeout(quiet);
      socket.destroy();
      const bytes = Buffer.concat(parts);
      resolve({ bytes, closed, responses: parseResponses(bytes) });
    };
    const late = setTimeout(() => finish(false), withinMs);
    socket.setNoDelay(true);
    socket.on('error', () => finish(true));
    socket.on('end', () => finish(true));
    socket.on('close', () => finish(true));
    socket.on('data', (part) => {
      parts.push(part);
      if (expect === Infinity || parseResponses(Buffer.concat(parts)).length < expect) return;
      clearTimeout(quiet);
      quiet = setTimeout(() => finish(false), quietMs);
    });
    socket.on('connect', () => sendAll(socket, [data].flat()).catch(() => {}));
  });
}

async function sendAll(socket, pieces) {
  for (const piece of pieces) {
    if (socket.destroyed || !socket.writable) return;
    const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(piece, 'latin1');
    if (socket.write(bytes)) continue;
    await new Promise((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', resolve);
    });
  }
}

/** Splits what a server sent on one connection into its responses; an unfinished last one counts when its head is whole. */
export function parseResponses(bytes) {
  const responses = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) break;
    const [statusLine, ...lines] = bytes.toString('latin1', at, end).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? NaN);
    if (Number.isNaN(status)) break;
    const headers = Object.fromEntries(lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const { body, next } = readBody(bytes, end + 4, headers);
    at = next;
    let json;
    try { json = JSON.parse(body.toString('utf8')); } catch { /* no JSON */ }
    if (status >= 200) responses.push({ status, headers, text: body.toString('utf8'), json });
  }
  return responses;
}

function readBody(bytes, start, headers) {
  if (headers['transfer-encoding'] === 'chunked') {
    const parts = [];
    let at = start;
    for (;;) {
      const line = bytes.indexOf('\r\n', at);
      const size = line < 0 ? 0 : parseInt(bytes.toString('latin1', at, line), 16);
      if (!size) return { body: Buffer.concat(parts), next: line < 0 ? bytes.length : line + 4 };
      parts.push(bytes.subarray(line + 2, line + 2 + size));
      at = line + 2 + size + 2;
    }
  }
  const length = Number(headers['content-length'] ?? 0);
  return { body: bytes.subarray(start, start + length), next: start + length };
}
