// Somebody shares a chat by a link; a visitor without an account reads it, page by page, with its picture, and cannot once it is revoked.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { caller, request, sameOrigin, signIn } from '../support/http.mjs';
import { form } from '../support/images.mjs';

describe('a chat that is shared', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  const visitors = {};
  let browser;
  let id;
  let link;

  before(async () => {
    browser = await launch();
    visitors.owner = await Visitor.open(browser, fixture.confab);
    visitors.guest = await Visitor.open(browser, fixture.confab, { viewport: { width: 390, height: 780 }, colorScheme: 'dark' });
    await makeChat();
  });
  after(() => browser?.close());

  /** A chat that is longer than a page, with a picture in its first message and Markdown in an answer. */
  async function makeChat() {
    const { confab } = fixture;
    const api = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
    const { json: file } = await request(confab, 'POST', '/v1/files', { key: confab.key, ...form([['purpose', 'vision'], ['file', redSquare(), 'red.png']]) });
    const first = { role: 'user', content: [{ type: 'input_text', text: 'What is this?' }, { type: 'input_image', file_id: file.id }] };
    const answer = { role: 'assistant', content: 'A **red** square. <img src=x onerror=alert(1)>\n\n```js\nlet a = 1;\n```' };
    ({ json: { id } } = await api('POST', '/v1/conversations', { json: { title: 'Shapes & colours', items: [first, answer] } }));
    for (let page = 0; page < 20; ++page) {
      const items = Array.from({ length: 20 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `message ${page * 20 + i}` }));
      await api('POST', `/v1/conversations/${id}/items`, { json: { items } });
    }
  }

  step('its owner makes a link in the menu of the chat', () => visitors.owner, async (visitor) => {
    await visitor.signIn(kAdmin);
    await visitor.goto(`/c/${id}`);
    await visitor.$('chat-menu').click();
    await visitor.$('chat-share').click();
    await visitor.$('share-life').selectOption({ label: '7 days' });
    await visitor.$('share-make').click();
    link = await visitor.$('share-link').textContent();
    assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/share#\S{43}$/);
    assert.equal(await visitor.$('share').count(), 1);
  });

  step('a visitor without an account reads it in the dark on a phone', () => visitors.guest, async (visitor) => {
    await visitor.page.goto(link);
    await visitor.messages().first().waitFor();
    assert.equal(await visitor.$('shared-title').textContent(), 'Shapes & colours');
    await visitor.messages('assistant').first().locator('strong', { hasText: 'red' }).waitFor();
    assert.equal(await visitor.messages('assistant').first().locator('img').count(), 0, 'what looks like HTML is text');
    const picture = visitor.$('image').locator('img');
    await picture.waitFor();
    assert.match(await picture.getAttribute('src'), /^blob:/);
    assert.ok(await picture.evaluate(async (image) => (await image.decode(), image.naturalWidth)) > 0);
    assert.equal(await visitor.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing is wider than the phone');
    assert.equal(await visitor.$('composer').count(), 0);
    const asked = visitor.requests.filter((one) => !/ (http:|\/(assets|share$|favicon|manifest))/.test(one));
    assert.ok(asked.every((one) => one.startsWith('GET /api/shared')), asked.join(', '));
  });

  step('more comes as one scrolls, to the end and no further, and no more than 300 messages are in the page', () => visitors.guest, async (visitor) => {
    const before = await visitor.messages().count();
    assert.ok(before >= 50 && before < 402, `${before} at first`);
    while (!await visitor.$('shared-end').isVisible()) {
      await visitor.page.evaluate(() => document.querySelector('.shared').scrollTo(0, 1e9));
      await visitor.page.waitForTimeout(100);
    }
    assert.equal(await visitor.messages().count(), 300);
    assert.match(await visitor.messages().last().textContent(), /message 399/);
    await visitor.$('share-restart').click();
    await visitor.$('image').locator('img').waitFor();
    assert.equal(await visitor.$('share-restart').count(), 0);
    assert.ok(await visitor.messages().count() < 300, 'it begins anew');
  });

  step('its owner finds it in the settings and revokes it', () => visitors.owner, async (visitor) => {
    await visitor.goto('/settings/data');
    const row = visitor.page.locator('li', { has: visitor.$('own-share') });
    assert.match(await row.textContent(), /Shapes & colours/);
    await row.getByRole('button', { name: 'Revoke' }).click();
    await visitor.page.getByText('You share nothing.').waitFor();
  });

  step('then the link leads nowhere', () => visitors.guest, async (visitor) => {
    visitor.networkMayFail = true;
    await visitor.page.reload();
    await visitor.$('share-gone').waitFor();
    assert.equal(await visitor.messages().count(), 0);
  });
});

/** A picture that a browser can show. */
function redSquare() {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]);
  const rows = Buffer.concat(Array.from({ length: 8 }, () => Buffer.from([0, ...Array.from({ length: 8 }, () => [220, 40, 40]).flat()])));
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes) {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}
