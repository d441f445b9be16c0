// A real Chromium on the real page. What no test says is still checked: a CSP violation, a console error, an exception or a request to
// another origin fails the step in which it happened. A failed step leaves a screenshot.
//
// `CHROMIUM` names the browser.

import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export const kChromium = process.env.CHROMIUM || '/usr/bin/chromium';
export const kNoBrowser = existsSync(kChromium) ? false : `there is no Chromium at ${kChromium} (name one in CHROMIUM)`;

const kArgs = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-smooth-scrolling'];
const kStepMs = 60_000;
export const kWaitMs = 30_000;

export function launch() {
  return chromium.launch({ executablePath: kChromium, args: kArgs });
}

/** One browser window on one server, with everything that goes wrong in it. */
export class Visitor {
  static async open(browser, confab, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
    context.setDefaultTimeout(kWaitMs);
    const page = await context.newPage();
    const visitor = new Visitor(confab, context, page);
    await visitor.#watch();
    return visitor;
  }

  constructor(confab, context, page) {
    this.confab = confab;
    this.context = context;
    this.page = page;
    this.problems = [];
    /** Whether failed requests are part of what is tested just now. */
    this.networkMayFail = false;
    /** Another site that is part of what is tested: what its pages do is not looked at. */
    this.otherSite = null;
    this.requests = [];
  }

  async #watch() {
    const { page } = this;
    await page.exposeBinding('reportProblem', (_, text) => { this.problems.push(text); });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        globalThis.reportProblem(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
      });
    });
    page.on('pageerror', (error) => this.problems.push(`exception: ${error.stack ?? error}`));
    page.on('dialog', (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on('console', (message) => {
      if (message.type() !== 'error' || this.#expected(message)) return;
      this.problems.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      this.requests.push(`${request.method()} ${url.pathname}`);
      if (this.otherSite && (url.origin === this.otherSite || request.frame().url().startsWith(this.otherSite))) return;
      if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== this.confab.url) this.problems.push(`request to ${url.href}`);
    });
  }

  /** Chromium writes every failed request to the console. Not being signed in yet is no fault. */
  #expected(message) {
    if (this.otherSite && message.location().url.startsWith(this.otherSite)) return true;
    if (!message.text().startsWith('Failed to load resource')) return false;
    return this.networkMayFail || (/401/.test(message.text()) && new URL(message.location().url).pathname === '/api/auth/me');
  }

  assertClean() {
    assert.deepEqual(this.problems.splice(0), []);
  }

  $(testid) { return this.page.getByTestId(testid); }

  messages(role) { return this.page.locator(`[data-testid=message]${role ? `[data-role=${role}]` : ''}`); }

  get answer() { return this.messages('assistant').last(); }

  async goto(path = '/') { await this.page.goto(`${this.confab.url}${path}`); }

  async signIn({ email, password }) {
    await this.goto('/');
    await this.$('login-email').fill(email);
    await this.$('login-password').fill(password);
    await this.$('login-submit').click();
    await this.$('composer').waitFor();
  }

  /** Picks a model, whether the picker is a select or a button with a list. */
  async pickModel(name) {
    const picker = this.$('model-picker').first();
    if (await picker.evaluate((element) => element.tagName === 'SELECT')) {
      await picker.selectOption(name);
      return;
    }
    await picker.click();
    await this.page.locator('[role=option],[role=menuitemradio],[role=menuitem]').filter({ hasText: new RegExp(`^\\s*${name}(?![\\w-])`) }).first().click();
    await picker.filter({ hasText: name }).waitFor();
  }

  /** Types and sends without waiting for anything. */
  async type(text) {
    await this.$('composer').fill(text);
    await this.$('send').click();
  }

  /** Sends a message and waits until it stands in the chat. */
  async send(text) {
    const newest = () => [...document.querySelectorAll('[data-testid=message][data-role=user]')].at(-1)?.dataset.itemId;
    const before = await this.page.evaluate(newest);
    await this.type(text);
    await this.page.waitForFunction((id) => {
      const last = [...document.querySelectorAll('[data-testid=message][data-role=user]')].at(-1);
      return last && last.dataset.itemId !== id;
    }, before);
  }

  /** Waits until the newest message is an answer with this status. */
  async waitStatus(status, withinMs = kWaitMs) {
    await this.page.waitForFunction((wanted) => {
      const last = [...document.querySelectorAll('[data-testid=message]')].at(-1);
      return last?.dataset.role === 'assistant' && last.dataset.status === wanted;
    }, status, { timeout: withinMs });
  }

  /** Waits until the newest message is an answer that has come to `word`. */
  async waitWord(word, withinMs = kWaitMs) {
    await this.page.waitForFunction((wanted) => {
      const last = [...document.querySelectorAll('[data-testid=message]')].at(-1);
      return last?.dataset.role === 'assistant' && new RegExp(`(^|\\s)${wanted}(\\s|$)`).test(last.innerText);
    }, word, { timeout: withinMs });
  }

  async close() { await this.context.close(); }
}

/** The counted words in a message, as one string; fails when they are there twice or out of order. */
export async function wordsIn(locator) {
  const text = (await locator.innerText()).replace(/\s+/g, ' ');
  const words = text.match(/\bw\d+\b/g) ?? [];
  words.forEach((word, i) => assert.equal(word, `w${i}`, `words doubled or lost: ${words.slice(Math.max(0, i - 3), i + 3)}`));
  return words.join(' ');
}

/** A step of a story: an `it` that checks the visitor afterwards and photographs what it saw when it failed. */
export function step(name, visitorOf, body, { timeout = kStepMs } = {}) {
  it(name, { timeout }, async () => {
    const visitor = visitorOf();
    try {
      await body(visitor);
      visitor.assertClean();
    } catch (error) {
      const folder = process.env.CONFAB_ARTIFACTS || await mkdtemp(join(tmpdir(), 'confab-e2e-'));
      const path = join(folder, `${name.replace(/\W+/g, '-').slice(0, 60)}.png`);
      const taken = await visitor.page.screenshot({ path, timeout: 5_000 }).then(() => path, () => 'no screenshot');
      const others = visitor.problems.splice(0);
      error.message += `\n  screenshot: ${taken}\n  address: ${visitor.page.url()}${others.length ? `\n  besides: ${others.join('\n    ')}` : ''}`;
      throw error;
    } finally {
      visitor.networkMayFail = false;
    }
  });
}
