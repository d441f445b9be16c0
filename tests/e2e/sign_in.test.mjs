// Signing in with a provider of identities as others have it, in a browser, from the button to the chat; and the page of a server where
// nobody signs in.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { freePort, kRealClient, startRealProvider } from '../support/real_provider.mjs';

describe('signing in', { skip: kNoBrowser }, () => {
  const visitors = {};
  let browser;
  let confab;
  let passwordless;
  let alone;
  let provider;
  let issuer;

  before(async () => {
    const port = await freePort();
    issuer = `http://127.0.0.1:${port}`;
    const flags = ['--oidc-issuer', issuer, '--oidc-client-id', kRealClient.id, '--oidc-name', 'Example ID'];
    const env = { CONFAB_OIDC_CLIENT_SECRET: kRealClient.secret };
    [browser, confab, passwordless, alone] = await Promise.all([
      launch(), Confab.start({ args: [...flags, '--new-people', 'member'], env }), Confab.start({ args: [...flags, '--password-login', 'off'], env }),
      Confab.start({ args: ['--single-user'], admin: false }),
    ]);
    provider = await startRealProvider(port, `${confab.url}/api/auth/oidc/callback`);
    for (const [name, server] of Object.entries({ stranger: confab, member: confab, passwordless, alone })) {
      visitors[name] = await Visitor.open(browser, server);
      visitors[name].otherSite = issuer;
      // The provider's pages ask for a font of the Internet's.
      await visitors[name].page.route('https://fonts.googleapis.com/**', (route) => route.fulfill({ contentType: 'text/css', body: '' }));
    }
  });

  after(async () => {
    await browser?.close();
    await provider?.stop();
    await Promise.all([confab, passwordless, alone].map((server) => server?.dispose()));
  });

  /** The provider's own pages: a name, any password, then consent. */
  async function passProvider({ page }, name) {
    await page.locator('input[name=login]').fill(name);
    await page.locator('input[name=password]').fill('anything');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: /continue/i }).click();
  }

  step('with a provider leads to the chat, and signing out leads back', () => visitors.member, async (visitor) => {
    await visitor.goto('/settings/account');
    await visitor.$('login-provider').waitFor();
    assert.equal((await visitor.$('login-provider').innerText()).trim(), 'Sign in with Example ID');
    await visitor.$('login-email').waitFor();
    await visitor.$('login-provider').click();
    await passProvider(visitor, 'ada');
    await visitor.page.waitForURL(`${confab.url}/settings/account`);
    await visitor.page.getByText('ada@example.org').first().waitFor();
    await visitor.goto('/');
    await visitor.$('composer').waitFor();
    await visitor.send('Hello');
    visitor.networkMayFail = true; // the answer's stream ends with the session
    await visitor.$('user-menu').click();
    await visitor.$('sign-out').click();
    await visitor.$('login-provider').waitFor();
    assert.equal(new URL(visitor.page.url()).pathname, '/login');
  });

  step('that is cancelled is told in clear words', () => visitors.stranger, async (visitor) => {
    await visitor.goto('/');
    await visitor.$('login-provider').click();
    await visitor.page.locator('input[name=login]').waitFor();
    await visitor.page.getByText(/cancel/i).click();
    await visitor.$('form-error').waitFor();
    assert.match(await visitor.$('form-error').innerText(), /You cancelled signing in/);
    assert.equal(new URL(visitor.page.url()).search, '', 'a reload does not say it again');
    await visitor.signIn(kAdmin);
  });

  step('without passwords offers the provider alone', () => visitors.passwordless, async (visitor) => {
    await visitor.goto('/login?problem=openid_no_account');
    await visitor.$('login-provider').waitFor();
    assert.match(await visitor.$('form-error').innerText(), /no account here/);
    assert.equal(await visitor.$('login-email').count(), 0);
  });

  step('is not needed on a server for one person', () => visitors.alone, async (visitor) => {
    await visitor.goto('/');
    await visitor.$('composer').waitFor();
    await visitor.send('Hello');
    await visitor.$('user-menu').click();
    await visitor.$('settings').waitFor();
    assert.equal(await visitor.$('sign-out').count(), 0);
  });
});
