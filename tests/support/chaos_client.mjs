// What the tests of misbehaving model servers share: the configuration that leads there, and clients that look closely.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputText, poll } from './events.mjs';
import { caller, request } from './http.mjs';
import { startAnswer } from './viewer.mjs';

/** Confab's key for every model server; it may appear nowhere but there. */
export const kUpstreamKey = 'sk-upstream-4c1f0a6be7d24c55';

/** Writes a configuration with one model server for each pattern of model names; returns its path. */
export async function chaosConfig(servers) {
  const folder = await mkdtemp(join(tmpdir(), 'confab-config-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'confab.toml');
  const blocks = Object.entries(servers).map(([pattern, url]) => [
    '[[upstream]]', `name = "${pattern.replace(/\W/g, '')}"`, `base_url = "${url}"`, `api_key = "${kUpstreamKey}"`, `models = ["${pattern}"]`, '',
  ].join('\n'));
  await writeFile(path, blocks.join('\n'));
  return path;
}

/** One streamed chat completion, taken apart: the text of its deltas, the error if one came, data that are no JSON, whether [DONE] came. */
export async function chatStream(confab, model) {
  const json = { model, messages: [{ role: 'user', content: 'go' }], stream: true };
  const res = await request(confab, 'POST', '/v1/chat/completions', { key: confab.key, json });
  const seen = { res, deltas: '', error: undefined, done: false, odd: [] };
  if (res.status !== 200) return seen;
  for (const [, data] of res.text.matchAll(/^data: (.*)$/gm)) {
    if (data === '[DONE]') {
      seen.done = true;
      continue;
    }
    let event;
    try { event = JSON.parse(data); } catch { seen.odd.push(data); }
    const choice = event?.choices?.[0];
    seen.deltas += choice?.delta?.content ?? choice?.message?.content ?? '';
    seen.error ??= event?.error;
  }
  return seen;
}

/** Begins an answer, waits for what the model says, stops it from another client, and checks what is kept. Returns the times in ms. */
export async function stopAndCheck({ confab, chaos }, model, { said, began = () => true }) {
  const api = caller(confab, { key: confab.key });
  const mark = `go ${Math.random()}`;
  const answer = await startAnswer(confab, { model, input: mark });
  const reached = () => chaos.requests.find(({ body }) => body?.model === model && JSON.stringify(body).includes(mark));
  const textSeen = () => answer.seen.parsed().map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
  await poll(reached, (upstream) => upstream && textSeen().length >= said.length && began(upstream), { withinMs: 20_000 });
  const upstream = reached();
  assert.equal(upstream.closedAt, null, 'the model server was left before anybody said stop');
  const stoppedAt = performance.now();
  const res = await api('POST', `/v1/responses/${answer.id}/cancel`);
  const answeredAt = performance.now();
  assert.equal(res.status, 200, res.text);
  assert.equal(res.json.status, 'cancelled');
  assert.ok(outputText(res.json).startsWith(said), 'what was said is kept');
  await poll(() => upstream.closedAt, (at) => at !== null);
  assert.equal(await answer.ended, 'ended');
  const last = answer.seen.parsed().at(-1);
  assert.equal(last.type, 'response.incomplete');
  assert.deepEqual(last.response, res.json, 'viewer and stopper are told the same');
  return { closedMs: upstream.closedAt - stoppedAt, answeredMs: answeredAt - stoppedAt, text: outputText(res.json), seen: textSeen(), id: answer.id };
}
