// The story of the first chat, end to end: a fresh server, its printed address, an administrator, answers that stream, stop, survive a
// reload and a restart; and the list of conversations.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { kNoBrowser, launch, step, Visitor, wordsIn } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

describe('the first chat', { skip: kNoBrowser }, () => {
  let model;
  let confab;
  let browser;
  let visitor;

  before(async () => {
    model = await startModelServer();
    [confab, browser] = await Promise.all([Confab.start({ upstream: model.baseURL, admin: false }), launch()]);
    visitor = await Visitor.open(browser, confab);
  });

  after(async () => {
    await browser?.close();
    try { await confab?.dispose(); } finally { await model?.close(); }
  });

  const stepOf = (name, body) => step(name, () => visitor, body);

  stepOf('opens the printed address and creates the administrator', async ({ page }) => {
    const address = /http:\/\/\S+\/setup#\S+/.exec(confab.log)?.[0] ?? assert.fail(`no set-up address in:\n${confab.log}`);
    await page.goto(address);
    await visitor.$('setup-email').fill(kAdmin.email);
    await visitor.$('setup-password').fill(kAdmin.password);
    await visitor.$('setup-submit').click();
    await visitor.$('composer').waitFor();
    assert.ok(!page.url().includes('#'), `the token stays in the address: ${page.url()}`);
    confab.key = await confab.addKey(kAdmin.email);
  });

  stepOf('chats and sees tokens stream', async () => {
    await visitor.pickModel('script-words-n150-i20');
    await visitor.send('Tell me a long story');
    assert.match(await visitor.messages('user').last().innerText(), /Tell me a long story/);
    await visitor.waitWord('w5');
    assert.equal(await visitor.answer.getAttribute('data-status'), 'in_progress');
    await visitor.$('stop').waitFor();
    const early = await wordsIn(visitor.answer);
    await visitor.waitWord('w60');
    const later = await wordsIn(visitor.answer);
    assert.ok(later.length > early.length && later.startsWith(early));
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(150));
    assert.equal(await visitor.messages().count(), 2);
    await visitor.$('send').waitFor();
    await visitor.$('conversation-item').filter({ hasText: 'Tell me a long story' }).waitFor();
  });

  stepOf('stops an answer and keeps what was said', async () => {
    const before = model.stats().aborted;
    await visitor.pickModel('script-words-n2000-i10');
    await visitor.send('Never end');
    await visitor.waitWord('w20');
    await visitor.$('stop').click();
    await visitor.waitStatus('incomplete');
    const said = await wordsIn(visitor.answer);
    assert.ok(said.length > 0 && wordsText(2000).startsWith(said));
    await poll(() => model.stats().aborted, (aborted) => aborted === before + 1);
    await visitor.$('send').waitFor();
    await visitor.page.reload();
    await visitor.answer.waitFor();
    assert.equal(await wordsIn(visitor.answer), said, 'the same after a reload');
  });

  stepOf('reloads in the middle of an answer and sees it go on to the end', async () => {
    await visitor.pickModel('script-words-n150-i20');
    await visitor.send('Go on without me');
    await visitor.waitWord('w20');
    await visitor.page.reload();
    await visitor.waitWord('w40');
    assert.equal(await visitor.answer.getAttribute('data-status'), 'in_progress', 'the reload joined a running answer');
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(150));
    assert.equal(await visitor.messages('user').filter({ hasText: 'Go on without me' }).count(), 1);
    assert.equal(await visitor.messages().count(), 6);
  });

  stepOf('starts another chat meanwhile and finds the first one finished', async () => {
    await visitor.send('Still the first chat');
    await visitor.waitWord('w10');
    await visitor.$('new-chat').first().click();
    await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid=message]').length === 0);
    await visitor.pickModel('script-echo');
    await visitor.send('A second chat');
    await visitor.waitStatus('completed');
    assert.match(await visitor.answer.innerText(), /A second chat/);
    assert.equal(await visitor.messages().count(), 2);
    await visitor.$('conversation-item').filter({ hasText: 'Tell me a long story' }).click();
    await visitor.messages('user').filter({ hasText: 'Still the first chat' }).waitFor();
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(150));
    assert.equal(await visitor.messages('user').filter({ hasText: 'A second chat' }).count(), 0);
  });

  stepOf('finds everything after a restart of the server', async () => {
    const seen = await visitor.messages().allInnerTexts();
    visitor.networkMayFail = true;
    await confab.restart();
    await visitor.page.reload();
    await visitor.answer.waitFor();
    await visitor.page.waitForFunction((count) => document.querySelectorAll('[data-testid=message]').length === count, seen.length);
    assert.deepEqual(await visitor.messages().allInnerTexts(), seen);
    assert.equal(await visitor.$('conversation-item').count(), 2);
  });

  stepOf('sees an answer that a restart cut off, and goes on', async () => {
    visitor.networkMayFail = true;
    await visitor.pickModel('script-words-n2000-i10');
    await visitor.send('Interrupt me');
    await visitor.waitWord('w60');
    await confab.kill();
    await confab.boot();
    await visitor.page.reload();
    await visitor.waitStatus('incomplete');
    const said = await wordsIn(visitor.answer);
    assert.ok(said.length > 0 && wordsText(2000).startsWith(said));
    await visitor.pickModel('script-echo');
    await visitor.send('All well again');
    await visitor.waitStatus('completed');
    assert.match(await visitor.answer.innerText(), /All well again/);
  });

  stepOf('renames a conversation', async () => {
    const row = visitor.$('conversation-item').filter({ hasText: 'A second chat' });
    await openMenu(row);
    await visitor.$('rename').click();
    const field = visitor.page.locator('input:focus, [contenteditable]:focus');
    await field.waitFor();
    await field.fill('Renamed – 漢字');
    await visitor.page.keyboard.press('Enter');
    await visitor.$('conversation-item').filter({ hasText: 'Renamed – 漢字' }).waitFor();
    await visitor.page.reload();
    await visitor.$('conversation-item').filter({ hasText: 'Renamed – 漢字' }).waitFor();
  });

  stepOf('deletes a conversation for good, after asking', async () => {
    const row = visitor.$('conversation-item').filter({ hasText: 'Renamed' });
    await openMenu(row);
    await visitor.$('delete').click();
    await row.waitFor({ state: 'detached' });
    await visitor.$('view-trash').click();
    await openMenu(row);
    await visitor.$('delete-for-good').click();
    await visitor.$('confirm-delete').click();
    await row.waitFor({ state: 'detached' });
    await visitor.page.reload();
    await visitor.$('conversation-item').first().waitFor();
    assert.equal(await visitor.$('conversation-item').count(), 1);
    const { data } = await confab.client().get('/conversations');
    assert.equal(data.length, 1);
  });

  stepOf('signs out and in again', async () => {
    await reveal('sign-out');
    await visitor.$('sign-out').click();
    await visitor.$('login-email').waitFor();
    visitor.networkMayFail = true;
    await visitor.$('login-email').fill(kAdmin.email);
    await visitor.$('login-password').fill('not the password');
    await visitor.$('login-submit').click();
    await visitor.page.locator('[role=alert]').first().waitFor();
    await visitor.$('login-password').fill(kAdmin.password);
    await visitor.$('login-submit').click();
    await visitor.$('conversation-item').first().waitFor();
  });

  async function openMenu(row) {
    await row.hover();
    const inside = row.getByTestId('conversation-menu');
    const beside = row.locator('..').getByTestId('conversation-menu');
    await (await inside.count() ? inside : beside).first().click();
  }

  async function reveal(testid) {
    if (await visitor.$(testid).first().isVisible()) return;
    await visitor.$('user-menu').first().click();
    await visitor.$(testid).first().waitFor();
  }
});
