// Starts the program for bench/fair.mjs: a model server with so many slots, and people with a key each.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

export async function startConfab(binary, baseURL, slots, people, userRuns) {
  const home = await mkdtemp(join(tmpdir(), 'confab-fair-'));
  const data = join(home, 'data');
  const config = join(home, 'confab.toml');
  await writeFile(config, `[[upstream]]\nname = "model"\nbase_url = "${baseURL}"\nslots = ${slots}\n`);
  const env = { PATH: process.env.PATH, HOME: home, CONFAB_ADMIN_EMAIL: 'admin@example.org', CONFAB_ADMIN_PASSWORD: 'a long enough password', CONFAB_USER_RUNS: userRuns };
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data-dir', data, '--config', config], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.setEncoding('utf8');
  while (!/listens on \S+:(\d+)/.test(said)) [said] = [said + (await once(child.stdout, 'data'))[0]];
  const port = Number(/listens on \S+:(\d+)/.exec(said)[1]);
  const keys = [];
  for (let i = 0; i < people; i += 1) {
    const email = `person${i}@example.org`;
    const adding = run(binary, ['user', 'add', email, '--role', 'member', '--password-stdin', '--data-dir', data], { env });
    adding.child.stdin.end('a long enough password\n');
    await adding;
    keys.push((await run(binary, ['key', 'add', '--user', email, '--name', 'bench', '--data-dir', data], { env })).stdout.trim());
  }
  return {
    port,
    keys,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await rm(home, { recursive: true, force: true });
    },
  };
}
