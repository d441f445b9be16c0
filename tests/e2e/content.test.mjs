// What an answer may consist of besides its words, in the page: thoughts, tool calls, images, figures; and an answer that goes on.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor, wordsIn } from '../support/browser.mjs';
import { poll } from '../support/events.mjs';
import { kToolCall, wordsText } from '../support/model_scripts.mjs';

/** One red pixel. */
const kPng = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');
const kAnswerMs = 30_000;

describe('the content of answers', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;

  before(async () => {
    browser = await launch();
    visitor = await Visitor.open(browser, fixture.confab);
    await visitor.signIn(kAdmin);
  });

  after(() => browser?.close());

  const stepOf = (name, body) => step(name, () => visitor, body);
  /** A new chat with a model that the model server does not list. */
  async function openWith(model) {
    const { id } = await fixture.client.post('/conversations', { body: { model } });
    await visitor.goto(`/c/${id}`);
    await visitor.$('model-picker').filter({ hasText: model }).waitFor();
  }

  const conversationId = () => new URL(visitor.page.url()).pathname.split('/').at(-1);

  stepOf('thoughts stand above the answer, closed, live and after a reload', async () => {
    await openWith('script-reasoning-n20-i20');
    await visitor.send('Think first');
    await visitor.waitStatus('completed', kAnswerMs);
    const thoughts = visitor.$('reasoning');
    for (const reload of [false, true]) {
      if (reload) await visitor.page.reload();
      await thoughts.waitFor();
      assert.equal(await visitor.$('reasoning-text').count(), 0, 'closed');
      await thoughts.locator('summary').focus();
      await visitor.page.keyboard.press('Enter');
      await visitor.$('reasoning-text').getByText('Let me think.').waitFor();
      assert.equal(await wordsIn(visitor.answer), wordsText(20));
      assert.ok(!(await visitor.answer.innerText()).includes('Let me think'));
    }
    assert.equal(await visitor.messages().count(), 2);
  });

  stepOf('a tool call waits for an application, whose output then stands beside it', async () => {
    await openWith('script-tools');
    await visitor.send('What is the weather like?');
    const call = visitor.$('tool-call');
    for (const reload of [false, true]) {
      if (reload) await visitor.page.reload();
      await visitor.$('awaits-tool').waitFor();
      assert.equal(await call.count(), 1);
      await call.locator('summary').click();
      await call.getByText('"city": "Köln"').waitFor();
    }
    const { id } = await fixture.client.conversations.retrieve(conversationId());
    await fixture.client.responses.create({
      model: 'script-words-n5',
      conversation: id,
      input: [{ type: 'function_call_output', call_id: kToolCall.id, output: '{"degrees":21}' }],
    });
    await visitor.page.reload();
    await visitor.waitStatus('completed');
    assert.equal(await visitor.$('awaits-tool').count(), 0);
    assert.match(await visitor.$('tool-output').innerText(), new RegExp(`${kToolCall.name}[^]*degrees: 21`));
  });

  stepOf('an image is attached, sent, shown again after a reload, and missed once it is deleted', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-echo');
    const files = async () => (await fixture.client.files.list()).data.map((file) => file.filename);
    await visitor.$('attach-input').setInputFiles([
      { name: 'kept.png', mimeType: 'image/png', buffer: kPng },
      { name: 'removed.png', mimeType: 'image/png', buffer: kPng },
    ]);
    await visitor.page.waitForFunction(() => document.querySelectorAll('[data-testid=attachment][data-state=ready]').length === 2);
    assert.deepEqual((await files()).toSorted(), ['kept.png', 'removed.png']);
    await visitor.page.getByRole('button', { name: 'Remove removed.png' }).click();
    await poll(files, (names) => !names.includes('removed.png'));
    await visitor.send('Look at this');
    await visitor.waitStatus('completed');
    for (const reload of [false, true]) {
      if (reload) await visitor.page.reload();
      await visitor.$('image').waitFor();
      await visitor.page.waitForFunction(() => document.querySelector('[data-testid=image] img')?.naturalWidth === 1);
    }
    await visitor.$('image').click();
    await visitor.page.getByRole('dialog', { name: 'kept.png' }).waitFor();
    await visitor.page.keyboard.press('Escape');
    await visitor.$('image-large').waitFor({ state: 'detached' });
    const [kept] = (await fixture.client.files.list()).data.filter((file) => file.filename === 'kept.png');
    await fixture.client.files.delete(kept.id);
    visitor.networkMayFail = true;
    // Not from the browser's cache, which may keep the picture.
    const fresh = await Visitor.open(browser, fixture.confab);
    try {
      await fresh.signIn(kAdmin);
      await fresh.page.goto(visitor.page.url());
      await fresh.$('image-deleted').waitFor();
      assert.match(await fresh.messages('user').innerText(), /Look at this/);
    } finally {
      await fresh.close();
    }
  });

  stepOf('a file that is no image is refused with a reason', async () => {
    visitor.networkMayFail = true;
    await visitor.goto('/');
    await visitor.$('attach-input').setInputFiles([{ name: 'lie.png', mimeType: 'image/png', buffer: Buffer.from('not a picture at all') }]);
    const failed = visitor.page.locator('[data-testid=attachment][data-state=failed]');
    await failed.waitFor();
    assert.ok(await visitor.$('send').isDisabled());
    await visitor.$('attachment-remove').click();
    await failed.waitFor({ state: 'detached' });
  });

  stepOf('an answer cut by its length says so and goes on in its place', async () => {
    await openWith('script-length-n10');
    await visitor.send('and then some');
    await visitor.waitStatus('incomplete');
    await visitor.$('error-card').getByText('longest length').waitFor();
    await visitor.pickModel('script-echo');
    await goOn(wordsText(10));
  });

  stepOf('a stopped answer goes on in its place, also after a reload', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-words-n2000-i10');
    await visitor.send('and then some');
    await visitor.waitWord('w20');
    await visitor.$('stop').click();
    await visitor.waitStatus('incomplete');
    const said = await wordsIn(visitor.answer);
    await visitor.page.reload();
    await visitor.waitStatus('incomplete');
    await visitor.pickModel('script-echo');
    await goOn(said);
  });

  /** Continues the newest answer, whose words are `said`, with a model that echoes what it is asked last: to go on. */
  async function goOn(said) {
    const rows = await visitor.messages().count();
    await visitor.page.evaluate(() => { globalThis.answerElement = [...document.querySelectorAll('[data-role=assistant]')].at(-1); });
    await visitor.$('continue').click();
    await visitor.waitStatus('completed', kAnswerMs);
    assert.ok(await visitor.page.evaluate(() => globalThis.answerElement.isConnected), 'the same message');
    for (const reload of [false, true]) {
      if (reload) {
        await visitor.page.reload();
        await visitor.waitStatus('completed');
      }
      const text = (await visitor.answer.locator('.markdown').innerText()).replace(/\s+/g, ' ');
      assert.ok(text.startsWith(said) && text.endsWith('do not comment on the interruption.'), text);
      assert.equal(text.split('w0 ').length, 2, 'the old words are there once');
      assert.equal(await visitor.messages().count(), rows);
      assert.equal(await visitor.$('continue').count(), 0);
    }
  }

  stepOf('figures stand below an answer, the same after a reload', async () => {
    await openWith('script-words-n40-i10');
    await visitor.send('Count for me');
    await visitor.waitStatus('completed');
    const stats = visitor.answer.getByTestId('stats');
    await stats.waitFor();
    const live = await stats.innerText();
    assert.match(live, /to first token · .*tokens$/);
    await visitor.page.reload();
    await stats.waitFor();
    assert.equal(await stats.innerText(), live);
    await stats.focus();
    assert.match(await visitor.$('stats-tip').innerText(), /Whole answer in[^]*Prompt[^]*tokens/);
  });
});
