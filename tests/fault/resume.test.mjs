// Viewers that leave and come back. Twenty answers of all sorts, each with five viewers whose connections are cut at random bytes, within
// an event as well, a thousand times in all; they come back with the number of the last whole event, on any connection, as any client of
// the same user. Each must end with the same bytes as the viewer that never left. `RESUME_SEED` repeats a run.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { outputText, poll } from '../support/events.mjs';
import { open, request, sameOrigin, signIn } from '../support/http.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { Random, seedFrom } from '../support/random.mjs';
import { compareBytes, EventBytes, readStream, resume, resumePath, startAnswer } from '../support/viewer.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';

const kViewers = 5;
const kCutsEach = 10;
const kDeltaBytes = 200;  // of an event with a word, about: to place the cuts over the whole of a stream
const kSeed = seedFrom('RESUME_SEED');

/** Model, how many words it says at least, and what else happens. */
const kAnswers = [
  ...Array.from({ length: 6 }, () => ({ model: 'script-words-n300-i10', words: 300 })),
  ...Array.from({ length: 3 }, () => ({ model: 'script-words-n120-i30', words: 120 })),
  ...Array.from({ length: 2 }, () => ({ model: 'script-words-n3000', words: 3000 })),
  { model: 'script-words-n40-i5-d1500', words: 40 },
  { model: 'script-length-n100-i10', words: 100, status: 'incomplete' },
  { model: 'script-markdown-i20', words: 60 },
  { model: 'script-utf8-bytes', words: 40 },
  { model: 'script-midstream-error', words: 5, broken: true },
  { model: 'script-reset', words: 5, broken: true },
  { model: 'script-error-500', words: 0, status: 'failed' },
  ...Array.from({ length: 2 }, () => ({ model: 'script-words-n2000-i10', words: 100, status: 'cancelled', cancel: true })),
];

const fixture = useConfab();
/** The answers once they have ended: {id, seen, ...}. */
const answers = [];
const counts = { live: 0, ended: 0 };
/** Answers whose end is told with another time than it was shown with, though every other byte is the same. */
const otherTimes = new Set();

/** The same bytes; a time of the end that differs is noted. */
function assertSame(answer, bytes, wanted) {
  const how = compareBytes(bytes, wanted);
  assert.ok(how === 'same' || how === 'another time', `${answer.model}: ${how}`);
  if (how !== 'same') otherTimes.add(answer.id);
}

/** The same user as three clients: the key, another key, and the cookie of a session. */
async function allCredentials({ confab }) {
  return [{ key: confab.key }, { key: await confab.addKey(kAdmin.email, 'second') }, { cookie: await signIn(confab, kAdmin) }];
}

/** Watches one answer over connections that are cut at the given positions of its stream, and at last to its end. */
async function watchWithCuts(id, random, credentials, cuts) {
  const seen = new EventBytes();
  let made = 0;
  for (const cutAt of cuts) {
    if (seen.done) break;
    const how = await resume(fixture.confab, id, seen, { cutAt, credentials: random.pick(credentials) });
    assert.notEqual(how, 'broken', 'the server broke a stream off');
    if (how === 'cut') made += 1;
    else assert.ok(seen.done, 'a stream ended without [DONE]');
  }
  counts.live += made;
  if (!seen.done) assert.equal(await resume(fixture.confab, id, seen, { credentials: random.pick(credentials) }), 'ended');
  return { seen, made };
}

function cutPositions(random, words) {
  return Array.from({ length: kCutsEach }, () => random.between(0, 1500 + words * kDeltaBytes)).sort((a, b) => a - b);
}

