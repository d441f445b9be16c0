// An administrator says who may use a model; it is then in the picker of those people and of nobody else.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';

describe('who may use which model', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  const people = {};
  const model = 'script-echo';
  let browser;

  before(async () => {
    browser = await launch();
    for (const name of ['ada', 'bob']) people[name] = await fixture.confab.addMember(`${name}@example.org`);
    for (const name of ['admin', 'ada', 'bob']) visitors[name] = await Visitor.open(browser, fixture.confab);
  });
  after(() => browser?.close());

  const row = (visitor, name) => visitor.page.locator('li', { has: visitor.page.locator(`[data-model="${name}"]`) });
  const kept = (visitor) => visitor.page.waitForResponse((res) => res.url().endsWith('/api/admin/model-access') && res.request().method() === 'PUT' && res.ok());

  /** The models that somebody is offered. */
  async function offered(visitor) {
    await visitor.goto('/');
    await visitor.$('composer').waitFor();
    await visitor.$('model-picker').click();
    await visitor.page.getByRole('option').first().waitFor();
    const names = await visitor.page.getByRole('option').allTextContents();
    await visitor.page.keyboard.press('Escape');
    return names.join(' ');
  }

  step('the administrator picks people by name, with the keyboard alone', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/models');
    await row(visitor, model).getByLabel(`Who may use ${model}`).focus();
    await visitor.page.keyboard.type('Chosen');
    await visitor.page.getByRole('dialog').waitFor();
    await visitor.$('access-person').nth(1).waitFor();
    await visitor.$('access-search').focus();
    await visitor.page.keyboard.type('bob');
    await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid=access-person]').length === 1);
    await visitor.page.keyboard.press('Tab');
    await visitor.page.keyboard.press('Space');
    assert.ok(await visitor.$('access-person').isChecked());
    const saved = kept(visitor);
    await visitor.$('access-save').focus();
    await visitor.page.keyboard.press('Enter');
    await saved;
    await row(visitor, model).getByText('bob@example.org').waitFor();
    assert.equal(await row(visitor, model).getByTestId('access-who').inputValue(), 'people');
  });

  step('who is named is offered the model', () => visitors.bob, async (visitor) => {
    await visitor.signIn(people.bob);
    assert.match(await offered(visitor), /script-echo/);
  });

  step('who is not is offered the others', () => visitors.ada, async (visitor) => {
    await visitor.signIn(people.ada);
    const names = await offered(visitor);
    assert.doesNotMatch(names, /script-echo/);
    assert.match(names, /script-count/);
  });

  step('everything but one model is closed, and opened again', () => visitors.admin, async (visitor) => {
    const choose = async (select, value) => {
      const saved = kept(visitor);
      await select.selectOption(value);
      await saved;
    };
    await choose(visitor.$('access-others'), 'administrators');
    await choose(row(visitor, 'script-count').getByTestId('access-who'), 'everybody');
    const names = await offered(visitors.ada);
    assert.doesNotMatch(names, /script-echo|script-markdown/);
    assert.match(names, /script-count/);
    await visitor.page.reload();
    assert.equal(await visitor.$('access-others').inputValue(), 'administrators');
    assert.equal(await row(visitor, 'script-count').getByTestId('access-who').inputValue(), 'everybody');
    await choose(visitor.$('access-others'), 'everybody');
    await choose(row(visitor, model).getByTestId('access-who'), '');
    assert.match(await offered(visitors.ada), /script-echo/);
  });
});
