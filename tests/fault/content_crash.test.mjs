// kill -9 while a model thinks, and while it writes a tool call's arguments: what was durable is kept, ends as incomplete, and whoever
// had seen the beginning of the stream can go on with it.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { allFrames, open } from '../support/http.mjs';
import { checkEvents, poll } from '../support/events.mjs';
import { kAgentCalls, thoughtText, wordsText } from '../support/model_scripts.mjs';

let model;
let confab;

before(async () => {
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL });
});

after(async () => {
  try { await confab?.dispose(); } finally { await model?.close(); }
});

/** Starts an answer, kills the server once `type` has come so often that its beginning is durable, and starts it again. */
async function crashWithin(type, times, script) {
  const client = confab.client();
  const { id: conversation } = await client.conversations.create();
  const seen = [];
  try {
    for await (const event of await client.responses.create({ model: script, input: 'x', conversation, background: true, stream: true })) {
      seen.push(event);
      if (seen.filter((one) => one.type === type).length === times) await confab.kill();
    }
  } catch { /* the connection broke */ }
  assert.ok(!confab.alive, `no ${type} came`);
  await confab.boot();
  const { id } = seen[0].response;
  const response = await poll(() => confab.client().responses.retrieve(id), (one) => one.status !== 'in_progress');
  const whole = (await allFrames(await open(confab, 'GET', `/v1/responses/${id}?stream=true`, { key: confab.key }))).slice(0, -1);
  checkEvents(whole.map((frame) => frame.event), { afterCrash: true });
  assert.deepEqual(whole.at(-1).event.response.output, response.output);
  assert.equal(response.status, 'incomplete');
  assert.equal(response.incomplete_details.reason, 'interrupted');
  // What had been shown and is durable is shown again as it was.
  const durable = whole.findIndex((frame) => /\.done$/.test(frame.event.type) && frame.event.output_index === response.output.length - 1);
  assert.ok(durable > 0);
  for (let i = 0; i < Math.min(durable, seen.length); i += 1) assert.deepEqual(whole[i].event, seen[i], `event ${i}`);
  return { client: confab.client(), conversation, output: response.output };
}

describe('a crash', () => {
  it('within a thought keeps the thought', async () => {
    const { client, conversation, output } = await crashWithin('response.reasoning_summary_text.delta', 40, 'script-agent-n100-i40');
    assert.deepEqual(output.map((item) => [item.type, item.status]), [['reasoning', 'incomplete']]);
    assert.ok(thoughtText(100).startsWith(output[0].summary[0].text));
    const again = await client.responses.create({ model: 'script-echo', input: [], conversation });
    assert.equal(again.output_text, 'x', 'the question can be asked again');
  });

  it('within the arguments of a call keeps their beginning, which is never called', async () => {
    const { client, conversation, output } = await crashWithin('response.function_call_arguments.delta', 14, 'script-agent-n2-i60');
    assert.deepEqual(output.map((item) => item.status).slice(0, 2), ['completed', 'completed']);
    assert.equal(output[1].content[0].text, wordsText(2));
    const call = output.find((item) => item.type === 'function_call');
    if (call) {
      assert.equal(output.at(-1).status, 'incomplete');
      assert.ok(kAgentCalls.some((one) => one.arguments.startsWith(call.arguments)));
    }
    await client.responses.create({ model: 'script-count', input: 'go on', conversation });
    const { messages } = model.requests.at(-1).body;
    assert.equal(messages.at(-1).content, 'go on');
    assert.ok(messages.every((message) => !message.tool_calls || message.tool_calls.length === output.filter((item) => item.type === 'function_call' && item.status === 'completed').length));
  });
});
