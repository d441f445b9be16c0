// Answers that are more than a text: reasoning, refusals and tool calls, streamed, resumed, stored, and sent back to the model.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { allFrames, assertEnvelope, caller, frames, open } from '../support/http.mjs';
import { checkEvents, checkResponse, collect, poll } from '../support/events.mjs';
import { kAgentCalls, kRefusal, thoughtText, wordsText } from '../support/model_scripts.mjs';

const fixture = useConfab();
const responses = () => fixture.client.responses;
const api = (method, path, options = {}) => caller(fixture.confab, { key: fixture.confab.key })(method, path, options);
const stream = async (method, path, json) => allFrames(await open(fixture.confab, method, path, { json, key: fixture.confab.key }));
const lastRequest = () => fixture.model.requests.filter((one) => one.path === '/v1/chat/completions').at(-1).body;

const kTools = [
  { type: 'function', name: 'get_weather', description: 'The weather.', parameters: { type: 'object', properties: { city: { type: 'string' } } }, strict: true },
  { type: 'function', name: 'get_time', parameters: null, strict: null },
];
const kOutputs = kAgentCalls.map(({ id }, i) => ({ type: 'function_call_output', call_id: id, output: `result ${i}` }));
const kAnswer = 'The tools said: result 0 | result 1';
const kShapes = ['reasoning', 'message', 'function_call', 'function_call'];

/** Checks the four items of `script-agent-nN`. */
function checkAgentItems(items, count) {
  assert.deepEqual(items.map((item) => item.type), kShapes);
  const [thought, message, ...calls] = items;
  assert.match(thought.id, /^rs_/);
  assert.deepEqual(thought.summary, [{ type: 'summary_text', text: thoughtText(count) }]);
  assert.match(message.id, /^msg_/);
  assert.equal(message.content[0].text, wordsText(count));
  calls.forEach((call, i) => {
    assert.match(call.id, /^fc_/);
    assert.deepEqual([call.call_id, call.name, call.arguments], [kAgentCalls[i].id, kAgentCalls[i].name, kAgentCalls[i].arguments]);
  });
  for (const item of items) assert.equal(item.status, 'completed');
}

