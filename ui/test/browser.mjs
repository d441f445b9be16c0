// The page in a real Chromium against dev/mock-server.mjs, under the policy that Confab sends. Usage: npm run test:browser
// [-- WORD], where only cases whose name contains WORD run. Needs dist/. Any console error about the policy, any request to
// another origin and any exception in the page fails the case.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { picture } from '../dev/mock-data.mjs';
import { historyCases } from './history-cases.mjs';

const word = process.argv[2] ?? '';
const root = fileURLToPath(new URL('..', import.meta.url));
const servers = [];

function serve(port, state, ...more) {
  const child = spawn(process.execPath, [`${root}dev/mock-server.mjs`, '--port', port, '--state', state, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  servers.push(child);
  return new Promise((resolve) => child.stdout.once('data', () => resolve(`http://127.0.0.1:${port}`)));
}

const full = await serve(8441, 'full', '--tps', '120');
const setup = await serve(8442, 'setup');
const demo = await serve(8443, 'demo');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function signIn(page, base) {
  await page.goto(base);
  await page.getByTestId('login-email').fill('ada@example.org');
  await page.getByTestId('login-password').fill('correct horse');
  await page.getByTestId('login-submit').click();
  await page.getByTestId('composer').waitFor();
}

async function ask(page, text) {
  await page.getByTestId('composer').fill(text);
  await page.getByTestId('composer').press('Enter');
}

const answers = (page, status) => page.locator(`[data-testid="message"][data-role="assistant"]${status ? `[data-status="${status}"]` : ''}`);
const finished = (page) => page.getByTestId('send').waitFor({ timeout: 60_000 });
const view = (page) => page.evaluate(() => {
  const log = document.querySelector('[role="log"]');
  const messages = [...document.querySelectorAll('[data-testid="message"]')];
  return { count: messages.length, rest: log.scrollHeight - log.scrollTop - log.clientHeight, first: messages[0]?.dataset.itemId, last: messages.at(-1)?.dataset.itemId };
});

const png = (n, name, pixels = 64) => ({ name, mimeType: 'image/png', buffer: picture(n, pixels, pixels) });
const attachments = (page, state) => page.locator(`[data-testid="attachment"]${state ? `[data-state="${state}"]` : ''}`);

// A DataTransfer in the page with such files in it.
const transfer = (page, files) =>
  page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, mimeType, base64 } of list) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: mimeType }));
    return data;
  }, files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString('base64') })));

