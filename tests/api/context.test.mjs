// What the model sees: budgets, windows, calibration, truncation, summaries.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { assertEnvelope, caller } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { isNotesRequest, promptTokens, textOf } from '../support/model_scripts.mjs';
import { startModelServer } from '../support/model_server.mjs';

const kWindow = 2000;
const kModels = [
  { id: 'script-window-n2000', max_model_len: kWindow },
  { id: 'script-heavy-n2000', meta: { n_ctx_train: kWindow } },
  { id: 'script-notes-n2000', context_length: kWindow },
  { id: 'script-sleepynotes-n2000', context_length: kWindow },
  { id: 'script-notes-n2001', max_context_length: 4096, loaded_context_length: kWindow },
];
const words = (count, first = 'w') => Array.from({ length: count }, (_, i) => `${first}${i}`).join(' ');

let model;
let confab;
let client;
let call;

before(async () => {
  model = await startModelServer({ listed: kModels });
  confab = await Confab.start({ upstream: model.baseURL });
  client = confab.client();
  const api = caller(confab, { key: confab.key });
  call = (method, path, json, options = {}) => api(method, path, { json, ...options });
  await client.models.list();
});
after(async () => {
  try {
    await confab?.dispose();
  } finally {
    await model?.close();
  }
});

const newConversation = async () => (await client.conversations.create()).id;
const ask = (conversation, name, input, more = {}) => client.responses.create({ model: name, conversation, input, ...more });
const prompts = () => model.requests.filter((request) => request.path === '/v1/chat/completions' && !isNotesRequest(request.body));
const notes = () => model.requests.filter((request) => request.path === '/v1/chat/completions' && isNotesRequest(request.body));
const contextOf = async (id, query = '') => (await call('GET', `/api/conversations/${id}/context${query}`)).json;

describe('the window of a model', () => {
  it('is what its server lists', async () => {
    const { json } = await call('GET', '/v1/models');
    for (const { id } of kModels) assert.equal(json.data.find((entry) => entry.id === id).context_tokens, kWindow, id);
    assert.equal(json.data.find((entry) => entry.id === 'script-echo').context_tokens, null);
  });

  it('is kept to: no prompt is refused, however long the conversation', async () => {
    const id = await newConversation();
    model.reset();
    for (let turn = 0; turn < 30; turn += 1) await ask(id, 'script-window-n2000', words(60), { max_output_tokens: 100 });
    const sent = prompts();
    assert.equal(sent.length, 30, 'no prompt was sent twice');
    for (const { body } of sent) assert.ok(promptTokens(body) <= kWindow, `${promptTokens(body)} tokens`);
    const context = await contextOf(id, '?model=script-window-n2000');
    assert.equal(context.context_tokens, kWindow);
    assert.ok(context.used_tokens <= context.budget_tokens);
    assert.ok(context.first_position > 1 && context.first_position <= context.head_position);
    assert.equal(context.head_position, 60);
    assert.equal(context.summary, null);
    assert.equal(context.compaction, 'off');
    const item = (await call('GET', `/v1/conversations/${id}/items/${context.first_item_id}`)).json;
    assert.equal(item.role, 'user');
  });

  it('is somebody\'s own business', async () => {
    const id = await newConversation();
    const member = await confab.addMember();
    const foreign = await call('GET', `/api/conversations/${id}/context`, undefined, { key: member.key });
    assertEnvelope(foreign, 404);
    assertEnvelope(await call('GET', '/api/conversations/conv_nonsense/context'), 404);
    const empty = await contextOf(id, '?model=script-echo');
    assert.equal(empty.first_item_id, null);
    assert.equal(empty.used_tokens, 0);
  });
});

describe('token counts', () => {
  it('follow the usage that a server reports: after the first prompts none is too long', async () => {
    const id = await newConversation();
    model.reset();
    for (let turn = 0; turn < 25; turn += 1) await ask(id, 'script-heavy-n2000', words(100), { max_output_tokens: 100 });
    const sent = prompts();
    assert.equal(sent.length, 25, 'no prompt was sent twice');
    const largest = Math.max(...sent.map(({ body }) => promptTokens(body)));
    assert.ok(largest <= kWindow, `${largest} tokens`);
    assert.ok(largest >= kWindow * 0.6, `${largest} tokens: nor was much given away`);
    await confab.restart();
    await client.models.list();
    const { budget_tokens: budget } = await contextOf(id, '?model=script-heavy-n2000');
    model.reset();
    await ask(id, 'script-heavy-n2000', words(100), { max_output_tokens: 100 });
    assert.equal(prompts().length, 1, 'a restart does not forget');
    assert.ok(budget <= kWindow);
  });
});

