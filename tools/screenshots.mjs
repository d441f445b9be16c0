#!/usr/bin/env node
// Photographs every state of the page, on desktop and phone, in both themes, into docs/screenshots/.
//   node tools/screenshots.mjs                                     starts ui/dev/mock-server.mjs itself (needs ui/dist)
//   node tools/screenshots.mjs --base-url URL --email E --password P   a running Confab: the states that it can show
//   --only WORD    only states whose name contains it;  --out DIR
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// playwright-core is a development dependency of the page.
const { chromium } = createRequire(`${root}ui/package.json`)('playwright-core');

const { picture: landscape } = await import(`${root}ui/dev/mock-data.mjs`);

const option = (name, standard) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : standard;
};
const out = option('out', `${root}docs/screenshots`);
const only = option('only', '');
const real = option('base-url', '');
const email = option('email', 'ada@example.org');
const password = option('password', 'correct horse');

const devices = {
  desktop: { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

const ports = { setup: 8431, demo: 8432, full: 8433 };
const children = [];

function startMock(state) {
  const child = spawn(process.execPath, [`${root}ui/dev/mock-server.mjs`, '--port', ports[state], '--state', state, '--tps', '25'], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error(`the mock server (${state}) did not start`)));
  });
}

const base = (state) => real || `http://127.0.0.1:${ports[state]}`;

async function signIn(page, state) {
  await page.goto(base(state));
  await page.getByTestId('login-email').fill(email);
  await page.getByTestId('login-password').fill(password);
  await page.getByTestId('login-submit').click();
  await page.getByTestId('composer').waitFor();
}

async function open(page, path, state = 'full') {
  await page.goto(base(state) + path);
  await page.getByTestId('message').first().waitFor();
}

async function ask(page, text) {
  await page.getByTestId('composer').fill(text);
  await page.getByTestId('send').click();
}

// On a phone the list is in a drawer.
async function sidebar(page) {
  const button = page.getByTestId('menu-button');
  if (await button.isVisible()) await button.click();
}

const question = 'Why is OFFSET slow on page 5,000, and what should I do instead?';