// waitForFunction() takes a promise for a truth.
async function until(good) {
  const end = Date.now() + 40_000;
  while (!(await good())) {
    assert.ok(Date.now() < end, 'waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// The page believes that it is hidden, and half a minute is over soon.
const mayHide = (page) =>
  page.addInitScript(() => {
    const real = window.setTimeout;
    window.setTimeout = (run, ms, ...rest) => real(run, ms === 30_000 ? 300 : ms, ...rest);
    let hidden = false;
    Object.defineProperty(document, 'hidden', { get: () => hidden });
    Object.defineProperty(document, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') });
    window.pretend = (yes) => {
      hidden = yes;
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });

const cases = {
  async 'set-up takes the token out of the address'(page) {
    await page.goto(`${setup}/setup#setup-token`);
    await page.getByTestId('setup-email').fill('ada@example.org');
    assert.equal(new URL(page.url()).hash, '');
    await page.getByTestId('setup-password').fill('long enough');
    await page.getByTestId('setup-submit').click();
    await page.getByTestId('composer').waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
  },
  async 'a wrong password says so'(page) {
    await page.goto(`${full}/c/conv_keyset-pagination`);
    await page.getByTestId('login-email').fill('ada@example.org');
    await page.getByTestId('login-password').fill('wrong horse');
    await page.getByTestId('login-submit').click();
    await page.getByTestId('form-error').waitFor();
    await page.getByTestId('login-password').fill('correct horse');
    await page.getByTestId('login-submit').click();
    await page.getByTestId('message').first().waitFor(); // back to the place that was asked for
  },
  async 'a new chat gets an address and streams'(page) {
    await signIn(page, full);
    await ask(page, 'some code please');
    await answers(page, 'in_progress').waitFor();
    assert.match(new URL(page.url()).pathname, /^\/c\/conv_/);
    await finished(page);
    assert.equal(await answers(page, 'completed').count(), 1);
    assert.match(await page.locator('[data-role="user"]').getAttribute('data-item-id'), /^msg_/);
    await page.locator('.hljs-keyword').first().waitFor();
  },
  async 'stop works before the first token'(page) {
    await signIn(page, full);
    await ask(page, 'slow');
    await page.getByTestId('stop').click();
    await page.getByTestId('error-card').getByText('Stopped').waitFor({ timeout: 15_000 });
  },
  async 'a stopped answer is kept, labelled after a reload, and can be asked for again'(page) {
    await signIn(page, full);
    await ask(page, 'forever');
    await answers(page, 'in_progress').waitFor();
    await page.waitForTimeout(500);
    await page.keyboard.press('Escape');
    await answers(page, 'incomplete').waitFor();
    await page.reload();
    await page.getByTestId('incomplete').getByText('Stopped').waitFor();
    await page.getByTestId('retry').click();
    await answers(page, 'completed').waitFor({ timeout: 60_000 });
    assert.equal(await page.getByTestId('message').count(), 2);
  },
  async 'a failure is shown in place, also after a reload, and retried'(page) {
    await signIn(page, full);
    await ask(page, 'fail-now');
    await page.getByTestId('error-card').getByText('cannot be reached').waitFor();
    await page.reload();
    await page.getByTestId('error-card').getByText('cannot be reached').waitFor();
    await page.getByTestId('retry').click();
    await answers(page).waitFor();
    assert.equal(await page.locator('[data-role="user"]').count(), 1);
  },
  async 'a failure in the middle keeps the text'(page) {
    await signIn(page, full);
    await ask(page, 'fail-late');
    await page.getByTestId('error-card').getByText('broke off').waitFor();
    assert.equal(await answers(page, 'incomplete').count(), 1);
  },
  async 'a refused message is kept and can be sent again'(page) {
    await signIn(page, full);
    await ask(page, 'refuse-http');
    await page.getByTestId('error-card').getByText('not sent').waitFor();
    assert.equal(await page.locator('[data-role="user"]').count(), 1);
    await page.getByTestId('retry').click();
    await page.getByTestId('error-card').getByText('not sent').waitFor();
    assert.equal(await page.locator('[data-role="user"]').count(), 1);
  },
  async 'a lost connection is resumed without a gap or a double'(page) {
    await signIn(page, full);
    await ask(page, 'drop code');
    await answers(page, 'completed').waitFor({ timeout: 40_000 });
    const text = await answers(page).innerText();
    assert.equal(text.match(/Here is a small version/g).length, 1);
    assert.ok(text.includes('It keeps at most one unfinished line'));
  },
  async 'a reload in the middle goes on live'(page) {
    await signIn(page, full);
    await ask(page, 'forever');
    await answers(page, 'in_progress').waitFor();
    await page.waitForTimeout(500);
    await page.reload();
    await answers(page, 'in_progress').waitFor();
    const before = (await answers(page).textContent()).length;
    await page.waitForTimeout(800);
    assert.ok((await answers(page).textContent()).length > before);
    await page.getByTestId('stop').click();
    await answers(page, 'incomplete').waitFor();
    assert.equal(await page.getByTestId('message').count(), 2);
  },
  async 'a long answer leaves finished blocks alone and is followed to its end'(page) {
    await signIn(page, full);
    await ask(page, 'long');
    await answers(page, 'in_progress').waitFor();
    await page.waitForTimeout(700);
    await page.evaluate(() => (window.firstBlock = document.querySelector('[data-role="assistant"] .markdown > :first-child')));
    await finished(page);
    await page.waitForTimeout(400);
    assert.ok(await page.evaluate(() => window.firstBlock === document.querySelector('[data-role="assistant"] .markdown > :first-child')));
    assert.ok((await answers(page).textContent()).length > 90_000);
    assert.ok((await view(page)).rest < 3);
  },
  async 'a reader who scrolled up is left in peace'(page) {
    await signIn(page, full);
    await ask(page, 'long');
    await answers(page, 'in_progress').waitFor();
    await page.waitForTimeout(1500);
    await page.mouse.move(800, 300);
    await page.mouse.wheel(0, -600);
    await page.waitForTimeout(200);
    const top = () => page.evaluate(() => document.querySelector('[role="log"]').scrollTop);
    const before = await top();
    await page.waitForTimeout(1000);
    assert.equal(await top(), before);
    await page.getByTestId('jump-newest').click();
    assert.ok((await view(page)).rest < 100);
  },
  async 'thoughts are there for whoever wants them, live and stored'(page) {
    await signIn(page, full);
    await ask(page, 'think about some code');
    const thoughts = page.getByTestId('reasoning');
    await thoughts.getByText('Thinking…').waitFor();
    assert.equal(await thoughts.evaluate((node) => node.open), false);
    await thoughts.locator('summary').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('reasoning-text').getByText('They seem to know SQL').waitFor();
    assert.equal(await thoughts.getAttribute('data-status'), 'in_progress');
    await answers(page, 'in_progress').waitFor({ timeout: 60_000 });
    await thoughts.getByText('Thought for').waitFor();
    await finished(page);
    // Above the answer, and not part of it.
    assert.ok(await page.evaluate(() => !!(document.querySelector('[data-testid="reasoning"]').compareDocumentPosition(document.querySelector('[data-role="assistant"]')) & Node.DOCUMENT_POSITION_FOLLOWING)));
    assert.ok(!(await answers(page).innerText()).includes('They seem to know SQL'));
    const told = await page.getByTestId('reasoning-text').innerText();
    await page.reload();
    await thoughts.waitFor();
    assert.equal(await page.getByTestId('reasoning-text').count(), 0);
    await thoughts.locator('summary').click();
    await page.getByTestId('reasoning-text').getByText('jumping to a page by its number').waitFor();
    assert.equal(await page.getByTestId('reasoning-text').innerText(), told);
  },
  async 'huge thoughts do not freeze the page'(page) {
    await signIn(page, full);
    await ask(page, 'think-long code');
    await page.getByTestId('reasoning').locator('summary').click();
    await finished(page);
    const blocks = () => page.evaluate(() => document.querySelectorAll('[data-testid="reasoning-text"] .markdown > *').length);
    assert.ok((await blocks()) <= 120, `${await blocks()} blocks while it grew`);
    await page.reload();
    await page.getByTestId('reasoning').locator('summary').click();
    await page.getByText('Show more').waitFor();
    assert.ok((await blocks()) <= 120, `${await blocks()} blocks`);
    await page.getByText('Show more').click();
    assert.ok((await blocks()) > 120);
  },
  async 'thoughts that are stopped say so and are not an answer'(page) {
    await signIn(page, full);
    await ask(page, 'think');
    await page.getByTestId('reasoning').waitFor();
    await page.getByTestId('stop').click();
    await page.getByTestId('error-card').getByText('Stopped').waitFor();
    await page.getByTestId('reasoning').getByText('Stopped while thinking').waitFor();
    assert.equal(await page.getByTestId('continue').count(), 0);
    await page.getByTestId('retry').click();
    await answers(page, 'completed').waitFor({ timeout: 60_000 });
    assert.equal(await page.getByTestId('reasoning').count(), 0);
  },
  async 'opening thoughts does not take the reader away from them'(page) {
    await signIn(page, full);
    await page.setViewportSize({ width: 1000, height: 500 });
    await page.goto(`${full}/c/conv_why-is-page-5-000-slow-`);
    const summary = page.getByTestId('reasoning').locator('summary');
    await summary.waitFor();
    await summary.scrollIntoViewIfNeeded();
    await page.waitForTimeout(200);
    const before = (await summary.boundingBox()).y;
    await summary.click();
    await page.getByTestId('reasoning-text').waitFor();
    await page.waitForTimeout(200);
    assert.ok(Math.abs((await summary.boundingBox()).y - before) < 2);
  },
  async 'a refusal is quiet, live and stored'(page) {
    await signIn(page, full);
    await ask(page, 'decline');
    await finished(page);
    assert.match(await page.getByTestId('refusal').innerText(), /declined[^]*provider’s recovery page/);
    assert.equal(await page.getByTestId('error-card').count(), 0);
    await page.reload();
    assert.match(await page.getByTestId('refusal').innerText(), /declined[^]*provider’s recovery page/);
  },
  async 'tool calls are cards, live and stored, and wait for an application'(page) {
    await signIn(page, full);
    await ask(page, 'tool');
    const calls = page.getByTestId('tool-call');
    await calls.first().waitFor();
    await finished(page);
    for (const reload of [false, true]) {
      if (reload) await page.reload();
      await page.getByTestId('awaits-tool').waitFor();
      assert.equal(await calls.count(), 2);
      assert.match(await calls.first().innerText(), /get_weather[^]*city: "Ljubljana"/);
      await calls.first().locator('summary').focus();
      await page.keyboard.press('Space');
      await calls.first().getByText('"days": 3').waitFor();
    }
    await page.goto(`${full}/c/conv_two-days-in-ljubljana`);
    const output = page.getByTestId('tool-output');
    await output.first().waitFor();
    assert.match(await output.nth(1).innerText(), /Result\s+of search_trains[^]*EC 151/);
    await output.nth(1).locator('summary').click();
    await output.nth(1).getByText('one change in Graz').waitFor();
  },
  async 'figures of an answer, also by keyboard'(page) {
    await signIn(page, full);
    await ask(page, 'some code');
    await finished(page);
    for (const reload of [false, true]) {
      if (reload) await page.reload();
      const stats = page.getByTestId('stats');
      await stats.waitFor();
      assert.match(await stats.innerText(), /\d (ms|s) to first token · .*tokens\/s · \d+ tokens$/);
      await stats.focus();
      assert.match(await page.getByTestId('stats-tip').innerText(), /Prompt\s+1,412 tokens, 1,200 cached/);
      assert.equal(await stats.getAttribute('aria-describedby'), await page.getByTestId('stats-tip').getAttribute('id'));
      await page.keyboard.press('Escape');
      await page.getByTestId('stats-tip').waitFor({ state: 'detached' });
    }
  },
  async 'images: chosen, pasted, dropped, taken out, sent, enlarged'(page) {
    await signIn(page, full);
    const listed = () => page.evaluate(async () => (await (await fetch('/v1/files')).json()).data.map((file) => file.filename));
    await page.getByTestId('attach-input').setInputFiles([png(1, 'chosen.png'), png(2, 'slow-upload.png')]);
    await attachments(page, 'uploading').first().waitFor();
    assert.ok(await page.getByTestId('send').isDisabled());
    await page.waitForFunction(() => document.querySelectorAll('[data-testid="attachment"][data-state="ready"]').length === 2);
    await page.getByTestId('composer').evaluate((node, clipboardData) => node.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })), await transfer(page, [png(3, 'pasted.png')]));
    await attachments(page, 'ready').nth(2).waitFor();
    const dropped = await transfer(page, [png(4, 'dropped.png')]);
    await page.dispatchEvent('main', 'dragenter', { dataTransfer: dropped });
    await page.getByTestId('drop').waitFor();
    await page.dispatchEvent('main', 'drop', { dataTransfer: dropped });
    await page.getByTestId('drop').waitFor({ state: 'detached' });
    await attachments(page, 'ready').nth(3).waitFor();
    assert.equal((await listed()).filter((name) => name === 'pasted.png').length, 1);
    await page.getByRole('button', { name: 'Remove pasted.png' }).click();
    await until(async () => !(await listed()).includes('pasted.png'));
    assert.equal(await attachments(page).count(), 3);
    // The draft keeps them.
    await page.reload();
    await attachments(page, 'ready').nth(2).waitFor();
    await page.getByTestId('composer').fill('Which one? code');
    await page.getByTestId('send').click();
    await finished(page);
    assert.equal(await attachments(page).count(), 0);
    for (const reload of [false, true]) {
      if (reload) await page.reload();
      const image = page.getByTestId('image');
      await image.nth(2).waitFor();
      assert.equal(await image.count(), 3);
      assert.match(await page.locator('[data-role="user"]').getAttribute('data-item-id'), /^msg_/);
      await page.waitForFunction(() => [...document.querySelectorAll('[data-testid="image"] img')].every((one) => one.complete && one.naturalWidth === 64 && one.loading === 'lazy'));
    }
    await page.getByTestId('image').first().click();
    await page.getByTestId('image-large').waitFor();
    await page.getByRole('dialog', { name: 'chosen.png' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('image-large').waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'image');
  },
  async 'an image alone is a message'(page) {
    await signIn(page, full);
    await page.getByTestId('attach-input').setInputFiles([png(1, 'alone.png')]);
    await attachments(page, 'ready').waitFor();
    await page.getByTestId('composer').press('Enter');
    await answers(page).waitFor();
    assert.equal(await page.locator('[data-role="user"] .bubble').count(), 0);
    assert.equal(await page.getByTestId('image').count(), 1);
  },
  async 'what cannot be attached says why'(page) {
    await signIn(page, full);
    const input = page.getByTestId('attach-input');
    await input.setInputFiles([{ name: 'notes.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') }]);
    await page.getByTestId('toast').getByText('only PNG, JPEG, WebP and GIF').waitFor();
    await input.setInputFiles([{ name: 'huge.png', mimeType: 'image/png', buffer: Buffer.alloc(20 * 1024 * 1024 + 1) }]);
    await page.getByTestId('toast').getByText('larger than 20 MB').waitFor();
    // The server looks at the content.
    await input.setInputFiles([{ name: 'lie.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') }]);
    await attachments(page, 'failed').waitFor();
    assert.ok(await page.getByTestId('send').isDisabled());
    await page.getByTestId('attachment-remove').click();
    await input.setInputFiles(Array.from({ length: 9 }, (_, i) => png(i, `${i}.png`, 8)));
    await page.getByTestId('toast').getByText('room for 8').waitFor();
    await attachments(page, 'ready').nth(7).waitFor();
    assert.equal(await attachments(page).count(), 8);
  },
  async 'a deleted image leaves its place, and nothing moves when images come'(page) {
    await signIn(page, full);
    await page.goto(`${full}/c/conv_which-photo-for-the-cover-`);
    await page.getByTestId('message').first().waitFor();
    const heights = () => page.evaluate(() => [...document.querySelectorAll('[data-testid="images"]')].map((one) => one.getBoundingClientRect().height));
    const early = await heights();
    await page.getByTestId('image-deleted').waitFor();
    await page.waitForTimeout(500);
    assert.deepEqual(await heights(), early);
    assert.equal(early.length, 3);
  },
  async 'an incomplete answer goes on in its place'(page) {
    await signIn(page, full);
    await ask(page, 'cut code');
    await answers(page, 'incomplete').waitFor();
    await page.getByTestId('error-card').getByText('longest length').waitFor();
    const before = await answers(page).locator('.markdown').innerText();
    await page.evaluate(() => {
      window.element = document.querySelector('[data-role="assistant"]');
      window.shortest = Infinity;
      new MutationObserver(() => (window.shortest = Math.min(window.shortest, document.querySelector('[data-role="assistant"] .markdown')?.textContent.length ?? 0))).observe(document.querySelector('.content'), { childList: true, subtree: true, characterData: true });
      window.length0 = document.querySelector('[data-role="assistant"] .markdown').textContent.length;
    });
    await page.getByTestId('continue').click();
    await answers(page, 'completed').waitFor({ timeout: 30_000 });
    const text = await answers(page).innerText();
    assert.equal(text.match(/Here is a small version/g).length, 1);
    assert.ok(text.includes('without a newline'), text);
    assert.ok(text.replace(/\s+/g, ' ').startsWith(before.slice(0, 40).replace(/\s+/g, ' ')));
    assert.ok(await page.evaluate(() => window.element.isConnected && window.shortest >= window.length0 - 8), 'the old text stays');
    assert.equal(await page.getByTestId('message').count(), 2);
    assert.equal(await page.getByTestId('continue').count(), 0);
    await page.reload();
    await answers(page, 'completed').waitFor();
    assert.equal(await page.getByTestId('message').count(), 2);
  },
  async 'a stopped answer goes on, also when the page is loaded anew meanwhile'(page) {
    await signIn(page, full);
    await ask(page, 'fail-late code');
    await answers(page, 'incomplete').waitFor();
    await page.reload();
    await page.getByTestId('continue').click();
    await answers(page, 'in_progress').waitFor();
    await page.reload();
    await answers(page, 'completed').waitFor({ timeout: 30_000 });
    assert.equal(await page.getByTestId('message').count(), 2);
    assert.equal((await answers(page).innerText()).match(/Here is a small version/g).length, 1);
  },
  async 'a hidden page lets go of its stream, is still, and resumes'(page) {
    await mayHide(page);
    await signIn(page, full);
    await ask(page, 'some code, please, so that it takes a while');
    await answers(page, 'in_progress').waitFor();
    const asked = [];
    page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}${new URL(request.url()).search}`));
    const gone = page.waitForEvent('requestfailed', (request) => request.url().includes('/v1/responses'));
    await page.evaluate(() => window.pretend(true));
    await gone;
    asked.length = 0;
    await page.waitForTimeout(1500);
    assert.deepEqual(asked, [], 'nothing is asked while nobody looks');
    await page.evaluate(() => window.pretend(false));
    await answers(page, 'completed').waitFor({ timeout: 30_000 });
    assert.ok(asked.some((one) => /^GET \/v1\/responses\/resp_[^?]+\?stream=true&starting_after=\d+$/.test(one)), asked.join('\n'));
    const text = await answers(page).innerText();
    assert.equal(text.match(/Here is a small version/g).length, 1);
    const shown = await answers(page).locator('.markdown').textContent();
    await page.reload();
    await answers(page, 'completed').waitFor();
    await page.locator('.hljs-keyword').first().waitFor();
    assert.equal(await answers(page).locator('.markdown').textContent(), shown);
  },
  async 'a page that slept until the events were forgotten still has the whole answer'(page) {
    await mayHide(page);
    await signIn(page, full);
    await ask(page, 'forgets what it did think before the code');
    await page.getByTestId('reasoning').waitFor();
    const gone = page.waitForEvent('requestfailed', (request) => request.url().includes('/v1/responses'));
    await page.evaluate(() => window.pretend(true));
    await gone;
    const id = new URL(page.url()).pathname.split('/').at(-1);
    await until(() => page.evaluate(async (one) => (await (await fetch(`/v1/conversations/${one}`)).json()).last_response?.status === 'completed', id));
    await page.evaluate(() => window.pretend(false));
    await answers(page, 'completed').waitFor();
    await finished(page);
    assert.ok((await answers(page).innerText()).includes('It keeps at most one unfinished line'));
    await page.getByTestId('reasoning').locator('summary').click();
    await page.getByTestId('reasoning-text').getByText('jumping to a page by its number').waitFor();
    assert.equal(await page.getByTestId('message').count(), 2);
    assert.equal(await page.getByTestId('reasoning').count(), 1);
  },
  async 'a second tab sees the same answer live, and that it was stopped'(page) {
    await signIn(page, full);
    await page.goto(`${full}/c/conv_naming-a-small-boat`);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByTestId('message').first().waitFor();
    const before = await other.getByTestId('message').count();
    await ask(page, 'forever');
    await answers(page, 'in_progress').waitFor();
    await answers(other, 'in_progress').waitFor();
    await page.waitForTimeout(500);
    await page.getByTestId('stop').click();
    await answers(page, 'incomplete').last().waitFor();
    await other.getByTestId('incomplete').getByText('Stopped').waitFor();
    assert.equal(await other.getByTestId('message').count(), before + 2);
    assert.equal(await answers(other).last().locator('.markdown').textContent(), await answers(page).last().locator('.markdown').textContent());
    await other.getByTestId('continue').click();
    await answers(other, 'completed').last().waitFor({ timeout: 30_000 });
    await page.waitForFunction(() => [...document.querySelectorAll('[data-role="assistant"]')].at(-1).dataset.status === 'completed');
    assert.equal(await page.getByTestId('message').count(), before + 2);
  },
  async '100,000 messages: no jump, never more than 200 in the document'(page) {
    await signIn(page, full);
    await page.goto(`${full}/c/conv_giant`);
    await page.getByTestId('message').first().waitFor();
    await page.waitForTimeout(300);
    assert.ok((await view(page)).rest < 3);
    // Every frame: where is the message that was in the middle a frame ago? It may move with the wheel, never against it.
    await page.evaluate(() => {
      const log = document.querySelector('[role="log"]');
      let last = null;
      Object.assign(window, { jumps: [], most: 0, direction: 1 });
      const frame = () => {
        const all = document.querySelectorAll('[data-testid="message"]');
        window.most = Math.max(window.most, all.length);
        if (last) {
          const moved = last.node.isConnected ? last.node.getBoundingClientRect().top - last.top : NaN;
          if (!(Math.abs(moved) <= 460 && moved * window.direction >= -1)) window.jumps.push(moved);
        }
        const middle = log.getBoundingClientRect().top + log.clientHeight / 2;
        const node = [...all].find((one) => one.getBoundingClientRect().bottom > middle);
        last = node ? { node, top: node.getBoundingClientRect().top } : null;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    await page.mouse.move(800, 400);
    for (let i = 0; i < 150; i++) {
      await page.mouse.wheel(0, -400);
      await page.waitForTimeout(25);
    }
    assert.deepEqual(await page.evaluate(() => window.jumps), []);
    assert.ok((await view(page)).first < 'msg_g0099800');
    for (let i = 0; i < 30; i++) {
      await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 0));
      await page.waitForTimeout(100);
    }
    await page.evaluate(() => {
      window.jumps.length = 0;
      window.direction = -1;
    });
    for (let i = 0; i < 150; i++) {
      await page.mouse.wheel(0, 400);
      await page.waitForTimeout(25);
    }
    assert.deepEqual(await page.evaluate(() => window.jumps), []);
    assert.ok((await page.evaluate(() => window.most)) <= 200);
    await page.getByTestId('jump-newest').click();
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid="message"]')].at(-1)?.dataset.itemId === 'msg_g0099999');
    assert.ok((await view(page)).rest < 3);
  },
  async 'hostile text is only text, stored and streamed'(page) {
    await signIn(page, full);
    const check = async () => {
      const found = await page.evaluate(() => ({
        pwned: window.pwned,
        elements: document.querySelectorAll('.markdown :is(img, script, iframe, style, math, object, embed), .markdown svg:not(.icon-button svg), .markdown [onerror], .markdown [onload]').length,
        links: [...document.querySelectorAll('.markdown a')].map((a) => `${a.protocol} ${a.rel} ${a.target}`),
      }));
      assert.equal(found.pwned, undefined);
      assert.equal(found.elements, 0);
      for (const link of found.links) assert.match(link, /^(https?|mailto): noopener noreferrer nofollow _blank$/);
    };
    await page.goto(`${full}/c/conv_hostile-text`);
    await page.getByTestId('message').first().waitFor();
    await page.waitForTimeout(500);
    await check();
    assert.ok((await page.locator('[data-role="user"]').innerText()).includes('[U+202E]'));
    await page.goto(full);
    await ask(page, 'hostile');
    await finished(page);
    await check();
  },
  async 'a cut message is shown whole on demand'(page) {
    await signIn(page, full);
    await page.goto(`${full}/c/conv_a-very-long-paste`);
    await page.getByText('Show whole message').click();
    await page.getByText('Show whole message').waitFor({ state: 'detached' });
    assert.ok((await page.locator('[data-role="user"]').textContent()).length > 150_000);
  },
  async 'rename and delete'(page) {
    await signIn(page, full);
    const row = (text) => page.getByTestId('conversation-item').filter({ hasText: text });
    await row('Letter to').hover();
    await row('Letter to').getByTestId('conversation-menu').click();
    await page.getByTestId('rename').click();
    await page.locator('.edit').fill('Bread');
    await page.keyboard.press('Enter');
    await row('Bread').hover();
    await row('Bread').getByTestId('conversation-menu').click();
    await page.getByTestId('delete').click();
    await row('Bread').waitFor({ state: 'detached' });
  },
  async 'the list of chats pages on scrolling'(page) {
    await signIn(page, full);
    const to = (top) => page.evaluate((wanted) => (document.querySelector('nav.scroller').scrollTop = wanted), top);
    const list = page.getByTestId('conversation-list').getByTestId('conversation-item');
    const first = await list.first().innerText();
    await until(async () => {
      await to(1e9);
      return (await list.last().innerText()).includes('number 300');
    });
    assert.ok((await list.count()) <= 240, 'far ends are let go');
    await until(async () => {
      await to(0);
      return (await list.first().innerText()) === first;
    });
    assert.ok((await list.count()) <= 240);
  },
  async 'keyboard: model, menu focus, shortcuts, draft'(page) {
    await signIn(page, full);
    await page.getByTestId('model-picker').click();
    await page.keyboard.type('qwen');
    await page.keyboard.press('Enter');
    assert.match(await page.getByTestId('model-picker').innerText(), /qwen3/);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'model-picker');
    await page.keyboard.press('Control+/');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByTestId('composer').fill('one');
    await page.getByTestId('composer').press('Shift+Enter');
    assert.equal(await page.getByTestId('composer').inputValue(), 'one\n');
    await page.reload();
    assert.equal(await page.getByTestId('composer').inputValue(), 'one\n');
    await page.getByText('Naming a small boat').click();
    await page.getByTestId('message').first().waitFor();
    await page.keyboard.press('Control+Shift+O');
    assert.equal(new URL(page.url()).pathname, '/');
  },
  async 'an input method may use Enter'(page) {
    await signIn(page, full);
    await page.getByTestId('composer').fill('にほん');
    await page.getByTestId('composer').dispatchEvent('keydown', { key: 'Enter', isComposing: true });
    assert.equal(await page.getByTestId('message').count(), 0);
  },
  async 'a model server that was found is connected with one click'(page) {
    await signIn(page, demo);
    await page.getByTestId('demo-banner').waitFor();
    await page.getByTestId('discover').click();
    await page.getByRole('button', { name: 'Connect' }).first().click();
    await page.getByTestId('demo-banner').waitFor({ state: 'detached' });
    assert.match(await page.getByTestId('model-picker').innerText(), /llama3/);
  },
  async 'an API key is shown once'(page) {
    await signIn(page, full);
    await page.goto(`${full}/settings/keys`);
    await page.getByLabel('Name of a new key').fill('test');
    await page.getByRole('button', { name: 'Create key' }).click();
    const key = await page.getByTestId('new-key').innerText();
    assert.match(key, /^sk-/);
    await page.getByRole('button', { name: 'Done' }).click();
    assert.ok(!(await page.content()).includes(key));
  },
  async 'nothing overflows at 320 px, and the drawer works'(page) {
    await page.setViewportSize({ width: 320, height: 568 });
    await signIn(page, full);
    for (const path of ['/c/conv_keyset-pagination', '/c/conv_why-is-page-5-000-slow-', '/c/conv_two-days-in-ljubljana', '/c/conv_which-photo-for-the-cover-', '/c/conv_stopped-halfway', '/', '/settings', '/settings/models', '/settings/keys']) {
      await page.goto(full + path);
      await page.waitForTimeout(300);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path);
    }
    await page.goto(`${full}/c/conv_why-is-page-5-000-slow-`);
    await page.getByTestId('stats').focus();
    const tip = await page.getByTestId('stats-tip').boundingBox();
    assert.ok(tip.x >= 0 && tip.x + tip.width <= 320, JSON.stringify(tip));
    await page.goto(full);
    await page.getByTestId('menu-button').click();
    await page.getByTestId('conversation-item').first().click();
    await page.getByTestId('message').first().waitFor();
  },
  async 'the theme is kept and set before the first paint'(page) {
    await signIn(page, full);
    await page.getByTestId('theme-toggle').click();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.reload({ waitUntil: 'commit' });
    await page.waitForSelector('html[data-theme="dark"]');
  },
  async 'sign out'(page) {
    await signIn(page, full);
    await page.getByTestId('user-menu').click();
    await page.getByTestId('sign-out').click();
    await page.getByTestId('login-email').waitFor();
  },
};

Object.assign(cases, historyCases({ full, signIn, ask, answers, finished, until }));

let failed = 0;
for (const [name, run] of Object.entries(cases)) {
  if (!name.includes(word)) continue;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
  const page = await context.newPage();
  const wrong = [];
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => wrong.push(String(error.stack)));
  page.on('console', (message) => message.type() === 'error' && !/Failed to load resource/.test(message.text()) && wrong.push(message.text()));
  page.on('request', (request) => /^(http:\/\/127\.0\.0\.1|blob:|data:)/.test(request.url()) || wrong.push(`request to ${request.url()}`));
  const start = Date.now();
  try {
    await run(page);
    assert.deepEqual(wrong, []);
    console.log(`ok    ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stack}\n${wrong.join('\n')}`);
    await page.screenshot({ path: `${root}.test-failed.png` }).catch(() => {});
  }
  await context.close();
}
await browser.close();
for (const child of servers) child.kill();
console.log(failed ? `${failed} failed` : 'all passed');
process.exit(failed ? 1 : 0);
