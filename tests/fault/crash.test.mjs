// kill -9 under load, again and again on the same directory; sometimes while the program is just starting. Before each crash some
// twenty clients stream answers, write messages, cancel and come back; after each restart `support/invariants.mjs` says what must hold.
//
// An answer may lose 500 ms, 250 ms of slack, and by how much the test's own clock and the slowest commit of the round were late.
// `CONFAB_CRASH_ROUNDS=300` for a long run, `CRASH_SEED` to repeat one.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Confab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { checkEvents } from '../support/events.mjs';
import { caller, open, streamedEvents } from '../support/http.mjs';
import { checkConversation, checkDatabase, checkRetold, checkReturning, kLossMs, kSlackMs, otherTimes, Turn } from '../support/invariants.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { Random, seedFrom } from '../support/random.mjs';
import { EventBytes, readStream, resume } from '../support/viewer.mjs';

const kRounds = Number(process.env.CONFAB_CRASH_ROUNDS ?? 24);
const kRoundsOfAnEra = 8;  // then other conversations are taken, so that checking does not grow without end
const kStreams = 18;
const kWriters = 4;
const kLifeMs = [50, 1600];
const kSeed = seedFrom('CRASH_SEED');

/** What the streams ask for: most are in the middle when the crash comes, some end before it, some never begin. */
const kScripts = [
  ...Array.from({ length: 5 }, () => ({ model: 'script-words-n2000-i10', words: 2000 })),
  ...Array.from({ length: 2 }, () => ({ model: 'script-words-n2000-i2', words: 2000 })),
  { model: 'script-words-n10-i5', words: 10 },
  { model: 'script-words-n60-i5', words: 60 },
  { model: 'script-words-n50-i10-d5000', words: 50 },
];

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

let model;
let confab;

before(async () => {
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL });
});

after(async () => {
  try { await confab?.dispose(); } finally { await model?.close(); }
});

/** The connection broke: what a crash looks like from outside. Anything else is a fault of its own. */
function isBroken(error) {
  return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ECONNABORTED'].includes(error.code) || /socket hang up|aborted/.test(error.message);
}

/** One round's clients. They go on until their connection breaks; `crashed` then says that it was to be expected. */
class Load {
  constructor(round, random, ledgers) {
    this.round = round;
    this.random = random;
    this.ledgers = ledgers;
    this.crashed = false;
    this.turns = [];
    this.made = [];
    this.count = 0;
    /** When each write under way was sent, and the longest that one has waited for its commit. */
    this.waiting = new Set();
    this.commitMs = 0;
    this.api = caller(confab, { key: confab.key });
  }

  start() {
    const { streams, notes } = this.ledgers;
    this.clients = Promise.all([
      ...[...streams].map(([id, ledger]) => this.untilCrash(() => this.streamOne(id, ledger))),
      ...[...notes].map(([id, ledger]) => this.untilCrash(() => this.write(id, ledger))),
      this.untilCrash(() => this.make()),
      this.untilCrash(() => this.cancel()),
      ...Array.from({ length: 3 }, () => this.untilCrash(() => this.watch())),
    ]);
  }

  async untilCrash(act) {
    const random = this.random.fork();
    for (;;) {
      try {
        await act();
      } catch (error) {
        if (!isBroken(error)) throw error;
        // The writing client hears of the crash before the test has noted it.
        for (let i = 0; i < 500 && !this.crashed; i += 1) await pause(10);
        assert.ok(this.crashed, `a connection broke without a crash: ${error}`);
        return;
      }
      if (this.crashed) return;
      await pause(random.between(0, 20));
    }
  }

  text(what) {
    this.count += 1;
    return `${what} ${this.round}.${this.count}`;
  }

