// Bundles test/*.test.ts with the esbuild that Vite brings, then runs them with Node's own test runner (Node 18 has no
// TypeScript of its own).
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { compile, compileModule } from 'svelte/compiler';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}.test`;
rmSync(out, { recursive: true, force: true });
// State in *.svelte.ts, as in the page.
const runes = {
  name: 'runes',
  setup(bundle) {
    bundle.onLoad({ filter: /\.svelte\.ts$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'ts', target: 'esnext' });
      return { contents: compileModule(code, { filename: path, generate: 'client' }).js.code, loader: 'js' };
    });
  },
};
// Components become HTML, as a server would send them.
const components = {
  name: 'components',
  setup(bundle) {
    bundle.onLoad({ filter: /\.svelte$/ }, ({ path }) => ({
      contents: compile(readFileSync(path, 'utf8'), { filename: path, generate: 'server', css: 'external' }).js.code,
      loader: 'js',
    }));
  },
};

const names = readdirSync(`${root}test`).filter((name) => name.endsWith('.test.ts'));
await build({
  entryPoints: names.map((name) => `${root}test/${name}`),
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
  conditions: ['browser'],
  plugins: [runes, components],
});
const files = names.map((name) => `${out}/${name.replace(/\.ts$/, '.mjs')}`);
process.exit(spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1);
