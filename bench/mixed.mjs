// Whether anything is left behind by a mixed load: memory and descriptors of the server over minutes.
//
//     node bench/mixed.mjs [SECONDS]
//
// At once: streamed chat completions and stored answers over kept connections, pages and searches, pictures that are uploaded, read and deleted,
// exports, imports, sign-ins, and clients that leave in the middle of an answer. The slope is the least-squares line through the resident
// memory of the last three quarters.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import http from 'node:http';
import { kLoad, makeAccount, memoryKib, cpuMicroseconds, printTable, quantile, round, sleep, start, startConfab, startMock, stop } from './support.mjs';

const kSeconds = Number(process.argv[2] ?? 480);
const kSampleEveryMs = 2_000;
const kIdleSeconds = 20;

const mock = await startMock();
const { dataDir, key } = makeAccount('mixed');
const confab = await startConfab({ dataDir, upstreamPort: mock.port });
const { pid } = confab.child;
const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
const authorization = { authorization: `Bearer ${key}` };
const counts = {};

async function ask(name, method, path, { json, body, headers = {}, leaveAfterMs } = {}) {
  const controller = new AbortController();
  if (leaveAfterMs) setTimeout(() => controller.abort(), leaveAfterMs);
  try {
    const answer = await fetch(`http://127.0.0.1:${confab.port}${path}`, {
      method, body: json ? JSON.stringify(json) : body, signal: controller.signal,
      headers: { ...authorization, ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
    });
    const text = await answer.text();
    counts[`${name} ${answer.status}`] = (counts[`${name} ${answer.status}`] ?? 0) + 1;
    return { status: answer.status, text, json: text.startsWith('{') ? JSON.parse(text) : null };
  } catch (error) {
    const what = `${name} ${error.name === 'AbortError' ? 'left' : error.message}`;
    counts[what] = (counts[what] ?? 0) + 1;
    return { status: 0, text: '' };
  }
}

const conversation = (await ask('conversation', 'POST', '/v1/conversations', { json: {} })).json.id;
const png = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(200_000, 7)]);

async function picture() {
  const form = new FormData();
  form.append('purpose', 'vision');
  form.append('file', new Blob([png]), 'a.png');
  const made = await ask('upload', 'POST', '/v1/files', { body: form });
  if (!made.json?.id) return;
  await ask('picture', 'GET', `/v1/files/${made.json.id}/content`);
  await ask('delete', 'DELETE', `/v1/files/${made.json.id}`);
}

const kImport = JSON.stringify([{ title: 'imported', create_time: 1, mapping: { a: { id: 'a', parent: null, children: [], message: { author: { role: 'user' }, create_time: 1, content: { content_type: 'text', parts: ['hello'] } } } } }]);

// What is done again and again, and the pause between.
const work = [
  [50, () => ask('page', 'GET', `/v1/conversations/${conversation}/items?limit=50`)],
  [100, () => ask('search', 'GET', '/api/search?q=measuring')],
  [200, () => ask('append', 'POST', `/v1/conversations/${conversation}/items`, { json: { items: [{ type: 'message', role: 'user', content: 'measuring something' }] } })],
  [500, picture],
  [2_000, () => ask('export', 'GET', `/api/conversations/${conversation}/export?format=md`)],
  [5_000, () => ask('import', 'POST', '/api/imports?filename=conversations.json', { body: kImport })],
  [200, () => ask('leaving', 'POST', '/v1/responses', { json: { model: 'mock-n100-i20', input: 'x', stream: true }, leaveAfterMs: 300 })],
  [1_000, () => ask('sign-in', 'POST', '/api/auth/login', { json: { email: 'bench@example.org', password: 'correct horse battery staple' }, headers: { origin: `http://127.0.0.1:${confab.port}`, 'sec-fetch-site': 'same-origin' } })],
];

let ended = false;
async function repeat(pauseMs, one) {
  while (!ended) {
    await one();
    await sleep(pauseMs);
  }
}

/** MiB an hour. */
function slope(samples) {
  const n = samples.length;
  const meanT = samples.reduce((sum, { t }) => sum + t, 0) / n;
  const meanM = samples.reduce((sum, { mib }) => sum + mib, 0) / n;
  const top = samples.reduce((sum, { t, mib }) => sum + (t - meanT) * (mib - meanM), 0);
  return (top / samples.reduce((sum, { t }) => sum + (t - meanT) ** 2, 0)) * 3600;
}

async function idleCpu() {
  const before = cpuMicroseconds(pid);
  await sleep(kIdleSeconds * 1000);
  return ((cpuMicroseconds(pid) - before) / (kIdleSeconds * 1e6)) * 100;
}

await sleep(1_000);
const before = { mib: memoryKib(pid).VmRSS / 1024, descriptors: descriptors(), cpu: await idleCpu() };
const loads = [['chat', 100], ['responses', 100]].map(([api, conns]) => start(kLoad, [
  '--port', String(confab.port), '--api', api, '--conns', String(conns), '--ramp', '2000', '--seconds', String(kSeconds), '--model', 'mock-n100-i20', '--header', `Authorization: Bearer ${key}`,
]));
const running = work.map(([pause, one]) => repeat(pause, one));
const samples = [];
const begin = performance.now();
while (performance.now() - begin < kSeconds * 1000) {
  samples.push({ t: (performance.now() - begin) / 1000, mib: memoryKib(pid).VmRSS / 1024 });
  await sleep(kSampleEveryMs);
}
ended = true;
await Promise.all([...running, ...loads.map((child) => once(child, 'close'))]);
http.globalAgent.destroy();
await sleep(100_000);  // kept connections end after 75 s, those to the model server after 90 s
const after = { mib: memoryKib(pid).VmRSS / 1024, descriptors: descriptors(), cpu: await idleCpu() };
const late = samples.filter(({ t }) => t > kSeconds / 4);

printTable(`Mixed load for ${kSeconds} s`, ['', 'before', 'meanwhile', '100 s afterwards'], [
  ['resident memory, MiB', round(before.mib), `${round(quantile(samples.map(({ mib }) => mib), 0.5))} (median), ${round(Math.max(...samples.map(({ mib }) => mib)))} (most)`, round(after.mib)],
  ['slope over the last three quarters, MiB an hour', '', round(slope(late), 2), ''],
  ['of that, in the time measured, MiB', '', round((slope(late) * kSeconds * 0.75) / 3600, 2), ''],
  ['open descriptors', before.descriptors, '', after.descriptors],
  ['CPU while idle, %', round(before.cpu, 3), '', round(after.cpu, 3)],
]);
for (const child of loads) console.log(child.printed.split('\n').find((line) => line.startsWith('{')));
console.log(JSON.stringify(counts));
await stop(confab.child);
await stop(mock.child);
if (after.descriptors > before.descriptors) process.exitCode = 1;
