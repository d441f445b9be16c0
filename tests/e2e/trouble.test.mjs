// When things go wrong in the page: models that are unknown or dead, and text that wants to be code.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { kNoBrowser, launch, step, Visitor, wordsIn } from '../support/browser.mjs';
import { streamedEvents } from '../support/http.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const kPayloads = [
  '<img src=x onerror="window.pwned=1">', '<script>window.pwned=1</script>', '<svg/onload=window.pwned=1>', '<iframe srcdoc="<script>parent.pwned=1</script>">',
  '[click](javascript:window.pwned=1)', '[click](java&#115;cript:window.pwned=1)', '[click](java\tscript:window.pwned=1)', '[click](data:text/html,<script>1</script>)',
  '<javascript:window.pwned=1>', '![remote](https://evil.invalid/pixel?q=1)', '![remote](//evil.invalid/pixel)', '![x][ref]\n\n[ref]: https://evil.invalid/ref',
  '```js" onmouseover="window.pwned=1\ncode\n```', '```"><img/src=x/onerror=window.pwned=1>\ncode\n```', '<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=1>',
  '<a href="javascript:window.pwned=1">x</a>', '<form action="https://evil.invalid/"><button>x</button></form>', '<meta http-equiv="refresh" content="0;url=https://evil.invalid/">',
  '<link rel=prefetch href="https://evil.invalid/p">', '$\\href{javascript:window.pwned=1}{x}$', '$$\\url{javascript:window.pwned=1}$$',
  '\u202Egpj.exe\u202C \u2066x\u2069 \u200B', `${'> '.repeat(2000)}deep`, `${'- '.repeat(500)}deep`, '['.repeat(3000), '*'.repeat(3000), '|a|'.repeat(500),
];

describe('trouble', { skip: kNoBrowser }, () => {
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

  stepOf('an unknown model gives a clear message, keeps the question, and can be tried again', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-error-404');
    await visitor.send('Is anybody there?');
    const card = visitor.$('error-card');
    await card.waitFor();
    assert.match(await card.innerText(), /does not exist/);
    await visitor.page.reload();
    await card.waitFor();
    assert.equal(await visitor.messages('user').count(), 1);
    await visitor.pickModel('script-words-n20-i5');
    await visitor.$('retry').click();
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(20));
    assert.equal(await visitor.messages().count(), 2, 'the question is there once');
    assert.equal(await card.count(), 0);
  });

  stepOf('a dead model server gives a clear message, and an answer when it is back', async () => {
    const { port } = fixture.model;
    await visitor.goto('/');
    await visitor.pickModel('script-words-n20-i5');
    await fixture.model.close();
    await visitor.send('Knock knock');
    await visitor.$('error-card').waitFor();
    assert.equal(await visitor.messages('user').filter({ hasText: 'Knock knock' }).count(), 1);
    fixture.model = await startModelServer({ port });
    await visitor.$('retry').click();
    await visitor.waitStatus('completed');
    assert.equal(await wordsIn(visitor.answer), wordsText(20));
    assert.equal(await visitor.messages().count(), 2);
  });

  stepOf('a model that breaks off leaves its words and the card', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-midstream-error');
    await visitor.send('Break');
    await visitor.$('error-card').waitFor();
    assert.equal(await wordsIn(visitor.answer), wordsText(5));
  });

  stepOf('a server that is away does not lose what was typed', async () => {
    visitor.networkMayFail = true;
    await visitor.goto('/');
    await visitor.pickModel('script-echo');
    await fixture.confab.kill();
    await visitor.type('Do not lose me');
    await visitor.page.waitForFunction(() => document.querySelector('[data-testid=error-card], [data-testid=toast]'));
    const kept = await visitor.page.evaluate(() => document.querySelector('[data-testid=composer]').value?.includes('Do not lose me')
      || [...document.querySelectorAll('[data-testid=message]')].some((row) => row.textContent.includes('Do not lose me')));
    assert.ok(kept, 'the text is gone');
    await fixture.confab.boot();
    if (await visitor.$('retry').count()) await visitor.$('retry').click();
    else await visitor.$('send').click();
    await visitor.waitStatus('completed');
    assert.match(await visitor.answer.innerText(), /Do not lose me/);
  });

  stepOf('text that wants to be code stays text', async () => {
    const { client } = fixture;
    const { id } = await client.conversations.create();
    for (let i = 0; i < kPayloads.length; i += 1) {
      await client.conversations.items.create(id, { items: [{ role: 'user', content: kPayloads[i] }, { role: 'assistant', content: kPayloads[i] }] });
    }
    await visitor.goto(`/c/${id}`);
    await visitor.answer.waitFor();
    await scrollThrough();
    await assertHarmless();
  });

  stepOf('and so does an answer that streams it, split inside its tags', async () => {
    await visitor.goto('/');
    await visitor.pickModel('script-echo');
    const text = kPayloads.slice(0, 21).join('\n\n');
    await visitor.send(text);
    await visitor.waitStatus('completed');
    await assertHarmless();
  });

  stepOf('in a title, a model’s name and an upstream’s words too', async () => {
    const { client } = fixture;
    const evil = '<img src=x onerror="window.pwned=1">';
    const { id } = await client.post('/conversations', { body: { title: evil } });
    await streamedEvents(fixture.confab, fixture.confab.key, { model: evil, input: 'x', conversation: id, background: true });
    await visitor.goto(`/c/${id}`);
    await visitor.$('error-card').waitFor();
    await visitor.$('conversation-item').filter({ hasText: 'onerror' }).first().waitFor();
    await assertHarmless();
  });

  async function scrollThrough() {
    await visitor.page.mouse.move(700, 400);
    for (let i = 0; i < 40; i += 1) {
      await visitor.page.mouse.wheel(0, -700);
      await visitor.page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    }
  }

  async function assertHarmless() {
    const found = await visitor.page.evaluate(() => ({
      pwned: globalThis.pwned ?? null,
      links: [...document.querySelectorAll('[data-testid=message] a[href]')].map((link) => link.protocol).filter((protocol) => !['http:', 'https:', 'mailto:'].includes(protocol)),
      elements: document.querySelectorAll('[data-testid=message] :is(script, iframe, form, meta, link, style, object, embed, base)').length,
      handlers: [...document.querySelectorAll('[data-testid=message] *')].flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on')),
      images: [...document.querySelectorAll('[data-testid=message] img')].map((image) => image.getAttribute('src')).filter((src) => !/^(blob:|data:image\/|\/)/.test(src ?? '')),
    }));
    assert.deepEqual(found, { pwned: null, links: [], elements: 0, handlers: [], images: [] });
  }
});