// name, the mock's state, whether a real server can show it, and how to get there.
const states = [
  ['setup', 'setup', false, async (page) => {
    await page.goto(`${base('setup')}/setup#setup-token`);
    await page.getByTestId('setup-email').fill('ada@example.org');
  }],
  ['sign-in', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('login-email').fill('ada@example.org');
  }, 'signed out'],
  ['sign-in-error', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('login-email').fill('ada@example.org');
    await page.getByTestId('login-password').fill('wrong');
    await page.getByTestId('login-submit').click();
    await page.getByTestId('form-error').waitFor();
  }, 'signed out'],
  ['demo-banner', 'demo', false, async (page) => page.goto(base('demo'))],
  ['discover', 'demo', false, async (page) => {
    await page.goto(base('demo'));
    await page.getByTestId('discover').click();
    await page.getByRole('dialog').waitFor();
  }],
  ['empty', 'full', true, async (page) => page.goto(base('full'))],
  ['conversation', 'full', false, async (page) => {
    await open(page, '/c/conv_keyset-pagination');
    await page.waitForTimeout(600);
    await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 0));
  }],
  ['code', 'full', false, async (page) => open(page, '/c/conv_keyset-pagination')],
  ['streaming', 'full', true, async (page) => {
    await page.goto(base('full'));
    await ask(page, question);
    await page.locator('[data-role="assistant"]').waitFor();
    await page.waitForTimeout(3500);
  }],
  ['answered', 'full', true, async (page) => {
    await page.goto(base('full'));
    await ask(page, question);
    await page.locator('[data-role="assistant"]').waitFor();
    await page.getByTestId('send').waitFor({ timeout: 120_000 });
  }, 'real only'],
  ['thinking', 'full', true, async (page) => {
    await page.goto(base('full'));
    await ask(page, 'think about it: why is OFFSET slow on page 5,000?');
    await page.getByTestId('reasoning').locator('summary').click();
    await page.waitForTimeout(3000);
  }],
  ['thoughts', 'full', false, async (page) => open(page, '/c/conv_why-is-page-5-000-slow-')],
  ['thoughts-open', 'full', false, async (page) => {
    await open(page, '/c/conv_why-is-page-5-000-slow-');
    await page.getByTestId('reasoning').locator('summary').click();
    await page.waitForTimeout(300);
    await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 0));
  }],
  ['tools', 'full', false, async (page) => open(page, '/c/conv_two-days-in-ljubljana')],
  ['tools-open', 'full', false, async (page) => {
    await open(page, '/c/conv_two-days-in-ljubljana');
    for (const testid of ['tool-call', 'tool-output']) await page.getByTestId(testid).first().locator('summary').click();
    await page.waitForTimeout(300);
    await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 0));
  }],
  ['images', 'full', false, async (page) => {
    await open(page, '/c/conv_which-photo-for-the-cover-');
    await page.waitForTimeout(600);
    await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 0));
  }],
  ['images-end', 'full', false, async (page) => open(page, '/c/conv_which-photo-for-the-cover-')],
  ['image-large', 'full', false, async (page) => {
    await open(page, '/c/conv_which-photo-for-the-cover-');
    await page.getByTestId('image').first().click();
    await page.getByTestId('image-large').waitFor();
  }],
  ['attachments', 'full', false, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('composer').waitFor();
    const picture = (n, name) => ({ name, mimeType: 'image/png', buffer: landscape(n, 480, 320) });
    await page.getByTestId('attach-input').setInputFiles([picture(1, 'one.png'), picture(2, 'two.png'), picture(3, 'slow-upload.png')]);
    await page.getByTestId('composer').fill('Which of these would you put on the cover, and why?');
    await page.locator('[data-testid="attachment"][data-state="ready"]').nth(1).waitFor();
  }],
  ['refusal', 'full', false, async (page) => open(page, '/c/conv_a-locked-account')],
  ['timing', 'full', false, async (page) => {
    await open(page, '/c/conv_why-is-page-5-000-slow-');
    await page.getByTestId('stats').last().focus();
    await page.getByTestId('stats-tip').waitFor();
  }],
  ['stopped', 'full', false, async (page) => open(page, '/c/conv_stopped-halfway')],
  ['error', 'full', false, async (page) => open(page, '/c/conv_a-model-that-was-not-there')],
  ['long-history', 'full', false, async (page) => {
    await open(page, '/c/conv_giant');
    await page.waitForTimeout(500);
    await page.evaluate(() => (document.querySelector('[role="log"]').scrollTop = 1500));
    await page.waitForTimeout(900);
  }],
  ['sidebar', 'full', false, async (page) => {
    await open(page, '/c/conv_naming-a-small-boat');
    await sidebar(page);
  }],
  ['menu', 'full', false, async (page) => {
    await open(page, '/c/conv_naming-a-small-boat');
    await sidebar(page);
    const row = page.getByTestId('conversation-item').filter({ hasText: 'Naming' });
    await row.hover();
    await row.getByTestId('conversation-menu').click();
  }],
  ['models', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('model-picker').click();
  }],
  ['dialog', 'full', false, async (page) => {
    await open(page, '/c/conv_naming-a-small-boat');
    await sidebar(page);
    const row = page.getByTestId('conversation-item').filter({ hasText: 'Naming' });
    await row.hover();
    await row.getByTestId('conversation-menu').click();
    await page.getByTestId('organise').click();
    await page.getByTestId('tag-field').waitFor();
  }],
  ['search', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('composer').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByTestId('search-field').fill('stream');
    await page.getByTestId('search-hit').first().waitFor();
  }],
  ['temporary', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('temporary').click();
  }],
  ['what-the-model-sees', 'full', false, async (page) => {
    await open(page, '/c/conv_giant');
    await page.getByTestId('context-line').scrollIntoViewIfNeeded();
  }],
  ['shortcuts', 'full', true, async (page) => {
    await page.goto(base('full'));
    await page.getByTestId('composer').waitFor();
    await page.keyboard.press('Control+/');
  }],
  ['settings', 'full', true, async (page) => page.goto(`${base('full')}/settings`)],
  ['settings-models', 'full', true, async (page) => page.goto(`${base('full')}/settings/models`)],
  ['settings-data', 'full', true, async (page) => page.goto(`${base('full')}/settings/data`)],
  ['settings-keys', 'full', true, async (page) => page.goto(`${base('full')}/settings/keys`)],
  ['settings-resources', 'full', true, async (page) => {
    await page.goto(`${base('full')}/settings/resources`);
    await page.getByTestId('tile-memory').waitFor();
  }],
];

async function photograph(browser, device, scheme, state, list) {
  const context = await browser.newContext({ ...devices[device], colorScheme: scheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('console', (message) => /Content Security Policy|Trusted/.test(message.text()) && (console.error(message.text()), (process.exitCode = 1)));
  const wire = await context.newCDPSession(page);
  // Those before sign-in first.
  for (const [name, , , go] of [...list].sort((a, b) => Number(b[4] === 'signed out') - Number(a[4] === 'signed out'))) {
    const outside = state === 'setup' || list.find((one) => one[0] === name)[4] === 'signed out';
    if (!outside && (await context.cookies()).length === 0) await signIn(page, state);
    await go(page);
    await page.waitForTimeout(500);
    const { data } = await wire.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
    writeFileSync(`${out}/${name}-${device}-${scheme}.webp`, Buffer.from(data, 'base64'));
    console.log(`${name}-${device}-${scheme}.webp`);
  }
  await context.close();
}

mkdirSync(out, { recursive: true });
const wanted = states.filter(([name, , canBeReal, , when]) => name.includes(only) && (real ? canBeReal : when !== 'real only'));
const needed = [...new Set(wanted.map(([, state]) => state))];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  if (!real) await Promise.all(needed.map(startMock));
  for (const device of Object.keys(devices))
    for (const scheme of ['light', 'dark'])
      for (const state of needed) await photograph(browser, device, scheme, state, wanted.filter((one) => one[1] === state));
} finally {
  await browser.close();
  for (const child of children) child.kill();
}
const total = readdirSync(out).reduce((sum, name) => sum + statSync(`${out}/${name}`).size, 0);
console.log(`${Math.round(total / 1024)} KB in ${out}`);