describe('a prompt that the server refuses', () => {
  it('is sent once more, shorter, and the window that was named is remembered', async () => {
    const id = await newConversation();
    for (let turn = 0; turn < 9; turn += 1) await ask(id, 'script-words-n2', words(100));
    model.reset();
    const response = await ask(id, 'script-window-n700', words(20), { max_output_tokens: 50 });
    assert.equal(response.status, 'completed');
    const sent = prompts();
    assert.equal(sent.length, 2);
    assert.ok(promptTokens(sent[0].body) > 700);
    assert.ok(promptTokens(sent[1].body) <= 700);
    await ask(id, 'script-window-n700', words(20), { max_output_tokens: 50 });
    assert.equal(prompts().length, 3, 'the next prompt fits at once');
    assert.equal((await contextOf(id, '?model=script-window-n700')).context_tokens, 700);
  });

  it('is an error the second time', async () => {
    const id = await newConversation();
    for (let turn = 0; turn < 9; turn += 1) await ask(id, 'script-words-n2', words(100));
    model.reset();
    const failed = await call('POST', '/v1/responses', { model: 'script-tight-n100', conversation: id, input: words(20) });
    assertEnvelope(failed, 400, { code: 'context_length_exceeded' });
    assert.match(failed.json.error.message, /too long for this model/);
    assert.equal(prompts().length, 2, 'two tries, no more');
  });

  it('is an error at once when there is nothing to leave out', async () => {
    model.reset();
    const failed = await call('POST', '/v1/responses', { model: 'script-tight-n100', input: words(200) });
    assertEnvelope(failed, 400, { code: 'context_length_exceeded' });
    assert.equal(prompts().length, 1);
  });
});

describe('truncation', () => {
  it('is automatic in a conversation, and said to be', async () => {
    const id = await newConversation();
    assert.equal((await ask(id, 'script-echo', 'hello')).truncation, 'auto');
    assert.equal((await ask(id, 'script-echo', 'hello', { truncation: 'disabled' })).truncation, 'disabled');
    const alone = await client.responses.create({ model: 'script-echo', input: 'hello' });
    assert.equal(alone.truncation, 'disabled');
    const next = await client.responses.create({ model: 'script-echo', input: 'hello', previous_response_id: alone.id });
    assert.equal(next.truncation, 'auto');
    assertEnvelope(await call('POST', '/v1/responses', { model: 'script-echo', input: 'x', truncation: 'some' }), 400, { code: 'invalid_value' });
  });

  it('when disabled refuses what does not fit, and stores nothing of it', async () => {
    const id = await newConversation();
    for (let turn = 0; turn < 12; turn += 1) await ask(id, 'script-words-n2', words(200));
    model.reset();
    const body = { model: 'script-window-n2000', conversation: id, input: 'one more', max_output_tokens: 50 };
    const refused = await call('POST', '/v1/responses', { ...body, truncation: 'disabled' });
    assertEnvelope(refused, 400, { code: 'context_length_exceeded' });
    assert.equal(prompts().length, 0);
    assert.equal((await contextOf(id)).head_position, 24);
    const taken = await call('POST', '/v1/responses', { ...body, truncation: 'auto' });
    assert.equal(taken.status, 200);
  });

  it('never cuts the input itself', async () => {
    const refused = await call('POST', '/v1/responses', { model: 'script-window-n2000', input: words(4000) });
    assertEnvelope(refused, 400, { code: 'context_length_exceeded' });
    const id = await newConversation();
    const inside = await call('POST', '/v1/responses', { model: 'script-window-n2000', conversation: id, input: words(4000) });
    assertEnvelope(inside, 400, { code: 'context_length_exceeded' });
    assert.equal((await contextOf(id)).head_position, 0);
  });
});

/** Turns whose messages carry the marks m0, m1, ..., with time to write notes after each. */
async function markedTurns(id, name, from, to) {
  for (let turn = from; turn < to; turn += 1) {
    await ask(id, name, `m${turn} ${words(60)}`, { max_output_tokens: 100 });
    await new Promise((resolve) => { setTimeout(resolve, 150); });
  }
}

