// What the drivers share: programs started on free ports of 127.0.0.1 and ended by their own pid, the kernel's figures about them,
// medians and Markdown tables.
//
// BENCH_BUILD names the build directory (default: build/bench), BENCH_DIR a directory for temporary files (default: one of mktemp's,
// removed at the end).

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export { sleep };

export const kBuild = process.env.BENCH_BUILD || fileURLToPath(new URL('../build/bench', import.meta.url));
export const kConfab = join(kBuild, 'confab');
export const kLoad = join(kBuild, 'bench', 'load_streams');
const kMock = join(kBuild, 'bench', 'mock_upstream');
const kNginx = process.env.NGINX || '/usr/sbin/nginx';
const kClockTicks = Number(execFileSync('getconf', ['CLK_TCK']));

const running = new Set();
const ownDirectory = process.env.BENCH_DIR ? null : mkdtempSync(join(tmpdir(), 'confab-bench-'));
export const kDirectory = process.env.BENCH_DIR || ownDirectory;

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  if (ownDirectory) rmSync(ownDirectory, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

export function makeDirectory(name) {
  const path = join(kDirectory, name);
  mkdirSync(path, { recursive: true });
  return path;
}

// ---- programs ----

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a program; `env` replaces the environment but for what a program needs to run. */
export function start(command, args, env = {}) {
  const kept = { PATH: process.env.PATH, HOME: kDirectory, XDG_DATA_HOME: kDirectory, XDG_CONFIG_HOME: kDirectory };
  const child = spawn(command, args, { env: { ...kept, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.printed = '';
  const collect = (data) => { child.printed = (child.printed + data).slice(-100_000); };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  child.ended = once(child, 'close').finally(() => running.delete(child));
  running.add(child);
  return child;
}

export async function stop(child, signal = 'SIGTERM') {
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await child.ended;
  clearTimeout(timer);
}

/** Asks until there is an answer; returns the moment it came. */
export async function waitForHttp(port, path, withinMs = 10_000) {
  const end = performance.now() + withinMs;
  while (performance.now() < end) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      await answer.arrayBuffer();
      return performance.now();
    } catch {
      await sleep(1);
    }
  }
  throw new Error(`nothing answers on port ${port}`);
}

export async function startMock() {
  const port = await freePort();
  const child = start(kMock, [String(port), '1']);
  await waitForHttp(port, '/v1/models');
  return { child, port };
}

export async function startNginx(upstreamPort) {
  const port = await freePort();
  const directory = makeDirectory(`nginx-${port}`);
  const template = readFileSync(new URL('nginx.conf.template', import.meta.url), 'utf8');
  const values = { DIR: directory, PORT: port, UPSTREAM: upstreamPort };
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, template.replace(/@([A-Z]+)@/g, (_, name) => values[name]));
  const child = start(kNginx, ['-e', join(directory, 'start.err'), '-c', file]);
  await waitForHttp(port, '/v1/models');
  return { child, port };
}

// One account stands for all in most measurements.
const kNoQuotas = ['--user-runs', '1000000', '--user-memory-mib', '1000000'];

/** `confab serve` on a data directory; without an upstream it answers with the demo model. */
export async function startConfab({ dataDir, upstreamPort, shards, group, quotas = kNoQuotas }) {
  const port = await freePort();
  const args = ['serve', '--listen', `127.0.0.1:${port}`, '--data-dir', dataDir, '--log-level', 'warn', '--drain-seconds', '1', ...quotas];
  if (upstreamPort) args.push('--upstream-url', `http://127.0.0.1:${upstreamPort}/v1`);
  if (shards) args.push('--shards', String(shards));
  const [command, before] = group ? group.launcher(kConfab) : [kConfab, []];
  const child = start(command, [...before, ...args]);
  await waitForHttp(port, '/healthz');
  return { child, port };
}

/** Runs a command of confab on a data directory that no server uses; returns what it printed. */
export function confabCommand(dataDir, args, input = '') {
  const env = { PATH: process.env.PATH, HOME: kDirectory };
  return execFileSync(kConfab, [...args, '--data-dir', dataDir], { input, env, encoding: 'utf8' }).trim();
}

/** A new data directory with one account; returns it and a key. */
export function makeAccount(name) {
  const dataDir = mkdtempSync(join(kDirectory, `${name}-`));
  confabCommand(dataDir, ['user', 'add', 'bench@example.org', '--role', 'admin', '--password-stdin'], 'correct horse battery staple\n');
  return { dataDir, key: confabCommand(dataDir, ['key', 'add', '--user', 'bench@example.org', '--name', 'bench']) };
}

// ---- what the kernel knows of a process ----

function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text ? text.split(' ').map(Number) : [];
}

/** The process that does the work: nginx's worker, or the process itself. */
export function workerOf(pid) {
  return childrenOf(pid)[0] ?? pid;
}

/** utime + stime, in microseconds (the kernel counts in steps of 1/CLK_TCK s). */
export function cpuMicroseconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / kClockTicks) * 1e6;
}

/** Fields of /proc/PID/status in KiB: VmRSS, RssAnon, RssFile, VmHWM ... */
export function memoryKib(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Object.fromEntries([...status.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, name, value]) => [name, Number(value)]));
}

// ---- figures ----

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.round(q * (sorted.length - 1))] : NaN;
}

export const median = (values) => quantile(values, 0.5);

export function round(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits) : '-';
}

export function printTable(title, head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  console.log([`\n**${title}**\n`, line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n'));
}
