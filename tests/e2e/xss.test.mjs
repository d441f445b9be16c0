// Abuse cases 1 to 8 and 10: everything that people, models and model servers say is text. Hundreds of texts that want to be code come
// through every place where somebody else's words are shown. Nothing runs, nothing is fetched from elsewhere, nothing leads away, and
// not even an element, a handler or an address of theirs enters the document. The content security policy is switched off for that, so
// that the page is held to it alone; one step has it on, and then nothing may try what the policy would forbid.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';
import { request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';
import { kForeignOrigin, kPayloads, packed } from '../support/xss_payloads.mjs';

const kAtOnce = 20; // items that one request takes
const kKeys = 90; // a person has at most a hundred
const kStreamed = 6_000; // bytes of texts in one message
/** A word in each message, so that each can be found; the page shows at most two hundred hits. */
const kNeedles = ['needlea', 'needleb', 'needlec', 'needled'];
const needle = (number) => kNeedles[number % kNeedles.length];
const kAnswerMs = 60_000;
const kStepMs = { timeout: 180_000 };
/** One red pixel. */
const kPng = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');

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

/** A visitor who notices everything that these texts could do. */
async function openWatched(browser, confab, options) {
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

describe('texts that want to be code', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let bare; // without the policy
  let guarded;
  let history;

  before(async () => {
    browser = await launch();
    bare = await openWatched(browser, fixture.confab, { bypassCSP: true });
    guarded = await openWatched(browser, fixture.confab);
    history = await makeHistory();
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => bare, async (visitor) => {
    await body(visitor);
    assert.deepEqual(await visitor.page.evaluate(() => [({}).polluted, document.title.length > 0, typeof document.getElementById]), [undefined, true, 'function']);
  }, kStepMs);

  /** A conversation in which each text is one message. */
  async function makeHistory() {
    const { id } = await fixture.client.conversations.create();
    for (let i = 0; i < kPayloads.length; i += kAtOnce) {
      const items = kPayloads.slice(i, i + kAtOnce).map((text, j) => ({ role: j % 2 ? 'user' : 'assistant', content: `${text}\n\n${needle(i + j)}` }));
      await fixture.client.conversations.items.create(id, { items });
    }
    return id;
  }

  async function openWith(visitor, model) {
    const { id } = await fixture.client.post('/conversations', { body: { model } });
    await visitor.goto(`/c/${id}`);
    await visitor.$('model-picker').filter({ hasText: model }).waitFor();
  }

  /** Goes up until nothing new comes; every message must have been in the document. */
  async function readHistory(visitor) {
    await visitor.goto(`/c/${history}`);
    await visitor.answer.waitFor();
    const seen = new Set();
    await visitor.page.mouse.move(700, 400);
    await eventually(async () => {
      const ids = await visitor.page.evaluate(() => [...document.querySelectorAll('[data-testid=message]')].map((row) => row.dataset.itemId));
      ids.forEach((id) => seen.add(id));
      await visitor.page.mouse.wheel(0, -20_000);
      return seen.size === kPayloads.length;
    }, 'the whole history was shown', 90_000);
  }

  /** Sends texts and waits for an answer that thinks, says and does the same. */
  async function echo(visitor, text) {
    await visitor.send(text);
    await visitor.$('tool-call').last().waitFor({ timeout: kAnswerMs });
    await visitor.page.waitForFunction(() => ![...document.querySelectorAll('[data-testid=tool-call],[data-testid=message],[data-testid=reasoning]')].some((row) => row.dataset.status === 'in_progress'), null, { timeout: kAnswerMs });
  }

  step('would run, were they taken for HTML', () => guarded, async () => {
    assert.ok(kPayloads.length >= 300, `${kPayloads.length} texts`);
    const context = await browser.newContext();
    await context.route('**', (route) => route.abort());
    const page = await context.newPage();
    // What is used is taken first: some of the texts replace it.
    const ran = await page.evaluate(async ({ texts, enough }) => {
      const numbers = new Set();
      globalThis.hit = (which) => numbers.add(which);
      const { body } = document;
      const range = document.createRange();
      for (const text of texts) if (!/http-equiv=?"?refresh/i.test(text)) body.append(range.createContextualFragment(text));
      for (let i = 0; i < 600 && numbers.size < enough; i += 1) await new Promise((resolve) => { setTimeout(resolve, 50); });
      return numbers.size;
    }, { texts: kPayloads, enough: 60 });
    assert.ok(ran >= 60, `only ${ran} of the texts run as HTML`);
    await context.close();
  }, kStepMs);

  step('would be noticed in the page', () => bare, async (visitor) => {
    await visitor.page.evaluate((origin) => {
      document.body.insertAdjacentHTML('beforeend', `<p id=clobbered><img src="${origin}/x" onerror="hit(0)"></p><a href="javascript:1">x</a><iframe></iframe>`);
    }, kForeignOrigin);
    const kinds = ['ran:', 'element: <iframe', 'attribute: img onerror', 'a href=javascript', 'img src=', 'name:', 'request to', 'a frame'];
    await eventually(() => kinds.every((kind) => visitor.problems.some((problem) => problem.startsWith(kind))), `${kinds} are noticed; only ${visitor.problems.join('\n')}`);
    await visitor.page.reload();
    await visitor.$('composer').waitFor();
    visitor.problems.length = 0;
  }, kStepMs);

  stepOf('stay texts in messages', (visitor) => readHistory(visitor));

  stepOf('stay texts while a model thinks them, says them and calls a tool with them', async (visitor) => {
    await openWith(visitor, 'script-parrot');
    for (const text of packed(kStreamed)) {
      await echo(visitor, text);
      await visitor.$('reasoning').last().locator('summary').click();
      await visitor.$('tool-call').last().locator('summary').click();
      await visitor.$('tool-call').last().getByText('hit(').first().waitFor();
      const more = visitor.page.getByRole('button', { name: 'Show more' });
      await visitor.$('reasoning-text').last().waitFor();
      while (await more.count()) await more.last().click();
    }
  });

  stepOf('stay texts in the words of a model server that refuses', async (visitor) => {
    await openWith(visitor, 'script-complain');
    for (const text of packed(2_000, ' ', kPayloads.map((one) => one.replace(/\s+/g, ' ')))) {
      await visitor.send(text);
      const end = text.slice(-30).trim();
      await visitor.page.waitForFunction((words) => document.querySelector('[data-testid=error-card]')?.innerText.includes(words), /hit\(\d+\)|invalid\/\d+/.exec(end)?.[0] ?? 'hit(', { timeout: kAnswerMs });
    }
  });

  stepOf('stay texts in titles', async (visitor) => {
    const titles = packed(500, ' ');
    let id;
    for (const title of titles) ({ id } = await fixture.client.post('/conversations', { body: { title } }));
    await visitor.goto(`/c/${id}`);
    const rows = visitor.$('conversation-item').filter({ hasText: /hit\(|evil/ });
    await eventually(async () => {
      await visitor.$('conversation-item').last().scrollIntoViewIfNeeded();
      return await rows.count() >= titles.length;
    }, 'all titles are listed');
    await visitor.page.waitForFunction(() => /hit|evil/.test(document.title));
    await visitor.$('conversation-item').first().hover();
    await visitor.$('conversation-menu').first().click();
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in what a search finds', async (visitor) => {
    const found = async () => (await fixture.client.get('/../api/search?q=needlea&limit=1')).pending;
    await poll(found, (pending) => pending === 0);
    await visitor.goto('/');
    await visitor.$('search').click();
    for (const [i, word] of kNeedles.entries()) {
      const share = kPayloads.filter((_, number) => needle(number) === word).length;
      await visitor.$('search-field').fill(word);
      if (i === 0) await visitor.$('search-newest').click();
      await visitor.$('search-hit').locator('mark', { hasText: word }).first().waitFor();
      await eventually(async () => {
        await visitor.page.evaluate(() => document.querySelector('[data-testid=search-more]:enabled')?.click());
        return await visitor.$('search-hit').count() >= share;
      }, `all ${share} texts with ${word} are found`, 60_000);
    }
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in the names of files', async (visitor) => {
    visitor.networkMayFail = true;
    await visitor.goto('/');
    const names = packed(4_000, ' ');
    for (let i = 0; i < names.length; i += 8) {
      const files = names.slice(i, i + 8).map((name) => ({ name: `${name}.png`, mimeType: 'image/png', buffer: kPng }));
      await visitor.$('attach-input').setInputFiles(files);
      await visitor.page.waitForFunction((count) => document.querySelectorAll('[data-testid=attachment]:is([data-state=ready],[data-state=failed])').length === count, files.length);
      for (let left = files.length; left > 0; left -= 1) await visitor.$('attachment-remove').first().click();
    }
    const name = '"><img src=x onerror=hit(0)>.png';
    await visitor.pickModel('script-words-n20-i5');
    await visitor.$('attach-input').setInputFiles([{ name, mimeType: 'image/png', buffer: kPng }]);
    await visitor.page.waitForFunction(() => document.querySelector('[data-testid=attachment][data-state=ready]'));
    await visitor.send('look');
    await visitor.waitStatus('completed', kAnswerMs);
    await visitor.$('image').click();
    await visitor.page.getByRole('dialog').getByRole('img').waitFor();
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in the names of keys, folders and tags', async (visitor) => {
    const credentials = { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) };
    const create = async (method, path, json) => {
      const res = await request(fixture.confab, method, path, { ...credentials, json });
      assert.ok(res.status < 300, res.text);
    };
    const names = packed(200, ' ', kPayloads.map((text) => text.replace(/[\s\p{C}]+/gu, ' ')));
    for (const [i, name] of names.entries()) {
      if (i < kKeys) await create('POST', '/api/keys', { name });
      await create('POST', '/api/folders', { name });
    }
    const { id } = await fixture.client.conversations.create();
    await create('PATCH', `/api/conversations/${id}`, { tags: packed(64, ' ', kPayloads.slice(-200)).filter((tag) => !/[\p{C},]/u.test(tag)).slice(0, 20) });
    for (const path of ['/settings/keys', `/c/${id}`]) {
      await visitor.goto(path);
      await visitor.page.waitForFunction((count) => document.body.innerText.split(/hit\(|evil/).length > count, kKeys);
    }
  });

  stepOf('stay texts in a person’s name', async (visitor) => {
    const name = kPayloads.join(' ');
    await visitor.page.route('**/api/auth/me', async (route) => {
      const response = await route.fetch();
      const { user } = await response.json();
      await route.fulfill({ response, json: { user: { ...user, name, email: name } } });
    });
    await visitor.goto('/');
    await visitor.$('user-menu').getByText('hit(').waitFor();
    await visitor.$('user-menu').click();
    await visitor.$('settings').waitFor();
    await visitor.page.keyboard.press('Escape');
    await visitor.page.unroute('**/api/auth/me');
  });

  step('do not even try what the policy forbids', () => guarded, async (visitor) => {
    await readHistory(visitor);
    await openWith(visitor, 'script-parrot');
    for (const text of packed(kStreamed)) await echo(visitor, text);
  }, kStepMs);
});
