// The real program under test: started on a temporary data directory and a free port, stopped by its own pid whatever happens, restarted
// on the same directory and port. What it printed is kept, and shown when the test process fails.
//
// `CONFAB_BIN` names the program; without it the `dev` build is taken.

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { startModelServer } from './model_server.mjs';

export const kBinary = process.env.CONFAB_BIN || fileURLToPath(new URL('../../build/dev/confab', import.meta.url));
export const kAdmin = { email: 'admin@example.org', password: 'correct horse battery staple' };

const kReadyLine = /^Confab listens on (https?:\/\/127\.0\.0\.1:(\d+))/m;
// One account stands for many in most tests; what a user may have at once is tested in api/quotas.test.mjs.
const kGenerous = { CONFAB_USER_RUNS: '1000', CONFAB_USER_MEMORY_MIB: '4096' };
const kStartWithinMs = 30_000;
const kStopWithinMs = 30_000;
const kLogCharsMax = 4_000_000;
const kLogCharsShown = 12_000;

/** Programs now running and directories now in use, for the clean-up when the test process ends in any way. */
const running = new Set();
const started = [];

process.on('exit', (code) => {
  for (const child of running) child.kill('SIGKILL');
  if (code || process.exitCode) for (const confab of started) confab.printLog();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** The environment of the program: nothing of the caller's but what a program needs to run, and what sanitizers read. */
function cleanEnvironment(home, extra) {
  const kept = Object.entries(process.env).filter(([name]) => /^(PATH|LANG|LC_ALL|TMPDIR|[ALTU]B?SAN_OPTIONS|UBSAN_OPTIONS)$/.test(name));
  return { ...Object.fromEntries(kept), HOME: home, XDG_DATA_HOME: join(home, 'xdg'), ...kGenerous, ...extra };
}

export class Confab {
  #options;
  #child = null;
  #exit = null;
  #expectedEnd = false;

  /**
   * Starts the program and waits for its ready line. `upstream` is a base URL; `args` and `env` are added (`env` may be a function of the
   * data directory); `group` is a MemoryGroup to run in; with `admin` (the default) the first administrator and a key for them are made, found in `key`.
   */
  static async start(options = {}) {
    assert.ok(existsSync(kBinary), `no program at ${kBinary}: build it, or name it in CONFAB_BIN`);
    const confab = new Confab({ admin: true, args: [], env: {}, ...options });
    confab.home = await mkdtemp(join(tmpdir(), 'confab-test-'));
    confab.dataDir = join(confab.home, 'data');
    if (typeof options.env === 'function') confab.#options.env = options.env(confab.dataDir);
    started.push(confab);
    try {
      await confab.boot();
      if (confab.#options.admin) confab.key = await confab.addKey(kAdmin.email);
    } catch (error) {
      await confab.dispose();
      throw error;
    }
    return confab;
  }

  constructor(options) {
    this.#options = options;
    this.log = '';
    /** The last words of each time that the program ended by itself. */
    this.crashes = [];
    this.port = 0;
    this.key = null;
  }

  /** Starts the program on this directory; the first start picks a port, later ones come back on the same. */
  async boot() {
    const { upstream, args, env, admin, group } = this.#options;
    const flags = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data-dir', this.dataDir];
    if (upstream) flags.push('--upstream-url', upstream);
    const unattended = admin ? { CONFAB_ADMIN_EMAIL: kAdmin.email, CONFAB_ADMIN_PASSWORD: kAdmin.password } : {};
    // Two shards whatever the machine has: what passes between shards is tested everywhere.
    const shards = { CONFAB_SHARDS: '2' };
    const [command, before] = group ? group.launcher(kBinary) : [kBinary, []];
    const child = spawn(command, [...before, ...flags, ...args], {
      cwd: this.home, env: cleanEnvironment(this.home, { ...shards, ...unattended, ...env }), stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    this.#expectedEnd = false;
    this.#child = child;
    this.#exit = once(child, 'close').then(([code, signal]) => {
      running.delete(child);
      return { code, signal };
    });
    this.#exit.catch(() => running.delete(child));
    await this.#readyLine(child);
  }

  async #readyLine(child) {
    const from = this.log.length;
    let timer;
    const ready = new Promise((resolve, reject) => {
      const collect = (data) => {
        this.log += data;
        if (this.log.length > kLogCharsMax) this.log = this.log.slice(-kLogCharsMax / 2);
        const match = kReadyLine.exec(this.log.slice(Math.min(from, this.log.length)));
        if (match) resolve(match);
      };
      child.stdout.setEncoding('utf8').on('data', collect);
      child.stderr.setEncoding('utf8').on('data', collect);
      child.on('error', reject);
      timer = setTimeout(() => reject(new Error(`no ready line within ${kStartWithinMs} ms; log:\n${this.log}`)), kStartWithinMs);
    });
    const early = this.#exit.then(({ code, signal }) => {
      throw new Error(`the program ended before it was ready (code ${code}, signal ${signal}); log:\n${this.log}`);
    });
    try {
      const [, url, port] = await Promise.race([ready, early]);
      this.url = url;
      this.port = Number(port);
    } finally {
      clearTimeout(timer);
      early.catch(() => {});
    }
  }

  get pid() { return this.#child?.pid; }

  get alive() { return running.has(this.#child); }

  /** Starts the program again after it ended by itself, so that one fault fails one test; `dispose` reports that it happened. */
  async revive() {
    if (this.alive) return;
    this.crashes.push(this.log.slice(-600));
    await this.boot();
  }

  /** What `process` printed since `mark` characters (see `log.length`). */
  logSince(mark) { return this.log.slice(mark); }

  /** The official client, as a user of it writes it. Retries are off, because a test wants the first answer. */
  client(options = {}) {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: this.key, maxRetries: 0, ...options });
  }

  /** Runs another command of the program on this data directory; returns its standard output. */
  async command(args, options) {
    return this.bareCommand([...args, '--data-dir', this.dataDir], options);
  }

  /** The same without naming a data directory. */
  async bareCommand(args, { input } = {}) {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.home, env: cleanEnvironment(this.home, this.#options.env), timeout: 30_000 };
      const child = execFile(kBinary, args, options, (error, stdout, stderr) => {
        if (error) reject(Object.assign(new Error(`confab ${args.join(' ')}: exit ${error.code}\n${stdout}${stderr}`), { stdout, stderr, code: error.code }));
        else resolve(stdout);
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input ?? '');
    });
  }

  /** Makes a key for a user; the program prints it alone. */
  async addKey(email, name = 'test') {
    const out = await this.command(['key', 'add', '--user', email, '--name', name]);
    assert.match(out, /^sk-\S+\n$/, 'key add prints the key alone on standard output');
    return out.trim();
  }

  /** Makes a member with a key of their own. */
  async addMember(email = 'member@example.org', password = 'another long password') {
    await this.command(['user', 'add', email, '--role', 'member', '--password-stdin'], { input: `${password}\n` });
    return { email, password, key: await this.addKey(email) };
  }

  /** Asks the program to drain and checks that it left in order. Returns how many milliseconds that took. */
  async stop() {
    if (!this.alive) return 0;
    const begin = performance.now();
    this.#expectedEnd = true;
    this.#child.kill('SIGTERM');
    const { code, signal } = await this.exited(kStopWithinMs);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `the program did not leave in order; log:\n${this.log.slice(-kLogCharsShown)}`);
    return performance.now() - begin;
  }

  /** kill -9, and waits until it is gone. */
  async kill() {
    this.#expectedEnd = true;
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  async restart() {
    await this.stop();
    await this.boot();
  }

  /** Waits until the program has ended; kills it when that takes too long. */
  async exited(withinMs) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still running after ${withinMs} ms`)), withinMs);
    });
    try {
      return await Promise.race([this.#exit, late]);
    } catch (error) {
      this.#child.kill('SIGKILL');
      await this.#exit;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops the program, in order when `check` is left on, and removes its directory. */
  async dispose({ check = true } = {}) {
    try {
      if (check && !this.alive && this.#child && !this.#expectedEnd) this.crashes.push(this.log.slice(-600));
      if (check) await this.stop();
      if (check) assert.deepEqual(this.crashes, [], 'the program ended by itself');
    } finally {
      if (this.alive) await this.kill();
      if (this.home) await rm(this.home, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  printLog() {
    process.stderr.write(`--- the program on port ${this.port} printed (end) ---\n${this.log.slice(-kLogCharsShown)}\n--- end ---\n`);
  }
}

/**
 * One program and one scripted model server for a whole test file. The returned object is filled before the first test:
 * `confab`, `model`, and `client` with the administrator's key; `prepare(fixture)` may add to it.
 */
export function useConfab({ prepare = async () => {}, ...options } = {}) {
  const fixture = {};
  before(async () => {
    fixture.model = await startModelServer();
    fixture.confab = await Confab.start({ upstream: fixture.model.baseURL, ...options });
    if (fixture.confab.key) fixture.client = fixture.confab.client();
    await prepare(fixture);
  });
  beforeEach(() => fixture.confab.revive());
  after(async () => {
    try {
      await fixture.confab?.dispose();
    } finally {
      await fixture.model?.close();
    }
  });
  return fixture;
}