  /** One turn, streamed. */
  async streamOne(conversation, ledger) {
    const script = this.random.pick(kScripts);
    const turn = new Turn(wordsText(script.words));
    const message = { texts: [this.text('question')], sure: false };
    ledger.push(message, turn);
    const json = { model: script.model, input: message.texts[0], conversation, background: true, stream: true };
    const res = await open(confab, 'POST', '/v1/responses', { json, key: confab.key });
    await readStream(res, turn.seen, {
      onData: () => {
        turn.note();
        if (turn.id || !turn.seen.events.length) return;
        message.sure = true;
        [turn.id] = /resp_\w+/.exec(turn.seen.events[0].toString('latin1'));
        this.turns.push(turn);
      },
    });
    if (!turn.seen.done) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  }

  /** One to three messages in one request. */
  async write(conversation, ledger) {
    const entry = { texts: Array.from({ length: this.random.between(1, 3) }, () => this.text('note')), sure: false };
    ledger.push(entry);
    const items = entry.texts.map((content) => ({ role: 'user', content }));
    const sent = { at: performance.now() };
    this.waiting.add(sent);
    const res = await this.api('POST', `/v1/conversations/${conversation}/items`, { json: { items } });
    assert.equal(res.status, 200, res.text);
    entry.sure = true;
    this.waiting.delete(sent);
    this.commitMs = Math.max(this.commitMs, performance.now() - sent.at);
  }

  /** The longest that the disk kept anybody waiting in this round, the crash included: no answer can be more durable than that. */
  slowestCommit(killedAt) {
    return Math.max(this.commitMs, ...[...this.waiting].map(({ at }) => killedAt - at));
  }

  /** A conversation that begins with a message; now and then an older one is deleted. */
  async make() {
    const entry = { texts: [this.text('first')], sure: true };
    const res = await this.api('POST', '/v1/conversations', { json: { items: [{ role: 'user', content: entry.texts[0] }] } });
    assert.equal(res.status, 200, res.text);
    this.made.push({ id: res.json.id, ledger: [entry], deleted: 'no' });
    const kept = this.made.filter((one) => one.deleted === 'no');
    if (kept.length < 4) return;
    kept[0].deleted = 'perhaps';
    assert.equal((await this.api('DELETE', `/v1/conversations/${kept[0].id}`)).status, 200);
    kept[0].deleted = 'yes';
  }

  async cancel() {
    await pause(this.random.between(50, 400));
    const turn = this.random.pick(this.turns);
    if (!turn) return;
    const res = await this.api('POST', `/v1/responses/${turn.id}/cancel`);
    assert.equal(res.status, 200, res.text);
    turn.cancelled = res.json;
  }

  /** Somebody else's view of an answer under way, cut and resumed: what it saw must be what the first viewer saw. */
  async watch() {
    const turn = this.random.pick(this.turns);
    if (!turn) return;
    const seen = new EventBytes();
    for (let cuts = 0; cuts < 4 && !seen.done; cuts += 1) {
      await resume(confab, turn.id, seen, { cutAt: seen.position + this.random.between(0, 6000) });
    }
    const both = Math.min(seen.events.length, turn.seen.events.length);
    for (let i = 0; i < both; i += 1) assert.ok(seen.events[i].equals(turn.seen.events[i]), `two viewers see another event ${i}`);
  }
}

/** Starts the program again; in every fourth round it is killed once more while it starts. */
async function comeBack(random) {
  if (random.between(1, 4) === 1) {
    const boot = confab.boot().then(() => 'ready', () => 'killed');
    await pause(random.between(0, 250));
    await confab.kill();
    await boot;
  }
  await confab.boot();
}

const titled = `kill -9 in ${kRounds} rounds (CRASH_SEED=${kSeed}, at most ${kLossMs} ms lost, ${kSlackMs} ms of slack)`;
const tally = { rounds: 0, answers: 0, messages: 0, losses: [], lags: [], returning: 0, astray: [] };

