// What the page makes of random Markdown that wants to lead astray: the components themselves, as HTML, whole and at every
// stage of an answer that still comes. Only elements that are known, only addresses that the policy allows, and soon.
// FUZZ_SECONDS (3) says how long, FUZZ_SEED begins elsewhere, or repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from 'marked';
import { render } from 'svelte/server';
import MdGroup from '../src/chat/MdGroup.svelte';
import { lex } from '../src/lib/markdown/lexer';
import { blocksOf, Splitter } from '../src/lib/markdown/splitter';
import { random } from './random';

const seconds = Number(process.env.FUZZ_SECONDS ?? 3);
const seed = Number(process.env.FUZZ_SEED ?? 1); // the same texts every time; another seed looks further
const longest = 10_240; // characters of a text
const slowest = 600; // ms of the processor for the tokens of one: 150 on a usual machine, where nothing is worse than quadratic

// ---- texts ----

type Next = () => number;
const below = (next: Next, count: number) => Math.floor(next() * count);
const pick = <T>(next: Next, from: readonly T[]) => from[below(next, from.length)]!;

const schemes = ['javascript', 'data', 'vbscript', 'file', 'blob', 'view-source', 'filesystem', 'intent', 'http', 'https', 'mailto', 'ftp', 'ws', ''];
const rests = ['alert(1)', 'text/html,<b>', '//a.example/x', '//u:p@b.example', '//a.example@b.example/', '///etc/passwd', '//[::1]/', '//a.example\\@b', 'me@a.example', '//\u202emoc.evil', '//x'];
const spaces = ['', '', '', ' ', '\t', '\u0001', '\u00a0', '\u200b', '&Tab;', '&#9;', '&NewLine;', '\\', '%0a', '\ufeff'];
const colons = [':', ':', ':', '&colon;', '&#58;', '&#x3a;', '&#0058;', '%3A', '\uff1a', ' :', ':\t'];

function oddCase(next: Next, text: string): string {
  return [...text].map((c) => (next() < 0.3 ? c.toUpperCase() : next() < 0.08 ? `&#${c.charCodeAt(0)};` : next() < 0.03 ? c + pick(next, spaces) : c)).join('');
}

function address(next: Next): string {
  const text = pick(next, spaces) + oddCase(next, pick(next, schemes)) + pick(next, colons) + pick(next, rests);
  return next() < 0.2 ? `<${text}>` : text;
}

const words = ['word', '*', '**', '_', '~~', '`', '``', '[', ']', '(', ')', '!', '\\', '&lt;', '\u202e', '\ud83d', '\0', '$x^2$', '$$\n', '\\(', '| ', '  \n', 'https://a.example', 'www.b.example', '[^1]'];
const markup = ['<b>', '</b>', '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=x>', '<a href="javascript:x">', '<!--', '-->', '<?', '<![CDATA[', '<iframe src="', '<style>', '<math><mi href=x>'];

function inline(next: Next, depth: number): string {
  switch (below(next, depth > 4 ? 3 : 10)) {
    case 0: return pick(next, words);
    case 1: return pick(next, markup);
    case 2: return `<${address(next)}>`;
    case 3: return `[${inline(next, depth + 1)}](${address(next)})`;
    case 4: return `![${inline(next, depth + 1)}](${address(next)} "${pick(next, words)}")`;
    case 5: return `[${inline(next, depth + 1)}][${pick(next, ['x', 'y', 'X '])}]`;
    case 6: return `${pick(next, ['*', '**', '_', '~~', '`'])}${inline(next, depth + 1)}${pick(next, ['*', '**', '_', '~~', '`'])}`;
    case 7: return address(next);
    default: return `${inline(next, depth + 1)} ${inline(next, depth + 1)}`;
  }
}

function block(next: Next): string {
  const text = inline(next, 0);
  switch (below(next, 13)) {
    case 0: return `${'#'.repeat(1 + below(next, 7))} ${text}`;
    case 1: return `${pick(next, ['```', '~~~', '````'])}${pick(next, ['', 'js', '"><script>', ' onload=x', '\u202e'])}\n${text}\n${pick(next, ['```', '~~~', ''])}`;
    case 2: return `| ${text} | b |\n|---|:-:|\n| ${inline(next, 0)} | ${inline(next, 0)} |`;
    case 3: return `${'> '.repeat(1 + below(next, next() < 0.05 ? 500 : 5))}${text}`;
    case 4: return Array.from({ length: 1 + below(next, next() < 0.05 ? 60 : 4) }, (_, i) => `${' '.repeat(2 * i)}${pick(next, ['- ', '* ', '- [x] ', '1. '])}${inline(next, 2)}`).join('\n');
    case 5: return `[${pick(next, ['x', 'y'])}]: ${address(next)} "title"`;
    case 6: return pick(next, ['---', '===', '<div>\n', '$$\n', '    ', '<table>']) + text;
    case 7: return pick(next, ['- ', '> - ', '1. > ', '[', '![', '(', '*a ', '`', '<', '\\', '**', '[a](', '|', '&#', '~~']).repeat(1 + below(next, next() < 0.05 ? 3_000 : 20));
    default: return text;
  }
}

