// Viewers that come back after kill -9. They may have seen more than was durable; the numbers of events never go back, whoever asks gets
// the end, and whoever begins anew gets a consistent story.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { collect, outputText, poll } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const kViewers = 6;

let model;
let confab;

before(async () => {
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL });
});

after(async () => {
  try { await confab?.dispose(); } finally { await model?.close(); }
});

/** Watches an answer until the server dies; `seen` grows meanwhile. */
async function watch(client, seen) {
  try {
    for await (const event of await client.responses.create({ model: 'script-words-n4000-i2', input: 'x', background: true, stream: true })) seen.push(event);
  } catch { /* the crash */ }
}

const deltas = (events) => events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');

describe('after kill -9', () => {
  for (const wait of [0, 150, 900]) {
    it(`${wait} ms after everybody's first event, viewers get the end with numbers beyond theirs`, { timeout: 120_000 }, async () => {
      const client = confab.client({ timeout: 60_000 });
      const all = Array.from({ length: kViewers }, () => []);
      const watching = all.map((seen) => watch(client, seen));
      await poll(() => all, (lists) => lists.every((seen) => seen.length > 0), { everyMs: 2, withinMs: 30_000 });
      await new Promise((resolve) => { setTimeout(resolve, wait); });
      await confab.kill();
      await Promise.all(watching);
      await confab.boot();
      let beyond = 0;
      for (const seen of all) {
        const { id } = seen[0].response;
        const last = seen.at(-1).sequence_number;
        const response = await client.responses.retrieve(id);
        assert.equal(response.status, 'incomplete');
        const whole = await collect(await client.responses.retrieve(id, { stream: true }));
        const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: last }));

        const numbers = rest.map((event) => event.sequence_number);
        assert.ok(rest.length > 0, 'the end comes whatever had been seen');
        assert.ok(numbers.every((number, i) => number > (i ? numbers[i - 1] : last)), `not ascending after ${last}: ${numbers.slice(0, 10)}`);
        assert.equal(rest.at(-1).type, 'response.incomplete');
        assert.equal(rest.at(-1).response.incomplete_details.reason, 'interrupted');
        assert.deepEqual(rest, whole.filter((event) => event.sequence_number > last), 'the same story from anywhere');

        const gaps = whole.filter((event, i) => i > 0 && event.sequence_number !== whole[i - 1].sequence_number + 1);
        assert.equal(gaps.length, 1, 'one gap, before the closing events');
        assert.ok(!gaps[0].type.endsWith('.delta'), gaps[0].type);
        assert.equal(deltas(whole), outputText(response));
        assert.ok(wordsText(4000).startsWith(deltas(whole)));
        for (const event of seen) {
          const kept = whole.find((one) => one.sequence_number === event.sequence_number);
          if (kept) assert.deepEqual(kept, event, 'a number means the same event before and after');
          else beyond += 1;
        }
      }
      console.log(`${all.length} viewers came back; ${beyond} events had been seen that were not durable`);
    });
  }

  it("the official client's stream helper accepts the gap", async () => {
    const client = confab.client({ timeout: 60_000 });
    const stream = await client.responses.create({ model: 'script-words-n4000-i2', input: 'x', background: true, stream: true });
    let id;
    try {
      for await (const event of stream) {
        id ??= event.response?.id;
        if (event.sequence_number === 150) setTimeout(() => confab.kill(), 20);
      }
    } catch { /* the crash */ }
    await confab.boot();
    const final = await client.responses.stream({ response_id: id }).finalResponse();
    assert.equal(final.status, 'incomplete');
    assert.ok(outputText(final).length > 0);
  });
});