describe('an answer of reasoning, text and two calls', () => {
  it('streams to the helper of the official client', async () => {
    const helper = responses().stream({ model: 'script-agent-n6', input: 'x', tools: kTools });
    const seen = { reasoning: '', text: '', arguments: {} };
    for await (const event of helper) {
      if (event.type === 'response.reasoning_summary_text.delta') seen.reasoning += event.delta;
      if (event.type === 'response.output_text.delta') seen.text += event.delta;
      if (event.type === 'response.function_call_arguments.delta') seen.arguments[event.item_id] = (seen.arguments[event.item_id] ?? '') + event.delta;
    }
    const final = await helper.finalResponse();
    assert.equal(seen.reasoning, thoughtText(6));
    assert.equal(seen.text, wordsText(6));
    assert.deepEqual(Object.values(seen.arguments), kAgentCalls.map((call) => call.arguments));
    checkAgentItems(final.output, 6);
    assert.equal(final.status, 'completed');
    assert.equal(final.output_text, wordsText(6));
    checkResponse(final);
  });

  it('is well-formed, and the same when it is looked up', async () => {
    const { response, types } = checkEvents(await collect(await responses().create({ model: 'script-agent-n4', input: 'x', tools: kTools, stream: true })));
    assert.equal(types.filter((type) => type === 'response.output_item.done').length, 4);
    const { _request_id: id, output_text: text, ...kept } = await responses().retrieve(response.id);
    assert.deepEqual(kept, response);
    assert.ok(Number.isInteger(response.timing.first_token_ms) && response.timing.duration_ms >= response.timing.first_token_ms);
    assert.ok(response.timing.tokens_per_second === null || response.timing.tokens_per_second > 0);
  });

  it('is repeated byte by byte, joined in the midst of a thought, of the text, and of the arguments', async () => {
    const first = await open(fixture.confab, 'POST', '/v1/responses', {
      json: { model: 'script-agent-n25-i8', input: 'x', background: true, stream: true }, key: fixture.confab.key,
    });
    const seen = [];
    const joined = [];
    for await (const frame of frames(first)) {
      seen.push(frame);
      const { type, sequence_number: at } = frame.event ?? {};
      if (type?.endsWith('.delta') && at % 10 === 0) {
        const { id } = seen[0].event.response;
        joined.push(stream('GET', `/v1/responses/${id}?stream=true&starting_after=${at}`).then((rest) => ({ at, type, rest })));
      }
    }
    const texts = seen.map((frame) => frame.text);
    checkEvents(seen.slice(0, -1).map((frame) => frame.event));
    const all = await Promise.all(joined);
    for (const kind of ['reasoning_summary_text', 'output_text', 'function_call_arguments']) {
      assert.ok(all.some(({ type }) => type.includes(kind)), `nobody joined within ${kind}`);
    }
    for (const { at, rest } of all) assert.deepEqual(rest.map((frame) => frame.text), texts.slice(at + 1), `joined after ${at}`);
    const { id } = seen[0].event.response;
    for (let after = 0; after < texts.length - 1; after += 5) {
      const rest = await stream('GET', `/v1/responses/${id}?stream=true&starting_after=${after}`);
      assert.deepEqual(rest.map((frame) => frame.text), texts.slice(after + 1), `afterwards, from ${after}`);
    }
  });

  it('shows nothing of an item that was deleted', async () => {
    const conversation = await fixture.client.conversations.create();
    const response = await responses().create({ model: 'script-agent-n3', input: 'x', conversation: conversation.id });
    await fixture.client.conversations.items.delete(response.output[0].id, { conversation_id: conversation.id });
    const again = await stream('GET', `/v1/responses/${response.id}?stream=true`);
    const { response: left } = checkEvents(again.slice(0, -1).map((frame) => frame.event));
    assert.deepEqual(left.output.map((item) => item.type), kShapes.slice(1));
    assert.ok(!again.some((frame) => frame.text.includes(thoughtText(3))));
  });

  it('keeps what came when it is cancelled, and such calls are not sent back', async () => {
    const conversation = await fixture.client.conversations.create();
    const started = await responses().create({
      model: 'script-agent-n2-i40', input: 'x', background: true, stream: true, conversation: conversation.id, tools: kTools,
    });
    const events = [];
    let cancelled = false;
    for await (const event of started) {
      events.push(event);
      if (event.type !== 'response.function_call_arguments.delta' || cancelled) continue;
      cancelled = true;
      await responses().cancel(events[0].response.id);
    }
    const { response } = checkEvents(events);
    assert.equal(response.status, 'cancelled');
    assert.deepEqual(response.output.map((item) => item.status), ['completed', 'completed', 'incomplete']);
    await responses().create({ model: 'script-count', input: 'never mind', conversation: conversation.id });
    assert.deepEqual(lastRequest().messages.map((message) => message.role), ['user', 'assistant', 'user']);
    assert.equal(lastRequest().messages[1].tool_calls, undefined);
  });
});

describe('a model that changes between thinking and talking', () => {
  it('opens an item each time, up to a limit', async () => {
    const some = await responses().create({ model: 'script-restless-n250', input: 'x' });
    assert.equal(some.status, 'completed');
    assert.deepEqual(some.output.slice(0, 4).map((item) => item.type), ['reasoning', 'message', 'reasoning', 'message']);
    const many = await responses().create({ model: 'script-restless-n2000-i1', input: 'x' });
    assert.equal(many.status, 'failed');
    assert.equal(many.error.code, 'too_many_items');
    assert.equal(many.output.length, 250);
  });
});

