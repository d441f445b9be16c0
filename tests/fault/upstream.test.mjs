// Model servers that misbehave (`support/chaos_faults.mjs`), each through /v1/responses and /v1/chat/completions: nothing hangs, what was
// said before is kept, programs get a code and people a sentence, the key stays where it belongs. Floods, whose point is memory, are in
// `flood.test.mjs`.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { Confab } from '../support/confab.mjs';
import { makeCertificate, startChaosServer } from '../support/chaos_server.mjs';
import { kOddNames, kWordsBefore, recordingPath } from '../support/chaos_faults.mjs';
import { chaosConfig, chatStream, kUpstreamKey, stopAndCheck } from '../support/chaos_client.mjs';
import { checkEvents, outputText, poll } from '../support/events.mjs';
import { assertEnvelope, request, streamedEvents } from '../support/http.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { startAnswer } from '../support/viewer.mjs';

const kBefore = wordsText(kWordsBefore);
const kTogether = { concurrency: 4 };

const fixture = {};
const certificate = makeCertificate();
const noCertificate = certificate ? false : 'there is no openssl on this machine to make a certificate with';

before(async () => {
  fixture.second = await startChaosServer({ behave: (talk) => talk.json(200, {}) });
  fixture.chaos = await startChaosServer({ redirectTo: fixture.second.url });
  if (certificate) fixture.tls = await startChaosServer({ certificate });
  const { chaos, tls } = fixture;
  fixture.confab = await Confab.start({
    args: ['--config', await chaosConfig({
      'chaos-*': chaos.baseURL,
      'golden-*': chaos.baseURL,
      'selfsigned-*': `https://127.0.0.1:${tls?.port ?? 1}/v1`,
      'tlsonly-*': `http://127.0.0.1:${tls?.port ?? 1}/v1`,
      'plainonly-*': `https://127.0.0.1:${chaos.port}/v1`,
      'closed-*': 'http://127.0.0.1:1/v1',
    })],
  });
  // The first question looks at all servers.
  await request(fixture.confab, 'GET', '/v1/models', { key: fixture.confab.key });
});

after(async () => {
  try {
    await fixture.confab?.dispose();
    if (fixture.confab) assert.ok(!fixture.confab.log.includes(kUpstreamKey), 'the key of a model server is in the log');
  } finally {
    for (const server of [fixture.second, fixture.chaos, fixture.tls]) await server?.close();
  }
});

/** Nobody may be left guessing: the answer has failed, with a code, a sentence, and what was said before. */
async function checkResponses(model, { text = '', code, message, status = 502 }) {
  const { confab } = fixture;
  const events = await streamedEvents(confab, confab.key, { model, input: 'go', background: true });
  const { response } = checkEvents(events);
  assert.equal(response.status, 'failed');
  assert.equal(outputText(response), text, 'what was said before is kept');
  assert.match(response.error.code, code);
  assert.match(response.error.message, message);
  assert.ok(!JSON.stringify(events).includes(kUpstreamKey), 'the key of a model server is shown');
  const { json: stored } = await request(confab, 'GET', `/v1/responses/${response.id}`, { key: confab.key });
  assert.deepEqual(stored.output, response.output, 'and it is stored');
  assert.deepEqual(stored.error, response.error);
  const whole = await request(confab, 'POST', '/v1/responses', { key: confab.key, json: { model, input: 'go' } });
  if (text) {
    assert.equal(whole.status, 200, whole.text);
    assert.equal(whole.json.status, 'failed');
    assert.equal(outputText(whole.json), text);
  } else {
    assertEnvelope(whole, status, { code, type: { 429: 'rate_limit_error', 404: 'not_found_error', 502: 'server_error', 504: 'server_error' }[status] });
    assert.match(whole.json.error.message, message);
  }
}

/** Passed on: either refused, or what came before and then an error; never an end as if all were well. */
async function checkChat(model, { text = '', status = 502, code, retryAfter }) {
  const { confab } = fixture;
  const { res, deltas, error, done, odd } = await chatStream(confab, model);
  assert.ok(!res.text.includes(kUpstreamKey), 'the key of a model server is shown');
  if (res.status !== 200) {
    assertEnvelope(res, status);
    assert.match(String(res.json.error.code), code);
    assert.equal(res.headers['retry-after'], retryAfter);
    assert.equal(text, '');
    return;
  }
  assert.ok(error, `the client is told that all is well${done ? ', [DONE]' : ''}: ${res.text.slice(-200)}`);
  assert.deepEqual(odd, [], 'what is no JSON is passed on');
  assert.equal(deltas.slice(0, text.length), text);
  assert.equal(error.type, 'server_error');
  assert.ok(error.message);
}

