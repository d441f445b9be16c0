// Keys with a scope, limits, prices and usage in the page: by an administrator and by a member, on a desk, in the dark and on a phone.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { caller, request } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

describe('usage and limits', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;
  let member;
  let secret;
  let shots;

  before(async () => {
    member = await fixture.confab.addMember('member@example.org');
    browser = await launch();
    visitors.admin = await Visitor.open(browser, fixture.confab);
    visitors.member = await Visitor.open(browser, fixture.confab);
    shots = process.env.SCREENSHOTS ?? await mkdtemp(join(tmpdir(), 'confab-usage-'));
  });

  after(async () => {
    await browser?.close();
  });

  const ask = (key, model = 'script-words-n40') => request(fixture.confab, 'POST', '/v1/responses', { key, json: { model, input: 'hello' } });
  const shoot = (visitor, name) => visitor.page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

  /** Nothing sticks out of a phone's screen. */
  async function fits(visitor) {
    const wide = await visitor.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
  }

  step('a member makes a key for one model and a while', () => visitors.member, async (visitor) => {
    await visitor.signIn(member);
    await visitor.goto('/settings/keys');
    await visitor.$('key-name').fill('my editor');
    await visitor.$('key-scope').click();
    await visitor.$('key-life').selectOption('30');
    await visitor.$('key-model').fill('script-words-*');
    await visitor.page.keyboard.press('Enter');
    await visitor.page.getByRole('button', { name: 'Leave out script-words-*' }).waitFor();
    await shoot(visitor, 'keys');
    await visitor.$('key-create').click();
    secret = (await visitor.$('new-key').textContent()).trim();
    assert.match(secret, /^sk-\S{20,}$/);
    await visitor.page.getByRole('button', { name: 'Done' }).click();
    const row = visitor.$('key').filter({ hasText: 'my editor' });
    await row.getByText('asks script-words-*').waitFor();
    await row.getByText('until ').waitFor();
    assert.equal((await ask(secret)).status, 200);
    assert.equal((await ask(secret, 'script-echo')).status, 403);
    await visitor.page.reload();
    await row.getByText('this month: 1 answers').waitFor();
  });

  step('an administrator sets a price, and limits for everybody and for one', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/usage');
    await visitor.$('usage-whose').selectOption('all');
    await visitor.$('price-add').click();
    await visitor.$('price-model').fill('script-*');
    await visitor.$('price-input').fill('1000');
    await visitor.$('price-output').fill('5000,5');
    await visitor.$('price-save').click();
    await visitor.page.getByText('Saved. It counts').waitFor();
    assert.equal((await ask(secret)).status, 200);
    await visitor.goto('/settings/limits');
    await visitor.$('limits-person-requests_per_minute').fill('many');
    await visitor.$('limits-person-save').click();
    await visitor.page.getByText('Answers per minute: a whole number').waitFor();
    await visitor.$('limits-person-requests_per_minute').fill('1000');
    await visitor.$('limits-person-save').click();
    await visitor.page.getByText('Saved for everybody.').waitFor();
    await visitor.page.locator('li', { hasText: 'member@example.org' }).getByRole('button', { name: 'Limits' }).click();
    await visitor.$('limits-one-tokens_per_month').fill('5000');
    await visitor.$('limits-one-storage_bytes').fill('20');
    await visitor.$('limits-one-save').click();
    await visitor.page.getByText('Saved.', { exact: true }).waitFor();
    await shoot(visitor, 'limits');
    const { limits } = (await caller(fixture.confab, { key: secret })('GET', '/api/me/limits')).json;
    assert.deepEqual([limits.requests_per_minute, limits.tokens_per_month, limits.storage_bytes], [1000, 5000, 20 * 1024 * 1024]);
  });

  step('the member sees what was used, and what is left', () => visitors.member, async (visitor) => {
    await visitor.goto('/settings/usage');
    await visitor.$('usage-requests').filter({ hasText: '2' }).waitFor();
    const chart = visitor.$('usage-chart').getByRole('img');
    assert.match(await chart.getAttribute('aria-label'), /tokens in 30 days\. The most on \d{4}-\d\d-\d\d: .* Most by script-words-n40: /);
    assert.equal(await visitor.$('usage-chart').locator('rect.s0').count(), 2, 'one bar, and its colour in the legend');
    await visitor.$('usage-table').click();
    await visitor.page.getByRole('cell', { name: 'script-words-n40' }).waitFor();
    const limits = visitor.$('own-limits');
    await limits.getByText(/^\d+ of 5[.,]?000$/).waitFor();
    await limits.getByText('0 of 20').waitFor();
    await visitor.$('usage-measure').selectOption('cost');
    const cost = await visitor.$('usage-cost').textContent();
    assert.ok(Number(cost.replace(/[^\d.]/g, '')) > 0.1, `40 tokens at 5000.5 for a million: ${cost}`);
    await shoot(visitor, 'usage-light');
    await visitor.page.emulateMedia({ colorScheme: 'dark' });
    await visitor.page.evaluate(() => { document.documentElement.dataset.theme = 'dark'; });
    await shoot(visitor, 'usage-dark');
  });

  step('the member downloads it', () => visitors.member, async (visitor) => {
    const download = visitor.page.waitForEvent('download');
    await visitor.$('usage-csv').click();
    const text = await readFile(await (await download).path(), 'utf8');
    assert.equal(text.split('\r\n').length, 4, text);
    assert.match(text, /"my editor","script-words-n40"/);
  });

  step('the administrator sees everybody', () => visitors.admin, async (visitor) => {
    await visitor.goto('/settings/usage');
    await visitor.$('usage-requests').filter({ hasText: '0' }).waitFor();
    await visitor.$('usage-whose').selectOption('all');
    await visitor.$('usage-requests').filter({ hasText: '2' }).waitFor();
    await visitor.$('usage-person').filter({ hasText: 'member@example.org' }).waitFor();
    await shoot(visitor, 'usage-all');
  });

  step('all of it fits a phone', () => visitors.admin, async (visitor) => {
    await visitor.page.setViewportSize({ width: 390, height: 844 });
    for (const section of ['usage', 'limits', 'keys']) {
      await visitor.goto(`/settings/${section}`);
      await visitor.page.getByRole('heading', { level: 2 }).first().waitFor();
      if (section === 'usage') await visitor.$('usage-whose').selectOption('all');
      await visitor.page.waitForLoadState('networkidle');
      await fits(visitor);
      await shoot(visitor, `phone-${section}`);
    }
  });

  step('a revoked key is gone at once', () => visitors.member, async (visitor) => {
    await visitor.goto('/settings/keys');
    await visitor.page.locator('li', { hasText: 'my editor' }).getByRole('button', { name: 'Revoke' }).click();
    await visitor.page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await visitor.page.locator('li', { hasText: 'my editor' }).waitFor({ state: 'detached' });
    await eventually(async () => (await ask(secret)).status === 401, 'it is refused');
  });
});
