// The request gate, over raw sockets: abuse cases 36 to 38 and the hazards of Beast. What is ambiguous is answered with 400 (or what the
// case says) and the connection is closed; what was pipelined behind it is never answered, because nobody can say where it begins.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { useConfab } from '../support/confab.mjs';
import { exchange } from '../support/raw.mjs';
import { request } from '../support/http.mjs';

const fixture = useConfab();
const port = () => fixture.confab.port;
const host = () => `Host: 127.0.0.1:${port()}`;
const auth = () => `Authorization: Bearer ${fixture.confab.key}`;
const kBody = '{"metadata":{"by":"gate"}}';

/** The request that an attacker would like to have answered. */
const smuggled = () => `GET /api/status?smuggled HTTP/1.1\r\n${host()}\r\n\r\n`;

/** A POST that is acceptable but for what `lines` adds; `body` follows as it is. */
function post(lines, body, { version = '1.1', hostLine = host() } = {}) {
  const head = [`POST /v1/conversations HTTP/${version}`, hostLine, auth(), 'Content-Type: application/json', ...lines].filter((line) => line !== null);
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

const get = (target, lines = [], { version = 'HTTP/1.1', method = 'GET' } = {}) => [`${method} ${target} ${version}`, ...lines].join('\r\n').concat('\r\n\r\n');
const length = `Content-Length: ${kBody.length}`;
const chunks = (...parts) => [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');

/** Checks that `bytes`, with a second request behind them, get one refusal and the end of the connection. */
async function refused(bytes, statuses = [400]) {
  const { responses, closed, bytes: got } = await exchange(port(), bytes + smuggled());
  const seen = got.toString('latin1').slice(0, 300);
  assert.ok(closed, `the connection stays open; got ${seen}`);
  assert.ok(responses.length <= 1, `${responses.length} answers: ${responses.map((one) => one.status)}`);
  if (responses.length === 0 && statuses.includes('closed')) return;
  assert.ok(statuses.includes(responses[0]?.status), `expected ${statuses}, got ${seen || 'nothing'}`);
  assert.ok(!got.includes('setup_required'), 'the smuggled request was answered');
}

function cases(list) {
  for (const [name, make, statuses] of list) it(name, () => refused(make(), statuses));
}

describe('Transfer-Encoding is refused when it', () => {
  cases([
    ['is xchunked', () => post(['Transfer-Encoding: xchunked'], chunks(kBody))],
    ['is xchunked with an empty body', () => post(['Transfer-Encoding: xchunked'], '')],
    ['is chunked, identity', () => post(['Transfer-Encoding: chunked, identity'], chunks(kBody))],
    ['is chunked, identity with an empty body', () => post(['Transfer-Encoding: chunked, identity'], '')],
    ['is identity, chunked', () => post(['Transfer-Encoding: identity, chunked'], chunks(kBody))],
    ['is gzip, chunked', () => post(['Transfer-Encoding: gzip, chunked'], chunks(kBody))],
    ['is chunked twice in one line', () => post(['Transfer-Encoding: chunked, chunked'], chunks(kBody))],
    ['is chunked in two lines', () => post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunks(kBody))],
    ['is identity in a second line', () => post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], chunks(kBody))],
    ['is identity with a Content-Length', () => post(['Transfer-Encoding: identity', length], kBody)],
    ['is chunked with a Content-Length', () => post([length, 'Transfer-Encoding: chunked'], chunks(kBody))],
    ['is chunked before a Content-Length', () => post(['Transfer-Encoding: chunked', length], chunks(kBody))],
    ['is chunked on HTTP/1.0', () => post(['Transfer-Encoding: chunked'], chunks(kBody), { version: '1.0' })],
    ['has a space before the colon', () => post(['Transfer-Encoding : chunked', length], kBody)],
    ['has a vertical tab before its value', () => post(['Transfer-Encoding: \x0bchunked'], chunks(kBody))],
    ['has a parameter', () => post(['Transfer-Encoding: chunked;q=1'], chunks(kBody))],
    ['is quoted', () => post(['Transfer-Encoding: "chunked"'], chunks(kBody))],
    ['is empty', () => post(['Transfer-Encoding:', length], kBody)],
    ['comes with a GET', () => get('/healthz', [host(), 'Transfer-Encoding: xchunked'])],
  ]);
});

describe('Content-Length is refused when it', () => {
  cases([
    ['differs in two lines', () => post([length, 'Content-Length: 5'], kBody)],
    ['differs in one line', () => post([`Content-Length: ${kBody.length}, 5`], kBody)],
    ['has a sign', () => post([`Content-Length: +${kBody.length}`], kBody)],
    ['is negative', () => post(['Content-Length: -1'], kBody)],
    ['is hexadecimal', () => post(['Content-Length: 0x1a'], kBody)],
    ['has a space inside', () => post(['Content-Length: 2 6'], kBody)],
    ['is empty', () => post(['Content-Length:'], kBody)],
    ['is no number', () => post(['Content-Length: many'], kBody)],
    ['overflows', () => post(['Content-Length: 18446744073709551642'], kBody), [400, 413]],
    ['has a space before the colon', () => post([`Content-Length : ${kBody.length}`], kBody)],
  ]);
});

