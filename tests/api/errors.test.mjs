// Bad input and bad upstreams: 4xx in the standard envelope that names the field, a clear message, and a server that goes on.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, request } from '../support/http.mjs';
import { exchange } from '../support/raw.mjs';

const fixture = useConfab();
const api = (method, path, options = {}) => caller(fixture.confab, { key: fixture.confab.key })(method, path, options);
const kNoId = '00000000000000000000000000';

describe('the official client', () => {
  it('raises its own classes', async () => {
    const stranger = fixture.confab.client({ apiKey: 'sk-wrong' });
    const denied = await stranger.models.list().catch((thrown) => thrown);
    assert.ok(denied instanceof AuthenticationError, `${denied}`);
    assert.deepEqual([denied.status, denied.code, denied.type], [401, 'invalid_api_key', 'authentication_error']);
    assert.match(denied.requestID, /^req_/);
    for (const missing of [
      () => fixture.client.responses.retrieve(`resp_${kNoId}`), () => fixture.client.responses.retrieve('nonsense'),
      () => fixture.client.conversations.retrieve(`conv_${kNoId}`), () => fixture.client.models.retrieve('no-such-model'),
    ]) {
      const error = await missing().catch((thrown) => thrown);
      assert.ok(error instanceof NotFoundError, `${error}`);
      assert.equal(error.type, 'not_found_error');
    }
    const bad = await fixture.client.responses.create({ model: 'script-echo', input: 'x', temperature: 'hot' }).catch((thrown) => thrown);
    assert.ok(bad instanceof BadRequestError, `${bad}`);
    assert.equal(bad.param, 'temperature');
  });
});

