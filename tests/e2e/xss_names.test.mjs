// Abuse case 7: names, titles, search results and the errors of model servers are text. As `xss.test.mjs`, without the policy's help.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';
import { request, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';
import { kPayloads, packed } from '../support/xss_payloads.mjs';
import { assertWhole, kNeedles, kPatient, makeHistory, needle, openWatched, openWith } from '../support/xss_visitor.mjs';

const kKeys = 90; // a person has at most a hundred
const kAnswerMs = 60_000;
/** One red pixel. */
const kPng = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');

describe('names that want to be code', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;

  before(async () => {
    browser = await launch();
    visitor = await openWatched(browser, fixture.confab, { bypassCSP: true });
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => visitor, async () => {
    await body();
    await assertWhole(visitor);
  }, kPatient);

  stepOf('stay texts in the words of a model server that refuses', async () => {
    await openWith(visitor, fixture.client, 'script-complain');
    for (const text of packed(2_000, ' ', kPayloads.map((one) => one.replace(/\s+/g, ' ')))) {
      await visitor.send(text);
      const end = text.slice(-30).trim();
      await visitor.page.waitForFunction((words) => document.querySelector('[data-testid=error-card]')?.innerText.includes(words), /hit\(\d+\)|invalid\/\d+/.exec(end)?.[0] ?? 'hit(', { timeout: kAnswerMs });
    }
  });

  stepOf('stay texts in titles', async () => {
    const titles = packed(500, ' ');
    let id;
    for (const title of titles) ({ id } = await fixture.client.post('/conversations', { body: { title } }));
    await visitor.goto(`/c/${id}`);
    const rows = visitor.$('conversation-item').filter({ hasText: /hit\(|evil/ });
    await eventually(async () => {
      await visitor.$('conversation-item').last().scrollIntoViewIfNeeded();
      return await rows.count() >= titles.length;
    }, 'all titles are listed');
    await visitor.page.waitForFunction(() => /hit|evil/.test(document.title));
    await visitor.$('conversation-item').first().hover();
    await visitor.$('conversation-menu').first().click();
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in what a search finds', async () => {
    await makeHistory(fixture.client);
    const found = async () => (await fixture.client.get('/../api/search?q=needlea&limit=1')).pending;
    await poll(found, (pending) => pending === 0);
    await visitor.goto('/');
    await visitor.$('search').click();
    for (const [i, word] of kNeedles.entries()) {
      const share = kPayloads.filter((_, number) => needle(number) === word).length;
      await visitor.$('search-field').fill(word);
      if (i === 0) await visitor.$('search-newest').click();
      await visitor.$('search-hit').locator('mark', { hasText: word }).first().waitFor();
      await eventually(async () => {
        await visitor.page.evaluate(() => document.querySelector('[data-testid=search-more]:enabled')?.click());
        return await visitor.$('search-hit').count() >= share;
      }, `all ${share} texts with ${word} are found`, 60_000);
    }
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in the names of files', async () => {
    visitor.networkMayFail = true;
    await visitor.goto('/');
    const names = packed(4_000, ' ');
    for (let i = 0; i < names.length; i += 8) {
      const files = names.slice(i, i + 8).map((name) => ({ name: `${name}.png`, mimeType: 'image/png', buffer: kPng }));
      await visitor.$('attach-input').setInputFiles(files);
      await visitor.page.waitForFunction((count) => document.querySelectorAll('[data-testid=attachment]:is([data-state=ready],[data-state=failed])').length === count, files.length);
      for (let left = files.length; left > 0; left -= 1) await visitor.$('attachment-remove').first().click();
    }
    const name = '"><img src=x onerror=hit(0)>.png';
    await visitor.pickModel('script-words-n20-i5');
    await visitor.$('attach-input').setInputFiles([{ name, mimeType: 'image/png', buffer: kPng }]);
    await visitor.page.waitForFunction(() => document.querySelector('[data-testid=attachment][data-state=ready]'));
    await visitor.send('look');
    await visitor.waitStatus('completed', kAnswerMs);
    await visitor.$('image').click();
    await visitor.page.getByRole('dialog').getByRole('img').waitFor();
    await visitor.page.keyboard.press('Escape');
  });

  stepOf('stay texts in the names of keys, folders and tags', async () => {
    const credentials = { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) };
    const create = async (method, path, json) => {
      const res = await request(fixture.confab, method, path, { ...credentials, json });
      assert.ok(res.status < 300, res.text);
    };
    const names = packed(200, ' ', kPayloads.map((text) => text.replace(/[\s\p{C}]+/gu, ' ')));
    for (const [i, name] of names.entries()) {
      if (i < kKeys) await create('POST', '/api/keys', { name });
      await create('POST', '/api/folders', { name });
    }
    const { id } = await fixture.client.conversations.create();
    await create('PATCH', `/api/conversations/${id}`, { tags: packed(64, ' ', kPayloads.slice(-200)).filter((tag) => !/[\p{C},]/u.test(tag)).slice(0, 20) });
    for (const path of ['/settings/keys', `/c/${id}`]) {
      await visitor.goto(path);
      await visitor.page.waitForFunction((count) => document.body.innerText.split(/hit\(|evil/).length > count, kKeys);
    }
  });

  stepOf('stay texts in a person’s name', async () => {
    const name = kPayloads.join(' ');
    await visitor.page.route('**/api/auth/me', async (route) => {
      const response = await route.fetch();
      const { user } = await response.json();
      await route.fulfill({ response, json: { user: { ...user, name, email: name } } });
    });
    await visitor.goto('/');
    await visitor.$('user-menu').getByText('hit(').waitFor();
    await visitor.$('user-menu').click();
    await visitor.$('settings').waitFor();
    await visitor.page.keyboard.press('Escape');
    await visitor.page.unroute('**/api/auth/me');
  });
});
