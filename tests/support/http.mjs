// Plain HTTP for the tests that look at what the official client hides: headers, envelopes, cookies, the bytes of an event stream.
// `node:http` and not `fetch`, because a test must be able to send any Host, Origin and Sec-Fetch-Site it likes.

import http from 'node:http';
import https from 'node:https';
import assert from 'node:assert/strict';

/**
 * One request to the program. `json` is sent as JSON, `body` as it is; `key` becomes the Bearer key, `cookie` the Cookie header.
 * Returns {status, headers, text, json}; `json` is undefined when the body is none.
 */
export async function request(confab, method, path, options = {}) {
  const res = await open(confab, method, path, options);
  const text = (await collect(res)).toString('utf8');
  let json;
  try { json = JSON.parse(text); } catch { /* an HTML page, or metrics */ }
  return { status: res.statusCode, headers: res.headers, text, json };
}

/** Like `request`, but returns node's response as soon as the headers are there: for streams. */
export function open(confab, method, path, { json, body, key, cookie, headers = {}, signal } = {}) {
  const payload = json === undefined ? body : JSON.stringify(json);
  const all = { ...headers };
  if (json !== undefined && !hasHeader(all, 'content-type')) all['content-type'] = 'application/json';
  if (key) all.authorization = `Bearer ${key}`;
  if (cookie) all.cookie = cookie;
  if (payload !== undefined) all['content-length'] = Buffer.byteLength(payload);
  return new Promise((resolve, reject) => {
    const transport = confab.url?.startsWith('https:') ? https : http;
    const req = transport.request({ host: '127.0.0.1', port: confab.port, method, path, headers: all, agent: false, signal, ca: confab.certificate });
    req.on('response', resolve);
    req.on('error', reject);
    req.end(payload);
  });
}

function hasHeader(headers, name) {
  return Object.keys(headers).some((key) => key.toLowerCase() === name);
}

async function collect(res) {
  const parts = [];
  for await (const part of res) parts.push(part);
  return Buffer.concat(parts);
}

const kConnectionLeaseBytes = 64 * 1024;

/** The bytes that are leased for anything but the connections that are open. */
export async function leasedBytes(confab) {
  const { text } = await request(confab, 'GET', '/metrics');
  const value = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)[1]);
  return value('confab_budget_leased_bytes') - kConnectionLeaseBytes * value('confab_http_connections_live');
}

/** A caller with fixed credentials: `const api = caller(confab, {key})`, then `api('GET', '/v1/models')`. */
export function caller(confab, credentials) {
  return (method, path, options = {}) => request(confab, method, path, { ...credentials, ...options });
}

/** Checks the standard error envelope: the four keys, the status, and whatever of {type, code, param} is given (param may be a RegExp). */
export function assertEnvelope(res, status, expected = {}) {
  const what = `${res.status} ${res.text?.slice(0, 400)}`;
  const allowed = [status].flat();
  assert.ok(allowed.includes(res.status), `expected status ${allowed.join(' or ')}, got ${what}`);
  assert.match(res.headers['content-type'] ?? '', /^application\/json/, what);
  assert.ok(res.json?.error, `no error envelope in ${what}`);
  assert.deepEqual(Object.keys(res.json), ['error'], what);
  assert.deepEqual(Object.keys(res.json.error).sort(), ['code', 'message', 'param', 'type'], what);
  assert.ok(typeof res.json.error.message === 'string' && res.json.error.message.length > 0, `no message in ${what}`);
  assert.ok(res.headers['x-request-id'], `no x-request-id with ${what}`);
  assert.equal(res.json.error.type, expected.type ?? kTypes[res.status] ?? res.json.error.type, what);
  for (const name of ['code', 'param']) {
    if (!(name in expected)) continue;
    if (expected[name] instanceof RegExp) assert.match(String(res.json.error[name]), expected[name], what);
    else assert.equal(res.json.error[name], expected[name], what);
  }
}

const kTypes = {
  400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 405: 'invalid_request_error',
  409: 'invalid_request_error', 413: 'invalid_request_error', 415: 'invalid_request_error', 422: 'invalid_request_error',
  429: 'rate_limit_error', 500: 'server_error', 502: 'server_error', 503: 'server_error', 504: 'server_error',
};

/** The cookies that a response sets: name -> {value, attributes in lower case}. */
export function cookiesOf(res) {
  const cookies = {};
  for (const line of res.headers['set-cookie'] ?? []) {
    const [pair, ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const entries = attributes.map((attribute) => {
      const [name, value = true] = attribute.split('=');
      return [name.toLowerCase(), value];
    });
    cookies[pair.slice(0, at)] = { value: pair.slice(at + 1), attributes: Object.fromEntries(entries) };
  }
  return cookies;
}

/** The headers by which a browser marks a request of the page itself. */
export function sameOrigin(confab) {
  return { origin: confab.url, 'sec-fetch-site': 'same-origin' };
}

/** Signs in and returns the Cookie header for later requests; asserts success. */
export async function signIn(confab, { email, password }) {
  const res = await request(confab, 'POST', '/api/auth/login', { json: { email, password }, headers: sameOrigin(confab) });
  assert.equal(res.status, 200, res.text);
  return cookieHeader(res);
}

export function cookieHeader(res) {
  return Object.entries(cookiesOf(res)).map(([name, { value }]) => `${name}=${value}`).join('; ');
}

/**
 * The frames of an event stream as exact strings, comments left out, as they come; ends when the stream does. A frame that is not
 * exactly `event: TYPE LF data: JSON LF LF` (or `data: [DONE]`) fails the test.
 */
export async function* frames(res) {
  assert.match(res.headers['content-type'] ?? '', /^text\/event-stream/);
  res.setEncoding('utf8');
  let rest = '';
  for await (const part of res) {
    rest += part;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const lines = rest.slice(0, end).split('\n').filter((line) => !line.startsWith(':'));
      rest = rest.slice(end + 2);
      if (lines.length) yield checkedFrame(lines);
    }
  }
  assert.equal(rest.replace(/^:.*\n?/gm, ''), '', 'the stream ended inside a frame');
}

function checkedFrame(lines) {
  const text = lines.join('\n');
  if (text === 'data: [DONE]') return { text, done: true };
  assert.equal(lines.length, 2, `not one event and one data line: ${text}`);
  const [, type] = /^event: (\S+)$/.exec(lines[0]) ?? assert.fail(`no event line: ${text}`);
  assert.ok(lines[1].startsWith('data: '), `no data line: ${text}`);
  const event = JSON.parse(lines[1].slice(6));
  assert.equal(event.type, type, 'the type is repeated inside the JSON');
  return { text, event };
}

/**
 * The events of one streamed answer, as they are on the wire: the official client raises at an `error` event and so never shows what
 * follows it. The last frame must be [DONE].
 */
export async function streamedEvents(confab, key, body) {
  const res = await open(confab, 'POST', '/v1/responses', { json: { stream: true, ...body }, key });
  const all = await allFrames(res);
  assert.ok(all.at(-1)?.done, 'the stream ends with [DONE]');
  return all.slice(0, -1).map((frame) => frame.event);
}

/** All frames of a stream. */
export async function allFrames(res) {
  const all = [];
  for await (const frame of frames(res)) all.push(frame);
  return all;
}