describe('tool outputs', () => {
  const expected = [
    { role: 'user', content: 'what now?' },
    {
      role: 'assistant', content: wordsText(5),
      tool_calls: kAgentCalls.map(({ id, name, arguments: args }) => ({ id, type: 'function', function: { name, arguments: args } })),
    },
    ...kOutputs.map(({ call_id: id, output }) => ({ role: 'tool', tool_call_id: id, content: output })),
  ];
  const ask = (more) => responses().create({ model: 'script-agent-n5', tools: kTools, ...more });

  it('go on after a previous response', async () => {
    const first = await ask({ input: 'what now?' });
    const second = await ask({ input: kOutputs, previous_response_id: first.id });
    assert.equal(second.output_text, kAnswer);
    assert.deepEqual(lastRequest().messages, expected);
  });

  it('go on in a conversation, which lists everything in its shapes', async () => {
    const conversation = await fixture.client.conversations.create();
    await ask({ input: 'what now?', conversation: conversation.id });
    const second = await ask({ input: kOutputs, conversation: conversation.id });
    assert.equal(second.output_text, kAnswer);
    assert.deepEqual(lastRequest().messages, expected);
    const items = await collect(fixture.client.conversations.items.list(conversation.id, { order: 'asc', limit: 3 }));
    assert.deepEqual(items.map((item) => item.type), ['message', ...kShapes, 'function_call_output', 'function_call_output', 'message']);
    checkAgentItems(items.slice(1, 5), 5);
    assert.deepEqual([items[5].call_id, items[5].output, items[5].status], [kOutputs[0].call_id, 'result 0', 'completed']);
    const answer = items.at(-1);
    assert.deepEqual(answer.usage, second.usage);
    assert.deepEqual(answer.timing, second.timing);
    assert.equal(answer.response_id, second.id);
    assert.ok(!('usage' in items[0]) && !('usage' in items[1]), 'only messages of the assistant carry the usage');
    const { title } = (await api('GET', `/v1/conversations/${conversation.id}`)).json;
    assert.equal(title, 'what now?');
    for (const item of items) {
      const one = await fixture.client.conversations.items.retrieve(item.id, { conversation_id: conversation.id });
      const { _request_id: id, ...whole } = one;
      assert.deepEqual(whole, item);
    }
  });

  it('that wait in a conversation are answered without input', async () => {
    const conversation = await fixture.client.conversations.create();
    await ask({ input: 'what now?', conversation: conversation.id });
    const nothing = await api('POST', '/v1/responses', { json: { model: 'script-agent', input: [], conversation: conversation.id } });
    assertEnvelope(nothing, 400, { code: 'nothing_to_answer', param: 'input' });
    await fixture.client.conversations.items.create(conversation.id, { items: kOutputs });
    assert.equal((await ask({ input: [], conversation: conversation.id })).output_text, kAnswer);
    assert.deepEqual(lastRequest().messages, expected);
  });

  it('may be sent with the whole history, stored or not, also as references', async () => {
    const first = await ask({ input: 'what now?' });
    const history = [{ role: 'user', content: 'what now?' }, ...first.output, ...kOutputs];
    for (const store of [true, false]) {
      assert.equal((await ask({ input: history, store })).output_text, kAnswer, `store: ${store}`);
      assert.deepEqual(lastRequest().messages, expected);
    }
    const references = first.output.map(({ id }, i) => (i % 2 ? { id } : { type: 'item_reference', id }));
    assert.equal((await ask({ input: [history[0], ...references, ...kOutputs], store: false })).output_text, kAnswer);
    assert.deepEqual(lastRequest().messages, expected);
  });

  it('are left out with their call when that was cut off', async () => {
    const cut = { type: 'function_call', call_id: 'c', name: 'n', arguments: '{"a', status: 'incomplete' };
    const output = { type: 'function_call_output', call_id: 'c', output: 'o' };
    await responses().create({ model: 'script-count', input: [{ role: 'user', content: 'q' }, cut, output] });
    assert.deepEqual(lastRequest().messages, [{ role: 'user', content: 'q' }]);
  });

  it('may be parts', async () => {
    const first = await ask({ input: 'what now?' });
    const parts = kOutputs.map((output) => ({ ...output, output: [{ type: 'input_text', text: output.output }] }));
    assert.equal((await ask({ input: parts, previous_response_id: first.id })).output_text, kAnswer);
  });
});

