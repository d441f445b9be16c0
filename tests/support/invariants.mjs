// What must hold after a crash, checked against what the clients had seen before it.
//
//   every acknowledged message is there exactly once, in its place; what was not acknowledged is there once or not at all, and whole
//   every answer is a prefix of what the model said, at most 500 ms of streaming short of what its viewer had seen
//   what a viewer saw end is stored as it saw it, and so is what somebody saw cancelled
//   nothing is in progress, nothing locked, no id twice; the database is sound
//   sequence numbers never go back for a viewer that returns
//
// A ledger is one client's view of one conversation: entries in the order of sending, either {texts, sure} for messages (of one request:
// all or none) or a `Turn` for an answer. Everything throws an AssertionError that says what was lost.

import assert from 'node:assert/strict';
import { itemText, outputText } from './events.mjs';
import { caller } from './http.mjs';
import { EventBytes, resume } from './viewer.mjs';
import { kSqlite, sql } from './database.mjs';

/** What a crash may cost of an answer. */
export const kLossMs = 500;
/** What a client's own clock may be off: it notes when it handled an event, not when the event left the server. */
export const kSlackMs = 250;

const kTerminal = ['response.completed', 'response.incomplete', 'response.failed'];

/** One answer as its viewer knows it. `whole` is what the model says in the end. */
export class Turn {
  constructor(whole) {
    this.whole = whole;
    this.id = null;
    this.seen = new EventBytes();
    /** When each whole event was handled. */
    this.times = [];
    /** What a cancellation was answered with, if somebody asked for one. */
    this.cancelled = null;
    /** The stored text, once it was compared; it may not change any more. */
    this.settled = undefined;
  }

  /** To be called after each piece of data. */
  note() {
    const now = performance.now();
    while (this.times.length < this.seen.events.length) this.times.push(now);
  }

  /** The deltas with their times, and the terminal event if it was seen. */
  story() {
    const events = this.seen.parsed();
    const deltas = events.map((event, i) => ({ text: event.delta, at: this.times[i], type: event.type }))
      .filter(({ type }) => type === 'response.output_text.delta');
    return { deltas, terminal: events.find((event) => kTerminal.includes(event.type)) };
  }
}

async function getJson(api, path) {
  const res = await api('GET', path);
  assert.equal(res.status, 200, `GET ${path}: ${res.status} ${res.text.slice(0, 300)}`);
  return res.json;
}

async function itemsOf(api, conversation) {
  const all = [];
  for (let after = ''; ;) {
    const page = await getJson(api, `/v1/conversations/${conversation}/items?order=asc&limit=100${after && `&after=${after}`}`);
    all.push(...page.data);
    if (!page.has_more) return all;
    after = page.last_id;
  }
}

/**
 * Compares one conversation with its ledger and drops from the ledger what did not arrive. `killedAt` is when the crash came, by the
 * clients' clock, `lagMs` how late that clock was at worst. Returns the losses in ms, one for each answer that was cut.
 */
export async function checkConversation(confab, conversation, ledger, { killedAt, lagMs = 0 }) {
  const api = caller(confab, { key: confab.key });
  const items = await itemsOf(api, conversation);
  assert.equal(new Set(items.map((item) => item.id)).size, items.length, 'an item comes twice');
  const kept = [];
  const losses = [];
  let at = 0;
  for (const entry of ledger) {
    if (entry instanceof Turn) {
      const item = items[at]?.role === 'assistant' ? items[at] : null;
      if (item) at += 1;
      const loss = checkAnswer(entry, item, { killedAt, lagMs });
      if (loss > 0) losses.push(loss);
      kept.push(entry);
    } else if (checkMessages(entry, items.slice(at, at + entry.texts.length))) {
      at += entry.texts.length;
      kept.push(entry);
    }
  }
  assert.equal(at, items.length, `items that nobody wrote: ${items.slice(at).map((one) => `${one.role}: ${itemText(one).slice(0, 60)}`)}`);
  ledger.splice(0, ledger.length, ...kept);
  await checkAtRest(api, conversation, ledger);
  return losses;
}

/** Messages of one request: all of them or none. Returns whether they are there. */
function checkMessages(entry, items) {
  const there = entry.texts.filter((text, i) => items[i]?.role === 'user' && itemText(items[i]) === text).length;
  assert.ok(there === entry.texts.length || !entry.sure, `acknowledged message lost: ${entry.texts[0].slice(0, 60)}; found ${items.map(itemText)}`);
  assert.ok(there === 0 || there === entry.texts.length, `${there} of ${entry.texts.length} messages of one request: ${entry.texts[0]}`);
  entry.sure = there > 0;
  return there > 0;
}

/** Returns how many ms of what its viewer saw are missing. */
function checkAnswer(turn, item, { killedAt, lagMs }) {
  const saved = item ? itemText(item) : '';
  if (turn.settled !== undefined) {
    assert.equal(saved, turn.settled, 'an answer of an earlier round changed');
    return 0;
  }
  turn.settled = saved;  // before anything can fail, so that one loss fails one round
  const { deltas, terminal } = turn.story();
  const seen = deltas.map((delta) => delta.text).join('');
  assert.ok(turn.whole.startsWith(seen), `the viewer saw something else than the model said: ${seen.slice(-80)}`);
  assert.ok(turn.whole.startsWith(saved), `garbled: ${saved.slice(-120)}`);
  const loss = lossOf(deltas, saved.length, killedAt);
  assert.ok(loss <= kLossMs + kSlackMs + lagMs, `lost ${Math.round(loss)} ms: saved ${saved.length} of ${seen.length} characters seen`);
  if (terminal) assert.equal(saved, outputText(terminal.response), 'an answer whose end was seen is stored otherwise');
  if (turn.cancelled) assert.equal(saved, outputText(turn.cancelled), 'a cancelled answer is stored otherwise');
  if (item) assert.ok(['completed', 'incomplete'].includes(item.status), `an item is ${item.status}`);
  if (item?.status === 'completed') assert.equal(saved, turn.whole, 'a completed answer that is not whole');
  return loss;
}