/** Begins one answer and its viewers; resolves when all have seen its end. */
async function runAnswer(plan, random, credentials) {
  const { confab, client } = fixture;
  const answer = { ...plan, ...await startAnswer(confab, { model: plan.model, input: 'go' }, { credentials: credentials[0] }) };
  const viewers = Array.from({ length: kViewers }, () => {
    const own = random.fork();
    return watchWithCuts(answer.id, own, credentials, cutPositions(own, plan.words));
  });
  if (plan.cancel) {
    await new Promise((resolve) => { setTimeout(resolve, 800 + random.between(0, 1000)); });
    await client.responses.cancel(answer.id);
  }
  assert.equal(await answer.ended, 'ended');
  assert.ok(answer.seen.done, 'the first stream ends with [DONE]');
  answer.viewers = await Promise.all(viewers);
  return answer;
}

/** Reads an ended answer from a random number on, cuts that too, and compares with the same stretch of the whole. */
async function checkStretch(answer, random, credentials) {
  const from = random.between(-1, answer.seen.numbers.length - 1);
  const wanted = Buffer.concat(answer.seen.events.slice(from + 1));
  const cutAt = random.between(0, wanted.length - 1);
  const part = new EventBytes();
  const how = await readStream(await open(fixture.confab, 'GET', resumePath(answer.id, from), random.pick(credentials)), part, { cutAt });
  assert.equal(how, 'cut');
  assertSame(answer, part.whole, wanted.subarray(0, part.bytes));
  counts.ended += 1;
}

describe(`a thousand cuts (RESUME_SEED=${kSeed})`, () => {
  const random = new Random(kSeed);
  let credentials;

  it('leave every viewer with the same bytes, live', { timeout: 120_000 }, async () => {
    credentials = await allCredentials(fixture);
    answers.push(...await Promise.all(kAnswers.map((plan) => runAnswer(plan, random.fork(), credentials))));
    for (const answer of answers) {
      const { model, seen, viewers } = answer;
      assert.deepEqual(seen.numbers, seen.numbers.map((_, i) => i), `${model}: numbered without a gap`);
      for (const viewer of viewers) assertSame(answer, viewer.seen.whole, seen.whole);
    }
  });

  it('and the answers are what the model said', () => {
    for (const { model, seen, broken, status = 'completed', words } of answers) {
      const { response } = seen.parsed().at(-1);
      assert.ok(broken ? ['failed', 'incomplete'].includes(response.status) : response.status === status, `${model}: ${response.status}`);
      if (model.startsWith('script-words') && response.status === 'completed') assert.equal(outputText(response), wordsText(words));
    }
  });

  it('leave an ended answer with the same bytes too', { timeout: 120_000 }, async () => {
    const wanted = kAnswers.length * kViewers * kCutsEach - counts.live;
    const jobs = Array.from({ length: Math.max(wanted, 100) }, (_, i) => () => checkStretch(answers[i % answers.length], random, credentials));
    await Promise.all(Array.from({ length: 16 }, async () => { while (jobs.length) await jobs.pop()(); }));
    for (const answer of answers) {
      const again = new EventBytes();
      assert.equal(await resume(fixture.confab, answer.id, again, { credentials: random.pick(credentials) }), 'ended');
      assertSame(answer, again.whole, answer.seen.whole);
    }
    console.log(`${counts.live} cuts of answers under way or just ended, ${counts.ended} of ended ones`);
    assert.ok(counts.live + counts.ended >= 1000, `only ${counts.live + counts.ended} cuts`);
    assert.ok(counts.live >= 500, `only ${counts.live} of them before the end was seen`);
  });

  it('beyond the end there is only [DONE]', async () => {
    for (const answer of answers.slice(0, 3)) {
      const rest = new EventBytes();
      await readStream(await open(fixture.confab, 'GET', resumePath(answer.id, answer.seen.last), { key: fixture.confab.key }), rest);
      assert.deepEqual(rest.events.map(String), ['data: [DONE]\n\n']);
    }
  });
});