describe('a body of the wrong shape', () => {
  it('is named by its field', async () => {
    const cases = [
      ['/v1/responses', { model: 7, input: 'x' }, 'model'],
      ['/v1/responses', { input: 'x' }, 'model'],
      ['/v1/responses', { model: 'script-echo', input: 5 }, /^input/],
      ['/v1/responses', { model: 'script-echo', input: [5] }, /^input/],
      ['/v1/responses', { model: 'script-echo', input: [{ role: 'wizard', content: 'x' }] }, /^input/],
      ['/v1/responses', { model: 'script-echo', input: [{ role: 'user', content: 5 }] }, /^input/],
      ['/v1/responses', { model: 'script-echo', input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 5 }] }] }, /^input/],
      ['/v1/responses', { model: 'script-echo' }, 'input'],
      ['/v1/responses', { model: 'script-echo', input: 'x', stream: 'yes' }, 'stream'],
      ['/v1/responses', { model: 'script-echo', input: 'x', background: 1 }, 'background'],
      ['/v1/responses', { model: 'script-echo', input: 'x', store: 'no' }, 'store'],
      ['/v1/responses', { model: 'script-echo', input: 'x', metadata: [] }, /^metadata/],
      ['/v1/responses', { model: 'script-echo', input: 'x', metadata: { a: 1 } }, /^metadata/],
      ['/v1/responses', { model: 'script-echo', input: 'x', instructions: 4 }, 'instructions'],
      ['/v1/responses', { model: 'script-echo', input: 'x', conversation: 3 }, /^conversation/],
      ['/v1/responses', { model: 'script-echo', input: 'x', previous_response_id: {} }, 'previous_response_id'],
      ['/v1/responses', { model: 'script-echo', input: 'x', max_output_tokens: 'many' }, 'max_output_tokens'],
      ['/v1/responses', { model: 'script-echo', input: 'x', max_output_tokens: -1 }, 'max_output_tokens'],
      ['/v1/responses', { model: 'script-echo', input: 'x', temperature: 3 }, 'temperature'],
      ['/v1/responses', { model: 'script-echo', input: 'x', background: true, store: false }, /^(background|store)$/],
      ['/v1/chat/completions', { messages: [] }, 'model'],
      ['/v1/chat/completions', { model: 5, messages: [] }, 'model'],
      ['/v1/conversations', { items: 'x' }, /^items/],
      ['/v1/conversations', { items: [{ type: 'message' }] }, /^items/],
      ['/v1/conversations', { metadata: 'x' }, /^metadata/],
      ['/v1/conversations', { title: 5 }, 'title'],
    ];
    const wrong = [];
    for (const [path, json, param] of cases) {
      const res = await api('POST', path, { json });
      try {
        assertEnvelope(res, 400, { param });
      } catch (error) {
        wrong.push(`POST ${path} ${JSON.stringify(json)}: ${error.message.slice(0, 200)}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('is refused for items and updates of a conversation', async () => {
    const { json: { id } } = await api('POST', '/v1/conversations', { json: {} });
    assertEnvelope(await api('POST', `/v1/conversations/${id}/items`, { json: {} }), 400, { param: 'items' });
    assertEnvelope(await api('POST', `/v1/conversations/${id}/items`, { json: { items: [{ role: 'user', content: {} }] } }), 400, { param: /^items/ });
    assertEnvelope(await api('POST', `/v1/conversations/${id}`, { json: {} }), 400, { param: 'metadata' });
    assertEnvelope(await api('PATCH', `/api/conversations/${id}`, { json: { pinned: 'yes' } }), 400, { param: 'pinned' });
    assertEnvelope(await api('PATCH', `/api/conversations/${id}`, { json: { title: 5 } }), 400, { param: 'title' });
    assert.equal((await api('GET', `/v1/conversations/${id}/items`)).json.data.length, 0, 'nothing of it was stored');
  });

  it('is refused when it is not JSON or not an object', async () => {
    for (const body of ['', '{', '{"model":', 'null', '[]', '"x"', '5', '{"a":1}x', '\u0000', '{"model":"script-echo",}', "{'a':1}"]) {
      const res = await api('POST', '/v1/responses', { body, headers: { 'content-type': 'application/json' } });
      assertEnvelope(res, 400);
    }
    const invalid = Buffer.concat([Buffer.from('{"model":"script-echo","input":"'), Buffer.from([0xff, 0xfe, 0xc0, 0xaf]), Buffer.from('"}')]);
    assertEnvelope(await api('POST', '/v1/responses', { body: invalid, headers: { 'content-type': 'application/json' } }), 400);
  });

  it('does not shake the server when it is monstrous', async () => {
    const deep = '['.repeat(100_000);
    const monsters = [
      deep, `{"model":"script-echo","input":${deep}${']'.repeat(100_000)}}`, '{"model":"script-echo","input":"a","input":"b"}',
      '{"model":"script-echo","input":"x","temperature":1e999}', '{"model":"script-echo","input":"\\ud800"}',
      '{"model":"script-echo","input":"x","max_output_tokens":-9223372036854775809}',
      '{"model":"script-echo","input":"x","max_output_tokens":123456789012345678901234567890}',
      `{"model":"script-echo","input":"x","temperature":${'1'.repeat(10_000)}}`, `{"model":"${'m'.repeat(1_000_000)}","input":"x"}`,
    ];
    for (const body of monsters) {
      for (const path of ['/v1/responses', '/v1/chat/completions']) {
        const res = await api('POST', path, { body, headers: { 'content-type': 'application/json' } });
        assert.ok(res.status < 500 || res.json?.error, `${body.slice(0, 80)} -> ${res.status} ${res.text.slice(0, 200)}`);
        assert.notEqual(res.status, 500, `${path} ${body.slice(0, 80)}`);
      }
    }
    assert.equal((await api('GET', '/healthz')).status, 200);
  });

  it('is refused when it is compressed or no JSON by its own word', async () => {
    const json = { model: 'script-echo', input: 'x' };
    const gzipped = { body: gzipSync(JSON.stringify(json)), headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } };
    for (const path of ['/v1/responses', '/v1/chat/completions', '/v1/conversations']) {
      assertEnvelope(await api('POST', path, gzipped), 415);
      const form = { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
      assertEnvelope(await api('POST', path, form), [400, 415]);
    }
  });

  it('is refused by its declared size, before it is sent', async () => {
    const head = `POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:${fixture.confab.port}\r\nAuthorization: Bearer ${fixture.confab.key}\r\n`
      + 'Content-Type: application/json\r\nContent-Length: 41943040\r\n\r\n';
    const { responses, closed } = await exchange(fixture.confab.port, head);
    assert.equal(responses.length, 1);
    assert.equal(responses[0].status, 413);
    assert.equal(responses[0].json.error.type, 'invalid_request_error');
    assert.ok(closed, 'the connection is closed, since its body will never be read');
  });

  it('is refused by its real size, when it declares none', async () => {
    const head = `POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:${fixture.confab.port}\r\nAuthorization: Bearer ${fixture.confab.key}\r\n`
      + 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    const mebibyte = `100000\r\n${'x'.repeat(1 << 20)}\r\n`;
    const { responses, closed } = await exchange(fixture.confab.port, [head, ...Array(40).fill(mebibyte)], { withinMs: 30_000 });
    assert.equal(responses[0]?.status, 413);
    assert.ok(closed);
  });
});

describe('a request that fits no route', () => {
  it('is 404 with an envelope', async () => {
    for (const path of ['/v1/nothing', '/v1', '/v1/', '/api/nothing', '/api/conversations/x/y/z/w', '/v1/responses/a/b', '/v1//models']) {
      assertEnvelope(await api('GET', path), 404);
    }
  });

  it('is 405 and says what is allowed', async () => {
    const cases = [
      ['DELETE', '/v1/models', /GET/], ['POST', '/v1/models', /GET/], ['PUT', '/v1/responses', /POST/], ['GET', '/v1/responses', /POST/],
      ['GET', '/v1/chat/completions', /POST/], ['PUT', '/v1/conversations', /GET.*POST|POST.*GET/], ['GET', '/api/auth/login', /POST/],
      ['PATCH', `/v1/responses/resp_${kNoId}`, /GET.*DELETE|DELETE.*GET/], ['POST', '/healthz', /GET/],
    ];
    for (const [method, path, allow] of cases) {
      const res = await api(method, path, method === 'GET' ? {} : { json: {} });
      assertEnvelope(res, 405);
      assert.match(res.headers.allow ?? '', allow, `${method} ${path}`);
    }
  });

  it('does not lead out of the tree', async () => {
    for (const path of ['/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc/passwd', '/assets/%2e%2e%5c%2e%2e%5cetc/passwd', '/assets/%c0%ae%c0%ae/x',
      '/%00', '/assets/%00.js', '/v1/conversations/%2e%2e/models', '/v1/conversations/%00', '/v1/responses/%ff%fe', '/%']) {
      const res = await api('GET', path);
      assert.ok(res.status < 500 && !res.text.includes('root:'), `${path} -> ${res.status}`);
      if (path.startsWith('/v1/')) assertEnvelope(res, [400, 404]);
    }
  });
});

describe('a bad cursor or limit', () => {
  it('is named', async () => {
    const { json: { id } } = await api('POST', '/v1/conversations', { json: {} });
    const { json: response } = await api('POST', '/v1/responses', { json: { model: 'script-echo', input: 'x' } });
    const lists = ['/v1/conversations', `/v1/conversations/${id}/items`, `/v1/responses/${response.id}/input_items`];
    for (const path of lists) {
      for (const limit of ['0', '-1', '101', 'x', '1.5', '99999999999999999999']) {
        assertEnvelope(await api('GET', `${path}?limit=${limit}`), 400, { param: 'limit' });
      }
      assertEnvelope(await api('GET', `${path}?order=sideways`), 400, { param: 'order' });
      for (const cursor of ['garbage', `msg_${kNoId}`, '%27%20OR%201=1', `conv_${kNoId}`, '%00']) {
        assertEnvelope(await api('GET', `${path}?after=${cursor}`), [400, 404], { param: 'after' });
      }
      assert.equal((await api('GET', `${path}?unknown=parameter`)).status, 200);
    }
  });
});

describe('an upstream that fails', () => {
  const ask = (model, extra = {}) => fixture.client.responses.create({ model, input: 'x', ...extra }).catch((thrown) => thrown);

  it('is reported with its own words, whether whole or streamed', async () => {
    const cases = [
      ['script-error-404', /does not exist/], ['script-nonsense', /does not exist/], ['script-error-429', /Rate limit/],
      ['script-error-500', /server had an error/], ['script-error-401', /Incorrect API key|refused|key/i], ['script-html', /./],
    ];
    for (const [model, message] of cases) {
      for (const stream of [false, true]) {
        const failure = await failureOf(await ask(model, { stream }));
        assert.match(failure.message, message, `${model} stream=${stream}`);
      }
    }
  });

  it('that does not know the model is 404 in a completion', async () => {
    const messages = [{ role: 'user', content: 'x' }];
    for (const stream of [false, true]) {
      const error = await fixture.client.chat.completions.create({ model: 'script-nonsense', messages, stream }).catch((thrown) => thrown);
      assert.ok(error instanceof NotFoundError, `${error}`);
      assert.equal(error.code, 'model_not_found');
    }
  });

  it('keeps its standard envelope in a completion', async () => {
    for (const status of [401, 429, 500]) {
      const res = await api('POST', '/v1/chat/completions', { json: { model: `script-error-${status}`, messages: [{ role: 'user', content: 'x' }] } });
      assert.ok(res.status >= 400, `${status} became ${res.status}`);
      assertEnvelope(res, res.status, { type: res.json?.error?.type });
    }
  });

  /** An upstream's failure comes as an HTTP error before the first byte, or as a failed response. Both carry words for people. */
  async function failureOf(outcome) {
    if (outcome instanceof APIError) {
      assert.ok(outcome.status >= 400, `${outcome}`);
      return { message: outcome.message };
    }
    let response = outcome;
    if (outcome[Symbol.asyncIterator]) {
      try {
        for await (const event of outcome) response = event.response ?? response;
      } catch (error) {
        assert.ok(error instanceof APIError && error.code, `${error}`);
        return { message: error.message };
      }
    }
    assert.equal(response.status, 'failed');
    return response.error;
  }
});
