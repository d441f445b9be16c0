// POST /v1/responses and what is kept of an answer, with the official client.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { BadRequestError, NotFoundError } from 'openai';
import { useConfab } from '../support/confab.mjs';
import { open, frames, request } from '../support/http.mjs';
import { checkEvents, checkResponse, collect, outputText, poll } from '../support/events.mjs';
import { countText, kMarkdownText, kUtf8Text, wordsText } from '../support/model_scripts.mjs';

const fixture = useConfab();
const create = (body, options) => fixture.client.responses.create({ model: 'script-echo', ...body }, options);

describe('responses, whole', () => {
  it('answers a string', async () => {
    const response = await create({ input: 'Hello there' });
    checkResponse(response);
    assert.equal(response.status, 'completed');
    assert.equal(response.output_text, 'Hello there');
    assert.equal(response.model, 'script-echo');
    assert.equal(response.error, null);
    assert.match(response.output[0].id, /^msg_/);
    assert.equal(response.output[0].status, 'completed');
    assert.match(response._request_id, /^req_/);
  });

  it('answers items in every form the dialect has', async () => {
    const forms = [
      [{ role: 'user', content: 'easy' }],
      [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'easy' }] }],
      [{ role: 'developer', content: 'Obey.' }, { role: 'user', content: [{ type: 'input_text', text: 'ea' }, { type: 'input_text', text: 'sy' }] }],
      [{ role: 'user', content: 'before' }, { role: 'assistant', content: [{ type: 'output_text', text: 'so', annotations: [] }] }, { role: 'user', content: 'easy' }],
    ];
    for (const input of forms) assert.equal((await create({ input })).output_text, 'easy', JSON.stringify(input));
  });

  it('puts instructions in front of the prompt', async () => {
    await create({ model: 'script-count', input: 'hi', instructions: 'Speak like a pirate.' });
    const { messages } = fixture.model.requests.at(-1).body;
    assert.ok(['system', 'developer'].includes(messages[0].role), `first message is from ${messages[0].role}`);
    assert.equal(messages[0].content, 'Speak like a pirate.');
    assert.equal(messages.length, 2);
  });

  it('passes sampling parameters on', async () => {
    const response = await create({ input: 'x', temperature: 0.5, top_p: 0.75, max_output_tokens: 77 });
    const { body } = fixture.model.requests.at(-1);
    assert.equal(body.temperature, 0.5);
    assert.equal(body.top_p, 0.75);
    assert.equal(body.max_tokens ?? body.max_completion_tokens, 77);
    assert.equal(response.temperature, 0.5);
    assert.equal(response.max_output_tokens, 77);
  });

  it('reports usage and the length limit', async () => {
    const done = await create({ model: 'script-words-n9', input: '12345678' });
    assert.equal(done.usage.output_tokens, 9);
    assert.equal(done.usage.input_tokens, 2);
    assert.equal(done.usage.total_tokens, 11);
    const cut = await create({ model: 'script-length-n4', input: 'x' });
    assert.equal(cut.status, 'incomplete');
    assert.deepEqual(cut.incomplete_details, { reason: 'max_output_tokens' });
    assert.equal(cut.output_text, wordsText(4));
    assert.equal(cut.output[0].status, 'incomplete');
  });

  it('survives what model servers do', async () => {
    assert.equal((await create({ model: 'script-utf8-bytes', input: 'x' })).output_text, kUtf8Text);
    assert.equal((await create({ model: 'script-nonstream-only', input: 'x' })).output_text, wordsText(20));
    assert.equal((await create({ model: 'script-markdown', input: 'x' })).output_text, kMarkdownText);
    assert.equal((await create({ model: 'script-reasoning-n6', input: 'x' })).output_text, wordsText(6));
  });

  it('ignores fields and headers it does not know', async () => {
    const extra = {
      input: 'fine', some_field_of_tomorrow: { a: [1] }, client_metadata: { x: 'y' }, include: ['reasoning.encrypted_content'],
      tools: [], service_tier: 'auto', text: { verbosity: 'low' },
    };
    const response = await create(extra, { headers: { 'x-tomorrow': '1', 'openai-beta': 'all=v9' }, query: { unknown: 'yes' } });
    assert.equal(response.output_text, 'fine');
  });

  it('keeps metadata, and takes back what it stored', async () => {
    const response = await create({ input: 'remember', metadata: { colour: 'green' } });
    assert.deepEqual(response.metadata, { colour: 'green' });
    const { _request_id: a, ...kept } = await fixture.client.responses.retrieve(response.id);
    const { _request_id: b, ...first } = response;
    assert.deepEqual(kept, first);
  });

  it('lists its input items', async () => {
    const response = await create({ input: [{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }] });
    const texts = [];
    for await (const item of fixture.client.responses.inputItems.list(response.id, { order: 'asc', limit: 2 })) texts.push(item.content[0].text);
    assert.deepEqual(texts, ['one', 'two', 'three']);
  });

  it('forgets a deleted one', async () => {
    const response = await create({ input: 'short life' });
    await fixture.client.responses.delete(response.id);
    await assert.rejects(fixture.client.responses.retrieve(response.id), NotFoundError);
    const again = await request(fixture.confab, 'DELETE', `/v1/responses/${response.id}`, { key: fixture.confab.key });
    assert.equal(again.status, 404);
  });

  it('does not keep one with store:false', async () => {
    const response = await create({ input: 'whisper', store: false });
    assert.equal(response.output_text, 'whisper');
    assert.equal(response.store, false);
    await assert.rejects(fixture.client.responses.retrieve(response.id), NotFoundError);
  });
});

