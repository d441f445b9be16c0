// The page for everybody: with the keyboard alone, on a phone, in the dark; and the first minutes without a model.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor, wordsIn } from '../support/browser.mjs';
import { wordsText } from '../support/model_scripts.mjs';

describe('access', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;
  let bare;

  before(async () => {
    [browser, bare] = await Promise.all([launch(), Confab.start()]);
    const open = (options) => Visitor.open(browser, fixture.confab, options);
    visitors.keyboard = await open();
    visitors.phone = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    visitors.dark = await open({ colorScheme: 'dark', permissions: ['clipboard-read', 'clipboard-write'] });
    visitors.bare = await Visitor.open(browser, bare);
  });

  after(async () => {
    await browser?.close();
    await bare?.dispose();
  });

  /** Presses Tab (or Shift+Tab) until the focus is on `testid`. */
  async function tabTo(visitor, testid, key = 'Tab') {
    const path = [];
    for (let i = 0; i < 80; i += 1) {
      const at = await visitor.page.evaluate(() => document.activeElement?.closest('[data-testid]')?.dataset.testid ?? document.activeElement?.tagName);
      if (at === testid) return;
      path.push(at);
      await visitor.page.keyboard.press(key);
    }
    assert.fail(`the keyboard does not reach ${testid}; it went ${path.join(' > ')}`);
  }

  step('the keyboard alone signs in, chats, stops, and changes conversation', () => visitors.keyboard, async (visitor) => {
    const { keyboard } = visitor.page;
    await visitor.goto('/');
    await visitor.$('login-email').waitFor();
    await tabTo(visitor, 'login-email');
    await keyboard.type(kAdmin.email);
    await keyboard.press('Tab');
    await tabTo(visitor, 'login-password');
    await keyboard.type(kAdmin.password);
    await keyboard.press('Enter');
    await visitor.$('composer').waitFor();
    await tabTo(visitor, 'model-picker');
    await chooseByKeyboard(visitor, 'script-words-n400-i10');
    await tabTo(visitor, 'composer');
    await keyboard.type('First line');
    await keyboard.press('Shift+Enter');
    await keyboard.type('second line');
    assert.equal(await visitor.$('composer').inputValue(), 'First line\nsecond line');
    await keyboard.press('Enter');
    await visitor.waitWord('w10');
    await tabTo(visitor, 'stop');
    await keyboard.press('Enter');
    await visitor.waitStatus('incomplete');
    await tabTo(visitor, 'new-chat');
    await keyboard.press('Enter');
    await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid=message]').length === 0);
    await tabTo(visitor, 'conversation-item');
    assert.ok(await visitor.page.evaluate(() => document.activeElement.matches(':focus-visible')), 'the focus is seen');
    await keyboard.press('Enter');
    await visitor.answer.waitFor();
    assert.match(await visitor.messages('user').last().innerText(), /First line\s+second line/);
  });

  async function chooseByKeyboard(visitor, name) {
    const { keyboard } = visitor.page;
    await keyboard.press('Enter');
    for (let i = 0; i < 40; i += 1) {
      const text = await visitor.page.evaluate(() => {
        const active = document.activeElement;
        const marked = document.getElementById(active.getAttribute('aria-activedescendant') ?? '');
        return (marked ?? active).innerText ?? '';
      });
      if (text.trim().split(/\s/)[0] === name) {
        await keyboard.press('Enter');
        await visitor.$('model-picker').filter({ hasText: name }).first().waitFor();
        return;
      }
      await keyboard.press('ArrowDown');
    }
    assert.fail(`the keyboard does not reach the model ${name}`);
  }

  step('screen readers are told: landmarks, names, a live region', () => visitors.keyboard, async (visitor) => {
    const found = await visitor.page.evaluate(() => ({
      main: document.querySelectorAll('main, [role=main]').length,
      live: document.querySelectorAll('[aria-live]:not([aria-live=off]), [role=log], [role=status]').length,
      lang: document.documentElement.lang,
      title: document.title,
      nameless: [...document.querySelectorAll('button, a[href], input, textarea, select')].filter((element) => element.checkVisibility())
        .filter((element) => !(element.innerText || element.getAttribute('aria-label') || element.getAttribute('aria-labelledby') || element.title || element.labels?.length))
        .map((element) => element.outerHTML.slice(0, 120)),
    }));
    assert.equal(found.main, 1);
    assert.ok(found.live > 0, 'a live region announces answers');
    assert.ok(found.lang && found.title);
    assert.deepEqual(found.nameless, [], 'controls without a name');
  });

  step('a phone shows the chat, its menu, and nothing beyond its edge', () => visitors.phone, async (visitor) => {
    await visitor.signIn(kAdmin);
    await assertFits(visitor);
    assert.ok(!await inView(visitor, 'conversation-list'), 'the list leaves room for the chat');
    await visitor.pickModel('script-markdown');
    await visitor.$('composer').fill('Show me everything');
    await visitor.$('send').tap();
    await visitor.waitStatus('completed');
    await visitor.answer.getByText('The end.').waitFor();
    await assertFits(visitor);
    assert.ok(await inView(visitor, 'composer'));
    await visitor.$('menu-button').tap();
    await visitor.page.waitForFunction(onScreen, 'conversation-item');
    await assertFits(visitor);
    await visitor.$('conversation-item').filter({ hasText: 'First line' }).tap();
    await visitor.messages('user').filter({ hasText: 'First line' }).waitFor();
    await visitor.page.waitForFunction(() => document.querySelector('[data-testid=composer]').checkVisibility());
    await visitor.page.waitForFunction((testid) => {
      const box = document.querySelector(`[data-testid=${testid}]`)?.getBoundingClientRect();
      return !box || box.right <= 0 || box.left >= innerWidth || box.width === 0;
    }, 'conversation-list');
  });

  const onScreen = (testid) => {
    const element = document.querySelector(`[data-testid=${testid}]`);
    const box = element?.getBoundingClientRect();
    return Boolean(box && element.checkVisibility({ visibilityProperty: true }) && box.width && box.left >= 0 && box.right <= innerWidth + 1 && box.top < innerHeight && box.bottom > 0);
  };

  const inView = (visitor, testid) => visitor.page.evaluate(onScreen, testid);

  async function assertFits(visitor) {
    const { content, width } = await visitor.page.evaluate(() => ({ content: document.documentElement.scrollWidth, width: innerWidth }));
    assert.ok(content <= width, `the page is ${content} px wide on a screen of ${width}`);
  }

  step('in the dark the page is dark, and the reader can change that', () => visitors.dark, async (visitor) => {
    await visitor.signIn(kAdmin);
    assert.ok(await luminance(visitor) < 0.2, 'dark by the wish of the system');
    const toggle = visitor.$('theme-toggle').first();
    if (!await toggle.isVisible()) await visitor.$('user-menu').first().click();
    for (let i = 0; i < 3 && await luminance(visitor) < 0.5; i += 1) {
      if (!await toggle.isVisible()) await visitor.$('user-menu').first().click();
      await toggle.click();
    }
    assert.ok(await luminance(visitor) > 0.5, 'light when asked');
    await visitor.page.reload();
    await visitor.$('composer').waitFor();
    assert.ok(await luminance(visitor) > 0.5, 'and remembered');
  });

  async function luminance(visitor) {
    return visitor.page.evaluate(() => {
      const solid = [document.body, document.documentElement].map((element) => getComputedStyle(element).backgroundColor).find((colour) => !/, 0\)|transparent/.test(colour));
      const canvas = document.createElement('canvas').getContext('2d');
      canvas.fillStyle = solid ?? 'white';
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
      return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
    });
  }

  step('code has a button that copies it', () => visitors.dark, async (visitor) => {
    await visitor.pickModel('script-markdown');
    await visitor.send('Some code, please');
    await visitor.waitStatus('completed');
    await visitor.answer.locator('h1, h2, h3').filter({ hasText: 'A heading' }).waitFor();
    await visitor.answer.locator('table').waitFor();
    await visitor.answer.getByTestId('copy-code').first().click();
    const copied = await visitor.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied.trim(), 'const answer = 42;\nconsole.log(answer);');
  });

  step('without a model the page says so, answers itself, and looks for one only when asked', () => visitors.bare, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.$('demo-banner').waitFor();
    await visitor.send('Hello?');
    await visitor.waitStatus('completed');
    assert.match(await visitor.answer.innerText(), /no model/i);
    const looked = () => visitor.requests.filter((line) => line.includes('/api/upstreams/discover')).length;
    assert.equal(looked(), 0);
    await Promise.all([visitor.page.waitForResponse(/\/api\/upstreams\/discover$/), visitor.$('discover').first().click()]);
    assert.equal(looked(), 1);
  });

  step('two windows of one user see the same answer', () => visitors.keyboard, async (visitor) => {
    await visitor.goto('/');
    await visitor.pickModel('script-words-n150-i20');
    await visitor.send('For both of us');
    await visitor.waitWord('w10');
    const second = await Visitor.open(browser, fixture.confab);
    await second.signIn(kAdmin);
    await second.goto(new URL(visitor.page.url()).pathname);
    await second.waitWord('w30');
    await Promise.all([visitor.waitStatus('completed'), second.waitStatus('completed')]);
    for (const one of [visitor, second]) assert.equal(await wordsIn(one.answer), wordsText(150));
    second.assertClean();
    await second.close();
  });
});
