// What a hog costs the others: the time to the first token of people who ask now and then, alone, and while one person has a hundred requests
// under way all the time, at a model server that answers a few at once.
//
//   node bench/fair.mjs [SECONDS] [--bin build/release/confab] [--user-runs N]
//
// With --user-runs 1000 nobody reaches their limit of answers at once, so that the line before the model server alone keeps people apart.
// The model server is simulated here: SLOTS answers at once, the first token after TTFT_MS, the whole answer after ANSWER_MS. It counts how many
// it had at once, so that a run shows that Confab kept to its slots. Percentiles are of all requests of the three light people.

import http from 'node:http';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { startConfab } from './fair_support.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { bin: { type: 'string', default: 'build/release/confab' }, 'user-runs': { type: 'string', default: '4' } } });
const seconds = Number(positionals[0] ?? 30);
const kSlots = 8;
const kTtftMs = 200;
const kAnswerMs = 400;
const kLight = 3;
const kPauseMs = 1_000; // of a light person, between two questions
const kHogConnections = 100; // each asks again at once, while a light person has one question under way at most

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function startModel() {
  const state = { at_once: 0, most: 0, asked: 0 };
  const server = http.createServer(async (req, res) => {
    if (req.method === 'GET') return res.end(JSON.stringify({ object: 'list', data: [{ id: 'm', object: 'model' }] }));
    for await (const _ of req); // eslint-disable-line
    state.asked += 1;
    state.at_once += 1;
    state.most = Math.max(state.most, state.at_once);
    let gone = false;
    res.on('close', () => { if (!gone) { gone = true; state.at_once -= 1; } });
    const event = (delta, finish = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    await sleep(kTtftMs);
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(event({ role: 'assistant', content: 'first' }));
    await sleep(kAnswerMs - kTtftMs);
    res.end(`${event({ content: ' last' })}${event({}, 'stop')}data: [DONE]\n\n`);
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  return once(server, 'listening').then(() => ({ state, baseURL: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.closeAllConnections() || server.close() }));
}

/** Milliseconds to the first token, or nothing when the request was refused. */
function ask(port, key, agent) {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
  const begin = performance.now();
  return new Promise((resolve) => {
    const req = http.request({ host: '127.0.0.1', port, agent, method: 'POST', path: '/v1/chat/completions', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } });
    req.on('response', (res) => {
      let first;
      res.on('data', (data) => { if (first === undefined && `${data}`.includes('first')) first = performance.now() - begin; });
      res.on('end', () => resolve(res.statusCode === 200 ? first : undefined));
      res.on('error', () => resolve(undefined));
    });
    req.on('error', () => resolve(undefined));
    req.end(body);
  });
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

async function measure(confab, withHog) {
  const end = performance.now() + seconds * 1000;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1_000 });
  const times = [];
  const counts = { hog: 0, hogRefused: 0, lightRefused: 0 };
  async function light(key, offset) {
    await sleep(1_000 + offset);
    while (performance.now() < end) {
      const took = await ask(confab.port, key, agent);
      if (took === undefined) counts.lightRefused += 1; else times.push(took);
      await sleep(kPauseMs - kAnswerMs + Math.random() * 200);
    }
  }
  async function hog(key) {
    while (performance.now() < end) {
      if (await ask(confab.port, key, agent) === undefined) { counts.hogRefused += 1; await sleep(50); } else counts.hog += 1;
    }
  }
  const everybody = confab.keys.slice(1).map((key, i) => light(key, i * 137));
  if (withHog) for (let i = 0; i < kHogConnections; i += 1) everybody.push(hog(confab.keys[0]));
  await Promise.all(everybody);
  agent.destroy();
  times.sort((a, b) => a - b);
  return { ...counts, light: times.length, p50: at(times, 0.5), p95: at(times, 0.95), most: times.at(-1) };
}

const model = await startModel();
const confab = await startConfab(values.bin, model.baseURL, kSlots, 1 + kLight, values['user-runs']);
try {
  await measureOnce(confab);
} finally {
  await confab.stop();
  model.close();
}

async function measureOnce(program) {
  const alone = await measure(program, false);
  model.state.most = 0;
  const crowded = await measure(program, true);
  const row = (name, run) => `| ${name} | ${run.light} | ${run.p50.toFixed(0)} | ${run.p95.toFixed(0)} | ${run.most.toFixed(0)} | ${run.hog} | ${run.lightRefused} / ${run.hogRefused} |`;
  console.log(`**${kSlots} slots, first token after ${kTtftMs} ms, answer ${kAnswerMs} ms; ${kLight} light people, a question each second; a hog with ${kHogConnections} connections, --user-runs ${values['user-runs']}; ${seconds} s**\n`);
  console.log('|  | answers of the light | TTFT ms p50 | p95 | most | answers of the hog | refused light / hog |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  console.log(row('alone', alone));
  console.log(row('with the hog', crowded));
  console.log(`\np95 with the hog / alone: ${(crowded.p95 / alone.p95).toFixed(2)}; most requests at the model server at once: ${model.state.most}`);
  if (!(crowded.p95 <= 1.5 * alone.p95)) process.exitCode = 1;
}
