// Prints what the first paint of the chat loads, compressed with brotli, and fails when the scripts are over budget, or make HTML of text: Svelte
// does that for a few templates only (a snippet within a <select>), and the page's Trusted Types allow it to nobody.
import { readFileSync, readdirSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';

const budget = 90 * 1024;
const dist = new URL('../dist/', import.meta.url);
const size = (path) => brotliCompressSync(readFileSync(new URL(path, dist))).length;
const html = readFileSync(new URL('index.html', dist), 'utf8');

// Scripts named by the document, and everything those import statically.
const seen = new Set();
const follow = (path) => {
  if (seen.has(path)) return;
  seen.add(path);
  const text = readFileSync(new URL(path, dist), 'utf8');
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([\w.-]+\.js)"/g)) follow(`assets/${name}`);
};
for (const [, path] of html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)) follow(path);

let initial = 0;
for (const path of seen) initial += size(path);
for (const name of readdirSync(new URL('assets/', dist)).sort()) {
  const path = `assets/${name}`;
  console.log(`${String(size(path)).padStart(8)}  ${path}${seen.has(path) ? '  (initial)' : ''}`);
}
console.log(`${String(initial).padStart(8)}  initial JavaScript, brotli; budget ${budget}`);
const scripts = readdirSync(new URL('assets/', dist)).filter((name) => name.endsWith('.js'));
const trusting = scripts.filter((name) => readFileSync(new URL(`assets/${name}`, dist), 'utf8').includes('svelte-trusted-html'));
for (const name of trusting) console.log(`assets/${name} makes HTML of text: look for markup in its templates that cannot be built node by node`);
process.exit(initial > budget || trusting.length ? 1 : 0);
