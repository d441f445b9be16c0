// /v1/models and /v1/chat/completions: what passes through must arrive as it came, in both directions.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { open, request } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { countText, kMarkdownText, kToolCall, kUtf8Text, wordsText } from '../support/model_scripts.mjs';
import { kListedModels } from '../support/model_server.mjs';

const fixture = useConfab();
const user = (content) => [{ role: 'user', content }];

function lastBody() {
  return fixture.model.requests.filter((seen) => seen.path === '/v1/chat/completions').at(-1).body;
}

describe('models', () => {
  it('lists what the upstream lists, with its owner and upstream', async () => {
    const page = await fixture.client.models.list();
    const ids = page.data.map((model) => model.id);
    for (const id of kListedModels) assert.ok(ids.includes(id), `${id} is not listed`);
    for (const model of page.data) {
      assert.equal(model.object, 'model');
      assert.equal(typeof model.created, 'number');
      assert.equal(typeof model.owned_by, 'string');
      assert.equal(typeof model.upstream, 'string');
    }
    assert.ok(!ids.includes('confab-demo'), 'the built-in model is only for a server without an upstream');
  });

  it('tells the default model and how the upstreams are', async () => {
    const { json } = await request(fixture.confab, 'GET', '/v1/models', { key: fixture.confab.key });
    assert.equal(json.object, 'list');
    assert.ok(kListedModels.includes(json.default_model), `default_model is ${json.default_model}`);
    assert.equal(json.upstreams.length, 1);
    const [upstream] = json.upstreams;
    assert.equal(upstream.base_url, fixture.model.baseURL);
    assert.equal(upstream.ok, true);
    assert.equal(upstream.error, null);
  });

  it('retrieves one', async () => {
    const model = await fixture.client.models.retrieve('script-echo');
    assert.equal(model.id, 'script-echo');
    assert.equal(model.object, 'model');
  });
});

describe('chat completions, whole', () => {
  it('answers', async () => {
    const answer = await fixture.client.chat.completions.create({ model: 'script-echo', messages: user('Good morning, Köln 😀') });
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.choices[0].message.content, 'Good morning, Köln 😀');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.equal(answer.usage.completion_tokens, 4);
    assert.match(answer._request_id, /^req_/);
  });

  it('tries a model that no upstream lists on the default one', async () => {
    const answer = await fixture.client.chat.completions.create({ model: 'script-words-n7', messages: user('x') });
    assert.equal(answer.choices[0].message.content, wordsText(7));
  });

  it('passes tools, images and unknown fields on as they came', async () => {
    const body = {
      model: 'script-tools',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', name: 'ann', content: [
          { type: 'text', text: 'What is this? "quoted" \\ \u0001 é 😀' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' } },
        ] },
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_a', type: 'function', function: { name: 'f', arguments: '{"a":1.0}' } }] },
        { role: 'tool', tool_call_id: 'call_a', content: 'forty-two' },
      ],
      tools: [{ type: 'function', function: { name: 'get_weather', description: 'd', strict: true, parameters: { type: 'object', properties: { city: { type: 'string' } } } } }],
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      parallel_tool_calls: false, temperature: 0.25, seed: 9007199254740991, logit_bias: { 50256: -100 }, stop: ['\n\n'],
      response_format: { type: 'json_schema', json_schema: { name: 's', schema: {} } }, metadata: { a: 'b' },
      some_field_of_tomorrow: { nested: [1, null, 'x'] },
    };
    const answer = await fixture.client.chat.completions.create(body);
    assert.deepEqual(lastBody(), body);
    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    assert.equal(answer.choices[0].message.content, null);
    assert.deepEqual(answer.choices[0].message.tool_calls, [
      { id: kToolCall.id, type: 'function', function: { name: kToolCall.name, arguments: kToolCall.arguments } },
    ]);
  });

  it('keeps a long prompt whole', async () => {
    const messages = Array.from({ length: 400 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `${i} ${'ä'.repeat(1000)}` }));
    const answer = await fixture.client.chat.completions.create({ model: 'script-count', messages });
    assert.equal(answer.choices[0].message.content, countText(messages));
  });

  it('stores nothing', async () => {
    const before = await fixture.confab.client().get('/conversations');
    await fixture.client.chat.completions.create({ model: 'script-echo', messages: user('leave no trace') });
    const after = await fixture.confab.client().get('/conversations');
    assert.deepEqual(after.data, before.data);
  });
});

