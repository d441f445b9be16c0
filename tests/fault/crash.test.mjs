// kill -9 during twenty streamed answers, ten times on the same directory. What must hold after each restart:
// every acknowledged message is there exactly once; every answer is a prefix of what the model would have said, at most `kLossMs` of
// streaming short of what its viewer had seen; nothing is left in progress, doubled or garbled; the conversation can be used again.
// `CRASH_SEED` repeats a run.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { APIConnectionError } from 'openai';
import { Confab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { checkEvents, collect, itemText, outputText } from '../support/events.mjs';
import { wordsText } from '../support/model_scripts.mjs';

const kRounds = 10;
const kStreams = 20;
// Text is made durable every 250 ms, and the transaction itself takes its time; a busy machine with two cores doubles that.
const kLossMs = 600;
const kSeed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);

let model;
let confab;
let client;
/** For each conversation what must be in it: [{role, text}] or {role, seen, durable, whole} for an answer. */
const ledgers = new Map();

before(async () => {
  model = await startModelServer();
  confab = await Confab.start({ upstream: model.baseURL });
  client = confab.client({ timeout: 30_000 });
});

after(async () => {
  try { await confab?.dispose(); } finally { await model?.close(); }
});

/** A small generator of numbers with a seed, so that a failure can be repeated. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Streams one answer until the crash; records what was acknowledged and when each piece of text was seen. */
async function streamOne(conversation, script, question) {
  const turn = { question, words: script.words, acknowledged: false, pieces: [], ended: null };
  const entry = { role: 'user', text: question, sure: false };
  ledgers.get(conversation).push(entry, turn);
  try {
    const body = { model: script.model, input: question, conversation, background: true, stream: true };
    for await (const event of await client.responses.create(body)) {
      if (event.type === 'response.created') {
        entry.sure = true;
        turn.acknowledged = true;
        turn.id = event.response.id;
      }
      if (event.type === 'response.output_text.delta') turn.pieces.push({ at: performance.now(), text: event.delta });
      if (event.response?.status === 'completed') turn.ended = 'completed';
    }
  } catch (error) {
    assert.ok(isBroken(error), `a stream ended with ${error}`);
  }
}

/** The connection broke: what a crash looks like from outside. Anything else is a fault of its own. */
function isBroken(error) {
  return error instanceof APIConnectionError || /terminated|socket|aborted|ECONNRESET|ECONNREFUSED|fetch failed/i.test(`${error} ${error.cause ?? ''}`);
}

/** Adds messages one after another to a conversation of its own until the crash; each 200 is an acknowledgement. */
async function writeUntilCrash(conversation, round) {
  for (let i = 0; ; i += 1) {
    const entry = { role: 'user', text: `note ${round}.${i}`, sure: false };
    ledgers.get(conversation).push(entry);
    try {
      await client.conversations.items.create(conversation, { items: [{ role: 'user', content: entry.text }] });
      entry.sure = true;
    } catch (error) {
      assert.ok(isBroken(error), `a message ended with ${error}`);
      return;
    }
  }
}

async function itemsOf(conversation) {
  const all = [];
  for await (const item of client.conversations.items.list(conversation, { order: 'asc', limit: 100 })) all.push(item);
  return all;
}

/** Compares a conversation with its ledger, item by item. What was never acknowledged may be there once or not at all. */
async function checkLedger(conversation, killedAt) {
  const items = await itemsOf(conversation);
  assert.equal(new Set(items.map((item) => item.id)).size, items.length, 'an item comes twice');
  let at = 0;
  for (const entry of ledgers.get(conversation)) {
    const item = items[at];
    if (entry.role === 'user') {
      const there = item?.role === 'user' && itemText(item) === entry.text;
      assert.ok(there || !entry.sure, `acknowledged message lost: ${entry.text}; found ${item && itemText(item).slice(0, 80)}`);
      entry.kept = there;
      if (there) at += 1;
    } else {
      const answered = item?.role === 'assistant';
      checkAnswer(entry, answered ? item : null, killedAt);
      if (answered) at += 1;
    }
  }
  assert.equal(at, items.length, `items that nobody wrote: ${items.slice(at).map((one) => `${one.role}: ${itemText(one).slice(0, 60)}`)}`);
  ledgers.set(conversation, ledgers.get(conversation).filter((entry) => entry.role !== 'user' || entry.kept));
}

