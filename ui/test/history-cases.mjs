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