/** In one piece there is nothing to keep: an error, with a status that says so. */
async function checkDocument(model, { status = 502 }) {
  const { confab } = fixture;
  const res = await request(confab, 'POST', '/v1/chat/completions', { key: confab.key, json: { model, messages: [{ role: 'user', content: 'go' }] } });
  assertEnvelope(res, status);
  assert.ok(res.json.error.code, 'no code');
  assert.ok(!res.text.includes(kUpstreamKey), 'the key of a model server is shown');
}


/** name -> what the answer says: {text, code, message, status, retryAfter} */
const kCases = {
  'reset-at-once': { code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'close-at-once': { code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'close-in-head': { code: /^(empty_answer|upstream_disconnected)$/, message: /model server/ },
  'reset-after-words': { text: kBefore, code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'close-after-words': { text: kBefore, code: /./, message: /broke off/ },
  'reset-in-character': { text: kBefore, code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'close-in-character': { text: kBefore, code: /./, message: /broke off/ },
  'close-in-chunk': { text: kBefore, code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'chunk-size-wrong': { code: /^upstream_/, message: /model server/ },
  'length-wrong': { text: kBefore, code: /^upstream_disconnected$/, message: /connection to the model server broke/ },
  'page-200': { code: /^not_an_api$/, message: /web page: 502 Bad Gateway/ },
  'page-as-events': { code: /^not_an_api$/, message: /web page/ },
  'text-200': { code: /./, message: /model server/ },
  'empty-200': { code: /^empty_answer$/, message: /without saying anything/ },
  'empty-204': { code: /^empty_answer$/, message: /without saying anything/ },
  'json-empty': { code: /./, message: /no chat completion/ },
  'json-broken': { code: /./, message: /broke off|not valid JSON/ },
  'json-error-200': { code: /^cuda_oom$/, message: /Out of memory on device 0/ },
  'gzip-unasked': { code: /./, message: /model server/ },
  garbage: { code: /^upstream_/, message: /model server/ },
  'other-protocol': { code: /^upstream_/, message: /model server/ },
  'http-0.9': { code: /^upstream_/, message: /model server/ },
  'no-delta-is-json': { text: kBefore, code: /./, message: /cannot be understood/ },
  'status-429': { status: 429, code: /^rate_limit_exceeded$/, message: /Rate limit reached/, retryAfter: '1' },
  'status-429-date': { status: 429, code: /./, message: /Slow down/, retryAfter: '86400' },
  'status-500': { code: /^upstream_error$/, message: /HTTP 500.*The engine crashed/ },
  'status-500-empty': { code: /^upstream_error$/, message: /500/ },
  'status-502-page': { code: /^upstream_error$/, message: /HTTP 502.*Bad Gateway/ },
  'status-503': { code: /^(upstream_error|model_loading)$/, message: /The model is loading/, retryAfter: '1' },
  'status-529': { code: /./, message: /Overloaded/ },
  'status-400': { status: 400, code: /^context_length_exceeded$/, message: /maximum context length/ },
  'status-401-echo': { code: /^upstream_refused_key$/, message: /administrator.*\[redacted\]/ },
  'status-403': { code: /^upstream_refused_key$/, message: /Country not supported/ },
  'status-404': { status: 404, code: /./, message: /model "nope" not found/ },
  'status-404-page': { status: 404, code: /./, message: /404 Not Found/ },
  'status-413': { status: 413, code: /./, message: /too large/ },
  'status-418': { code: /^upstream_error$/, message: /teapot/ },
  'status-422': { status: 422, code: /./, message: /field required/ },
  'status-500-echo': { code: /^upstream_error$/, message: /\[redacted\]/ },
};

describe('a model server that answers badly', kTogether, () => {
  for (const [name, expected] of Object.entries(kCases)) {
    it(`${name}: a failed answer`, { timeout: 60_000 }, () => checkResponses(`chaos-${name}`, expected));
    it(`${name}: passed on`, { timeout: 60_000 }, () => checkChat(`chaos-${name}`, expected));
    it(`${name}: passed on in one piece`, { timeout: 60_000 }, () => checkDocument(`chaos-${name}`, expected));
  }

  it('status-429: the answer that is not streamed says when to come again', { timeout: 60_000 }, async () => {
    const { confab } = fixture;
    const res = await request(confab, 'POST', '/v1/responses', { key: confab.key, json: { model: 'chaos-status-429', input: 'go' } });
    assert.equal(res.headers['retry-after'], '1');
  });
});

describe('a redirect', kTogether, () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`${status} is not followed, so the key goes nowhere`, { timeout: 60_000 }, async () => {
      const { confab, second } = fixture;
      await checkResponses(`chaos-redirect-${status}`, { code: /^(not_an_api|upstream_\w+)$/, message: /model server/ });
      await chatStream(confab, `chaos-redirect-${status}`);
      assert.equal(second.connections, 0, `the second server got ${JSON.stringify(second.requests.map(({ head }) => head))}`);
    });
  }

  it('is called what it is', { timeout: 60_000 }, () => checkResponses('chaos-redirect-307', { code: /./, message: /redirect/i }));

  it('is an error for chat completions', { timeout: 60_000 }, () => checkChat('chaos-redirect-307', { code: /./ }));
});

describe('a model server that is not to be reached', kTogether, () => {
  const kUnreachable = {
    'selfsigned-x': [{ code: /^upstream_tls$/, message: /secure connection.*certificate/ }, noCertificate],
    'tlsonly-x': [{ code: /^upstream_/, message: /model server/ }, noCertificate],
    'plainonly-x': [{ code: /^upstream_tls$/, message: /secure connection/ }, false],
    'closed-x': [{ code: /^upstream_unreachable$/, message: /cannot be reached/ }, false],
  };
  for (const [model, [expected, skip]] of Object.entries(kUnreachable)) {
    it(`${model}: a failed answer`, { skip, timeout: 120_000 }, () => checkResponses(model, expected));
    it(`${model}: passed on`, { skip, timeout: 120_000 }, () => checkChat(model, expected));
  }
});

// On programs of their own, for each of these may spoil what comes after it.
describe('a model server that is hard to connect to', () => {
  /** A program with one shard, so that each request finds what the one before left behind. */
  async function withServer(url, use) {
    const confab = await Confab.start({ args: ['--shards', '1', '--config', await chaosConfig({ 'hard-*': url, 'chaos-*': fixture.chaos.baseURL })] });
    try {
      await use(confab);
      for (let i = 0; i < 3; i += 1) {
        const events = await streamedEvents(confab, confab.key, { model: 'chaos-one-byte', input: 'go', background: true });
        assert.equal(events.at(-1).response.status, 'completed');
      }
      assert.ok(confab.alive, 'the program ended');
    } finally {
      await confab.dispose({ check: confab.alive });
    }
  }

  const failsWith = async (confab, code) => {
    const [events, { res }] = await Promise.all([
      streamedEvents(confab, confab.key, { model: 'hard-x', input: 'go', background: true }),
      chatStream(confab, 'hard-x'),
    ]);
    assert.match(events.at(-1).response.error.code, code);
    assert.match(events.at(-1).response.error.message, /model server/);
    assertEnvelope(res, [502, 504]);
    assert.match(res.json.error.code, code);
  };


  it('because its name is unknown', { timeout: 120_000 }, () => withServer('http://no-such-host.invalid/v1', async (confab) => {
    for (let i = 0; i < 3; i += 1) await failsWith(confab, /^upstream_(unreachable|timeout)$/);
  }));

  it('because it accepts and says no word of TLS: when stopped, and after 10 s', { timeout: 120_000 }, async () => {
    const sockets = new Set();
    const mute = net.createServer((socket) => sockets.add(socket.on('error', () => {})));
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    try {
      await withServer(`https://127.0.0.1:${mute.address().port}/v1`, async (confab) => {
        const answer = await startAnswer(confab, { model: 'hard-x', input: 'go' });
        await poll(() => sockets.size, (size) => size > 0);
        await request(confab, 'POST', `/v1/responses/${answer.id}/cancel`, { key: confab.key });
        assert.equal(await answer.ended, 'ended');
        assert.equal(answer.seen.parsed().at(-1).response.status, 'cancelled');
        await failsWith(confab, /^upstream_(unreachable|timeout)$/);
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      mute.close();
    }
  });
});

describe('a model server that falls silent', kTogether, () => {
  for (const name of ['stall', 'stall-in-event', 'only-comments', 'silent']) {
    it(`${name}: what it said is shown, and stop keeps it`, { timeout: 60_000 }, async () => {
      const said = name.startsWith('stall') ? kBefore : '';
      await stopAndCheck(fixture, `chaos-${name}`, { said });
    });
  }
});

describe('a model server that answers oddly, but answers', kTogether, () => {
  for (const name of [...kOddNames, 'no-stream-options']) {
    it(name, { timeout: 60_000 }, async () => {
      const { confab } = fixture;
      const { response } = checkEvents(await streamedEvents(confab, confab.key, { model: `chaos-${name}`, input: 'go', background: true }));
      assert.equal(response.status, 'completed');
      assert.equal(outputText(response), wordsText(20));
      const chat = await chatStream(confab, `chaos-${name}`);
      assert.equal(chat.error, undefined);
      assert.ok(chat.done, 'ends with [DONE]');
      assert.equal(chat.deltas, wordsText(20));
    });
  }
});

// ---- what real servers send: every row of the table of quirks ----

/** What `tests/golden/upstreams/NAME.expected` says, as a client of /v1/responses sees it. */
function expectationOf(file) {
  const lines = readFileSync(recordingPath(file.replace(/\.\w+$/, '.expected')), 'utf8').split('\n');
  const text = lines.map((line) => /^(?:text|refusal) (".*")$/.exec(line)?.[1]).filter(Boolean).map((json) => JSON.parse(json)).join('');
  const [, outcome, rest] = /^outcome (\w+) (.*)$/.exec(lines.find((line) => line.startsWith('outcome')));
  const [, input, output, total] = /^usage input=(\d+) cached=\d+ output=(\d+) reasoning=\d+ total=(\d+)/.exec(lines.find((line) => line.startsWith('usage')) ?? '') ?? [];
  const status = { stop: 'completed', tool_calls: 'completed', length: 'incomplete', content_filter: 'incomplete' }[outcome] ?? 'failed';
  const [, code, message] = /^code="(.*?)" message=(".*") raw=/.exec(rest) ?? [];
  return { text, outcome, status, code, message: message && JSON.parse(message), usage: total && { input: Number(input), output: Number(output), total: Number(total) } };
}

function textOfAnswer(response) {
  return response.output.filter((item) => item.type === 'message').flatMap((item) => item.content).map((part) => part.text ?? part.refusal ?? '').join('');
}

describe('a recording of a real server', kTogether, () => {
  const recordings = readdirSync(recordingPath('.')).filter((file) => !file.endsWith('.expected'));

  // The rows of the table of quirks: who sends them.
  const kSenders = [
    'openai', 'azure', 'vllm', 'llama_server', 'ollama', 'openrouter', 'groq', 'deepseek', 'moonshot', 'sglang', 'qwen', 'mistral', 'gemini',
    'perplexity', 'xai', 'lmstudio', 'gateway', 'nim',
  ];
  it('is there for every kind of server', () => {
    assert.deepEqual(kSenders.filter((name) => !recordings.some((file) => file.startsWith(`${name}_`))), []);
  });

  for (const file of recordings) {
    it(file, { timeout: 60_000 }, async () => {
      const expected = expectationOf(file);
      for (const cutting of ['bytes', 'pieces']) await checkRecording(`golden-${file}-${cutting}`, expected);
    });
  }

  async function checkRecording(model, expected) {
    const { confab } = fixture;
    const { response } = checkEvents(await streamedEvents(confab, confab.key, { model, input: 'go', background: true }));
    assert.equal(textOfAnswer(response), expected.text);
    assert.equal(response.status, expected.status);
    if (expected.status === 'failed') {
      if (/maximum context length/.test(expected.message)) { // said in words of ours, before the server's
        assert.equal(response.error.message, `The messages are longer than the model's context. The model server says: ${expected.message}`);
        assert.equal(response.error.code, 'context_length_exceeded');
      } else {
        assert.equal(response.error.message, expected.message);
        assert.equal(response.error.code, expected.code || 'server_error');
      }
    } else if (expected.usage) {
      const { input_tokens: input, output_tokens: output, total_tokens: total } = response.usage;
      assert.deepEqual({ input, output, total }, expected.usage);
    }
    if (expected.status === 'incomplete') assert.equal(response.incomplete_details.reason, expected.outcome === 'length' ? 'max_output_tokens' : 'content_filter');
    const chat = await chatStream(confab, model);
    assert.ok(!/^(event|id|retry):/m.test(chat.res.text), 'names of events are not passed on');
    assert.ok(chat.res.status >= 400 || chat.done || chat.error, `neither an end nor an error: ${chat.res.text.slice(-200)}`);
  }
});