describe(titled, () => {
  const random = new Random(kSeed);
  let ledgers;

  const newConversations = async (count) => new Map(await Promise.all(Array.from({ length: count }, async () => {
    const res = await caller(confab, { key: confab.key })('POST', '/v1/conversations', { json: {} });
    return [res.json.id, []];
  })));

  for (let round = 1; round <= kRounds; round += 1) {
    it(`round ${round}`, { timeout: 120_000 }, async () => {
      if ((round - 1) % kRoundsOfAnEra === 0) ledgers = { streams: await newConversations(kStreams), notes: await newConversations(kWriters) };
      const lag = monitorEventLoopDelay({ resolution: 10 });
      lag.enable();
      const load = new Load(round, random.fork(), ledgers);
      load.start();
      await pause(random.between(...kLifeMs));
      const killedAt = performance.now();
      const commitMs = load.slowestCommit(killedAt);
      load.crashed = true;
      await confab.kill();
      lag.disable();
      await load.clients;
      await comeBack(random);
      await checkAll(load, killedAt, Math.max(0, lag.max / 1e6 - 20) + commitMs);
      if (round % kRoundsOfAnEra === 0 || round === kRounds) await closeEra();
    });
  }

  async function checkAll(load, killedAt, lagMs) {
    const made = load.made.filter((one) => one.deleted === 'no').map((one) => [one.id, one.ledger]);
    for (const [id, ledger] of [...ledgers.streams, ...ledgers.notes, ...made]) {
      tally.losses.push(...await checkConversation(confab, id, ledger, { killedAt, lagMs }));
    }
    for (const { id } of load.made.filter((one) => one.deleted === 'yes')) {
      assert.equal((await load.api('GET', `/v1/conversations/${id}`)).status, 404, 'a deleted conversation is back');
    }
    for (const turn of load.turns) await checkTurn(turn);
    tally.rounds += 1;
    tally.lags.push(lagMs);
    tally.answers += load.turns.length;
    tally.messages += [...ledgers.notes.values()].flat().filter((entry) => entry.texts[0].includes(` ${load.round}.`)).length;
    await checkUsable(random.pick([...ledgers.streams.keys()]), `after ${load.round}`);
  }

  async function checkTurn(turn) {
    await checkRetold(confab, turn);
    tally.returning += 1;
    if (!await checkReturning(confab, turn)) tally.astray.push(`${turn.id} after ${turn.seen.last}`);
  }

  async function checkUsable(conversation, question) {
    const events = await streamedEvents(confab, confab.key, { model: 'script-words-n12', input: question, conversation, background: true });
    assert.equal(checkEvents(events).text, wordsText(12));
    const turn = new Turn(wordsText(12));
    turn.settled = turn.whole;
    ledgers.streams.get(conversation).push({ texts: [question], sure: true }, turn);
  }

  /** Every conversation still takes a turn, and the file is sound. */
  async function closeEra() {
    await Promise.all([...ledgers.streams.keys()].map((id) => checkUsable(id, 'finally')));
    for (const [id, ledger] of ledgers.streams) await checkConversation(confab, id, ledger, { killedAt: 0 });
    await confab.stop();
    checkDatabase(confab);
    await confab.boot();
  }
});

describe('of all the crashes', () => {
  it('the losses were', () => {
    const sorted = tally.losses.sort((a, b) => a - b);
    const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    console.log(`${tally.rounds} rounds, ${tally.answers} answers, ${tally.messages} writes; of ${sorted.length} cut answers half lost under `
      + `${at(0.5)} ms, 99 % under ${at(0.99)} ms, the worst ${at(1)} ms; the test's clock and the disk were late by ${Math.round(Math.max(...tally.lags))} ms at worst`);
    assert.ok(tally.answers > kRounds, 'there was load');
    assert.ok(sorted.length > kRounds, 'answers were cut');
  });

  it('every end is stored with the time that was shown', () => {
    assert.deepEqual(otherTimes.slice(0, 3), []);
  });

  // Recovery continues the numbers where the durable events end, so a viewer that had seen more asks for numbers that never come.
  it('every viewer that came back learned of the end', () => {
    console.log(`${tally.returning} viewers came back, ${tally.astray.length} did not learn of the end`);
    assert.deepEqual(tally.astray.slice(0, 3), []);
  });
});
