// Going on with an answer that broke off: `"continue": true`.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller } from '../support/http.mjs';
import { checkEvents, collect, itemText, outputText, poll } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const fixture = useConfab();
const ask = (conversation, model, more = {}) => fixture.client.responses.create({ model, input: 'question', conversation, ...more });
const goOn = (conversation, model, more = {}) => ask(conversation, model, { input: [], continue: true, ...more });
const newConversation = async () => (await fixture.client.conversations.create()).id;

async function items(conversation) {
  const all = [];
  for await (const item of fixture.client.conversations.items.list(conversation, { order: 'asc' })) all.push(item);
  return all;
}

/** A conversation that ends with an answer cut off by the token limit. */
async function brokenOff(words = 5) {
  const id = await newConversation();
  const response = await ask(id, `script-length-n${words}`);
  assert.equal(response.status, 'incomplete');
  return id;
}

describe('continuing an answer', () => {
  it('begins with the old text, and takes its place', async () => {
    const id = await brokenOff();
    const stream = await collect(await goOn(id, 'script-words-n3', { stream: true, background: true }));
    const { text, response } = checkEvents(stream);
    assert.equal(text, wordsText(5) + wordsText(3));
    assert.equal(stream.find((event) => event.type === 'response.output_text.delta').delta, wordsText(5), 'the first delta is the old text');
    assert.equal(response.status, 'completed');
    const all = await items(id);
    assert.deepEqual(all.map(itemText), ['question', wordsText(5) + wordsText(3)]);
    assert.equal(all[1].status, 'completed');
    assert.equal(all[1].response_id, response.id);
    const again = await collect(await fixture.client.responses.retrieve(response.id, { stream: true }));
    assert.deepEqual(again, stream);
  });

  it('asks the model with the old text and a request to go on, which is not stored', async () => {
    const id = await brokenOff();
    await goOn(id, 'script-words-n1');
    const { messages } = fixture.model.requests.at(-1).body;
    assert.deepEqual(messages.map((message) => message.role), ['user', 'assistant', 'user']);
    assert.equal(messages[1].content, wordsText(5));
    assert.match(messages[2].content, /exactly where it stopped/);
    assert.deepEqual((await items(id)).map((item) => item.role), ['user', 'assistant']);
  });

  it('works after a stop, and more than once', async () => {
    const id = await newConversation();
    const stream = await ask(id, 'script-stall', { background: true, stream: true });
    let running;
    for await (const event of stream) {
      running ??= event.response?.id;
      if (event.delta === ' w2') break;
    }
    await fixture.client.responses.cancel(running);
    assert.equal((await goOn(id, 'script-length-n2')).status, 'incomplete');
    assert.equal(outputText(await goOn(id, 'script-words-n1')), `${wordsText(3)}${wordsText(2)}w0`);
    assert.equal((await items(id)).length, 2);
  });

  it('works after a model server that broke off', async () => {
    const id = await newConversation();
    assert.equal((await ask(id, 'script-reset-n5')).status, 'failed');
    assert.equal(outputText(await goOn(id, 'script-words-n2')), wordsText(5) + wordsText(2));
  });

  it('that fails before a new token leaves the old answer as it was', async () => {
    const id = await brokenOff();
    const before = await items(id);
    const error = await goOn(id, 'script-error-404').catch((thrown) => thrown);
    assert.equal(error.status, 404);
    assert.deepEqual(await items(id), before);
    assert.equal(outputText(await goOn(id, 'script-words-n1')), `${wordsText(5)}w0`);
  });

  it('that is stopped before a new token leaves the old answer as it was', async () => {
    const id = await brokenOff();
    const before = await items(id);
    const response = await goOn(id, 'script-words-n5-d20000', { background: true });
    await poll(() => fixture.client.responses.retrieve(response.id), (one) => one.status === 'in_progress');
    assert.equal((await fixture.client.responses.cancel(response.id)).status, 'cancelled');
    assert.deepEqual(await items(id), before);
  });

  it('is refused when there is nothing to continue', async () => {
    const api = caller(fixture.confab, { key: fixture.confab.key });
    const expected = { type: 'invalid_request_error', code: 'nothing_to_continue', param: 'continue' };
    const post = (json) => api('POST', '/v1/responses', { json: { model: 'script-echo', input: [], continue: true, ...json } });
    const whole = await newConversation();
    assertEnvelope(await post({ conversation: whole }), 400, expected);
    await ask(whole, 'script-words-n2');
    assertEnvelope(await post({ conversation: whole }), 400, expected);
    assertEnvelope(await post({ conversation: await brokenOff(), input: 'and more' }), 400, expected);
    assertEnvelope(await post({}), 400, expected);
    const previous = await fixture.client.responses.create({ model: 'script-length-n2', input: 'x' });
    assertEnvelope(await post({ previous_response_id: previous.id }), 400, expected);
    assertEnvelope(await post({ conversation: whole, continue: 'yes' }), 400, { param: 'continue' });
  });

  it('after a crash leaves the old answer or the new one, and can be repeated', { timeout: 120_000 }, async () => {
    const id = await brokenOff();
    for (const model of ['script-words-n5-d20000', 'script-words-n2000-i5']) {
      const before = itemText((await items(id)).at(-1));
      const stream = await goOn(id, model, { background: true, stream: true });
      const seen = [];
      try {
        for await (const event of stream) {
          if (event.type === 'response.output_text.delta') seen.push(event.delta);
          if (model.includes('-d') ? event.type === 'response.in_progress' : seen.length === 200) setTimeout(() => fixture.confab.kill(), 20);
        }
      } catch { /* killed */ }
      await fixture.confab.boot();
      fixture.client = fixture.confab.client();
      const after = await items(id);
      assert.equal(after.length, 2);
      assert.equal(after[1].status, 'incomplete');
      assert.ok(itemText(after[1]).startsWith(before), itemText(after[1]).slice(0, 100));
      if (model.includes('-d')) assert.equal(itemText(after[1]), before, 'nothing new had come');
      else assert.ok(itemText(after[1]).length > before.length);
    }
    const kept = itemText((await items(id))[1]);
    assert.equal(outputText(await goOn(id, 'script-words-n2')), kept + wordsText(2));
  });
});
