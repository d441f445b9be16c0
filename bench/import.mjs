// What an import and an export cost: node bench/import.mjs DIR FILE [CONFAB]
// Imports FILE (bench/make_import.mjs) through HTTP into a new database below DIR, twice, exports everything, and watches the server's
// memory. Then the bare work of the parts: copying the file with fsync, SQLite's own inserts of as many rows and bytes in commits of the same
// size, and SQLite's own reading of these rows.

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, createReadStream, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';

const [dir, file, program = 'build/release/confab'] = process.argv.slice(2);
if (!dir || !file) {
  console.error('usage: node bench/import.mjs DIR FILE [CONFAB]');
  process.exit(2);
}
const data = join(dir, 'data');
rmSync(data, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });
const bytes = statSync(file).size;
const mib = (n) => (n / 1024 / 1024).toFixed(1);
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const env = { ...process.env, CONFAB_ADMIN_EMAIL: 'admin@example.org', CONFAB_ADMIN_PASSWORD: 'correct horse battery' };
const server = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--data-dir', data], { env, stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => server.kill('SIGKILL'));
const port = await new Promise((resolve) => server.stdout.on('data', (text) => {
  const found = /127\.0\.0\.1:(\d+)/.exec(text);
  if (found) resolve(Number(found[1]));
}));
const key = execFileSync(program, ['key', 'add', '--user', 'admin@example.org', '--name', 'bench', '--data-dir', data]).toString().trim();

function request(method, path, body, length) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, ...(body ? { 'content-length': length, 'content-type': 'application/octet-stream' } : {}) };
    const req = http.request({ host: '127.0.0.1', port, method, path, headers }, async (res) => {
      let text = '';
      for await (const part of res) text += part;
      resolve(JSON.parse(text));
    });
    req.on('error', reject);
    if (body) body.pipe(req);
    else req.end();
  });
}

async function run(name) {
  const idle = rss(server.pid);
  let peak = idle;
  const timer = setInterval(() => { peak = Math.max(peak, rss(server.pid)); }, 20);
  const begin = performance.now();
  let job = await request('POST', '/api/imports?filename=bench.json', createReadStream(file), bytes);
  const received = performance.now();
  while (['queued', 'running'].includes(job.status)) {
    await sleep(100);
    job = await request('GET', `/api/imports/${job.id}`);
  }
  clearInterval(timer);
  const upload = (received - begin) / 1000;
  const seconds = (performance.now() - received) / 1000;
  console.log(`| ${name} | ${upload.toFixed(1)} | ${seconds.toFixed(1)} | ${(bytes / 1024 / 1024 / seconds).toFixed(1)} | ${job.messages} | ${job.skipped} | ${mib(idle)} | ${mib(peak)} | ${mib(peak - idle)} |`);
  if (job.status !== 'completed') throw new Error(JSON.stringify(job));
  return { seconds, job };
}

async function runExport() {
  const idle = rss(server.pid);
  let peak = idle;
  const timer = setInterval(() => { peak = Math.max(peak, rss(server.pid)); }, 20);
  const begin = performance.now();
  const got = await new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/api/export', headers: { authorization: `Bearer ${key}` } };
    http.get(options, (res) => {
      let size = 0;
      let tail = '';
      res.on('data', (piece) => { size += piece.length; tail = (tail + piece.subarray(-200)).slice(-200); });
      res.on('end', () => (res.statusCode === 200 && tail.includes('"end"') ? resolve(size) : reject(new Error(`the export broke off: ${res.statusCode} ${tail}`))));
    }).on('error', reject);
  });
  clearInterval(timer);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`\n|  | export s | MiB | MiB/s | idle MiB | peak MiB | more |\n| --- | --- | --- | --- | --- | --- | --- |`);
  console.log(`| export of everything | ${seconds.toFixed(1)} | ${mib(got)} | ${(got / 1024 / 1024 / seconds).toFixed(1)} | ${mib(idle)} | ${mib(peak)} | ${mib(peak - idle)} |`);
  return seconds;
}

console.log(`File: ${mib(bytes)} MiB\n`);
console.log('|  | upload s | import s | MiB/s | messages | skipped | idle MiB | peak MiB | more |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
const first = await run('import');
await run('the same again');
const exported = await runExport();
server.kill('SIGTERM');
await new Promise((resolve) => server.on('exit', resolve));

// The disk alone.
const copy = join(dir, 'copy');
const begin = performance.now();
const from = openSync(file, 'r');
const to = openSync(copy, 'w');
const buffer = Buffer.alloc(1024 * 1024);
for (let got = readSync(from, buffer); got > 0; got = readSync(from, buffer)) writeSync(to, buffer, 0, got);
fsyncSync(to);
closeSync(from);
closeSync(to);
rmSync(copy);
const copied = (performance.now() - begin) / 1000;

// SQLite alone: the rows of the import, into one plain table, in commits of 256 with a sync each.
const plain = join(dir, 'plain.db');
for (const suffix of ['', '-wal', '-shm']) if (existsSync(plain + suffix)) rmSync(plain + suffix);
const rows = first.job.messages;
const script = `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;
CREATE TABLE t (id INTEGER PRIMARY KEY, item_id BLOB NOT NULL UNIQUE, body TEXT NOT NULL);
${Array.from({ length: Math.ceil(rows / 256) }, () => `INSERT INTO t (item_id, body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 256) SELECT randomblob(16), hex(randomblob(200)) FROM n;`).join('\n')}`;
const inserting = performance.now();
execFileSync('sqlite3', [plain], { input: script, stdio: ['pipe', 'ignore', 'inherit'], maxBuffer: 1 << 30 });
const inserted = (performance.now() - inserting) / 1000;
const reading = performance.now();
execFileSync('sqlite3', [plain, 'SELECT id, item_id, body FROM t'], { stdio: ['ignore', 'ignore', 'inherit'] });
const read = (performance.now() - reading) / 1000;
console.log(`\nCopying the file with one fsync: ${copied.toFixed(1)} s. SQLite's own inserts of ${rows} rows of 400 bytes, 256 a commit, one table: ${inserted.toFixed(1)} s, ${(first.seconds / inserted).toFixed(1)} times faster than the import; printing them again: ${read.toFixed(1)} s (the export: ${exported.toFixed(1)} s).`);
