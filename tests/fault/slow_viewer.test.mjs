// A viewer that takes nothing is dropped when the answer is far ahead of it. The answer does not slow down for it, another viewer sees
// everything, and the dropped one resumes where it was.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { checkEvents, collect, poll } from '../support/events.mjs';
import { open, request } from '../support/http.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const kWords = 60_000;  // rendered about 15 MB: more than any kernel's buffers hold

const fixture = useConfab();

async function dropped() {
  const { text } = await request(fixture.confab, 'GET', '/metrics');
  return Number(/^confab_run_viewers_dropped_total (\d+)/m.exec(text)[1]);
}

describe('a viewer that takes nothing', { timeout: 240_000 }, () => {
  it('is dropped, and may resume', async () => {
    const { confab, client } = fixture;
    const { key } = confab;
    const before = await dropped();
    const stuck = await open(confab, 'POST', '/v1/responses', { json: { model: `script-words-n${kWords}`, input: 'x', background: true, stream: true }, key });
    const closed = new Promise((resolve) => { stuck.on('close', resolve); stuck.on('error', resolve); });
    const first = await new Promise((resolve) => { stuck.once('data', resolve); });
    stuck.pause();
    const { id } = JSON.parse(/data: (.*)\n/.exec(first.toString())[1]).response;
    const other = checkEvents(await collect(await client.responses.retrieve(id, { stream: true })));
    assert.equal(other.text, wordsText(kWords), 'the other viewer has the whole answer');
    await poll(dropped, (count) => count === before + 1, { withinMs: 60_000 });

    let bytes = first.length;
    stuck.on('data', (data) => { bytes += data.length; });
    stuck.resume();
    await closed;
    console.log(`the stuck viewer was dropped with ${bytes} bytes on their way to it`);
    const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: 1000 }));
    assert.equal(checkEvents(rest, { from: 1001 }).terminal.type, 'response.completed');
  });

  it('but one that reads an old log slowly is not', async () => {
    const { confab, client } = fixture;
    const before = await dropped();
    const running = await client.responses.create({ model: 'script-words-n30000-i1', input: 'x', background: true });
    await poll(() => client.responses.retrieve(running.id), (one) => one.status === 'in_progress');
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    const slow = await open(confab, 'GET', `/v1/responses/${running.id}?stream=true`, { key: confab.key });
    let bytes = 0;
    const until = performance.now() + 8_000;
    for await (const data of slow) {
      bytes += data.length;
      await new Promise((resolve) => { setTimeout(resolve, 20); });  // 64 KiB each: slower than the answer, yet moving
      if (performance.now() > until) break;
    }
    slow.destroy();
    assert.ok(bytes > 0);
    assert.equal(await dropped(), before);
    await client.responses.cancel(running.id);
  });
});