describe('responses, chained', () => {
  it('puts the earlier turns in front, without their instructions', async () => {
    const first = await create({ input: 'one', instructions: 'only now' });
    const second = await create({ input: 'two', previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    const third = await create({ model: 'script-count', input: 'three', previous_response_id: second.id });
    const texts = ['one', 'one', 'two', 'two', 'three'];
    const expected = texts.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }));
    assert.equal(third.output_text, countText(expected));
  });

  it('lets two answers follow the same one', async () => {
    const root = await create({ input: 'root' });
    const left = await create({ model: 'script-count', input: 'left', previous_response_id: root.id });
    const right = await create({ model: 'script-count', input: 'right!', previous_response_id: root.id });
    assert.match(left.output_text, /^messages=3 /);
    assert.match(right.output_text, /^messages=3 /);
  });

  it('names the field when the earlier response is unknown', async () => {
    const error = await create({ input: 'x', previous_response_id: 'resp_00000000000000000000000000' }).catch((thrown) => thrown);
    assert.ok(error instanceof BadRequestError, `${error}`);
    assert.equal(error.code, 'previous_response_not_found');
    assert.equal(error.param, 'previous_response_id');
  });

  it('refuses a conversation besides', async () => {
    const response = await create({ input: 'x' });
    const conversation = await fixture.client.conversations.create();
    await assert.rejects(create({ input: 'y', previous_response_id: response.id, conversation: conversation.id }), BadRequestError);
  });
});

describe('responses, streamed', () => {
  it('iterates over a well-formed stream', async () => {
    const events = await collect(await create({ model: 'script-words-n100-i1', input: 'go', stream: true }));
    const { text, response, types } = checkEvents(events);
    assert.equal(text, wordsText(100));
    assert.equal(types.at(-1), 'response.completed');
    assert.ok(!types.includes('response.queued'), 'queued is for background responses');
    assert.equal(response.usage.output_tokens, 100);
    checkResponse(response);
    assert.ok(types.filter((type) => type === 'response.output_text.delta').length > 10, 'more than a few deltas');
  });

  it('works with the helper and its final response', async () => {
    const stream = fixture.client.responses.stream({ model: 'script-words-n50', input: 'go' });
    let text = '';
    stream.on('response.output_text.delta', (event) => { text += event.delta; });
    const final = await stream.finalResponse();
    assert.equal(text, wordsText(50));
    assert.equal(final.output_text, wordsText(50));
    assert.equal(final.status, 'completed');
  });

  it('sends what the dialect says, byte by byte', async () => {
    const json = { model: 'script-words-n3', input: 'go', stream: true };
    const res = await open(fixture.confab, 'POST', '/v1/responses', { json, key: fixture.confab.key });
    const all = await collect(frames(res));
    assert.equal(res.statusCode, 200);
    assert.equal(res.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.match(res.headers['cache-control'], /no-cache/);
    assert.equal(res.headers['x-accel-buffering'], 'no');
    assert.equal(res.headers['content-length'], undefined);
    assert.equal(all.at(-1).text, 'data: [DONE]');
    checkEvents(all.slice(0, -1).map((frame) => frame.event));
  });

  it('ends as incomplete at the length limit, and keeps odd streams whole', async () => {
    const cut = checkEvents(await collect(await create({ model: 'script-length-n4', input: 'x', stream: true })));
    assert.equal(cut.terminal.type, 'response.incomplete');
    assert.equal(cut.response.incomplete_details.reason, 'max_output_tokens');
    for (const [model, expected] of [['script-utf8-bytes', kUtf8Text], ['script-nonstream-only', wordsText(20)]]) {
      const whole = checkEvents(await collect(await create({ model, input: 'x', stream: true })));
      assert.equal(whole.terminal.type, 'response.completed');
      assert.equal(whole.text, expected);
    }
  });

  it('ends as failed when the model breaks off, with the text so far', async () => {
    for (const model of ['script-midstream-error', 'script-reset']) {
      const { terminal, text, response } = checkEvents(await collect(await create({ model, input: 'x', stream: true })));
      assert.equal(terminal.type, 'response.failed', model);
      assert.equal(text, wordsText(5), model);
      assert.equal(response.status, 'failed', model);
      assert.ok(response.error.message && response.error.code, model);
    }
    const cut = checkEvents(await collect(await create({ model: 'script-noterm-n6', input: 'x', stream: true })));
    assert.ok(['response.incomplete', 'response.failed'].includes(cut.terminal.type), 'no end without a reason is taken for completed');
    assert.equal(cut.text, wordsText(6));
  });

  it('breaks the upstream off when the client of a plain stream leaves', async () => {
    const before = fixture.model.stats().aborted;
    const stream = await create({ model: 'script-words-n2000-i10', input: 'x', stream: true });
    await collect(stream, (event) => event.type === 'response.output_text.delta');
    await poll(() => fixture.model.stats().aborted, (aborted) => aborted === before + 1);
  });

  it('keeps a streamed answer like any other', async () => {
    const events = await collect(await create({ model: 'script-words-n8', input: 'x', stream: true }));
    const kept = await fixture.client.responses.retrieve(events.at(-1).response.id);
    assert.equal(outputText(kept), wordsText(8));
    assert.equal(kept.status, 'completed');
  });
});