describe('a refusal', () => {
  it('is a part of its own', async () => {
    const { response, types } = checkEvents(await collect(await responses().create({ model: 'script-refusal', input: 'x', stream: true })));
    assert.ok(types.includes('response.refusal.delta') && types.includes('response.refusal.done'));
    assert.equal(response.status, 'completed');
    assert.deepEqual(response.output[0].content, [{ type: 'refusal', refusal: kRefusal }]);
    const kept = await responses().retrieve(response.id);
    assert.deepEqual(kept.output, response.output);
    const next = await responses().create({ model: 'script-count', input: 'y', previous_response_id: response.id });
    assert.match(next.output_text, /roles=user,assistant,user$/);
    assert.equal(lastRequest().messages[1].content, kRefusal);
  });
});

describe('tools of a request', () => {
  it('are sent in the form of chat completions, and repeated', async () => {
    const response = await responses().create({
      model: 'script-echo', input: 'x', parallel_tool_calls: false, reasoning: { effort: 'high' },
      tools: [...kTools, { type: 'web_search' }], tool_choice: { type: 'function', name: 'get_time' },
    });
    const { tools, tool_choice: choice, parallel_tool_calls: parallel, reasoning_effort: effort } = lastRequest();
    const { type, ...weather } = kTools[0];
    assert.deepEqual(tools, [{ type: 'function', function: weather }, { type: 'function', function: { name: 'get_time' } }]);
    assert.deepEqual(choice, { type: 'function', function: { name: 'get_time' } });
    assert.deepEqual([parallel, effort], [false, 'high']);
    assert.deepEqual(response.tools, [kTools[0], { description: null, ...kTools[1] }, { type: 'web_search' }]);
    assert.deepEqual(response.tool_choice, { type: 'function', name: 'get_time' });
    assert.equal(response.parallel_tool_calls, false);
  });

  it('may be narrowed down', async () => {
    const choice = { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'get_time' }] };
    await responses().create({ model: 'script-echo', input: 'x', tools: kTools, tool_choice: choice });
    assert.deepEqual(lastRequest().tools.map((tool) => tool.function.name), ['get_time']);
    assert.equal(lastRequest().tool_choice, 'required');
  });

  it('that are none of the model\'s leave no trace in what it is sent', async () => {
    await responses().create({ model: 'script-echo', input: 'x', tools: [{ type: 'web_search' }], tool_choice: 'auto', parallel_tool_calls: true });
    for (const name of ['tools', 'tool_choice', 'parallel_tool_calls', 'reasoning_effort']) assert.ok(!(name in lastRequest()), name);
  });
});

