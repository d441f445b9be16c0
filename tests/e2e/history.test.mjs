// A history one can work in, end to end: a message is edited and its versions switched, a word is searched and opened where it stands,
// a chat goes to the trash and comes back, and an export of another server is taken in.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';

const kFoundWithinMs = 10_000;

describe('a history', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;

  before(async () => {
    browser = await launch();
    visitor = await Visitor.open(browser, fixture.confab);
    await visitor.signIn(kAdmin);
    await visitor.pickModel('script-echo');
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => visitor, body);
  const row = (text) => visitor.$('conversation-item').filter({ hasText: text });

  async function tool(message, button) {
    await message.hover();
    await message.getByTestId(button).click();
  }

  async function menu(text, entry) {
    await tool(row(text).first(), 'conversation-menu');
    await visitor.$(entry).click();
  }

  stepOf('edits a message, and each version keeps what followed it', async ({ page }) => {
    for (const text of ['A plum is a fruit', 'and a pear too']) {
      await visitor.send(text);
      await visitor.waitStatus('completed');
    }
    await tool(visitor.messages('user').first(), 'edit-message');
    await visitor.$('edit-field').fill('A cobblestone is a stone');
    await page.keyboard.press('Enter');
    await visitor.messages('assistant').filter({ hasText: 'cobblestone' }).waitFor();
    await visitor.waitStatus('completed');
    assert.equal(await visitor.messages().count(), 2);
    const count = visitor.$('version-count');
    await count.filter({ hasText: '2 / 2' }).waitFor();
    await visitor.$('version-previous').click();
    await visitor.messages('user').filter({ hasText: 'and a pear too' }).waitFor();
    assert.equal(await visitor.messages().count(), 4);
    await page.reload();
    await count.filter({ hasText: '1 / 2' }).waitFor();
    assert.equal(await visitor.messages().count(), 4, 'the branch looked at last is opened again');
  });

  stepOf('makes an answer again beside the old one', async () => {
    await tool(visitor.answer, 'regenerate');
    await visitor.$('regenerate-same').click();
    await visitor.$('version-count').filter({ hasText: '2 / 2' }).waitFor();
    await visitor.waitStatus('completed');
    assert.equal(await visitor.messages().count(), 4);
  });

  stepOf('finds a message on a branch that is not shown, and opens it there', async ({ page }) => {
    await page.keyboard.press('Control+k');
    const hit = visitor.$('search-hit').filter({ hasText: 'cobblestone' }).filter({ hasText: 'You' });
    await poll(async () => {
      await visitor.$('search-field').fill('');
      await visitor.$('search-field').fill('cobble from:me');
      await page.waitForTimeout(500);
      return hit.count();
    }, (count) => count > 0, kFoundWithinMs);
    await hit.first().click();
    await page.locator('.found').filter({ hasText: 'A cobblestone is a stone' }).waitFor();
    assert.equal(await visitor.messages('user').filter({ hasText: 'pear' }).count(), 0);
  });

  stepOf('moves a chat to the trash and takes it back', async ({ page }) => {
    await menu('A plum', 'delete');
    await row('A plum').waitFor({ state: 'detached' });
    assert.equal(new URL(page.url()).pathname, '/');
    await visitor.$('toast').getByText('Undo').click();
    await row('A plum').waitFor();
    await menu('A plum', 'delete');
    await row('A plum').waitFor({ state: 'detached' });
    await visitor.$('view-trash').click();
    await menu('A plum', 'restore');
    await row('A plum').waitFor({ state: 'detached' });
    await visitor.$('view-back').click();
    await row('A plum').waitFor();
  });

  stepOf('keeps nothing of a temporary chat', async ({ page }) => {
    await page.goto(fixture.confab.url);
    await row('A plum').waitFor();
    const listed = await visitor.$('conversation-item').count();
    await visitor.$('temporary').click();
    await visitor.send('Never write down: heliotrope');
    await visitor.waitStatus('completed');
    await visitor.send('And this');
    await visitor.waitStatus('completed');
    assert.equal(await visitor.messages().count(), 4);
    await row('A plum').click();
    await visitor.$('leave').click();
    await visitor.messages('user').first().waitFor();
    assert.equal(await visitor.$('conversation-item').count(), listed);
  });

  stepOf('takes in an export of ChatGPT, once', async ({ page }) => {
    const node = (id, parent, role, text, at) => [id, { id, parent, children: [], message: role && { id, author: { role }, create_time: at, content: { content_type: 'text', parts: [text] } } }];
    const chat = {
      id: 'c1', conversation_id: 'c1', title: 'From elsewhere', create_time: 1_700_000_000, update_time: 1_700_000_100, current_node: 'b',
      mapping: Object.fromEntries([node('root', null), node('a', 'root', 'user', 'Where is the lighthouse?', 1_700_000_001), node('b', 'a', 'assistant', 'At the cape.', 1_700_000_002)]),
    };
    chat.mapping.root.children = ['a'];
    chat.mapping.a.children = ['b'];
    const file = { name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify([chat])) };
    await page.goto(`${fixture.confab.url}/settings/data`);
    const done = page.locator('[data-testid=import-job][data-status=completed]');
    await visitor.$('import-file').setInputFiles(file);
    await done.first().waitFor();
    await visitor.$('import-file').setInputFiles(file);
    await done.nth(1).waitFor();
    await visitor.$('settings-back').click();
    await row('From elsewhere').click();
    await visitor.messages('assistant').filter({ hasText: 'At the cape.' }).waitFor();
    assert.equal(await row('From elsewhere').count(), 1);
  });
});
