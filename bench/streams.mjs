// What a proxied token costs, and what an open stream holds: nginx and Confab in front of the same model server.
//
//     node bench/streams.mjs [ROUNDS] [CASE,CASE...] [WAY,WAY...]
//
// Cases: paced (1,000 connections, 100 tokens an answer, one every 20 ms), few (200 of the same), quiet (5,000 connections, one
// token every 500 ms), unpaced (64 connections, 64 tokens, as fast as they come), bursts (the same, an answer in one write), history
// (64 connections that send a chat of 21 messages, 9 KB, and get an answer that is not streamed; its CPU is per answer).
// Every measurement has a fresh process; the ways alternate within a round. CPU is utime + stime of the proxy process divided by the
// tokens that reached the client; memory is the growth of its resident set from idle to its largest value under the load.

import { once } from 'node:events';
import {
  cpuMicroseconds, kLoad, makeAccount, median, memoryKib, printTable, round, sleep, start, startConfab, startMock, startNginx, stop, workerOf,
} from './support.mjs';

const kRounds = Number(process.argv[2] ?? 3);
const wanted = (list, name) => !list || list.split(',').includes(name);
const kSampleEveryMs = 100;

const cases = [
  { name: 'paced', title: '1,000 streams, 100 tokens each, one every 20 ms', args: ['--conns', '1000', '--ramp', '1500', '--seconds', '6', '--model', 'mock-n100-i20'] },
  { name: 'few', title: '200 streams, 100 tokens each, one every 20 ms', args: ['--conns', '200', '--ramp', '1500', '--seconds', '6', '--model', 'mock-n100-i20'] },
  { name: 'quiet', title: '5,000 streams, 20 tokens each, one every 500 ms', args: ['--conns', '5000', '--ramp', '8000', '--seconds', '16', '--model', 'mock-n20-i500'] },
  { name: 'unpaced', title: '64 streams, 64 tokens each, as fast as they come', args: ['--conns', '64', '--seconds', '3', '--model', 'mock-n64-i0'] },
  { name: 'bursts', title: '64 streams, 64 tokens each, an answer in one write', args: ['--conns', '64', '--seconds', '3', '--model', 'mock-n64-i0-b'] },
  { name: 'history', title: '64 connections, chats of 21 messages (9 KB), answers that are not streamed', args: ['--conns', '64', '--seconds', '3', '--model', 'mock-n64-i0', '--history', '21'] },
].filter(({ name }) => wanted(process.argv[3], name));

const mock = await startMock();
const account = makeAccount('streams');
const confab = (shards) => () => startConfab({ dataDir: account.dataDir, upstreamPort: mock.port, shards });

const ways = [
  { id: 'direct', name: 'no proxy', api: 'chat', start: async () => mock },
  { id: 'nginx', name: 'nginx, 1 worker', api: 'chat', start: () => startNginx(mock.port) },
  { id: 'chat', name: 'Confab chat/completions', api: 'chat', start: confab() },
  { id: 'responses', name: 'Confab responses (stored)', api: 'responses', start: confab() },
  { id: 'chat1', name: 'Confab chat/completions, 1 shard', api: 'chat', start: confab(1) },
  { id: 'responses1', name: 'Confab responses (stored), 1 shard', api: 'responses', start: confab(1) },
  { id: 'chat2', name: 'Confab chat/completions, 2 shards', api: 'chat', start: confab(2) },
  { id: 'responses2', name: 'Confab responses (stored), 2 shards', api: 'responses', start: confab(2) },
].filter(({ id }) => id === 'nginx' || wanted(process.argv[4], id));

async function load(way, port, args) {
  const child = start(kLoad, ['--port', String(port), '--api', way.api, '--label', way.name, '--timeout', '30', '--header', `Authorization: Bearer ${account.key}`, ...args]);
  return { child, done: once(child, 'close') };
}

async function measure(way, { args }) {
  const proxy = await way.start();
  const worker = workerOf(proxy.child.pid);
  // Eight answers first: code and caches that every process needs once are not charged to the streams.
  await (await load(way, proxy.port, ['--conns', '8', '--requests', '8', '--model', 'mock-n64-i0'])).done;
  await sleep(300);
  const idleKib = memoryKib(worker).VmRSS;
  const cpuBefore = cpuMicroseconds(worker);
  const { child, done } = await load(way, proxy.port, args);
  let peakKib = 0;
  const sampler = setInterval(() => { peakKib = Math.max(peakKib, memoryKib(worker).VmRSS); }, kSampleEveryMs);
  await done;
  clearInterval(sampler);
  const cpu = cpuMicroseconds(worker) - cpuBefore;
  const line = child.printed.split('\n').find((text) => text.startsWith('{'));
  if (!line) throw new Error(`${way.name}: ${child.printed}`);
  const figures = JSON.parse(line);
  if (figures.failed) console.error(`streams: ${way.name}: ${child.printed}`);
  if (proxy !== mock) await stop(proxy.child);
  return {
    ...figures,
    cpuPerToken: cpu / (figures.tokens || figures.ok),  // an answer that is not streamed counts as one
    idleMib: idleKib / 1024,
    peakMib: peakKib / 1024,
    kibPerStream: (peakKib - idleKib) / figures.streams_peak,
  };
}

for (const way of ways) way.results = Object.fromEntries(cases.map(({ name }) => [name, []]));
for (let i = 0; i < kRounds; ++i) {
  for (const one of cases) {
    for (const way of ways) {
      if (one.name !== 'history' || way.api === 'chat') way.results[one.name].push(await measure(way, one));
    }
  }
}
await stop(mock.child);

for (const { name, title } of cases) {
  const nginx = ways.find(({ id }) => id === 'nginx').results[name];
  const straight = ways.find(({ id }) => id === 'direct')?.results[name];
  const rows = ways.filter((way) => way.results[name].length).map((way) => {
    const results = way.results[name];
    const mid = (pick) => median(results.map(pick));
    const direct = way.id === 'direct';
    // Ratios are taken within each round, so that what disturbs a round disturbs both sides.
    const ratio = median(results.map((result, i) => result.cpuPerToken / nginx[i].cpuPerToken));
    const speed = median(results.map((result, i) => result.answers_per_s / nginx[i].answers_per_s));
    const added = median(results.map((result, i) => result.ttft_ms.p50 - (straight?.[i].ttft_ms.p50 ?? NaN)));
    return [
      way.name,
      direct ? '-' : round(mid((r) => r.cpuPerToken)),
      direct ? '-' : round(ratio, 2),
      round(mid((r) => r.tokens_per_s_steady) / 1000),
      `${round(mid((r) => r.answers_per_s), 0)} (${round(speed, 2)})`,
      `${round(mid((r) => r.ttft_ms.p50), 2)} / ${round(mid((r) => r.ttft_ms.p99))}`,
      direct ? '-' : round(added, 2),
      `${round(mid((r) => r.delay_ms.p50))} / ${round(mid((r) => r.delay_ms.p99))}`,
      direct ? '-' : `${round(mid((r) => r.idleMib))} / ${round(mid((r) => r.peakMib))}`,
      direct ? '-' : round(mid((r) => r.kibPerStream)),
      String(results.reduce((sum, r) => sum + r.failed, 0)),
    ];
  });
  printTable(
    `${title}; ${kRounds} rounds, medians`,
    ['', 'CPU us/token', 'ratio to nginx', 'k tokens/s', 'answers/s (to nginx)', 'TTFT ms p50 / p99', 'p50 added to direct', 'token delay ms p50 / p99', 'RSS MiB idle / peak', 'KiB a stream', 'failed'],
    rows,
  );
}
