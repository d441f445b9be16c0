// What the reviewed application's way costs on the same store and the same model server: history loaded whole per interaction, a
// connection per query, a client per call (as_reviewed.cpp), against the same interaction with Confab.
//
//     node bench/as_reviewed.mjs [INTERACTIONS]
//
// An interaction with Confab: POST /v1/responses with the question, its stream read to the end, and the newest page. Confab's share is measured
// with its whole web server: sign-in by key, HTTP, JSON, the crash-safe log of the stream.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import {
  confabCommand, cpuMicroseconds, kBuild, makeDirectory, median, memoryKib, printTable, round, startConfab, startMock, stop,
} from './support.mjs';

const kInteractions = Number(process.argv[2] ?? 20);
const kModel = 'mock-n64-i0';
const program = (name) => join(kBuild, 'bench', name);

const mock = await startMock();

function old(db) {
  const args = ['--db', db, '--title', 'long', '--port', String(mock.port), '--model', kModel, '--interactions', String(kInteractions)];
  return JSON.parse(execFileSync(program('as_reviewed'), args, { encoding: 'utf8' }));
}

async function confab(dataDir) {
  const key = confabCommand(dataDir, ['key', 'add', '--user', 'bench@example.org', '--name', 'as_reviewed']);
  const { child, port } = await startConfab({ dataDir, upstreamPort: mock.port });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const url = `http://127.0.0.1:${port}/v1`;
  const list = await (await fetch(`${url}/conversations?limit=100`, { headers })).json();
  const conversation = list.data.find(({ title }) => title === 'long').id;
  let bytes = 0;
  const interact = async () => {
    const body = JSON.stringify({ model: kModel, conversation, input: 'Say something short about measuring proxies, please.', stream: true });
    const answer = await fetch(`${url}/responses`, { method: 'POST', headers, body });
    const events = await answer.text();
    if (!events.includes('response.completed')) throw new Error(events.slice(-500));
    bytes += (await (await fetch(`${url}/conversations/${conversation}/items?limit=50`, { headers })).arrayBuffer()).byteLength;
  };
  await interact();
  bytes = 0;
  const ms = [];
  const cpuBefore = cpuMicroseconds(child.pid);
  for (let i = 0; i < kInteractions; ++i) {
    const begin = performance.now();
    await interact();
    ms.push(performance.now() - begin);
  }
  const cpu = (cpuMicroseconds(child.pid) - cpuBefore) / 1000 / kInteractions;
  const peak = memoryKib(child.pid).VmHWM;
  await stop(child);
  return { ms: median(ms), cpu_ms: cpu, bytes_loaded: Math.round(bytes / kInteractions), connections_opened: 0, peak_kib: peak };
}

const rows = [];
for (const messages of [100, 10_000, 100_000]) {
  const dataDir = makeDirectory(`as-reviewed-${messages}`);
  const db = join(dataDir, 'confab.db');
  execFileSync(program('store_bench'), ['seed', db, String(messages)]);
  const before = old(db);
  const now = await confab(dataDir);
  const cells = (name, r) => [name, round(r.ms), round(r.cpu_ms), (r.bytes_loaded / 1024).toFixed(0), String(r.connections_opened), round(r.peak_kib / 1024)];
  const name = messages.toLocaleString('en-US');
  rows.push(cells(`${name} messages, as reviewed`, before), cells(`${name} messages, Confab`, now));
  rows.push([`ratio`, `${round(before.ms / now.ms, 1)}x`, `${round(before.cpu_ms / now.cpu_ms, 1)}x`, `${round(before.bytes_loaded / now.bytes_loaded, 0)}x`, '', `${round(before.peak_kib / now.peak_kib, 1)}x`]);
}
await stop(mock.child);
printTable(
  `One interaction: question, streamed answer of 64 tokens, page; median of ${kInteractions}`,
  ['', 'ms', 'CPU ms', 'KiB of history read', 'connections opened', 'peak RSS MiB'],
  rows,
);
