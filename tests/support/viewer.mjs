// A viewer of a response that looks at bytes: what it got of an event stream, event by event and exactly as it was on the wire, over any
// number of connections that broke anywhere.

import { once } from 'node:events';
import assert from 'node:assert/strict';
import { open } from './http.mjs';

/** The whole events received so far. A cut throws away what is half an event: a client cannot use it and asks for it again. */
export class EventBytes {
  #rest = Buffer.alloc(0);

  constructor() {
    /** For each whole event its exact bytes; `[DONE]` is one too, comments are none. */
    this.events = [];
    /** The sequence number of each event, so that numbers and bytes can be compared. */
    this.numbers = [];
    this.bytes = 0;
    this.done = false;
  }

  /** The number to come back with: `starting_after`. -1 when nothing was seen yet. */
  get last() { return this.numbers.at(-1) ?? -1; }

  get whole() { return Buffer.concat(this.events); }

  /** How far the stream was read, half events included. */
  get position() { return this.bytes + this.#rest.length; }

  feed(data) {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, data]) : data;
    for (let end = this.#rest.indexOf('\n\n'); end >= 0; end = this.#rest.indexOf('\n\n')) {
      this.#take(this.#rest.subarray(0, end + 2));
      this.#rest = this.#rest.subarray(end + 2);
    }
  }

  #take(frame) {
    if (frame[0] === 0x3a) return;
    this.events.push(Buffer.from(frame));
    this.bytes += frame.length;
    const text = frame.toString('latin1');
    if (text === 'data: [DONE]\n\n') {
      this.done = true;
      return;
    }
    // In a text that an event carries the quotes are escaped, so the first match is the member itself.
    const [, number] = /"sequence_number":(\d+)/.exec(text) ?? assert.fail(`an event without a number: ${text.slice(0, 200)}`);
    this.numbers.push(Number(number));
  }

  cut() {
    this.#rest = Buffer.alloc(0);
  }

  /** The events as objects. */
  parsed() {
    return this.events.filter((frame) => frame[0] !== 0x64).map((frame) => JSON.parse(/^data: (.*)$/m.exec(frame.toString('utf8'))[1]));
  }
}

/** Whether two viewers have the same bytes: 'same', 'another time' when only the time of the end differs, or where they part. */
export function compareBytes(a, b) {
  if (a.equals(b)) return 'same';
  const timeless = (data) => data.toString('latin1').replaceAll(/"completed_at":\d+/g, '"completed_at":0');
  if (timeless(a) === timeless(b)) return 'another time';
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  const around = (bytes) => JSON.stringify(bytes.toString('utf8', Math.max(0, at - 80), at + 120));
  return `${a.length} and ${b.length} bytes, apart at ${at}: ${around(a)} and ${around(b)}`;
}

/** The path under which a viewer that has seen `last` goes on. */
export function resumePath(id, last = -1) {
  return `/v1/responses/${id}?stream=true${last >= 0 ? `&starting_after=${last}` : ''}`;
}

/**
 * Reads the stream of an answer (a response of node's http) into `seen`, until it ends or `seen.position` reaches `cutAt`; then the
 * connection is destroyed. Returns 'ended', 'cut' or 'broken' (the server went away).
 */
export async function readStream(res, seen, { cutAt = Infinity, onData = () => {} } = {}) {
  assert.equal(res.statusCode, 200, `a stream was answered with ${res.statusCode}`);
  return new Promise((resolve) => {
    // Data that one read brought goes on arriving after `destroy`.
    let over = false;
    const finish = (how) => {
      if (over) return;
      over = true;
      res.destroy();
      seen.cut();
      resolve(how);
    };
    if (seen.position >= cutAt) {
      finish('cut');
      return;
    }
    res.on('data', (data) => {
      if (over) return;
      const room = cutAt - seen.position;
      const cut = data.length >= room;
      seen.feed(cut ? data.subarray(0, room) : data);
      onData();
      if (cut) finish('cut');
    });
    res.on('end', () => finish('ended'));
    res.on('error', () => finish('broken'));
    res.on('close', () => finish('broken'));
  });
}

/** Asks for a response's events after the last one in `seen` and reads them: one connection of a viewer that comes back. */
export async function resume(confab, id, seen, { credentials = { key: confab.key }, ...options } = {}) {
  return readStream(await open(confab, 'GET', resumePath(id, seen.last), credentials), seen, options);
}

/**
 * Starts a streamed background answer. Resolves when its id is known, with {id, seen, ended}: `seen` fills up, and `ended` resolves with
 * how the stream ended.
 */
export async function startAnswer(confab, json, { credentials = { key: confab.key }, onData = () => {} } = {}) {
  const res = await open(confab, 'POST', '/v1/responses', { json: { background: true, stream: true, ...json }, ...credentials });
  if (res.statusCode !== 200) {
    const [body] = await once(res, 'data');
    assert.fail(`an answer was refused with ${res.statusCode}: ${body}`);
  }
  const seen = new EventBytes();
  let known;
  const first = new Promise((resolve) => { known = resolve; });
  const ended = readStream(res, seen, {
    onData: () => {
      if (seen.events.length) known();
      onData(seen);
    },
  });
  await Promise.race([first, ended]);
  assert.ok(seen.events.length, 'the stream ended without an event');
  return { id: /"id":"(resp_\w+)"/.exec(seen.events[0].toString('latin1'))[1], seen, ended };
}
