// An administrator sees whether all is well, what is wrong when something is, and gives a model server fewer requests at once.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { request, sameOrigin, signIn } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { startModelServer } from '../support/model_server.mjs';

describe('the health of the server', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;
  let model;

  before(async () => {
    browser = await launch();
    visitors.admin = await Visitor.open(browser, fixture.confab);
    model = await startModelServer();
    const json = { name: 'second', base_url: model.baseURL };
    const res = await request(fixture.confab, 'POST', '/api/upstreams', { json, cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    assert.equal(res.status, 201, res.text);
  });
  after(async () => {
    await browser?.close();
    await model?.close();
  });

  const figures = (visitor) => visitor.$('health-figures').innerText();
  const second = (visitor) => visitor.page.locator('[data-testid=health-server][data-name=second]');

  step('is told in words, with what to do', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/resources');
    await visitor.$('health').waitFor();
    const short = await visitor.page.getByText('The disk has only').count();
    if (!short) assert.match(await visitor.$('health').innerText(), /^All is well/);
    assert.match(await visitor.$('health').innerText(), /No backup was made yet\.\s+Run “confab backup FILE”/);
    assert.match(await figures(visitor), /Database\s+can be read and written, answers in \d+ ms[\s\S]*Disk\s+\S+ .B free[\s\S]*Last backup\s+never[\s\S]*Confab\s+version \d/);
    assert.match(await second(visitor).innerText(), /works, told its \d+ models in \d+ ms\s+0 under way/);
  });

  step('knows of a backup by itself', () => visitors.admin, async (visitor) => {
    await fixture.confab.command(['backup', join(fixture.confab.home, 'whole.tar')]);
    await poll(() => figures(visitor), (text) => /Last backup\s+just now/.test(text), { withinMs: 15_000 });
    assert.equal(await visitor.page.getByText('No backup was made yet').count(), 0);
  });

  step('says when a model server is gone, and when it is back', () => visitors.admin, async (visitor) => {
    const { port } = model;
    await model.close();
    await visitor.page.getByText('The model server “second” cannot be reached.').waitFor();
    assert.equal(await visitor.$('health').getAttribute('data-status'), 'trouble');
    assert.match(await second(visitor).innerText(), /cannot be reached[\s\S]*last failure/);
    model = await startModelServer({ port });
    await visitor.page.getByText('The model server “second” cannot be reached.').waitFor({ state: 'detached' });
  });

  step('shows how many requests a server is sent at once, which can be changed', () => visitors.admin, async (visitor) => {
    await visitor.goto('/settings/models');
    const row = visitor.page.locator('li', { hasText: model.baseURL });
    await row.getByTestId('upstream-change').click();
    await visitor.$('upstream-slots').fill('many');
    await visitor.$('upstream-save').click();
    await visitor.page.getByText('“many” is not a number of requests').waitFor();
    await visitor.$('upstream-slots').fill('3');
    await visitor.page.keyboard.press('Enter');
    await row.getByText('at most 3 requests at a time').waitFor();
    await row.getByTestId('upstream-change').click();
    assert.equal(await visitor.$('upstream-slots').inputValue(), '3');
    await visitor.page.keyboard.press('Escape');
    await row.getByTestId('upstream-models').locator('summary').click();
    await row.getByText('script-echo', { exact: true }).waitFor();
    await row.getByTestId('upstream-change').click();
    await visitor.$('upstream-key').fill('another-key');
    await visitor.$('upstream-save').click();
    await visitor.page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(model.requests.at(-1).headers.authorization, 'Bearer another-key');
    await visitor.$('upstreams-test').click();
    await visitor.page.getByText('All of them work.').waitFor();
    await visitor.goto('/settings/resources');
    await second(visitor).getByText('0 of 3 under way').waitFor();
  });
});
