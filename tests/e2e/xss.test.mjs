// Abuse cases 1 to 5, 8 and 10: what people and models say is text. Hundreds of texts that want to be code are read in a history and
// streamed by a model. Nothing runs, nothing is fetched from elsewhere, nothing leads away, and not even an element, a handler or an
// address of theirs enters the document. The content security policy is switched off for that, so that the page is held to it alone; one
// step has it on, and then nothing may try what the policy would forbid. Names, titles and errors: `xss_names.test.mjs`.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step } from '../support/browser.mjs';
import { eventually } from '../support/images.mjs';
import { kForeignOrigin, kPayloads, packed } from '../support/xss_payloads.mjs';
import { assertWhole, kPatient, makeHistory, openWatched, openWith } from '../support/xss_visitor.mjs';

const kStreamed = 6_000; // bytes of texts in one message
const kAnswerMs = 60_000;

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
    history = await makeHistory(fixture.client);
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => bare, async (visitor) => {
    await body(visitor);
    await assertWhole(visitor);
  }, kPatient);

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
    }, 'the whole history was shown', 240_000);
  }

  /** Sends texts and waits for an answer that thinks, says and does the same. */
  async function echo(visitor, text) {
    const before = await visitor.$('tool-call').count();
    await visitor.send(text);
    await visitor.page.waitForFunction((count) => document.querySelectorAll('[data-testid=tool-call]').length > count, before, { timeout: kAnswerMs });
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
  }, kPatient);

  step('would be noticed in the page', () => bare, async (visitor) => {
    await visitor.page.evaluate((origin) => {
      document.body.insertAdjacentHTML('beforeend', `<p id=clobbered><img src="${origin}/x" onerror="hit(0)"></p><a href="javascript:1">x</a><iframe></iframe>`);
    }, kForeignOrigin);
    const kinds = ['ran:', 'element: <iframe', 'attribute: img onerror', 'a href=javascript', 'img src=', 'name:', 'request to', 'a frame'];
    await eventually(() => kinds.every((kind) => visitor.problems.some((problem) => problem.startsWith(kind))), `${kinds} are noticed; only ${visitor.problems.join('\n')}`);
    await visitor.page.reload();
    await visitor.$('composer').waitFor();
    visitor.problems.length = 0;
  }, kPatient);

  stepOf('stay texts in messages', (visitor) => readHistory(visitor));

  stepOf('stay texts while a model thinks them, says them and calls a tool with them', async (visitor) => {
    await openWith(visitor, fixture.client, 'script-parrot');
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

  step('do not even try what the policy forbids', () => guarded, async (visitor) => {
    await readHistory(visitor);
    await openWith(visitor, fixture.client, 'script-parrot');
    for (const text of packed(kStreamed)) await echo(visitor, text);
  }, kPatient);
});
