// Bundles test/*.test.ts with the esbuild that Vite brings, then runs them with Node's own test runner (Node 18 has no
// TypeScript of its own).
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}.test`;
rmSync(out, { recursive: true, force: true });
const names = readdirSync(`${root}test`).filter((name) => name.endsWith('.test.ts'));
await build({
  entryPoints: names.map((name) => `${root}test/${name}`),
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
});
const files = names.map((name) => `${out}/${name.replace(/\.ts$/, '.mjs')}`);
process.exit(spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1);