function markdown(next: Next): string {
  let text = '';
  for (let blocks = 1 + below(next, next() < 0.02 ? 100 : 4); blocks > 0; blocks--) text += block(next) + pick(next, ['\n', '\n\n', '\r\n', '']);
  return text.slice(0, longest);
}

// ---- what may come of them ----

const blockKinds = new Set(['paragraph', 'text', 'code', 'heading', 'list', 'blockquote', 'table', 'hr', 'space', 'def', 'html']);
const inlineKinds = new Set(['text', 'strong', 'em', 'del', 'codespan', 'br', 'escape', 'link', 'image', 'html']);

function checkInline(tokens: Token[]): void {
  for (const token of tokens) {
    assert.ok(inlineKinds.has(token.type), `within a line: ${token.type}`);
    checkInline((token as { tokens?: Token[] }).tokens ?? []);
  }
}

type Nested = { tokens?: Token[]; items?: { tokens: Token[] }[]; header?: { tokens: Token[] }[]; rows?: { tokens: Token[] }[][] };

function checkBlocks(tokens: Token[]): void {
  for (const token of tokens) {
    assert.ok(blockKinds.has(token.type), `a block: ${token.type}`);
    const { tokens: inner = [], items = [], header = [], rows = [] } = token as Nested;
    if (token.type === 'blockquote') checkBlocks(inner);
    else checkInline(inner);
    for (const item of items) checkBlocks(item.tokens);
    for (const cell of [...header, ...rows.flat()]) checkInline(cell.tokens);
  }
}

const elements = new Set(
  'p h2 h3 h4 h5 h6 ol ul li input blockquote div table thead tbody tr th td hr strong em del code br a bdi figure figcaption span button svg path pre'.split(' '),
);
const attributes = new Set(
  'class dir data-level data-align data-testid data-icon start type checked disabled aria-label aria-hidden role tabindex href target rel title viewbox width height fill stroke stroke-width stroke-linecap stroke-linejoin d'.split(' '),
);
const unescape = (text: string) => text.replace(/&(amp|lt|gt|quot);/g, (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name]!);

let links = 0;

// Not the policy's own words, so that a mistake in it shows: what a browser makes of the address.
function checkAddress(href: string): void {
  links++;
  const url = new URL(href);
  assert.ok(['http:', 'https:', 'mailto:'].includes(url.protocol), `a link leads to ${href}`);
  assert.ok(/^(https?:\/\/|mailto:)/.test(href) && !/[\u0000-\u0020]/.test(href), `a link is written ${JSON.stringify(href)}`);
  assert.ok(url.username === '' && url.password === '', `a link names somebody: ${href}`);
}

// Text is escaped, so whatever begins with "<" is an element.
function checkShown(tokens: readonly Token[], openFrom: number): void {
  const html = render(MdGroup, { props: { tokens, openFrom } }).body.replace(/<!--[^<]*?-->/g, '');
  for (const [tag, name, rest] of html.matchAll(/<\/?([^\s>/]*)((?:\s+[^\s=>]+(?:="[^"]*")?)*)\s*\/?>?/g)) {
    assert.ok(elements.has(name!) && tag.endsWith('>'), `an element: ${tag.slice(0, 100)}`);
    for (const [, key, value] of rest!.matchAll(/\s+([^\s=>]+)(?:="([^"]*)")?/g)) {
      assert.ok(attributes.has(key!.toLowerCase()), `an attribute: ${tag.slice(0, 100)}`);
      if (key === 'href') checkAddress(unescape(value!));
    }
  }
}

// Of the processor, in ms: others may be at work as well.
function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function checkTime(text: string): void {
  const start = performance.now();
  lex(text);
  if (performance.now() - start < slowest) return;
  // Once it may have been the compiler, or the collector of garbage.
  const took = cpuOf(() => lex(text));
  assert.ok(took < slowest, `${took} ms for ${text.length} characters`);
}

function check(text: string, next: Next): void {
  checkTime(text);
  const whole = blocksOf(text);
  checkBlocks(whole);
  checkShown(whole, whole.length);
  const splitter = new Splitter();
  const stages = 5;
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + below(next, (2 * text.length) / stages);
    splitter.append(text.slice(at, end));
    checkBlocks(splitter.open);
    checkShown(splitter.open, 0);
    at = end;
  }
  splitter.finish(text);
  checkBlocks(splitter.done);
  checkShown(splitter.done, splitter.done.length);
}

test(`what is shown of random Markdown, for ${seconds} s (FUZZ_SEED=${seed})`, () => {
  const end = performance.now() + seconds * 1_000;
  let runs = 0;
  for (; performance.now() < end; runs++) {
    const next = random(seed + runs);
    const text = markdown(next);
    try {
      check(text, next);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${seed + runs}: ${JSON.stringify(text)}: ${String(error)}`);
    }
  }
  assert.ok(runs > 10, `${runs} documents`);
  assert.ok(links > runs / 10, `${links} links in ${runs} documents`);
});