describe('who may watch', () => {
  it('is the owner alone', async () => {
    const { key } = await fixture.confab.addMember('other@example.org');
    for (const answer of answers.slice(0, 3)) assert.equal((await request(fixture.confab, 'GET', resumePath(answer.id, 3), { key })).status, 404);
  });

  it('is nobody after the session has ended', async () => {
    const { confab } = fixture;
    const cookie = await signIn(confab, kAdmin);
    const path = resumePath(answers[0].id, answers[0].seen.last);
    assert.equal((await request(confab, 'GET', path, { cookie })).status, 200);
    assert.equal((await request(confab, 'POST', '/api/auth/logout', { cookie, json: {}, headers: sameOrigin(confab) })).status, 200);
    await poll(async () => (await request(confab, 'GET', path, { cookie })).status, (status) => status === 401);
  });
});

describe('a restart', () => {
  it('changes no byte of an ended answer', async () => {
    await fixture.confab.restart();
    for (const answer of answers) {
      const again = new EventBytes();
      assert.equal(await resume(fixture.confab, answer.id, again), 'ended');
      assertSame(answer, again.whole, answer.seen.whole);
    }
  });
});

/** The rows of some answers. */
const rowsOf = (some) => `hex(id) IN (${some.map(({ id }) => `'${id.slice('resp_'.length).toUpperCase()}'`)})`;

describe('a log that is damaged', { skip: kNoSqlite }, () => {
  it('still has an end, with the whole answer', async () => {
    const { confab } = fixture;
    const answer = answers[0];
    await confab.stop();
    sql(confab, `UPDATE run_chunks SET data = x'FF' WHERE run = (SELECT run FROM runs WHERE ${rowsOf([answer])})`);
    await confab.boot();
    for (const last of [0, 4, Math.floor(answer.seen.last / 2)]) await checkLate(answer, last, outputText(answer.seen.parsed().at(-1).response));
  });
});

/** A viewer that had seen the events up to `last` when it left, and comes back now. */
async function checkLate(answer, last, text) {
  if (last < 0 || last >= answer.seen.last) return;
  const rest = new EventBytes();
  await readStream(await open(fixture.confab, 'GET', resumePath(answer.id, last), { key: fixture.confab.key }), rest);
  assert.ok(rest.done, `${answer.model}: no [DONE] after ${last}`);
  assert.ok(rest.numbers.length > 0, `${answer.model}: nothing but [DONE] after ${last} of ${answer.seen.last}`);
  assert.ok(rest.numbers.every((number, i) => number === last + 1 + i), `${answer.model}: after ${last} came ${rest.numbers}`);
  assert.equal(outputText(rest.parsed().at(-1).response), text, answer.model);
}

describe('nine minutes after the end, and twelve', { skip: kNoSqlite }, () => {
  it('the log is there still; later the story is told from the stored items, with the same text and no number twice', async () => {
    const { confab } = fixture;
    const late = answers.filter((_, i) => i % 2 === 0);
    const recent = answers.filter((_, i) => i % 2 === 1);
    await confab.stop();
    sql(confab, `UPDATE runs SET completed_at = completed_at - CASE WHEN ${rowsOf(late)} THEN 720 ELSE 540 END`);
    await confab.boot();
    const deltas = (events) => events.filter((event) => event.type === 'response.output_text.delta').length;
    for (const answer of late) {
      const text = outputText(answer.seen.parsed().at(-1).response);
      const story = await poll(async () => {
        const again = new EventBytes();
        await resume(confab, answer.id, again);
        return again;
      }, (again) => deltas(again.parsed()) <= 1);
      assert.equal(outputText(story.parsed().at(-1).response), text, answer.model);
      assert.deepEqual(story.numbers, story.numbers.map((_, i) => i));
      for (const last of [0, 2, 4, 5, Math.floor(answer.seen.last / 2), answer.seen.last - 1]) await checkLate(answer, last, text);
    }
    for (const answer of recent) {
      const again = new EventBytes();
      await resume(confab, answer.id, again);
      const how = compareBytes(again.whole, answer.seen.whole);
      assert.ok(how === 'same' || how === 'another time', `${answer.model}: ${how}`); // it was changed
    }
  });
});

describe('the time of the end', () => {
  it('is told later as it was shown', () => {
    assert.equal(otherTimes.size, 0, `${otherTimes.size} of ${answers.length} answers`);
  });
});
