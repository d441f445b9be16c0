// Answers that go on by themselves: background, resuming from any event, cancelling. The promise "nothing lost", without a crash.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { BadRequestError } from 'openai';
import { useConfab } from '../support/confab.mjs';
import { allFrames, assertEnvelope, caller, frames, open, streamedEvents } from '../support/http.mjs';
import { checkEvents, collect, outputText, poll } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const fixture = useConfab();
const create = (body) => fixture.client.responses.create({ background: true, ...body });
const retrieve = (id) => fixture.client.responses.retrieve(id);
const finished = (response) => !['queued', 'in_progress'].includes(response.status);
const isDelta = (event) => event.type === 'response.output_text.delta';

async function streamRaw(method, path, json) {
  return open(fixture.confab, method, path, { json, key: fixture.confab.key });
}

describe('a background response', () => {
  it('is queued at once and can be polled to its end', async () => {
    const response = await create({ model: 'script-words-n40-i5', input: 'x' });
    assert.ok(['queued', 'in_progress'].includes(response.status), response.status);
    assert.equal(response.background, true);
    const done = await poll(() => retrieve(response.id), finished);
    assert.equal(done.status, 'completed');
    assert.equal(outputText(done), wordsText(40));
  });

  it('streams, and says that it was queued', async () => {
    const { text, types } = checkEvents(await collect(await create({ model: 'script-words-n40-i1', input: 'x', stream: true })));
    assert.equal(text, wordsText(40));
    assert.ok(types.includes('response.queued'));
  });

  it('goes on when its viewer leaves', async () => {
    const stream = await create({ model: 'script-words-n60-i5', input: 'x', stream: true });
    const [first] = await collect(stream, isDelta);
    const done = await poll(() => retrieve(first.response.id), finished);
    assert.equal(done.status, 'completed');
    assert.equal(outputText(done), wordsText(60));
  });

  it('needs to be stored', async () => {
    const error = await create({ model: 'script-echo', input: 'x', store: false }).catch((thrown) => thrown);
    assert.ok(error instanceof BadRequestError, `${error}`);
  });

  it('fails in the open when the model is unknown', async () => {
    const { terminal, response, types } = checkEvents(await streamedEvents(fixture.confab, fixture.confab.key, { model: 'script-error-404', input: 'x', background: true }));
    assert.equal(terminal.type, 'response.failed');
    assert.ok(!types.includes('response.output_item.added'), 'no output item before the first token');
    assert.match(response.error.message, /does not exist/);
    assert.equal((await retrieve(response.id)).status, 'failed');
  });
});

describe('resuming', () => {
  it('repeats the same bytes afterwards, from the start and from any event', async () => {
    const first = await allFrames(await streamRaw('POST', '/v1/responses', { model: 'script-words-n120-i2', input: 'x', background: true, stream: true }));
    const texts = first.map((frame) => frame.text);
    const { id } = first[0].event.response;
    const again = await allFrames(await streamRaw('GET', `/v1/responses/${id}?stream=true`));
    assert.deepEqual(again.map((frame) => frame.text), texts);
    for (const after of [0, 1, 2, 3, 4, 5, 60, texts.length - 4, texts.length - 3]) {
      const rest = await allFrames(await streamRaw('GET', `/v1/responses/${id}?stream=true&starting_after=${after}`));
      assert.deepEqual(rest.map((frame) => frame.text), texts.slice(after + 1), `starting_after=${after}`);
    }
  });

  it('after the last event brings only the end', async () => {
    const first = await allFrames(await streamRaw('POST', '/v1/responses', { model: 'script-words-n3', input: 'x', background: true, stream: true }));
    const last = first.at(-2).event;
    const beyond = await allFrames(await streamRaw('GET', `/v1/responses/${last.response.id}?stream=true&starting_after=${last.sequence_number}`));
    assert.deepEqual(beyond.map((frame) => frame.text), ['data: [DONE]']);
  });

  it('joins a running answer at any event, without a gap or a double', async () => {
    const first = await streamRaw('POST', '/v1/responses', { model: 'script-words-n200-i5', input: 'x', background: true, stream: true });
    const seen = [];
    const joined = [];
    for await (const frame of frames(first)) {
      seen.push(frame);
      const at = frame.event?.sequence_number;
      if (at > 0 && at % 20 === 0) {
        const { id } = seen[0].event.response;
        joined.push(streamRaw('GET', `/v1/responses/${id}?stream=true&starting_after=${at - 15}`).then(allFrames)
          .then((rest) => ({ from: at - 14, texts: rest.map((one) => one.text) })));
      }
    }
    assert.ok(joined.length >= 3, `only ${joined.length} viewers joined`);
    const texts = seen.map((frame) => frame.text);
    for (const { from, texts: rest } of await Promise.all(joined)) assert.deepEqual(rest, texts.slice(from), `joined at ${from}`);
    assert.equal(checkEvents(seen.slice(0, -1).map((frame) => frame.event)).text, wordsText(200));
  });

  it('works as the official client does it', async () => {
    const stream = await create({ model: 'script-words-n100-i5', input: 'x', stream: true });
    const seen = await collect(stream, (event, all) => all.filter(isDelta).length === 10);
    const { id } = seen[0].response;
    const last = seen.at(-1).sequence_number;
    const [rest, helped] = await Promise.all([
      fixture.client.responses.retrieve(id, { stream: true, starting_after: last }).then(collect),
      followWithHelper(id, last),
    ]);
    assert.equal(rest[0].sequence_number, last + 1);
    assert.equal(checkEvents([...seen, ...rest]).text, wordsText(100));
    assert.equal(helped.final.output_text, wordsText(100));
    assert.deepEqual(helped.events.filter(isDelta).map((event) => event.delta), rest.filter(isDelta).map((event) => event.delta));
  });

  async function followWithHelper(id, after) {
    const stream = fixture.client.responses.stream({ response_id: id, starting_after: after });
    const events = [];
    for await (const event of stream) events.push(event);
    return { events, final: await stream.finalResponse() };
  }

  it('survives a restart of the server once the answer is whole', async () => {
    const first = await allFrames(await streamRaw('POST', '/v1/responses', { model: 'script-words-n30', input: 'x', background: true, stream: true }));
    const { id } = first[0].event.response;
    await fixture.confab.restart();
    const kept = await retrieve(id);
    assert.equal(kept.status, 'completed');
    assert.equal(outputText(kept), wordsText(30));
    const again = checkEvents((await allFrames(await streamRaw('GET', `/v1/responses/${id}?stream=true`))).slice(0, -1).map((frame) => frame.event));
    assert.equal(again.text, wordsText(30));
  });

  it('refuses a position that is none', async () => {
    const response = await create({ model: 'script-echo', input: 'x' });
    const api = caller(fixture.confab, { key: fixture.confab.key });
    for (const after of ['x', '-1', '1.5', '99999999999999999999']) {
      assertEnvelope(await api('GET', `/v1/responses/${response.id}?stream=true&starting_after=${after}`), 400, { param: 'starting_after' });
    }
  });
});

