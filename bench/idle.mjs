// What Confab costs when it does nothing, and how soon it is there.
//
//     node bench/idle.mjs [STARTS]
//
// Times count from the moment the process is started: until GET /healthz is answered, and until the demo model (no model server is
// connected) has sent the first and the last piece of an answer. Warm: the binary is in the page cache.

import { execFileSync } from 'node:child_process';
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, kConfab, kDirectory, makeAccount, median, memoryKib, printTable, quantile, round, sleep, start, stop, waitForHttp } from './support.mjs';

const kStarts = Number(process.argv[2] ?? 10);

const { dataDir, key } = makeAccount('idle');
const figures = { healthz: [], ready: [], firstPiece: [], answer: [], stop: [], idle: [], anon: [], after: [] };

/** Asks the demo model; returns when the first content came and when the answer ended. */
async function askDemo(port) {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'confab-demo', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  if (answer.status !== 200) throw new Error(`the demo model answered ${answer.status}`);
  let text = '';
  let first = 0;
  for await (const piece of answer.body) {
    text += Buffer.from(piece).toString();
    if (!first && /"content":"[^"]/.test(text)) first = performance.now();
  }
  if (!text.includes('[DONE]')) throw new Error('the demo answer was cut off');
  return { first, end: performance.now() };
}

for (let i = 0; i < kStarts; ++i) {
  const port = await freePort();
  const begin = performance.now();
  const child = start(kConfab, ['serve', '--listen', `127.0.0.1:${port}`, '--data-dir', dataDir, '--log-level', 'warn']);
  figures.healthz.push(await waitForHttp(port, '/healthz') - begin);
  figures.ready.push(await waitForHttp(port, '/readyz') - begin);
  if (i % 2 === 0) {
    // One half of the starts is asked at once, the other is left alone to see it idle.
    const { first, end } = await askDemo(port);
    figures.firstPiece.push(first - begin);
    figures.answer.push(end - begin);
  } else {
    await sleep(1500);
    figures.idle.push(memoryKib(child.pid).VmRSS / 1024);
    figures.anon.push(memoryKib(child.pid).RssAnon / 1024);
    await askDemo(port);
    await sleep(200);
    figures.after.push(memoryKib(child.pid).VmRSS / 1024);
  }
  const stopping = performance.now();
  await stop(child);
  figures.stop.push(performance.now() - stopping);
}

const row = (name, values, unit) => [name, `${round(median(values))} ${unit}`, `${round(quantile(values, 0))} - ${round(quantile(values, 1))}`];
const stripped = join(kDirectory, 'confab.stripped');
copyFileSync(kConfab, stripped);
execFileSync('strip', [stripped]);
const mib = (path) => `${round(statSync(path).size / 1024 / 1024)} MiB`;
printTable(`Idle and start, ${kStarts} starts`, ['', 'median', 'range'], [
  row('resident memory, idle', figures.idle, 'MiB'),
  row('of that anonymous (not shared with the file cache)', figures.anon, 'MiB'),
  row('resident memory after one answer', figures.after, 'MiB'),
  row('start to GET /healthz answered', figures.healthz, 'ms'),
  row('start to GET /readyz answered', figures.ready, 'ms'),
  row('start to the first piece of the demo answer', figures.firstPiece, 'ms'),
  row('start to the end of the demo answer (paced by the demo itself)', figures.answer, 'ms'),
  row('SIGTERM to exit, nothing under way', figures.stop, 'ms'),
  ['program, stripped', mib(stripped), ''],
]);
