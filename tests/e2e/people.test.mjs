// An administrator invites somebody, who signs up; the administrator lets in, suspends and deletes.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';

describe('people', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  const password = 'a long enough password';
  let browser;
  let link;

  before(async () => {
    browser = await launch();
    visitors.admin = await Visitor.open(browser, fixture.confab);
    visitors.guest = await Visitor.open(browser, fixture.confab);
    visitors.stranger = await Visitor.open(browser, fixture.confab);
  });

  after(async () => {
    await browser?.close();
  });

  const person = (visitor, email) => visitor.page.locator('li', { hasText: email });

  async function choose(visitor, email, action) {
    await person(visitor, email).getByRole('button', { name: `Actions for ${email}` }).click();
    await visitor.page.getByRole('menu').getByText(action, { exact: true }).click();
  }

  async function signUp(visitor, email) {
    await visitor.$('signup-email').fill(email);
    await visitor.$('signup-password').fill(password);
    await visitor.$('signup-submit').click();
  }

  step('an administrator makes an invitation link', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/people');
    await visitor.$('signup-mode').selectOption('invitation');
    await visitor.$('signup-save').click();
    await visitor.$('invite').click();
    link = await visitor.$('invitation-link').textContent();
    assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/signup#\S{43}$/);
    await visitor.page.keyboard.press('Escape');
    await visitor.page.getByText('good · made').waitFor();
  });

  step('who has the link makes an account and is in', () => visitors.guest, async (visitor) => {
    await visitor.page.goto(link);
    await visitor.$('signup-email').waitFor();
    assert.equal(new URL(visitor.page.url()).hash, '', 'the token leaves the address');
    await signUp(visitor, 'guest@example.org');
    await visitor.$('composer').waitFor();
    assert.equal(new URL(visitor.page.url()).pathname, '/');
  });

  step('a suspended person is shown the door', () => visitors.admin, async (visitor) => {
    await visitor.goto('/settings/people');
    await choose(visitor, 'guest@example.org', 'Suspend');
    await person(visitor, 'guest@example.org').getByText('Suspended').waitFor();
    const { guest } = visitors;
    guest.networkMayFail = true;
    await guest.page.reload();
    await guest.$('login-email').fill('guest@example.org');
    await guest.$('login-password').fill(password);
    await guest.$('login-submit').click();
    await guest.page.getByText('An administrator has suspended this account.').waitFor();
  });

  step('the administrator opens the door to all, and lets one in with the keyboard alone', () => visitors.admin, async (visitor) => {
    await visitor.$('signup-mode').selectOption('open');
    await visitor.$('signup-save').click();
    const { stranger } = visitors;
    await stranger.goto('/');
    await stranger.page.getByRole('link', { name: 'Create an account' }).click();
    await signUp(stranger, 'stranger@example.org');
    await stranger.page.getByText('An administrator has to let you in').waitFor();
    await visitor.page.reload();
    await person(visitor, 'stranger@example.org').getByRole('button', { name: 'Actions for' }).focus();
    await visitor.page.keyboard.press('Enter');
    await visitor.page.keyboard.type('m');
    await visitor.page.keyboard.press('Enter');
    await person(visitor, 'stranger@example.org').getByText('Member').waitFor();
    await stranger.page.getByRole('link', { name: 'Go to the sign-in page' }).click();
    await stranger.$('login-email').fill('stranger@example.org');
    await stranger.$('login-password').fill(password);
    await stranger.$('login-submit').click();
    await stranger.$('composer').waitFor();
  });

  step('a person who is deleted is gone', () => visitors.admin, async (visitor) => {
    await choose(visitor, 'stranger@example.org', 'Delete');
    await visitor.page.getByRole('button', { name: 'Cancel' }).click();
    await choose(visitor, 'stranger@example.org', 'Delete');
    await visitor.$('person-delete').click();
    await person(visitor, 'stranger@example.org').waitFor({ state: 'detached' });
    await visitor.$('person-add').click();
    await visitor.$('person-email').fill('made@example.org');
    await visitor.$('person-save').click();
    assert.match(await visitor.$('new-password').textContent(), /^\S{20}$/);
    await visitor.page.keyboard.press('Escape');
    await person(visitor, 'made@example.org').waitFor();
  });
});
