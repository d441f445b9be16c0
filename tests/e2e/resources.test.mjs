// An administrator looks at the resources of the server: they move while they are shown, and nobody asks for them otherwise.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';

const kRefreshMs = 5_000;
const kAsk = 'GET /api/admin/resources';

describe('the resources page', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;

  before(async () => {
    browser = await launch();
    visitors.admin = await Visitor.open(browser, fixture.confab);
    visitors.phone = await Visitor.open(browser, fixture.confab, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    visitors.member = await Visitor.open(browser, fixture.confab);
  });

  after(async () => {
    await browser?.close();
  });

  const asked = (visitor) => visitor.requests.filter((one) => one === kAsk).length;
  const figure = (visitor, tile) => visitor.$(tile).locator('.figure').innerText();
  const opened = async (visitor, what) => {
    const cells = await visitor.$('opened-once').locator('tr', { hasText: what }).locator('td').allInnerTexts();
    return cells.map((text) => Number(text.replace(/,/g, '')));
  };

  step('shows what is used, as figures, plots and words', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    for (let i = 0; i < 5; i += 1) await fixture.client.responses.create({ model: 'script-words-n20', input: 'x' });
    await visitor.goto('/settings/resources');
    await visitor.$('tile-memory').waitFor();
    assert.match(await figure(visitor, 'tile-memory'), /^\d+(\.\d+)? [MG]B/);
    assert.match(await figure(visitor, 'tile-answers'), /^0\s+at most \d+ at once · 5 since the start/);
    const [now, most, times, again] = await opened(visitor, 'Database connections');
    assert.ok(now === 3 && most === 3 && times === 3 && again >= 5, `${[now, most, times, again]}`);
    const plot = visitor.$('tile-memory').getByRole('img');
    await poll(() => plot.getAttribute('aria-label'), (label) => /^Memory: now \d\S* [MG]B, .* in the last 15 minutes$/.test(label), { withinMs: 20_000 });
    await poll(() => plot.locator('polyline').getAttribute('points'), (points) => points.trim().split(' ').length >= 2, { withinMs: 20_000 });
    await visitor.page.getByText('Processor time').waitFor();
    assert.match(await visitor.$('pressure').innerText(), /^Calm .* MB of the .* [MGT]B that this server may use[\s\S]*Nothing is turned away[\s\S]*from 95 %/);
    assert.match(await visitor.$('holders').innerText(), /Connections\s+\d/);
  });

  step('refreshes by itself, with what is new only', () => visitors.admin, async (visitor) => {
    const queries = [];
    visitor.page.on('request', (request) => { if (request.url().includes('/resources')) queries.push(new URL(request.url()).search); });
    await fixture.client.responses.create({ model: 'script-echo', input: 'x' });
    await poll(() => figure(visitor, 'tile-answers'), (text) => text.includes('6 since the start'), { withinMs: 3 * kRefreshMs });
    assert.ok(queries.length >= 1 && queries.every((query) => /^\?since=\d+$/.test(query)), `${queries}`);
  });

  step('says that its figures are not fresh when the server is gone for a while, and goes on', () => visitors.admin, async (visitor) => {
    visitor.networkMayFail = true;
    await fixture.confab.stop();
    await visitor.page.getByText('These figures are not fresh').waitFor();
    await fixture.confab.boot();
    await visitor.page.getByText('These figures are not fresh').waitFor({ state: 'detached' });
    assert.match(await figure(visitor, 'tile-answers'), /0 since the start/, 'the new process began to count anew');
    visitor.networkMayFail = false;
  });

  step('asks for nothing while it is hidden, or when another page is shown', () => visitors.admin, async (visitor) => {
    const hide = (hidden) => visitor.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    const before = asked(visitor);
    await sleep(kRefreshMs + 1_500);
    assert.equal(asked(visitor), before, 'hidden');
    await hide(false);
    await poll(() => asked(visitor), (count) => count > before, { withinMs: 1_500 });
    await visitor.page.getByRole('link', { name: 'About' }).click();
    await visitor.page.getByRole('heading', { name: 'About' }).waitFor();
    const left = asked(visitor);
    await sleep(kRefreshMs + 1_500);
    assert.equal(asked(visitor), left, 'left');
  });

  step('fits a phone, in the dark', () => visitors.phone, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/resources');
    await visitor.$('tile-memory').waitFor();
    const wide = await visitor.page.evaluate(() => [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80)));
    assert.deepEqual(wide, [], 'nothing sticks out');
  });

  step('is not there for members', () => visitors.member, async (visitor) => {
    const member = await fixture.confab.addMember();
    await visitor.signIn(member);
    await visitor.goto('/settings/resources');
    await visitor.page.getByRole('heading', { name: 'Account', exact: true }).waitFor();
    assert.equal(await visitor.page.getByRole('link', { name: 'Resources' }).count(), 0);
    assert.equal(asked(visitor), 0);
  });
});