/** How long before the crash the first piece was seen that is missing. */
function lossOf(deltas, savedLength, killedAt) {
  let length = 0;
  for (const { text, at } of deltas) {
    length += text.length;
    if (length > savedLength) return Math.max(0, killedAt - at);
  }
  return 0;
}

/** No run may be left in progress: neither the conversation nor a response may say so. */
async function checkAtRest(api, conversation, ledger) {
  const { active_response_id: active, last_response: last } = await getJson(api, `/v1/conversations/${conversation}`);
  assert.equal(active, null, 'a run is left in progress');
  if (last) assert.ok(['incomplete', 'completed', 'failed', 'cancelled'].includes(last.status), `the last response is ${last.status}`);
  for (const turn of ledger.filter((entry) => entry instanceof Turn && entry.id && !entry.rested)) {
    const response = await getJson(api, `/v1/responses/${turn.id}`);
    assert.equal(outputText(response), turn.settled, 'the response and the item differ');
    const { terminal } = turn.story();
    const shown = terminal?.response ?? turn.cancelled;
    if (shown) checkSame(response, shown);
    else assert.ok(['incomplete', 'completed', 'cancelled', 'failed'].includes(response.status), `a response is ${response.status}`);
    turn.rested = true;
  }
}

/** Ends whose stored time is not the one that was shown. They are counted, not failed: whoever checks decides. */
export const otherTimes = [];

/** A response whose end was seen must be stored as it was shown. */
function checkSame(stored, shown) {
  if (stored.completed_at !== shown.completed_at) otherTimes.push(`${shown.id}: ${shown.completed_at} shown, ${stored.completed_at} stored`);
  assert.deepEqual({ ...stored, completed_at: null }, { ...shown, completed_at: null }, 'a response whose end was seen is stored otherwise');
}

/** The whole story of an answer, told again after the crash: numbers that grow, deltas that add up to what is stored, one end. */
export async function checkRetold(confab, turn) {
  const again = new EventBytes();
  assert.equal(await resume(confab, turn.id, again), 'ended');
  const events = again.parsed();
  assert.ok(again.done && kTerminal.includes(events.at(-1).type), `ends with ${events.at(-1).type}`);
  assert.ok(again.numbers.every((number, i) => i === 0 || number > again.numbers[i - 1]), `numbers go back: ${again.numbers}`);
  assert.equal(events.filter((event) => kTerminal.includes(event.type)).length, 1, 'one end');
  const text = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');
  assert.equal(text, turn.settled, 'the deltas add up to what is stored');
  assert.equal(outputText(events.at(-1).response), turn.settled, 'and so does the last snapshot');
}

/**
 * A viewer comes back with the number of the last event that it saw before the crash. What it gets has higher numbers, and ends as what is
 * stored does. Returns whether it learned of the end at all.
 */
export async function checkReturning(confab, turn) {
  const { terminal } = turn.story();
  const rest = new EventBytes();
  const from = turn.seen.last;
  rest.numbers.push(from);
  assert.equal(await resume(confab, turn.id, rest), 'ended');
  const numbers = rest.numbers.slice(1);
  assert.ok(rest.done, 'a returning viewer gets no [DONE]');
  assert.ok(numbers.every((number, i) => number > (i ? numbers[i - 1] : from)), `numbers go back: after ${from} came ${numbers.slice(0, 5)}`);
  if (terminal) {
    assert.deepEqual(numbers, [], 'a viewer that saw the end gets more');
    return true;
  }
  const last = rest.parsed().at(-1);
  if (!kTerminal.includes(last?.type)) return false;
  assert.equal(outputText(last.response), turn.settled, 'a returning viewer is told another text');
  return true;
}

/** The database of the stopped program: SQLite's own check, and the rules that no constraint states. Each query must give nothing. */
export function checkDatabase(confab) {
  if (!kSqlite) return;
  assert.deepEqual(sql(confab, 'PRAGMA integrity_check'), ['ok']);
  const rules = {
    'a run in progress': 'SELECT run FROM runs WHERE status < 2',
    'an item without a body': 'SELECT mid FROM items WHERE deleted_at IS NULL AND mid NOT IN (SELECT mid FROM bodies)',
    'a body without an item': 'SELECT mid FROM bodies WHERE mid NOT IN (SELECT mid FROM items)',
    'a branch with a hole': 'SELECT conv, br FROM branches b WHERE head_pos - fork_pos <> (SELECT count(*) FROM items i WHERE i.conv = b.conv AND i.br = b.br)',
    'two chunks with the same beginning': 'SELECT run, seq FROM run_chunks GROUP BY run, seq HAVING count(*) > 1',
  };
  for (const [what, query] of Object.entries(rules)) {
    const found = sql(confab, `${query} LIMIT 5`);
    assert.deepEqual(found, [], what);
  }
}