describe('chat completions, streamed', () => {
  async function streamed(model, extra = {}) {
    const stream = await fixture.client.chat.completions.create({ model, messages: user('Tell me.'), stream: true, ...extra });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('') };
  }

  it('streams words, and ends with the reason', async () => {
    const { chunks, text } = await streamed('script-words-n200-i1');
    assert.equal(text, wordsText(200));
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk'));
  });

  it('delivers a token while the model still speaks', async () => {
    const stream = await fixture.client.chat.completions.create({ model: 'script-stall', messages: user('x'), stream: true });
    let text = '';
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      if (text === wordsText(3)) break; // The model has stalled here: only a server that streams comes this far.
    }
    assert.equal(text, wordsText(3));
  });

  it('brings usage when asked', async () => {
    const { chunks } = await streamed('script-words-n5', { stream_options: { include_usage: true } });
    assert.deepEqual(lastBody().stream_options, { include_usage: true });
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.completion_tokens, 5);
  });

  it('brings no usage chunk when not asked', async () => {
    const { chunks } = await streamed('script-words-n5');
    assert.ok(chunks.every((chunk) => chunk.choices.length === 1), 'a chunk without choices reached a client that did not ask for usage');
  });

  it('keeps tool calls, reasoning and split UTF-8 unharmed', async () => {
    const tools = await streamed('script-tools');
    const calls = tools.chunks.flatMap((chunk) => chunk.choices[0]?.delta?.tool_calls ?? []);
    assert.equal(calls[0].id, kToolCall.id);
    assert.equal(calls.map((call) => call.function.arguments ?? '').join(''), kToolCall.arguments);
    assert.equal(tools.chunks.at(-1).choices[0].finish_reason, 'tool_calls');
    const reasoning = await streamed('script-reasoning-n3');
    assert.equal(reasoning.chunks.map((chunk) => chunk.choices[0]?.delta?.reasoning_content ?? '').join(''), 'Let me think.');
    assert.equal((await streamed('script-utf8-bytes')).text, kUtf8Text);
    assert.equal((await streamed('script-markdown')).text, kMarkdownText);
  });

  it('sends the same data lines as the model server itself', async () => {
    const json = { model: 'script-words-n30', messages: user('x'), stream: true, stream_options: { include_usage: true } };
    const via = await request(fixture.confab, 'POST', '/v1/chat/completions', { json, key: fixture.confab.key });
    const direct = await request({ port: fixture.model.port }, 'POST', '/v1/chat/completions', { json });
    const dataLines = (res) => res.text.split('\n').filter((line) => line.startsWith('data: '));
    assert.deepEqual(dataLines(via), dataLines(direct));
    assert.match(via.headers['content-type'], /^text\/event-stream/);
    assert.match(via.headers['cache-control'], /no-cache|no-store/);
    assert.equal(via.headers['content-encoding'], undefined);
    assert.ok(via.headers['x-request-id']);
  });

  it('raises in the client when the model fails in the middle', async () => {
    await assert.rejects(streamed('script-midstream-error'), /error while processing/);
    await assert.rejects(streamed('script-reset'), Error);
  });

  it('breaks the upstream off when its client leaves', async () => {
    const before = fixture.model.stats().aborted;
    const json = { model: 'script-words-n2000-i10', messages: user('x'), stream: true };
    const res = await open(fixture.confab, 'POST', '/v1/chat/completions', { json, key: fixture.confab.key });
    await new Promise((resolve) => { res.once('data', resolve); });
    res.destroy();
    await poll(() => fixture.model.stats().aborted, (aborted) => aborted === before + 1);
  });
});

describe('the upstream connections', () => {
  it('are opened once and reused', async () => {
    await fixture.client.chat.completions.create({ model: 'script-echo', messages: user('warm') });
    const before = fixture.model.stats();
    for (let i = 0; i < 30; i += 1) await fixture.client.chat.completions.create({ model: 'script-echo', messages: user(`${i}`) });
    const after = fixture.model.stats();
    assert.equal(after.requests - before.requests, 30, 'one upstream request for each');
    // A shard has its own pool: at most one connection more for each of them.
    const opened = after.connections_opened - before.connections_opened;
    assert.ok(opened <= 8, `${opened} connections opened for 30 turns one after another`);
  });
});
