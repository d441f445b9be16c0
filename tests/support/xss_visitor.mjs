// A visitor who notices everything that a text could do in the page: for the tests with `xss_payloads.mjs`.

import assert from 'node:assert/strict';
import { kAdmin } from './confab.mjs';
import { Visitor } from './browser.mjs';
import { kPayloads } from './xss_payloads.mjs';

const kAtOnce = 20; // items that one request takes

/** A word in each message of `makeHistory`, so that each can be found; the page shows at most two hundred hits. */
export const kNeedles = ['needlea', 'needleb', 'needlec', 'needled'];
export const needle = (number) => kNeedles[number % kNeedles.length];

/** For steps that show hundreds of texts on a machine that may be busy. */
export const kPatient = { timeout: 280_000 };

/** Runs in the page before everything else: reports what must never be in its document, from the moment it is. */
function watchDocument() {
  const nothing = new Set(['script', 'iframe', 'frame', 'frameset', 'object', 'embed', 'applet', 'base', 'meta', 'link', 'style', 'math', 'template', 'marquee', 'portal',
    'fencedframe', 'audio', 'video', 'source', 'track', 'image', 'foreignobject', 'animate', 'set', 'feimage', 'annotation-xml', 'xmp', 'plaintext', 'isindex']);
  const never = new Set(['srcdoc', 'formaction', 'action', 'ping', 'xlink:href', 'background', 'poster', 'srcset', 'http-equiv', 'manifest', 'is', 'popovertarget']);
  const shadowed = new Set(['clobbered', 'location', 'cookie', 'attributes', 'textContent', 'getElementById', 'createElement', 'href', 'url']);
  const mayLead = new Set(['http:', 'https:', 'mailto:']);

  function checkAddress(element, name, value) {
    const url = new URL(value, document.baseURI);
    const link = element.localName === 'a' || element.localName === 'area';
    const fine = link ? mayLead.has(url.protocol) && !url.username : url.origin === location.origin || url.protocol === 'blob:';
    if (!fine) globalThis.reportProblem(`${element.localName} ${name}=${value}`);
  }

  function check(element) {
    if (!element.closest('head') && nothing.has(element.localName.toLowerCase())) globalThis.reportProblem(`element: ${element.outerHTML.slice(0, 200)}`);
    for (const { name, value } of element.attributes) {
      if (name.startsWith('on') || (never.has(name) && !element.closest('head'))) globalThis.reportProblem(`attribute: ${element.localName} ${name}=${value.slice(0, 200)}`);
      if ((name === 'id' || name === 'name') && shadowed.has(value)) globalThis.reportProblem(`name: ${element.localName} ${name}=${value}`);
      if (name === 'style' && /url\(|expression|evil/i.test(value)) globalThis.reportProblem(`style: ${value}`);
      if (['href', 'src', 'data', 'cite'].includes(name)) checkAddress(element, name, value);
    }
  }

  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === 'attributes') check(target);
      for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) [node, ...node.querySelectorAll('*')].forEach(check);
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}

/** Signs in; what a text does becomes a problem of the visitor. With `bypassCSP` the page has no policy to help it. */
export async function openWatched(browser, confab, options) {
  const visitor = await Visitor.open(browser, confab, options);
  const { context, page, problems } = visitor;
  await context.exposeBinding('hit', (_, which) => { problems.push(`ran: ${kPayloads[which] ?? which}`); });
  await context.addInitScript(watchDocument);
  context.on('page', (opened) => problems.push(`window: ${opened.url()}`));
  page.on('download', (download) => problems.push(`download: ${download.url()}`));
  page.on('frameattached', () => problems.push('a frame'));
  page.on('framenavigated', (frame) => {
    const { origin, pathname } = new URL(frame.url());
    if (origin !== confab.url || !/^\/($|c\/|login$|settings)/.test(pathname)) problems.push(`led to ${frame.url()}`);
  });
  await visitor.signIn(kAdmin);
  return visitor;
}

/** A conversation in which each text is one message. */
export async function makeHistory(client) {
  const { id } = await client.conversations.create();
  for (let i = 0; i < kPayloads.length; i += kAtOnce) {
    const items = kPayloads.slice(i, i + kAtOnce).map((text, j) => ({ role: j % 2 ? 'user' : 'assistant', content: `${text}\n\n${needle(i + j)}` }));
    await client.conversations.items.create(id, { items });
  }
  return id;
}

/** A new chat with a model that the model server does not list. */
export async function openWith(visitor, client, model) {
  const { id } = await client.post('/conversations', { body: { model } });
  await visitor.goto(`/c/${id}`);
  await visitor.$('model-picker').filter({ hasText: model }).waitFor();
}

/** Checks what a problem cannot tell: that the language and the document are as they were. */
export async function assertWhole({ page }) {
  assert.deepEqual(await page.evaluate(() => [({}).polluted, document.title.length > 0, typeof document.getElementById]), [undefined, true, 'function']);
}