describe('chunks are refused when', () => {
  const bad = (body) => () => post(['Transfer-Encoding: chunked'], body);
  cases([
    ['a size is hexadecimal with a prefix', bad(`0x1a\r\n${kBody}\r\n0\r\n\r\n`)],
    ['a size is negative', bad(`-1\r\n${kBody}\r\n0\r\n\r\n`)],
    ['a size overflows', bad(`10000000000000001a\r\n${kBody}\r\n0\r\n\r\n`), [400, 413]],
    ['a size is missing', bad(`\r\n${kBody}\r\n0\r\n\r\n`)],
    ['a size is no number', bad(`zz\r\n${kBody}\r\n0\r\n\r\n`)],
    ['the data is longer than it says', bad(`5\r\n${kBody}\r\n0\r\n\r\n`)],
    ['a line ends in a bare LF', bad(`1a\n${kBody}\r\n0\r\n\r\n`)],
  ]);
});

describe('the head is refused when', () => {
  cases([
    ['a field is folded', () => get('/healthz', [host(), 'X-Long: one', ' two'])],
    ['the Transfer-Encoding is folded', () => post(['Transfer-Encoding:', ' chunked'], chunks(kBody))],
    ['the first field is folded', () => get('/healthz', [' X: y', host()])],
    ['Host is missing', () => get('/healthz')],
    ['Host is missing with a body', () => post([length], kBody, { hostLine: null })],
    ['Host comes twice', () => get('/healthz', [host(), host()])],
    ['Host comes twice and differs', () => get('/healthz', [host(), 'Host: evil.example'])],
    ['Host is empty', () => get('/healthz', ['Host:']), [400, 421]],
    ['Host holds a path', () => get('/healthz', [`${host()}/x`]), [400, 421]],
    ['Host holds a user', () => get('/healthz', [`Host: a@127.0.0.1:${port()}`]), [400, 421]],
    ['lines end in a bare LF', () => `GET /healthz HTTP/1.1\n${host()}\n\n`],
    ['one line ends in a bare LF', () => `GET /healthz HTTP/1.1\r\nX: y\n${host()}\r\n\r\n`],
    ['a bare CR is in a value', () => get('/healthz', [host(), 'X: a\rTransfer-Encoding: chunked'])],
    ['NUL is in a value', () => get('/healthz', [host(), 'X: a\0b'])],
    ['NUL is in a name', () => get('/healthz', [host(), 'X\0Y: b'])],
    ['NUL is in the target', () => get('/healthz\0', [host()])],
    ['a name holds a space', () => get('/healthz', [host(), 'X Y: z'])],
    ['a line has no colon', () => get('/healthz', [host(), 'nonsense'])],
    ['a name is empty', () => get('/healthz', [host(), ': z'])],
    ['the target is absolute', () => get(`http://127.0.0.1:${port()}/healthz`, [host()])],
    ['the target is absolute and elsewhere', () => get('http://evil.example/healthz', [host()])],
    ['the target is an authority', () => get('evil.example:80', [host()], { method: 'CONNECT' }), [400, 405, 501]],
    ['the target has no slash', () => get('healthz', [host()])],
    ['the method is unknown', () => get('/healthz', [host()], { method: 'SMUGGLE' }), [400, 405, 501]],
    ['the method is in lower case', () => get('/healthz', [host()], { method: 'get' }), [400, 405, 501]],
    ['the version is unknown', () => get('/healthz', [host()], { version: 'HTTP/9.9' }), [400, 505]],
    ['there is no version', () => 'GET /healthz\r\n\r\n', [400, 'closed']],
    ['it is HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505, 'closed']],
    ['it is TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400, 'closed']],
    ['a field is endless', () => get('/healthz', [host(), `X: ${'y'.repeat(200_000)}`]), [400, 431]],
    ['there are fields without end', () => get('/healthz', [host(), ...Array.from({ length: 20_000 }, (_, i) => `X-${i}: y`)]), [400, 431]],
    ['the target is endless', () => get(`/${'y'.repeat(200_000)}`, [host()]), [400, 414, 431]],
  ]);
});

describe('what is pipelined', () => {
  it('behind a body that is too large is not answered', () => refused(post(['Content-Length: 100000000'], ''), [413]));

  it('is answered in order when it is valid', async () => {
    const two = get('/healthz', [host()]) + get('/api/status', [host()]) + get('/v1/nothing', [host(), auth()]);
    const { responses } = await exchange(port(), two, { expect: 3 });
    assert.deepEqual(responses.map((one) => one.status), [200, 200, 404]);
    assert.equal(responses[1].json.setup_required, false);
  });

  it('is answered in order behind bodies, counted and chunked', async () => {
    const bytes = post([length], kBody) + get('/healthz', [host()]) + post(['Transfer-Encoding: chunked'], chunks(kBody.slice(0, 7), kBody.slice(7)))
      + get('/api/status', [host(), 'Connection: close']);
    const { responses, closed } = await exchange(port(), bytes);
    assert.equal(responses.length, 4, `${responses.map((one) => one.status)}`);
    assert.deepEqual([responses[0].json.object, responses[2].json.object], ['conversation', 'conversation']);
    assert.equal(responses[1].status, 200);
    assert.equal(responses[3].json.setup_required, false);
    assert.ok(closed, 'Connection: close is honoured');
  });

  it('is answered in order when it arrives byte by byte', async () => {
    const bytes = post(['Transfer-Encoding: chunked'], chunks(kBody)) + get('/healthz', [host()]);
    const { responses } = await exchange(port(), [...bytes], { expect: 2 });
    assert.deepEqual(responses.map((one) => one.status >= 200 && one.status < 300), [true, true]);
  });

  it('behind a request that is only wrong in its JSON is answered', async () => {
    const bytes = post(['Content-Length: 1'], '{') + get('/healthz', [host()]);
    const { responses, closed } = await exchange(port(), bytes, { expect: 2 });
    assert.equal(responses[0].status, 400);
    // Closing is allowed too; answering the second request with anything but its own answer is not.
    if (responses.length > 1) assert.equal(responses[1].status, 200);
    else assert.ok(closed);
  });

  it('is answered when the coding is written in capitals', async () => {
    const { responses } = await exchange(port(), post(['Transfer-Encoding: Chunked'], chunks(kBody)), { expect: 1 });
    assert.ok([200, 201, 400].includes(responses[0]?.status), `${responses[0]?.status}`);
  });
});

describe('slow and idle clients', { concurrency: true }, () => {
  it('are let go when their head does not end', { timeout: 60_000 }, async () => {
    const head = get('/healthz', [host(), `X: ${'y'.repeat(200)}`]);
    const { closed, ms, answer } = await trickle(head);
    assert.ok(closed && ms < 30_000, `a head that comes a byte at a time is still read after ${Math.round(ms)} ms`);
    assert.ok(answer === '' || /^HTTP\/1\.1 4(00|08)/.test(answer), answer);
  });

  it('are let go when their body stops', { timeout: 60_000 }, async () => {
    const { closed, ms } = await trickle('', post(['Content-Length: 1000'], '{'));
    assert.ok(closed && ms < 45_000, `a body that stopped is still awaited after ${Math.round(ms)} ms`);
  });

  /** Sends `first` at once and then a byte of `rest` every 250 ms, until the server closes. */
  async function trickle(rest, first = '') {
    const socket = net.connect(port(), '127.0.0.1');
    let answer = '';
    socket.on('error', () => {}).setEncoding('latin1').on('data', (text) => { answer += text; });
    await once(socket, 'connect');
    const begin = performance.now();
    socket.write(first);
    let at = 0;
    const timer = setInterval(() => { if (at < rest.length && socket.writable) socket.write(rest[at++]); }, 250);
    const late = setTimeout(() => socket.destroy(new Error('late')), 50_000);
    await new Promise((resolve) => { socket.once('close', resolve); });
    clearInterval(timer);
    clearTimeout(late);
    const ms = performance.now() - begin;
    return { closed: ms < 49_000, ms, answer };
  }

  it('do not keep the others waiting', async () => {
    const heads = [`POST /v1/conversations HTTP/1.1\r\n${host()}\r\n`, post(['Content-Length: 1000'], '{'), 'G', ''];
    const sockets = await Promise.all(Array.from({ length: 120 }, async (_, i) => {
      const socket = net.connect(port(), '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(heads[i % heads.length]);
      return socket;
    }));
    try {
      const begin = performance.now();
      for (let i = 0; i < 20; i += 1) assert.equal((await request(fixture.confab, 'GET', '/healthz')).status, 200);
      assert.ok(performance.now() - begin < 3_000, 'twenty answers in under three seconds');
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});

describe('HEAD', () => {
  it('of an event stream has no body, and the connection ends with it', async () => {
    const made = await request(fixture.confab, 'POST', '/v1/responses', {
      key: fixture.confab.key, json: { model: 'script-words-n3', input: 'x', background: true },
    });
    const id = made.json.id;
    const head = get(`/v1/responses/${id}?stream=true`, [host(), auth()], { method: 'HEAD' });
    const { closed, bytes } = await exchange(port(), head + smuggled());
    const text = bytes.toString('latin1');
    assert.ok(closed, 'the connection stays open');
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.equal(text.indexOf('\r\n\r\n'), text.length - 4, 'something follows the head');
  });
});
