// The line before a model server with few slots: people take turns, whatever their load. Counted, not timed.

import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Confab, kAdmin } from '../support/confab.mjs';
import { assertEnvelope, caller, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

const kSlots = 2;
const kAnswerMs = 30;
const people = {};
const model = { asked: [], at_once: 0, most: 0 };
let server;
let confab;
let admin;

/** A model server that notes who asks, in which order, and how many at once. */
async function answer(req, res) {
  let text = '';
  for await (const part of req) text += part;
  if (req.method === 'GET') return res.end(JSON.stringify({ object: 'list', data: [{ id: 'narrow', object: 'model' }] }));
  model.asked.push(/(hog|light|other) \d+/.exec(text)[1]);
  model.at_once += 1;
  model.most = Math.max(model.most, model.at_once);
  await sleep(kAnswerMs);
  model.at_once -= 1;
  const message = { role: 'assistant', content: 'yes', refusal: null };
  return res.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'narrow', choices: [{ index: 0, message, finish_reason: 'stop' }] }));
}

before(async () => {
  server = http.createServer((req, res) => { res.setHeader('content-type', 'application/json'); answer(req, res).catch(() => res.destroy()); });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  confab = await Confab.start({ args: ['--shards', '2'] });
  admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
  const res = await admin('POST', '/api/upstreams', { json: { name: 'narrow', base_url: `http://127.0.0.1:${server.address().port}/v1`, slots: kSlots } });
  assert.equal(res.status, 201, res.text);
  assert.equal(res.json.slots, kSlots);
  for (const name of ['hog', 'light', 'other']) people[name] = await confab.addMember(`${name}@example.org`);
});

after(async () => {
  try { await confab?.dispose(); } finally { server?.close(); server?.closeAllConnections(); }
});

const kinds = {
  'chat completions': (key, text) => caller(confab, { key })('POST', '/v1/chat/completions', { json: { model: 'narrow', messages: [{ role: 'user', content: text }] } }),
  responses: (key, text) => caller(confab, { key })('POST', '/v1/responses', { json: { model: 'narrow', input: text } }),
};
const waiting = async () => Number(/^confab_upstream_slots_waiting\{upstream="narrow"\} (\d+)/m.exec((await caller(confab, {})('GET', '/metrics')).text)?.[1] ?? NaN);

describe('a model server with two slots', () => {
  for (const [name, send] of Object.entries(kinds)) {
    it(`serves others after a turn of the hog’s, ${name}`, async () => {
      model.asked.length = 0;
      const hog = Array.from({ length: 150 }, (_, i) => send(people.hog.key, `hog ${i}`));
      await eventually(async () => await waiting() > 30, 'the hog is in the line');
      const others = ['light', 'other'].map(async (who) => {
        const before = model.asked.length;
        const left = await waiting();
        assert.equal((await send(people[who].key, `${who} 0`)).status, 200);
        const turns = model.asked.slice(before, model.asked.indexOf(who)).length;
        return { who, turns, left };
      });
      for (const { who, turns, left } of await Promise.all(others)) {
        assert.ok(left > 20, `the line had ${left}, too few to show anything`);
        // Those that were sent while the request was on its way to the line come first as well.
        assert.ok(turns <= left / 2, `${turns} were asked before ${who}, of ${left} that waited: ${model.asked.join(' ')}`);
      }
      assert.ok((await Promise.all(hog)).every((res) => res.status === 200));
    });
  }

  it('is never asked for more at once', () => {
    assert.equal(model.most, kSlots);
  });

  it('is checked when it is connected', async () => {
    for (const slots of [-1, 65_537, 1.5, 'two']) {
      assertEnvelope(await admin('POST', '/api/upstreams', { json: { name: 'bad', base_url: 'http://127.0.0.1:9/v1', slots } }), 400, { param: 'slots' });
      assertEnvelope(await admin('PATCH', '/api/upstreams/narrow', { json: { slots } }), 400, { param: 'slots' });
    }
    assertEnvelope(await admin('PATCH', '/api/upstreams/narrow', { json: {} }), 400, { param: 'slots' });
    assertEnvelope(await admin('PATCH', '/api/upstreams/nobody', { json: { slots: 1 } }), 404, { code: 'not_found' });
  });

  it('gets more and fewer while it works, also after a restart', async () => {
    const change = async (slots) => {
      const res = await admin('PATCH', '/api/upstreams/narrow', { json: { slots } });
      assert.equal(res.status, 200, res.text);
      assert.deepEqual([res.json.name, res.json.slots, res.json.ok], ['narrow', slots, true]);
    };
    const mostOf = async (requests) => {
      model.most = 0;
      const sent = Array.from({ length: requests }, (_, i) => kinds.responses(people.light.key, `light ${i}`));
      assert.ok((await Promise.all(sent)).every((res) => res.status === 200));
      return model.most;
    };
    await change(1);
    assert.equal(await mostOf(8), 1);
    await change(6);
    const most = await mostOf(40);
    assert.ok(most > kSlots && most <= 6, `${most}`);
    await confab.restart();
    const [stored] = (await admin('GET', '/api/upstreams')).json.data;
    assert.deepEqual([stored.name, stored.slots], ['narrow', 6]);
    await change(kSlots);
  });
});