const systemOf = ({ body }) => textOf(body.messages.find((message) => message.role === 'system'));

describe('compaction', () => {
  it('is a setting of the conversation', async () => {
    const id = await newConversation();
    assert.equal((await call('GET', `/api/conversations/${id}`)).json.compaction, null);
    for (const value of ['auto', 'off', null]) {
      const { json } = await call('PATCH', `/api/conversations/${id}`, { compaction: value });
      assert.equal(json.compaction, value);
      assert.equal((await contextOf(id, '?model=script-echo')).compaction, value ?? 'off');
    }
    assertEnvelope(await call('PATCH', `/api/conversations/${id}`, { compaction: 'sometimes' }), 400, { code: 'invalid_value' });
    assertEnvelope(await call('PATCH', `/api/conversations/${id}`, { compaction: 1 }), 400);
  });

  it('sums up in the background what the prompt will have to leave out', async () => {
    const id = await newConversation();
    await call('PATCH', `/api/conversations/${id}`, { compaction: 'auto', instructions: 'Be kind.' });
    model.reset();
    await markedTurns(id, 'script-notes-n2000', 0, 40);
    const context = await contextOf(id);
    assert.equal(context.compaction, 'auto');
    assert.ok(context.summary, 'there is a summary');
    assert.match(context.summary.text, /^NOTES m0 to m\d+$/, 'each summary goes on from the one before');
    assert.ok(context.summary.upto_position < context.first_position);
    const last = prompts().at(-1);
    assert.match(systemOf(last), /^Be kind\.\n\nNotes on the older part[^]*NOTES m0 to m\d+$/);
    const covered = Number(/to m(\d+)/.exec(systemOf(last))[1]);
    const first = Number(/\bm(\d+)\b/.exec(textOf(last.body.messages[1]))[1]);
    assert.equal(first, covered + 1, 'nothing is lost between the summary and the first message');
    assert.ok(last.body.messages.filter((message) => message.role === 'system').length === 1);
    for (const { body } of prompts()) assert.ok(promptTokens(body) <= kWindow);
    const heads = prompts().map(({ body }) => JSON.stringify(body.messages.slice(0, 2)));
    const breaks = heads.filter((head, i) => i > 0 && head !== heads[i - 1]).length;
    assert.ok(breaks <= 8, `the prefix broke ${breaks} times in 40 turns`);
    assert.ok(notes().length <= 12, `${notes().length} requests for notes`);
  });

  it('forgets with the message that was deleted', async () => {
    const id = await newConversation();
    await call('PATCH', `/api/conversations/${id}`, { compaction: 'auto' });
    await markedTurns(id, 'script-notes-n2001', 0, 16);
    await poll(() => contextOf(id), (context) => context.summary);
    const { data } = (await call('GET', `/v1/conversations/${id}/items?order=asc&limit=5`)).json;
    await call('DELETE', `/v1/conversations/${id}/items/${data[2].id}`);
    assert.equal((await contextOf(id)).summary, null);
  });

  it('holds up neither an answer nor the end of the server', async () => {
    const id = await newConversation();
    await call('PATCH', `/api/conversations/${id}`, { compaction: 'auto' });
    model.reset();
    for (let turn = 0; turn < 40 && notes().length === 0; turn += 1) {
      await ask(id, 'script-sleepynotes-n2000', `m${turn} ${words(60)}`, { max_output_tokens: 100 });
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    assert.equal(notes().length, 1, 'notes are being made');
    const begin = performance.now();
    await ask(id, 'script-sleepynotes-n2000', 'meanwhile', { max_output_tokens: 100 });
    assert.ok(performance.now() - begin < 5000);
    await poll(() => notes().length, (count) => count > 1);
    const took = await confab.stop();
    assert.ok(took < 5000, `${took} ms`);
    await confab.boot();
    await client.models.list();
    assert.equal((await contextOf(id)).summary, null);
  });

  it('is off unless somebody turns it on', async () => {
    const id = await newConversation();
    model.reset();
    await markedTurns(id, 'script-notes-n2000', 0, 16);
    assert.equal(notes().length, 0);
    assert.equal(prompts().filter((request) => systemOf(request)).length, 0);
  });
});
