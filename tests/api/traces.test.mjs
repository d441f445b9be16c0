// Traces by OTLP/HTTP to a collector with real sockets: a span for each request, one for each turn with its phases, no content, nothing
// when it is off, and nobody waits for a collector that is slow.

import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { useConfab } from '../support/confab.mjs';
import { request } from '../support/http.mjs';
import { poll } from '../support/events.mjs';

const kSecret = 'canary-4c1e-words-of-somebody';
const kTrace = '0af7651916cd43dd8448eb211c80319c';
const kParent = 'b7ad6b7169203331';
const traceparent = (flags = '01', trace = kTrace) => `00-${trace}-${kParent}-${flags}`;

/** A collector: keeps what it gets; `hold` makes it slow, `status` is its answer. */
async function startCollector() {
  const collector = { bodies: [], status: 200, hold: null, open: 0, most: 0 };
  const server = http.createServer(async (req, res) => {
    const parts = [];
    for await (const part of req) parts.push(part);
    collector.bodies.push({ url: req.url, method: req.method, type: req.headers['content-type'], text: Buffer.concat(parts).toString() });
    collector.open += 1;
    collector.most = Math.max(collector.most, collector.open);
    await collector.hold;
    collector.open -= 1;
    res.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  collector.url = `http://127.0.0.1:${server.address().port}`;
  collector.close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  collector.spans = () => collector.bodies.flatMap(({ text }) => JSON.parse(text).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
  return collector;
}

const attribute = (span, key) => {
  const found = span.attributes.find((one) => one.key === key)?.value;
  return found && (found.stringValue ?? Number(found.intValue));
};
const nanoseconds = (span) => [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];

/** So many requests on one connection, without waiting in between: the cheapest there are. */
async function pipeline(confab, count) {
  const socket = net.connect(confab.port, '127.0.0.1');
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(count));
  let answered = 0;
  for await (const piece of socket) {
    answered += piece.toString('latin1').split('{"status":"ok"}').length - 1;
    if (answered >= count - 5) break;  // one may be cut in two
  }
  socket.destroy();
}

async function metric(confab, name) {
  const { text } = await request(confab, 'GET', '/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)[1]);
}

const collector = await startCollector();
after(() => collector.close());

describe('traces', () => {
  const fixture = useConfab({ args: ['--otlp-endpoint', collector.url, '--trace-percent', '100'] });

  const spansOf = (trace, count) => poll(() => collector.spans().filter((span) => span.traceId === trace), (spans) => spans.length >= count);
  const post = (path, json, headers = {}) => request(fixture.confab, 'POST', path, { key: fixture.confab.key, json, headers });

  it('hold a span for the request and one for the turn with its phases', async () => {
    const trace = kTrace.replace(/^0/, '1');
    const { id: conversation } = await fixture.client.conversations.create();
    await fixture.client.responses.create({ model: 'script-echo', input: kSecret, conversation });
    const begun = BigInt(Date.now()) * 1_000_000n;
    const res = await post('/v1/responses', { model: 'script-words-n5-i20-d100', input: kSecret, conversation, instructions: kSecret }, { traceparent: traceparent('01', trace) });
    const ended = BigInt(Date.now()) * 1_000_000n;
    assert.equal(res.status, 200, res.text);
    const spans = await spansOf(trace, 8);
    const named = (name) => spans.find((span) => span.name === name) ?? assert.fail(`no span ${name} among ${spans.map((span) => span.name)}`);
    const root = named('/v1/responses');
    assert.equal(root.parentSpanId, kParent, 'beneath the caller');
    assert.equal(root.kind, 2);
    assert.equal(attribute(root, 'http.request.method'), 'POST');
    assert.equal(attribute(root, 'http.response.status_code'), 200);
    assert.equal(attribute(root, 'confab.request_id'), res.headers['x-request-id']);
    const turn = named('turn');
    assert.equal(turn.parentSpanId, root.spanId);
    assert.equal(attribute(turn, 'confab.response_id'), res.json.id);
    assert.equal(attribute(turn, 'confab.status'), 'completed');
    assert.ok(attribute(turn, 'gen_ai.usage.output_tokens') > 0);
    const phases = ['begin_run', 'queue', 'connect', 'first_token', 'stream', 'finish'].map(named);
    for (const span of phases) {
      assert.equal(span.parentSpanId, turn.spanId, span.name);
      const [from, to] = nanoseconds(span);
      assert.ok(from <= to, span.name);
    }
    for (let i = 1; i < phases.length; i += 1) {
      assert.ok(nanoseconds(phases[i])[0] + 5_000_000n >= nanoseconds(phases[i - 1])[1], `${phases[i].name} comes after ${phases[i - 1].name}`);
    }
    const lasted = (span) => Number(nanoseconds(span)[1] - nanoseconds(span)[0]) / 1e6;
    assert.ok(lasted(named('first_token')) >= 90, 'the model server waits 100 ms');
    assert.ok(lasted(named('stream')) >= 60, 'and 20 ms between two of five words');
    assert.ok(nanoseconds(root)[0] >= begun - 50_000_000n && nanoseconds(root)[1] <= ended + 50_000_000n, 'in the time of this machine');
  });

  it('are JSON as OTLP wants it, without a word of anybody', async () => {
    await poll(() => collector.bodies.length, (count) => count > 0);
    for (const { url, method, type, text } of collector.bodies) {
      assert.deepEqual({ url, method, type }, { url: '/v1/traces', method: 'POST', type: 'application/json' });
      assert.ok(!text.includes(kSecret), 'content in a trace');
      const { attributes } = JSON.parse(text).resourceSpans[0].resource;
      assert.equal(attributes.find(({ key }) => key === 'service.name').value.stringValue, 'confab');
    }
    for (const span of collector.spans()) {
      assert.match(span.traceId, /^[0-9a-f]{32}$/);
      assert.match(span.spanId, /^[0-9a-f]{16}$/);
    }
  });

  it('go on in the model server', async () => {
    const trace = kTrace.replace(/^0/, '2');
    const seen = async (path, json) => {
      await post(path, json, { traceparent: traceparent('01', trace) });
      return fixture.model.requests.at(-1).headers.traceparent;
    };
    const messages = [{ role: 'user', content: 'x' }];
    const ofTurn = await seen('/v1/responses', { model: 'script-echo', input: 'x' });
    const ofRelay = await seen('/v1/chat/completions', { model: 'script-echo', messages });
    const ofStream = await seen('/v1/chat/completions', { model: 'script-echo', messages, stream: true });
    for (const header of [ofTurn, ofRelay, ofStream]) assert.match(header, new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    const spans = await spansOf(trace, 10);
    assert.equal(spans.find((span) => span.name === 'turn').spanId, ofTurn.split('-')[2], 'the turn is the parent');
    const requests = spans.filter((span) => span.name === '/v1/chat/completions').map((span) => span.spanId);
    assert.deepEqual(requests.sort(), [ofRelay, ofStream].map((header) => header.split('-')[2]).sort());
  });

  it('follow the caller’s decision, and begin anew when there is none or it is malformed', async () => {
    const trace = kTrace.replace(/^0/, '3');
    await post('/v1/responses', { model: 'script-echo', input: 'x' }, { traceparent: traceparent('00', trace) });
    assert.match(fixture.model.requests.at(-1).headers.traceparent, new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`), 'passed on all the same');
    const bad = await post('/v1/responses', { model: 'script-echo', input: 'x' }, { traceparent: traceparent().toUpperCase() });
    const found = await poll(() => collector.spans().find((span) => attribute(span, 'confab.request_id') === bad.headers['x-request-id']), Boolean);
    assert.equal(found.parentSpanId, undefined);
    assert.deepEqual(collector.spans().filter((span) => span.traceId === trace), []);
  });

  it('say what failed', async () => {
    const trace = kTrace.replace(/^0/, '4');
    await post('/v1/responses', { model: 'script-error-401', input: 'x' }, { traceparent: traceparent('01', trace) });
    const spans = await spansOf(trace, 7);
    const status = (name) => spans.find((span) => span.name === name)?.status?.code;
    assert.equal(status('turn'), 2);
    assert.equal(status('first_token'), 2, 'it failed while the first token was awaited');
    assert.equal(status('queue'), undefined);
    assert.equal(spans.find((span) => span.name === 'stream'), undefined, 'what never began is not told');
  });

  it('are lost and counted when the collector is slow, and nobody waits', async () => {
    const { confab } = fixture;
    let release;
    const before = await metric(confab, 'confab_trace_spans_dropped_total');
    collector.hold = new Promise((resolve) => { release = resolve; });
    const sent = collector.bodies.length;
    await request(confab, 'GET', '/healthz');
    await poll(() => collector.bodies.length, (count) => count > sent);
    try {
      await pipeline(confab, 2_300);
      const [depth, dropped] = [await metric(confab, 'confab_trace_queue_depth'), await metric(confab, 'confab_trace_spans_dropped_total')];
      // On a machine that is busy the batch that is held may be given up meanwhile, after 10 s; then the next one is sent.
      assert.ok(depth <= 2_048 && depth >= 1_024, `${depth} wait`);
      assert.ok(dropped - before >= 200, `${dropped - before} were dropped`);
      assert.equal(collector.most, 1, 'one batch at a time');
    } finally {
      release();
      collector.hold = null;
    }
    await poll(() => metric(confab, 'confab_trace_queue_depth'), (depth) => depth < 100, { withinMs: 30_000 });
  });

  it('are lost and counted when the collector refuses', async () => {
    const exported = await metric(fixture.confab, 'confab_trace_spans_exported_total');
    await poll(() => metric(fixture.confab, 'confab_trace_spans_exported_total'), (now) => now > exported, { withinMs: 30_000 });
    collector.status = 503;
    const before = await metric(fixture.confab, 'confab_trace_spans_dropped_total');
    await poll(() => metric(fixture.confab, 'confab_trace_spans_dropped_total'), (dropped) => dropped > before);
    collector.status = 200;
    await poll(() => fixture.confab.log, (log) => /traces_not_taken status=503/.test(log));
  });

  it('that are left are sent when the server stops', async () => {
    const { headers } = await request(fixture.confab, 'GET', '/readyz');
    await fixture.confab.stop();
    assert.ok(collector.spans().some((span) => attribute(span, 'confab.request_id') === headers['x-request-id']));
    await fixture.confab.boot();
  });
});

describe('without a collector', () => {
  const fixture = useConfab();

  it('nothing is traced, and a caller’s traceparent goes nowhere', async () => {
    const sent = collector.bodies.length;
    await request(fixture.confab, 'POST', '/v1/responses', { key: fixture.confab.key, json: { model: 'script-echo', input: 'x' }, headers: { traceparent: traceparent() } });
    assert.equal(fixture.model.requests.at(-1).headers.traceparent, undefined);
    assert.equal(await metric(fixture.confab, 'confab_trace_queue_depth'), 0);
    assert.equal(collector.bodies.length, sent);
  });

  it('an address that is none is refused', async () => {
    await assert.rejects(fixture.confab.bareCommand(['serve', '--otlp-endpoint', 'collector', '--data-dir', '/nonexistent']), /otlp_endpoint is a URL/);
    await assert.rejects(fixture.confab.bareCommand(['serve', '--trace-percent', '101', '--data-dir', '/nonexistent']), /trace_percent must be at most 100/);
  });
});
