// An administrator reads the audit log: newest first, by kind, and a member has no such page.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { request, sameOrigin } from '../support/http.mjs';

describe('the audit log', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;
  let member;

  before(async () => {
    browser = await launch();
    member = await fixture.confab.addMember();
    visitors.admin = await Visitor.open(browser, fixture.confab);
    visitors.member = await Visitor.open(browser, fixture.confab);
    await request(fixture.confab, 'POST', '/api/auth/login', { json: { email: member.email, password: 'a wrong one' }, headers: sameOrigin(fixture.confab) });
  });
  after(() => browser?.close());

  const entries = (visitor, kind) => visitor.page.locator(`[data-testid=audit-entry]${kind ? `[data-kind=${kind}]` : ''}`);

  step('tells an administrator what was done', () => visitors.admin, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto('/settings/audit');
    await entries(visitor).first().waitFor();
    assert.match(await entries(visitor).first().textContent(), /Signed in.*admin@example\.org.*127\.0\.0\.1/s);
    assert.match(await visitor.page.locator('[data-outcome=invalid_credentials]').textContent(), /Was refused to sign in.*Somebody unknown.*member@example\.org/s);
    assert.match(await entries(visitor, 'key_made').first().textContent(), /command line/);
  });

  step('shows one kind when asked', () => visitors.admin, async (visitor) => {
    await visitor.$('audit-kind').selectOption('key_made');
    await visitor.page.waitForFunction(() => [...document.querySelectorAll('[data-testid=audit-entry]')].every((one) => one.dataset.kind === 'key_made'));
    assert.ok(await entries(visitor, 'key_made').count() >= 1);
    assert.match(await visitor.$('audit-csv').getAttribute('href'), /kind=key_made/);
  });

  step('is no page of a member’s', () => visitors.member, async (visitor) => {
    await visitor.signIn(member);
    await visitor.goto('/settings/audit');
    await visitor.page.getByRole('heading', { name: 'Settings' }).waitFor();
    assert.equal(await visitor.page.getByText('Audit log').count(), 0);
  });
});