describe('cancelling', () => {
  it('keeps the partial answer and lets the upstream go', async () => {
    const before = fixture.model.stats().aborted;
    const conversation = await fixture.client.conversations.create();
    const stream = await create({ model: 'script-words-n2000-i10', input: 'x', stream: true, conversation: conversation.id });
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (events.filter(isDelta).length === 10 && isDelta(event)) await fixture.client.responses.cancel(events[0].response.id);
    }
    const { terminal, text, response } = checkEvents(events);
    assert.equal(terminal.type, 'response.incomplete');
    assert.equal(response.status, 'cancelled');
    assert.ok(wordsText(2000).startsWith(text) && text.length > 0);
    await poll(() => fixture.model.stats().aborted, (aborted) => aborted === before + 1);
    assert.equal(outputText(await retrieve(response.id)), text);
    const { data } = await fixture.client.conversations.items.list(conversation.id, { order: 'asc' });
    assert.deepEqual(data.map((item) => [item.role, item.status, item.content[0].text]), [['user', 'completed', 'x'], ['assistant', 'incomplete', text]]);
  });

  it('works before the first token', async () => {
    const response = await create({ model: 'script-words-d60000', input: 'x' });
    const cancelled = await fixture.client.responses.cancel(response.id);
    const done = finished(cancelled) ? cancelled : await poll(() => retrieve(response.id), finished);
    assert.equal(done.status, 'cancelled');
    assert.equal(outputText(done), '');
  });

  it('is answered with the final object when there is nothing left to cancel', async () => {
    const response = await create({ model: 'script-words-n5', input: 'x' });
    await poll(() => retrieve(response.id), finished);
    for (let i = 0; i < 2; i += 1) assert.equal((await fixture.client.responses.cancel(response.id)).status, 'completed');
  });

  it('is refused for a response that is not in the background', async () => {
    const response = await fixture.client.responses.create({ model: 'script-echo', input: 'x' });
    await assert.rejects(fixture.client.responses.cancel(response.id), BadRequestError);
  });

  it('frees a stalled model', async () => {
    const before = fixture.model.stats().live_sockets;
    const stream = await create({ model: 'script-stall', input: 'x', stream: true });
    const seen = await collect(stream, (event, all) => all.filter(isDelta).map((one) => one.delta).join('') === wordsText(3));
    await fixture.client.responses.cancel(seen[0].response.id);
    const done = await poll(() => retrieve(seen[0].response.id), finished);
    assert.equal(done.status, 'cancelled');
    assert.equal(outputText(done), wordsText(3));
    await poll(() => fixture.model.stats().live_sockets, (live) => live <= before);
  });
});
