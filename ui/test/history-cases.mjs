// Cases about branches, places in long conversations, search, the order of things, and what is not kept. See browser.mjs.
import assert from 'node:assert/strict';

export function historyCases({ full, signIn, ask, answers, finished, until }) {
  const user = (page) => page.locator('[data-testid="message"][data-role="user"]');
  const count = (page) => page.getByTestId('version-count');
  const tools = async (message, button) => {
    await message.hover();
    await message.getByTestId(button).click();
  };

  return {
    async 'a message is edited in place, and its versions are switched'(page) {
      await signIn(page, full);
      await ask(page, 'the first way to say it');
      await finished(page);
      await ask(page, 'and then this');
      await finished(page);
      assert.equal(await user(page).count(), 2);
      await tools(user(page).first(), 'edit-message');
      await page.getByTestId('edit-field').fill('never mind');
      await page.keyboard.press('Escape');
      assert.ok(await user(page).first().getByTestId('edit-message').evaluate((button) => button === document.activeElement));
      await tools(user(page).first(), 'edit-message');
      await page.getByTestId('edit-field').fill('another way to say it: code');
      await page.keyboard.press('Enter');
      await user(page).filter({ hasText: 'another way' }).waitFor();
      await finished(page);
      assert.equal(await user(page).count(), 1);
      await count(page).filter({ hasText: '2 / 2' }).waitFor();
      const before = await page.getByTestId('version-previous').boundingBox();
      await page.getByTestId('version-previous').click();
      await user(page).filter({ hasText: 'and then this' }).waitFor();
      assert.match(await user(page).first().innerText(), /the first way/);
      await count(page).filter({ hasText: '1 / 2' }).waitFor();
      const after = await page.getByTestId('versions').boundingBox();
      assert.ok(Math.abs(after.y - before.y) < 3, `the switch moved by ${after.y - before.y}`);
      // By keyboard, and the same after a reload.
      await page.keyboard.press('ArrowRight');
      await count(page).filter({ hasText: '2 / 2' }).waitFor();
      await page.reload();
      await count(page).filter({ hasText: '2 / 2' }).waitFor();
      assert.equal(await user(page).count(), 1);
    },
    async 'an answer is made again, by another model, and in a new chat'(page) {
      await signIn(page, full);
      await ask(page, 'some words please');
      await finished(page);
      await tools(answers(page), 'regenerate');
      await page.getByTestId('regenerate-model').filter({ hasText: 'phi4' }).click();
      await answers(page, 'completed').filter({ hasText: 'phi4:14b' }).waitFor({ timeout: 30_000 });
      await count(page).filter({ hasText: '2 / 2' }).waitFor();
      assert.equal(await page.getByTestId('message').count(), 2);
      const address = page.url();
      await tools(user(page), 'message-more');
      await page.getByTestId('fork').click();
      await page.waitForURL((url) => url.href !== address);
      await user(page).filter({ hasText: 'some words' }).waitFor();
      assert.equal(await page.getByTestId('message').count(), 1);
    },
    async 'a refused edit can be sent again as the same branch'(page) {
      await signIn(page, full);
      await ask(page, 'a plain question');
      await finished(page);
      await tools(user(page), 'edit-message');
      await page.getByTestId('edit-field').fill('refuse-http');
      await page.getByTestId('edit-send').click();
      await page.getByTestId('error-card').getByText('not sent').waitFor();
      await page.getByTestId('retry').click();
      await page.getByTestId('error-card').getByText('not sent').waitFor();
      assert.equal(await user(page).count(), 1);
      await page.reload();
      await user(page).filter({ hasText: 'a plain question' }).waitFor();
    },
    async 'a message far back is edited while what surrounds it is paged out'(page) {
      await signIn(page, full);
      await page.goto(`${full}/c/conv_giant?item=msg_g0050000`);
      const found = page.locator('[data-item-id="msg_g0050000"]');
      await found.waitFor();
      assert.ok(await found.evaluate((node) => node.classList.contains('found') && node === document.activeElement));
      const box = await found.boundingBox();
      assert.ok(box.y > 0 && box.y < 300, JSON.stringify(box));
      await tools(found, 'edit-message');
      await page.getByTestId('edit-field').fill('a better question, with code');
      await page.keyboard.press('Enter');
      await finished(page);
      const versions = page.getByTestId('versions');
      await versions.filter({ hasText: '2 / 2' }).waitFor();
      await versions.getByTestId('version-previous').click();
      await versions.filter({ hasText: '1 / 2' }).waitFor();
      assert.ok((await page.getByTestId('message').count()) > 10, 'what followed is there again');
      await page.getByTestId('jump-newest').click();
      await page.locator('[data-item-id="msg_g0099999"]').waitFor();
    },
    async 'search finds while typing and opens at the hit'(page) {
      await signIn(page, full);
      await page.keyboard.press('Control+k');
      await page.getByTestId('search-help').filter({ hasText: 'from:me' }).click();
      await page.keyboard.type('vienna train');
      await page.getByTestId('search-hit').first().waitFor();
      assert.equal(await page.getByTestId('search-hit').count(), 0 + (await page.getByTestId('search-hit').filter({ hasText: 'You' }).count()));
      await page.getByTestId('search-field').fill('umbrella');
      const hit = page.getByTestId('search-hit').filter({ hasText: 'Two days in Ljubljana' });
      await hit.locator('mark').filter({ hasText: 'umbrella' }).waitFor();
      await page.keyboard.press('Enter');
      await page.locator('.found').filter({ hasText: 'one umbrella' }).waitFor();
      assert.match(page.url(), /\?item=/);
      await page.keyboard.press('Control+k');
      await page.getByTestId('search-field').fill('zzz nothing');
      await page.getByTestId('search-empty').waitFor();
      await page.getByTestId('search-field').fill('pending row');
      await page.getByTestId('search-pending').waitFor();
      await page.getByTestId('search-field').fill('fail-search');
      await page.getByTestId('search-error').waitFor();
      await page.getByTestId('search-field').fill('message');
      await page.getByTestId('search-newest').click();
      await page.getByTestId('search-hit').nth(3).waitFor();
      await page.getByTestId('search-field').press('ArrowDown');
      await page.getByTestId('search-field').press('ArrowDown');
      assert.equal(await page.getByTestId('search-hit').nth(2).getAttribute('aria-selected'), 'true');
      await page.keyboard.press('Escape');
      await page.getByTestId('search-dialog').waitFor({ state: 'detached' });
    },
    async 'the trash takes and gives back, and deletes for good after asking'(page) {
      await signIn(page, full);
      await page.goto(`${full}/c/conv_sourdough-without-a-scale`);
      const row = page.getByTestId('conversation-item').filter({ hasText: 'Sourdough' });
      const menu = async (entry) => {
        await row.hover();
        await row.getByTestId('conversation-menu').click();
        await page.getByTestId(entry).click();
      };
      await menu('delete');
      await row.waitFor({ state: 'detached' });
      assert.equal(new URL(page.url()).pathname, '/');
      await page.getByTestId('toast').getByText('Undo').click();
      await row.waitFor();
      await menu('delete');
      await row.waitFor({ state: 'detached' });
      await page.getByTestId('view-trash').click();
      await row.waitFor();
      await menu('delete-for-good');
      await page.getByTestId('confirm-delete').click();
      await row.waitFor({ state: 'detached' });
      await page.getByTestId('view-back').click();
      await page.getByTestId('pinned-list').waitFor();
    },
    async 'folders, tags, pins and many chats at once'(page) {
      await signIn(page, full);
      const row = (name) => page.getByTestId('conversation-item').filter({ hasText: name });
      const menu = async (name, entry) => {
        await row(name).first().hover();
        await row(name).first().getByTestId('conversation-menu').click();
        await page.getByTestId(entry).click();
      };
      await menu('Naming a small boat', 'pin');
      await page.getByTestId('pinned-list').getByText('Naming a small boat').waitFor();
      await page.getByTestId('new-folder').click();
      await page.getByTestId('folder-name').fill('Boats');
      await page.getByTestId('folder-name').press('Enter');
      const folder = page.getByTestId('folder').filter({ hasText: 'Boats' });
      await folder.waitFor();
      await row('Naming a small boat').getByRole('link').dragTo(folder);
      await until(async () => /1/.test(await folder.innerText()));
      await menu('Naming a small boat', 'organise');
      await page.getByTestId('tag-field').fill('wood');
      await page.getByTestId('tag-field').press('Enter');
      await page.getByTestId('organise-save').click();
      await page.getByTestId('tag').filter({ hasText: 'wood' }).click();
      await row('Naming a small boat').waitFor();
      assert.equal(await page.getByTestId('conversation-item').count(), 1);
      await page.getByTestId('view-back').click();
      await menu('A locked account', 'select');
      await row('A very long paste').getByTestId('mark').check();
      await page.getByTestId('bulk').getByText('2 selected').waitFor();
      await page.getByTestId('bulk-archive').click();
      await row('A locked account').waitFor({ state: 'detached' });
      await page.getByTestId('view-archive').click();
      await row('A very long paste').waitFor();
      assert.equal(await page.getByTestId('conversation-item').count(), 2);
      await page.getByTestId('view-back').click();
      await page.getByTestId('toast').getByText('Undo').click();
      await row('A locked account').waitFor();
    },
    async 'a temporary chat sends all of itself, is not listed, and warns before it is lost'(page) {
      await signIn(page, full);
      const bodies = [];
      page.on('request', (request) => request.url().endsWith('/v1/responses') && request.method() === 'POST' && bodies.push(request.postDataJSON()));
      const listed = page.getByTestId('conversation-list').getByTestId('conversation-item');
      await listed.first().waitFor();
      const before = await listed.count();
      await page.getByTestId('temporary').click();
      await page.getByTestId('temporary-label').waitFor();
      await ask(page, 'keep this to yourself');
      await finished(page);
      await ask(page, 'and some code');
      await finished(page);
      assert.equal(await page.getByTestId('message').count(), 4);
      assert.deepEqual(bodies.map((body) => [body.store, body.conversation, body.background, body.input.length]), [[false, undefined, undefined, 1], [false, undefined, undefined, 3]]);
      assert.equal(new URL(page.url()).pathname, '/');
      assert.equal(await listed.count(), before);
      await ask(page, 'forever');
      await answers(page, 'in_progress').waitFor();
      await page.getByTestId('stop').click();
      await answers(page, 'incomplete').waitFor();
      await listed.first().click();
      await page.getByRole('dialog').getByText('Stay').click();
      assert.equal(await page.getByTestId('message').count(), 6);
      await listed.first().click();
      await page.getByTestId('leave').click();
      await page.waitForURL(/\/c\//);
      await page.getByTestId('message').first().waitFor();
      assert.equal(await page.getByTestId('temporary-label').count(), 0);
    },
    async 'a file is imported with progress and a report'(page) {
      await signIn(page, full);
      await page.goto(`${full}/settings/data`);
      await page.getByTestId('import-file').setInputFiles({ name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from('[{"title":"x"}]') });
      await page.locator('[data-testid="import-job"][data-status="running"]').getByRole('progressbar').waitFor();
      await page.locator('[data-testid="import-job"][data-status="completed"]').getByText('ChatGPT').waitFor();
      await page.getByTestId('import-problems').getByText('1 problem').click();
      await page.getByText('name each other').waitFor();
      await page.getByTestId('import-file').setInputFiles({ name: 'holiday.txt', mimeType: 'text/plain', buffer: Buffer.from('no chats') });
      await page.locator('[data-testid="import-job"][data-status="failed"]').first().waitFor();
      await page.getByTestId('retention-own').selectOption('30');
      await page.getByTestId('retention-save').click();
      await page.getByTestId('toast').getByText('Saved').waitFor();
      await page.getByTestId('title-model').selectOption('same');
      await page.getByTestId('rules-save').click();
      await page.getByTestId('toast').getByText('for everybody').waitFor();
    },
    async 'what the model sees is shown, and a date is gone to'(page) {
      await signIn(page, full);
      await page.goto(`${full}/c/conv_giant`);
      await page.getByTestId('context-line').waitFor();
      await page.getByTestId('context-meter').click();
      await page.getByTestId('context-summary').getByText('Summary of').click();
      await page.getByText('keyset pagination').last().waitFor();
      await page.getByTestId('compaction').selectOption('off');
      await page.getByTestId('context-summary').waitFor({ state: 'detached' });
      await page.keyboard.press('Escape');
      await page.getByTestId('chat-menu').click();
      await page.getByTestId('jump-date').click();
      await page.getByTestId('date-field').fill('2024-03-01');
      await page.getByTestId('date-go').click();
      await until(async () => /Mar 1, 2024|Feb 29, 2024/.test(await page.getByTestId('message').nth(15).locator('time').innerText().catch(() => '')));
      await page.getByTestId('chat-menu').click();
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('export-md').click()]);
      assert.match(download.suggestedFilename(), /\.md$/);
    },
    async 'the scrubber says where one is and goes anywhere'(page) {
      await signIn(page, full);
      await page.goto(`${full}/c/conv_giant`);
      await page.getByTestId('message').first().waitFor();
      const scrubber = page.getByTestId('scrubber');
      await until(async () => Number(await scrubber.getAttribute('aria-valuenow')) > 99_000);
      const box = await scrubber.boundingBox();
      await page.mouse.click(box.x + box.width / 2, box.y + box.height / 4);
      await until(async () => Math.abs(Number((await page.getByTestId('message').first().getAttribute('data-item-id')).slice(5)) - 25_000) < 400);
      assert.match(await scrubber.getAttribute('aria-valuetext'), /of 100,000, /);
      await scrubber.press('Home');
      await page.locator('[data-item-id="msg_g0000000"]').waitFor();
      assert.ok((await page.getByTestId('message').count()) <= 150);
      await page.getByTestId('jump-newest').click();
      await page.locator('[data-item-id="msg_g0099999"]').waitFor();
    },
  };
}