function checkAnswer(turn, item, killedAt) {
  const saved = item ? itemText(item) : '';
  if (turn.settled !== undefined) {
    assert.equal(saved, turn.settled, 'an answer of an earlier round changed');
    return;
  }
  const seen = turn.pieces.map((piece) => piece.text).join('');
  const durable = turn.pieces.filter((piece) => piece.at <= killedAt - kLossMs).map((piece) => piece.text).join('');
  const whole = wordsText(turn.words);
  assert.ok(whole.startsWith(seen), 'the viewer saw something else than the model said');
  assert.ok(whole.startsWith(saved), `garbled: ${saved.slice(-120)}`);
  assert.ok(saved.length >= durable.length, `lost more than ${kLossMs} ms: saved ${saved.length} of ${durable.length} durable characters (seen ${seen.length})`);
  if (turn.ended === 'completed') assert.equal(saved, whole, 'a completed answer lost its end');
  if (item) assert.equal(item.status, saved === whole && item.status === 'completed' ? 'completed' : 'incomplete');
  turn.settled = saved;
}

/** No run may be left in progress: neither the conversation nor the response may say so. */
async function checkAtRest(conversation) {
  const { active_response_id: active, last_response: last } = await client.conversations.retrieve(conversation);
  assert.equal(active, null, 'a run is left in progress');
  if (last) assert.ok(['incomplete', 'completed', 'failed'].includes(last.status), `the last response is ${last.status}`);
  for (const turn of ledgers.get(conversation).filter((entry) => entry.id)) {
    const response = await client.responses.retrieve(turn.id);
    assert.ok(['incomplete', 'completed'].includes(response.status), `a response is ${response.status}`);
    assert.equal(outputText(response), turn.settled, 'the response and the item differ');
    if (turn.ended === 'completed') assert.equal(response.status, 'completed');
  }
}

describe(`kill -9 during ${kStreams} streamed answers (CRASH_SEED=${kSeed})`, () => {
  const next = random(kSeed);
  let conversations;
  let notes;

  before(async () => {
    conversations = await Promise.all(Array.from({ length: kStreams }, async () => (await client.conversations.create()).id));
    notes = (await client.conversations.create()).id;
    for (const id of [...conversations, notes]) ledgers.set(id, []);
  });

  for (let round = 1; round <= kRounds; round += 1) {
    it(`round ${round}`, { timeout: 90_000 }, async () => {
      const scripts = conversations.map((_, i) => {
        // Some answers end before the crash, some never begin before it; most are in the middle.
        if (i % 7 === 3) return { model: 'script-words-n10-i5', words: 10 };
        if (i % 7 === 5) return { model: 'script-words-n50-i10-d5000', words: 50 };
        return { model: 'script-words-n2000-i10', words: 2000 };
      });
      const streams = conversations.map((id, i) => streamOne(id, scripts[i], `question ${round}.${i}`));
      const writer = writeUntilCrash(notes, round);
      await anyText(conversations);
      await new Promise((resolve) => { setTimeout(resolve, 700 + next() * 900); });
      const killedAt = performance.now();
      await confab.kill();
      await Promise.all([...streams, writer]);
      await confab.boot();
      for (const id of [...conversations, notes]) {
        await checkLedger(id, killedAt);
        await checkAtRest(id);
      }
      const anyone = conversations[Math.floor(next() * kStreams)];
      await checkUsable(anyone, `after ${round}`);
    });
  }

  it('leaves every conversation usable in the end', async () => {
    await Promise.all(conversations.map((id) => checkUsable(id, 'finally')));
    for (const id of conversations) await checkLedger(id, 0);
  });

  async function anyText() {
    const going = () => [...ledgers.values()].flat().filter((entry) => entry.pieces?.length && entry.settled === undefined).length;
    while (going() < kStreams / 2) await new Promise((resolve) => { setTimeout(resolve, 10); });
  }

  async function checkUsable(conversation, question) {
    const events = await collect(await client.responses.create({ model: 'script-words-n12', input: question, conversation, background: true, stream: true }));
    assert.equal(checkEvents(events).text, wordsText(12));
    ledgers.get(conversation).push({ role: 'user', text: question, sure: true }, { settled: wordsText(12) });
  }
});
