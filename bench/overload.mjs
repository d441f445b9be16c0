// A server that is too small for its load: Confab in a control group of 192 MiB, first at the load that it is fit for, then at ten times that.
//
//     node bench/overload.mjs [SECONDS] [LIMIT_MIB]
//
// Many users ask long questions (64 KiB), each over as many connections as one user may have answers under way; who is refused comes back
// when Retry-After has passed. Goodput is complete answers per second. Memory is what the group holds and the kernel cannot take back. Where
// no control group can be made, RLIMIT_DATA is set instead (prlimit), which counts address space: that is printed.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { confabCommand, kConfab, kDirectory, kLoad, makeDirectory, memoryKib, printTable, round, sleep, start, startConfab, startMock, stop } from './support.mjs';
import { kMiB, MemoryGroup } from '../tests/support/memory_group.mjs';

const kSeconds = Number(process.argv[2] ?? 300);
const kLimitMib = Number(process.argv[3] ?? 192);
const kPerUser = 4;
const kRated = 100;
const kRatedSeconds = 30;
const kUsers = (10 * kRated) / kPerUser;
const kQuestion = ['--api', 'responses', '--model', 'mock-n100-i20', '--pad', '65536'];

const group = MemoryGroup.make('overload', kLimitMib * kMiB);
// Without a group the program is run under a limit of its data segment.
const limited = group ?? {
  launcher: (command) => ['prlimit', [`--data=${kLimitMib * kMiB}`, command]],
  usage: () => memoryKib(confab.child.pid).VmData * 1024,
  oomKills: () => 0,
  remove: async () => {},
};
if (!group) console.log(`RLIMIT_DATA of ${kLimitMib} MiB, by prlimit`);

const dataDir = makeDirectory('overload');
const keys = [];
for (let i = 0; i < kUsers; ++i) {
  const email = `user${i}@example.org`;
  confabCommand(dataDir, ['user', 'add', email, '--role', i ? 'member' : 'admin', '--password-stdin'], 'correct horse battery staple\n');
  keys.push(confabCommand(dataDir, ['key', 'add', '--user', email, '--name', 'bench']));
}
const keyFile = join(kDirectory, 'overload.keys');
writeFileSync(keyFile, `${keys.join('\n')}\n`);

const mock = await startMock();
const confab = await startConfab({ dataDir, upstreamPort: mock.port, group: limited, quotas: [] });
const mib = (bytes) => bytes / kMiB;

async function load(connections, seconds) {
  const child = start(kLoad, [
    '--port', String(confab.port), ...kQuestion, '--conns', String(connections), '--ramp', '2000', '--seconds', String(seconds),
    '--keys', keyFile, '--per-key', String(kPerUser), '--obey', 'yes', '--timeout', '60',
  ]);
  let peak = 0;
  const sampler = setInterval(() => { peak = Math.max(peak, limited.usage()); }, 100);
  await once(child, 'close');
  clearInterval(sampler);
  const line = child.printed.split('\n').find((text) => text.startsWith('{'));
  if (!line) throw new Error(child.printed);
  if (JSON.parse(line).failed) console.log(child.printed.split('\n').filter((text) => text && !text.startsWith('{')).join('\n'));
  return { ...JSON.parse(line), peak };
}

/** What is left when nothing is asked for a while. */
async function settled(withinMs) {
  const end = performance.now() + withinMs;
  let least = Infinity;
  while (performance.now() < end) {
    await sleep(500);
    least = Math.min(least, limited.usage());
  }
  return least;
}

await load(8, 2);  // code and caches that are needed once
const idle = await settled(5_000);
const rated = await load(kRated, kRatedSeconds);
const over = await load(10 * kRated, kSeconds);
const alive = confab.child.exitCode === null && confab.child.signalCode === null;
const after = await settled(90_000);

printTable(`${kLimitMib} MiB: ${kRated} connections of ${kRated / kPerUser} users for ${kRatedSeconds} s, then ${10 * kRated} of ${kUsers} for ${kSeconds} s`,
  ['', 'rated', 'ten times'], [
    ['complete answers per second', round(rated.answers_per_s), `${round(over.answers_per_s)} (${round(over.answers_per_s / rated.answers_per_s, 2)})`],
    ['refused (429, 503)', rated.refused, over.refused],
    ['refusal after, ms: p50 / p99 / max', Object.values(rated.refused_ms).map((ms) => round(ms)).join(' / '), Object.values(over.refused_ms).map((ms) => round(ms)).join(' / ')],
    ['failed otherwise', `${rated.failed} ${JSON.stringify(rated.reasons)}`, `${over.failed} ${JSON.stringify(over.reasons)}`],
    ['first token, ms: p50 / p99', `${round(rated.ttft_ms.p50)} / ${round(rated.ttft_ms.p99)}`, `${round(over.ttft_ms.p50)} / ${round(over.ttft_ms.p99)}`],
    ['group at its fullest, MiB', round(mib(rated.peak)), round(mib(over.peak))],
    ['killed by the kernel', '', alive ? limited.oomKills() : 'the program ended'],
    ['idle before / after, MiB', round(mib(idle)), `${round(mib(after))} (+${round(mib(after - idle))})`],
  ]);
await stop(confab.child);
await stop(mock.child);
await limited.remove();
if (!alive || over.answers_per_s < 0.8 * rated.answers_per_s || after - idle > 4 * kMiB) process.exitCode = 1;
