// Pages that nobody looks at, and several that show the same answer. A page can only be made to believe that it is hidden: Chromium
// without a screen always says that it is visible.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor, wordsIn } from '../support/browser.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const kAnswerMs = 45_000;

/** Run in the page before its own code: visibility by hand, and the half minute after which a hidden page rests passes at once. */
function mayHide() {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (run, ms, ...rest) => real(run, ms === 30_000 ? 200 : ms, ...rest);
  let hidden = false;
  Object.defineProperty(document, 'hidden', { get: () => hidden });
  Object.defineProperty(document, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') });
  globalThis.pretendHidden = (yes) => {
    hidden = yes;
    document.dispatchEvent(new Event('visibilitychange'));
  };
}

describe('attention', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;

  before(async () => {
    browser = await launch();
    visitor = await Visitor.open(browser, fixture.confab);
    await visitor.page.addInitScript(mayHide);
    await visitor.signIn(kAdmin);
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => visitor, body);

  /** Hides the page until it has given its stream back; then nothing may be asked until it is shown again. */
  async function whileHidden(body) {
    const gone = visitor.page.waitForEvent('requestfailed', (request) => request.url().includes('/v1/responses'));
    await visitor.page.evaluate(() => globalThis.pretendHidden(true));
    await gone;
    const asked = visitor.requests.length;
    await body();
    assert.deepEqual(visitor.requests.slice(asked), [], 'a hidden page asks for nothing');
    await visitor.page.evaluate(() => globalThis.pretendHidden(false));
  }

  stepOf('a hidden page lets go of its answer and resumes it without a gap or a double', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-words-n400-i10');
    await visitor.send('Do not wait for me');
    await visitor.waitWord('w10');
    await whileHidden(() => visitor.page.waitForTimeout(1_000));
    await visitor.waitStatus('completed', kAnswerMs);
    assert.equal(await wordsIn(visitor.answer), wordsText(400));
    assert.equal(await visitor.messages().count(), 2);
  });

  stepOf('an answer that ends while nobody looks is whole when the page is shown', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-words-n150-i20');
    await visitor.send('Be done when I am back');
    await visitor.waitWord('w10');
    await whileHidden(async () => {
      const id = new URL(visitor.page.url()).pathname.split('/').at(-1);
      const until = Date.now() + kAnswerMs;
      const done = async () => (await fixture.client.get(`/conversations/${id}`)).last_response?.status === 'completed';
      while (!(await done())) {
        assert.ok(Date.now() < until, 'the answer does not end');
        await new Promise((resolve) => { setTimeout(resolve, 200); });
      }
    });
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(150));
    await visitor.$('send').waitFor();
  });

  stepOf('several pages see the same answer live, and at once that one of them stopped it', async () => {
    const tab = await visitor.context.newPage();
    const device = await Visitor.open(browser, fixture.confab);
    try {
      await device.signIn(kAdmin);
      await visitor.goto('/');
      await visitor.pickModel('script-words-n15000-i10');
      await visitor.send('For all of us');
      await visitor.waitWord('w10');
      await tab.goto(visitor.page.url());
      await device.page.goto(visitor.page.url());
      const pages = [visitor.page, tab, device.page];
      const last = (page) => page.locator('[data-testid=message][data-role=assistant]').last();
      for (const page of pages) {
        await page.waitForFunction(() => /\bw40\b/.test([...document.querySelectorAll('[data-testid=message][data-role=assistant]')].at(-1)?.innerText ?? ''));
        assert.equal(await last(page).getAttribute('data-status'), 'in_progress');
      }
      await device.$('stop').click();
      for (const page of pages) await page.getByTestId('incomplete').filter({ hasText: 'Stopped' }).waitFor();
      const said = await wordsIn(visitor.answer);
      for (const page of pages) assert.equal(await wordsIn(last(page)), said);
      device.assertClean();
    } finally {
      await tab.close();
      await device.close();
    }
  });

  stepOf('another tab of the browser joins an answer that begins in this one', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-words-n20-i5');
    await visitor.send('First');
    await visitor.waitStatus('completed');
    const tab = await visitor.context.newPage();
    try {
      await tab.goto(visitor.page.url());
      await tab.locator('[data-testid=message][data-status=completed][data-role=assistant]').waitFor();
      await visitor.pickModel('script-words-n150-i20');
      await visitor.send('Second');
      await tab.locator('[data-testid=message][data-status=in_progress]').waitFor();
      await visitor.waitStatus('completed', kAnswerMs);
      await tab.waitForFunction(() => document.querySelectorAll('[data-testid=message][data-status=completed][data-role=assistant]').length === 2);
      assert.equal(await tab.getByTestId('message').count(), 4);
      assert.equal(await wordsIn(tab.getByTestId('message').last()), wordsText(150));
    } finally {
      await tab.close();
    }
  });
});
