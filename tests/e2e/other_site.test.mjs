// Abuse cases 30 to 33 and 35 in a real browser: a visitor who is signed in opens the page of somebody else, on another site and on the same
// one (another port of this machine, where cookies are shared). It tries to read, to write, to embed and to listen, and gets nothing.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';
import { form, image } from '../support/images.mjs';
import { request } from '../support/http.mjs';

/** Runs in the foreign page: each attempt by its name, and what came of it. */
async function attack({ url, response, file }) {
  const outcome = (promise) => promise.then((what) => what, (error) => `refused: ${error.name}`);
  const element = (tag, attributes) => new Promise((resolve) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.onload = () => resolve('loaded');
    made.onerror = () => resolve('refused');
    document.body.append(made);
  });
  const stream = new Promise((resolve) => {
    const source = new EventSource(`${url}/v1/responses/${response}?stream=true`, { withCredentials: true });
    source.onopen = () => resolve('open');
    source.onerror = () => { source.close(); resolve('refused'); };
  });
  const read = (init) => outcome(fetch(`${url}/v1/conversations`, { credentials: 'include', ...init }).then(async (res) => `${res.type} ${(await res.text()).length}`));
  const plain = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"title":"from elsewhere"}' };
  return {
    read: await read({}), readOpaquely: await read({ mode: 'no-cors' }), write: await read(plain), writeOpaquely: await read({ ...plain, mode: 'no-cors' }),
    writeJson: await read({ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }), withKey: await read({ headers: { authorization: 'Bearer sk-x' } }),
    beacon: String(navigator.sendBeacon(`${url}/v1/conversations`, '{"title":"from elsewhere"}')), stream: await stream,
    image: await element('img', { src: `${url}/v1/files/${file}/content` }), script: await element('script', { src: `${url}/v1/conversations` }),
  };
}

describe('another site', { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;
  let foreign;
  let ids;

  before(async () => {
    foreign = http.createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title><body>')).listen(0, '127.0.0.1');
    [browser] = await Promise.all([launch(), once(foreign, 'listening')]);
    visitor = await Visitor.open(browser, fixture.confab);
    await visitor.signIn(kAdmin);
    const { id: response } = await fixture.client.responses.create({ model: 'script-words-n5', input: 'x', background: true });
    const upload = await request(fixture.confab, 'POST', '/v1/files', { key: fixture.confab.key, ...form([['purpose', 'vision'], ['file', image('png'), 'x.png']]) });
    ids = { url: fixture.confab.url, response, file: upload.json.id };
  });

  after(async () => {
    await browser?.close();
    foreign?.close();
    foreign?.closeAllConnections();
  });

  const titles = async () => (await fixture.client.get('/conversations')).data.map(({ title }) => title);
  const counted = async () => (await titles()).length;

  step('has no cookie to read', () => visitor, async ({ page, context }) => {
    assert.equal(await page.evaluate(() => document.cookie), '');
    const [cookie, ...others] = await context.cookies(fixture.confab.url);
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, others.length], [true, 'Lax', 0]);
  });

  // To another site the browser does not even give the cookie.
  for (const [what, host, refusal] of [['elsewhere', 'localhost', 401], ['on the same site', '127.0.0.1', 403]]) {
    step(`${what}: neither reads, writes, embeds nor listens`, () => visitor, async ({ page, context, problems }) => {
      const before = await counted();
      await page.goto(`http://${host}:${foreign.address().port}/`);
      const got = await page.evaluate(attack, ids);
      for (const name of ['read', 'write', 'writeJson', 'withKey']) assert.match(got[name], /^refused/, `${name}: ${got[name]}`);
      for (const name of ['readOpaquely', 'writeOpaquely']) assert.match(got[name], /^refused|^opaque 0$/, `${name}: ${got[name]}`);
      assert.deepEqual([got.stream, got.image, got.script], ['refused', 'refused', 'refused'], JSON.stringify(got));
      await page.evaluate((url) => new Promise((resolve) => {
        const frame = Object.assign(document.createElement('iframe'), { src: url, onload: resolve, onerror: resolve });
        document.body.append(frame);
      }), ids.url);
      const inside = page.frames().at(-1);
      assert.ok(!inside.url().startsWith(ids.url) || await inside.locator('[data-testid]').count() === 0, `a frame shows ${inside.url()}`);
      // A form leads away and shows what the server said.
      const [answer] = await Promise.all([page.waitForResponse((res) => res.request().method() === 'POST' && res.request().isNavigationRequest()), page.evaluate((url) => {
        const sent = Object.assign(document.createElement('form'), { action: `${url}/v1/conversations`, method: 'post', enctype: 'text/plain' });
        sent.append(Object.assign(document.createElement('input'), { name: '{"title":"from elsewhere","x":"', value: '"}' }));
        document.body.append(sent);
        sent.submit();
      }, ids.url)]);
      assert.equal(answer.status(), refusal);
      await page.waitForURL(`${ids.url}/v1/conversations`);  // else it would break into what comes next
      assert.equal(await counted(), before, 'nothing was written');
      assert.ok(!(await titles()).includes('from elsewhere'));
      assert.equal((await context.request.get(`${ids.url}/api/auth/me`)).status(), 200, 'the visitor is still signed in');
      problems.length = 0; // each refusal is told on the console
    });
  }
});