describe('what cannot be', () => {
  const call = { type: 'function_call', call_id: 'c', name: 'n', arguments: '{}' };
  const output = { type: 'function_call_output', call_id: 'c', output: 'o' };
  const inputs = [
    [{ ...output, call_id: undefined }, 'input[0].call_id'],
    [{ ...output, call_id: '' }, 'input[0].call_id'],
    [{ ...output, call_id: 'c'.repeat(65) }, 'input[0].call_id'],
    [{ ...output, output: undefined }, 'input[0].output'],
    [{ ...output, output: 5 }, 'input[0].output'],
    [{ ...output, output: 'x'.repeat(10 * 1024 * 1024 + 1) }, 'input[0]'],
    [{ ...output, output: [{ type: 'input_text' }] }, 'input[0].output[0].text'],
    [{ ...output, output: [{ type: 'wonder' }] }, 'input[0].output'],
    [{ ...call, call_id: 7 }, 'input[0].call_id'],
    [{ ...call, name: '' }, 'input[0].name'],
    [{ ...call, arguments: { a: 1 } }, 'input[0].arguments'],
    [{ type: 'reasoning', summary: 'x' }, 'input[0].summary'],
    [{ type: 'item_reference', id: 'msg_0' }, 'input[0].id', 'item_not_found'],
    [{ id: `msg_${'0'.repeat(32)}` }, 'input[0].id', 'item_not_found'],
    [{ type: 'item_reference' }, 'input[0].id'],
    [{ type: 'wonder' }, 'input[0].type', 'unsupported_item_type'],
    [{ role: 'assistant', content: [{ type: 'refusal' }, { type: 'output_text', text: 'x' }] }, 'input[0].content[0].refusal'],
  ];
  const requests = [
    [{ tools: 'x' }, 'tools'],
    [{ tools: [5] }, 'tools[0]'],
    [{ tools: [{}] }, 'tools[0].type'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name'],
    [{ tools: [{ type: 'function', name: 'n'.repeat(129) }] }, 'tools[0].name'],
    [{ tools: [{ type: 'function', name: 'n', parameters: 'x' }] }, 'tools[0].parameters'],
    [{ tools: Array.from({ length: 129 }, (_, i) => ({ type: 'function', name: `n${i}` })) }, 'tools'],
    [{ tools: [{ type: 'function', name: 'n', description: 'x'.repeat(256 * 1024) }] }, 'tools'],
    [{ tools: kTools, tool_choice: 'sometimes' }, 'tool_choice'],
    [{ tools: kTools, tool_choice: 5 }, 'tool_choice'],
    [{ tools: kTools, tool_choice: { type: 'function', name: 'unknown' } }, 'tool_choice.name'],
    [{ tools: kTools, tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'unknown' }] } }, 'tool_choice.tools'],
    [{ tools: kTools, tool_choice: { type: 'allowed_tools', mode: 'perhaps', tools: [] } }, 'tool_choice'],
    [{ parallel_tool_calls: 'yes' }, 'parallel_tool_calls'],
    [{ reasoning: 'high' }, 'reasoning'],
    [{ reasoning: { effort: 'x'.repeat(33) } }, 'reasoning.effort'],
  ];

  it('is refused by its name', async () => {
    const wrong = [];
    const all = [
      ...inputs.map(([item, param, code]) => [{ model: 'script-echo', input: [item] }, param, code]),
      ...requests.map(([more, param, code]) => [{ model: 'script-echo', input: 'x', ...more }, param, code]),
    ];
    for (const [json, param, code] of all) {
      const res = await api('POST', '/v1/responses', { json });
      try {
        assertEnvelope(res, 400, code ? { param, code } : { param });
      } catch (error) {
        wrong.push(`${JSON.stringify(json).slice(0, 150)}: ${error.message.slice(0, 300)}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('is a reference to more than is read at once', async () => {
    const conversation = await fixture.client.conversations.create();
    const { data: [large] } = await fixture.client.conversations.items.create(conversation.id, {
      items: [{ role: 'user', content: 'x'.repeat(5 * 1024 * 1024) }],
    });
    const reference = { type: 'item_reference', id: large.id };
    const json = { model: 'script-count', input: [reference, reference] };
    assertEnvelope(await api('POST', '/v1/responses', { json }), 413, { code: 'items_too_large', param: 'input' });
    assert.equal((await api('POST', '/v1/responses', { json: { ...json, input: [reference] } })).status, 200);
    const leased = async () => Number(/^confab_budget_leased_bytes (\S+)$/m.exec((await api('GET', '/metrics')).text)[1]);
    await poll(leased, (bytes) => bytes < 1024 * 1024);
  });

  it('is somebody else\'s item', async () => {
    const mine = await responses().create({ model: 'script-echo', input: 'secret' });
    const { key } = await fixture.confab.addMember('other@example.org');
    const json = { model: 'script-echo', input: [{ type: 'item_reference', id: mine.output[0].id }] };
    assertEnvelope(await api('POST', '/v1/responses', { json, key }), 400, { param: 'input[0].id', code: 'item_not_found' });
    assert.equal((await api('POST', '/v1/responses', { json })).status, 200, 'the owner may');
  });

  it('is kept when it is known, and not sent', async () => {
    const conversation = await fixture.client.conversations.create();
    const search = { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } };
    const added = await fixture.client.conversations.items.create(conversation.id, {
      items: [{ role: 'user', content: 'q' }, search, { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'abc' }],
    });
    const { position, parent_id: parent, ...kept } = added.data[1];
    assert.deepEqual([position, parent], [2, added.data[0].id]);
    assert.deepEqual({ ...kept, id: 'ws_1', created_at: undefined }, { ...search, created_at: undefined });
    assert.equal(added.data[2].encrypted_content, 'abc');
    const answer = await responses().create({ model: 'script-count', input: [], conversation: conversation.id });
    assert.match(answer.output_text, /^messages=1 /);
  });
});
