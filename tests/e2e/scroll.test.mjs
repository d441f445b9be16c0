// Promise 1 in the page: a conversation of thousands of messages is scrolled from its end to its beginning and back; what the reader looks
// at never jumps, no message is left out, and the page never holds more than 200 message elements.

import { after, before, describe } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoBrowser, launch, step, Visitor } from '../support/browser.mjs';

const kMessages = Number(process.env.SCROLL_MESSAGES ?? 1040);
const kDomMax = 200;
const kWheel = 600;
// A reader does not notice less than a line.
const kJumpPx = 24;

describe(`a conversation of ${kMessages} messages`, { skip: kNoBrowser }, () => {
  const fixture = useConfab();
  let browser;
  let visitor;
  let conversation;

  before(async () => {
    browser = await launch();
    conversation = (await fixture.client.conversations.create()).id;
    await seed();
    visitor = await Visitor.open(browser, fixture.confab);
    await visitor.signIn(kAdmin);
  });

  after(() => browser?.close());

  /** Messages of many heights, each with its number first. */
  async function seed() {
    const text = (i) => `seed ${i}${['', ' one more line\n\nand another', ` ${'word '.repeat(30)}`, '\n\n- a\n- b\n- c', '\n\n```js\nlet x = 1;\n```'][i % 5]}`;
    for (let i = 0; i < kMessages; i += 20) {
      const items = Array.from({ length: Math.min(20, kMessages - i) }, (_, k) => ({ role: (i + k) % 2 ? 'assistant' : 'user', content: text(i + k) }));
      await fixture.client.conversations.items.create(conversation, { items });
    }
  }

  /** Looks at every frame as painted: how far the visible messages moved, how many there are, and whether their numbers follow each other. */
  async function watch() {
    await visitor.page.evaluate(({ jumpPx, wheel }) => {
      const state = { jumps: [], gaps: [], most: 0, frames: 0, direction: 0, seen: new Set(), last: new Map() };
      globalThis.scrollWatch = state;
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        const rows = [...document.querySelectorAll('[data-testid=message]')];
        const numbers = rows.map((row) => Number(/seed (\d+)/.exec(row.textContent)?.[1]));
        const now = new Map();
        rows.forEach((row, i) => {
          state.seen.add(numbers[i]);
          if (i && numbers[i] !== numbers[i - 1] + 1) state.gaps.push([numbers[i - 1], numbers[i]]);
          const box = row.getBoundingClientRect();
          if (box.bottom > 0 && box.top < innerHeight) now.set(row.dataset.itemId, box.top);
        });
        state.most = Math.max(state.most, rows.length);
        state.frames += 1;
        const moves = [...now].filter(([id]) => state.last.has(id)).map(([id, top]) => top - state.last.get(id));
        // Wheel up moves the text down: by one notch at most between two frames, and never the other way.
        const limits = { up: [-jumpPx, wheel + jumpPx], down: [-wheel - jumpPx, jumpPx] }[state.direction];
        if (limits && state.last.size && !moves.length) state.jumps.push('nothing on the screen stayed');
        if (limits) for (const move of moves) if (move < limits[0] || move > limits[1]) state.jumps.push(Math.round(move));
        state.last = now;
      };
      const tick = () => {
        channel.port2.postMessage(0);
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }, { jumpPx: kJumpPx, wheel: kWheel });
  }

  /** Turns the wheel until message `number` is on the screen, one notch at a time, each painted before the next. */
  async function wheelUntil(direction, number, withinMs = 180_000) {
    const end = performance.now() + withinMs;
    await visitor.page.evaluate(([way, wanted]) => {
      globalThis.scrollWatch.direction = way;
      globalThis.scrollWatch.goal = () => [...document.querySelectorAll('[data-testid=message]')].some((row) => {
        const box = row.getBoundingClientRect();
        return new RegExp(`seed ${wanted}\\b`).test(row.textContent) && box.top >= 0 && box.top < innerHeight;
      });
    }, [direction, number]);
    await visitor.page.mouse.move(700, 400);
    for (let notches = 1; ; notches += 1) {
      await visitor.page.mouse.wheel(0, direction === 'up' ? -kWheel : kWheel);
      if (await visitor.page.evaluate(nextFrames)) return notches;
      assert.ok(performance.now() < end, `not there after ${notches} notches: ${await visitor.page.evaluate(() => `${document.querySelector('[data-testid=message]')?.textContent.slice(0, 20)}`)}`);
    }
  }

  /** Resolves two painted frames later, to whether the goal is on the screen. Runs in the page. */
  function nextFrames() {
    const { frames, goal } = globalThis.scrollWatch;
    return new Promise((resolve) => {
      const look = () => (globalThis.scrollWatch.frames >= frames + 2 ? resolve(goal()) : requestAnimationFrame(look));
      look();
    });
  }

  async function report() {
    return visitor.page.evaluate(() => {
      const { jumps, gaps, most, seen } = globalThis.scrollWatch;
      return { jumps: jumps.slice(0, 20), jumpCount: jumps.length, gaps: gaps.slice(0, 20), most, seen: seen.size };
    });
  }

  step('opens at its newest message with a page of it', () => visitor, async () => {
    await visitor.goto(`/c/${conversation}`);
    await visitor.messages().filter({ hasText: `seed ${kMessages - 1}` }).waitFor();
    assert.ok(await visitor.messages().count() <= kDomMax);
    const last = visitor.messages().last();
    assert.match(await last.innerText(), new RegExp(`seed ${kMessages - 1}`));
    const { bottom, height } = await last.evaluate((row) => ({ bottom: row.getBoundingClientRect().bottom, height: innerHeight }));
    assert.ok(bottom > 0 && bottom <= height, 'the newest message is on the screen');
  });

  step('loads older messages on the way up, to the very first, without a jump', () => visitor, async () => {
    await watch();
    await wheelUntil('up', 0);
    const { jumps, jumpCount, gaps, most, seen } = await report();
    assert.equal(jumpCount, 0, `${jumpCount} jumps: ${jumps}`);
    assert.deepEqual(gaps, [], 'the messages on the page follow each other');
    assert.equal(seen, kMessages, 'every message was on the page');
    assert.ok(most <= kDomMax, `${most} message elements at once`);
  }, { timeout: 200_000 });

  step('comes down again for a while without a jump, and back to the newest at once', () => visitor, async () => {
    await wheelUntil('down', 80);
    await visitor.page.evaluate(() => { globalThis.scrollWatch.direction = 0; globalThis.scrollWatch.gaps.length = 0; });
    await visitor.$('jump-newest').click();
    await visitor.messages().filter({ hasText: `seed ${kMessages - 1}` }).waitFor();
    const { jumpCount, jumps, most, gaps } = await report();
    assert.equal(jumpCount, 0, `${jumpCount} jumps: ${jumps}`);
    assert.deepEqual(gaps, []);
    assert.ok(most <= kDomMax, `${most} message elements at once`);
  });

  step('answers at its end as quickly as any other', () => visitor, async () => {
    await visitor.page.evaluate(() => { globalThis.scrollWatch.direction = 0; });
    await visitor.pickModel('script-echo');
    await visitor.send('the end of a long talk');
    await visitor.messages('assistant').filter({ hasText: 'the end of a long talk' }).waitFor();
    await visitor.waitStatus('completed');
    assert.ok(await visitor.messages().count() <= kDomMax);
  });
});
