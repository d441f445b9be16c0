// A disk that is full, and a disk that fails, by a library that is loaded before the program (`support/disk_faults.c`).
//
// Full: reading goes on, writing is refused with 507 and a code, answers under way wait for their end to be saved, and everything
// resumes by itself when there is space again. Failing: an error of the disk at a commit ends the process, since only a new start can
// tell what arrived; afterwards everything that was acknowledged is there.

import { after, before, beforeEach, afterEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { DiskFaults, kDiskIsWell, kNoDiskFaults, kNoSpace, kNoSpaceAfterHalf, kSyncFails, kWriteFails } from '../support/disk_faults.mjs';
import { itemText, outputText, poll } from '../support/events.mjs';
import { assertEnvelope, caller } from '../support/http.mjs';
import { checkConversation, checkDatabase, Turn } from '../support/invariants.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { wordsText } from '../support/model_scripts.mjs';
import { startAnswer } from '../support/viewer.mjs';

// How late a busy machine may be with what is saved four times a second, besides what `invariants.mjs` grants.
const kLateMs = 500;

let model;
let faults;
let confab;
let api;
// Messages go to one conversation and answers to another: one in which an answer is being made takes no messages.
let notes;
let talk;
let ledger;
let turns;
let startOnFullDisk;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

describe('a disk', { skip: kNoDiskFaults }, () => {
  before(async () => {
    model = await startModelServer();
    faults = new DiskFaults();
    confab = await Confab.start({ upstream: model.baseURL, env: (dataDir) => faults.env(dataDir) });
    api = caller(confab, { key: confab.key });
  });

  after(async () => {
    try {
      await confab?.dispose({ check: false });
    } finally {
      faults?.dispose();
      await model?.close();
    }
  });

  beforeEach(async () => {
    notes = (await api('POST', '/v1/conversations', { json: {} })).json.id;
    talk = (await api('POST', '/v1/conversations', { json: {} })).json.id;
    ledger = [];
    turns = [];
    for (let i = 0; i < 5; i += 1) await write(`before ${i}`);
  });

  // Whatever a test found, the next one begins with a disk that works and a program that runs.
  afterEach(async () => {
    faults.set(kDiskIsWell);
    if (!confab.alive) await confab.boot();
  });

  /** Adds one message; the ledger knows whether it was acknowledged. Returns the response, or null when the connection broke. */
  async function write(text) {
    const entry = { texts: [text], sure: false };
    ledger.push(entry);
    try {
      const res = await api('POST', `/v1/conversations/${notes}/items`, { json: { items: [{ role: 'user', content: text }] } });
      entry.sure = res.status === 200;
      return res;
    } catch {
      return null;
    }
  }

  /** Begins a long answer; resolves when its viewer has seen something of it. */
  async function beginAnswer(words, eventsSeen) {
    const turn = new Turn(wordsText(words));
    const answer = await startAnswer(confab, { model: `script-words-n${words}-i10`, input: 'go', conversation: talk }, { onData: () => turn.note() });
    turns = [{ texts: ['go'], sure: true }, turn];
    Object.assign(turn, { id: answer.id, seen: answer.seen, ended: answer.ended });
    await poll(() => turn.seen.events.length, (count) => count > eventsSeen);
    return turn;
  }

  /** `brokenAt` is when the disk failed: what came before must be there. */
  async function checkAll(brokenAt = 0) {
    await checkConversation(confab, notes, ledger, { killedAt: brokenAt, lagMs: kLateMs });
    await checkConversation(confab, talk, turns, { killedAt: brokenAt, lagMs: kLateMs });
  }

  async function checkAfterRestart() {
    await confab.stop();
    checkDatabase(confab);
    await confab.boot();
    await checkAll();
  }


  for (const [name, mode] of [['is full', kNoSpace], ['fills up in the middle of a write', kNoSpaceAfterHalf]]) {
    describe(`that ${name}`, () => {
      it('refuses messages with 507 and goes on reading; then everything resumes', { timeout: 60_000 }, async () => {
        faults.set(mode);
        assertEnvelope(await write('no space 1'), 507, { type: 'server_error', code: 'storage_full' });
        for (const json of [{ model: 'script-words-n5', input: 'no space 2', conversation: talk, background: true }, { model: 'script-words-n5', input: 'no space 3' }]) {
          assertEnvelope(await api('POST', '/v1/responses', { json }), 507, { type: 'server_error', code: 'storage_full' });
        }
        assertEnvelope(await api('POST', '/v1/conversations', { json: {} }), 507, { type: 'server_error', code: 'storage_full' });
        const { json: page } = await api('GET', `/v1/conversations/${notes}/items?order=asc`);
        assert.deepEqual(page.data.map(itemText), ledger.filter((entry) => entry.sure).map((entry) => entry.texts[0]));
        assert.equal((await api('GET', '/healthz')).status, 200);
        assert.equal((await api('GET', '/v1/conversations')).status, 200);
        faults.set(kDiskIsWell);
        await poll(() => write('again'), (res) => res.status === 200);
        ledger = ledger.filter((entry) => entry.sure);
        await checkAll();
        assert.equal(confab.alive, true, 'a full disk ends nothing');
        await checkAfterRestart();
      });

      it('keeps an answer under way until it can be saved', { timeout: 60_000 }, async () => {
        const turn = await beginAnswer(120, 20);
        faults.set(mode);
        // What is shown stays close to what is on the disk: after a moment nothing new comes, least of all the end.
        await pause(4_000);
        const shown = turn.seen.events.length;
        await pause(1_200);
        assert.equal(turn.seen.events.length, shown, 'more is shown than a crash would keep');
        assert.equal(turn.seen.done, false, 'an end was shown that is not saved');
        assert.equal((await api('GET', `/v1/responses/${turn.id}`)).json.status, 'in_progress');
        faults.set(kDiskIsWell);
        assert.equal(await turn.ended, 'ended');
        const { response } = turn.seen.parsed().at(-1);
        assert.equal(response.status, 'completed');
        assert.equal(outputText(response), turn.whole);
        await checkAfterRestart();
      });
    });
  }

  it('that is full when the server crashes has what was acknowledged', { timeout: 60_000 }, async () => {
    const turn = await beginAnswer(2000, 80);
    const fullAt = performance.now();
    faults.set(kNoSpace);
    assert.equal((await write('lost, and said so')).status, 507);
    await pause(1_000);
    await confab.kill();
    await turn.ended;
    faults.set(kDiskIsWell);
    await confab.boot();
    await checkAll(fullAt);
    const { json } = await api('GET', `/v1/responses/${turn.id}`);
    assert.equal(json.status, 'incomplete');
    assert.ok(outputText(json).length > 0, 'what was saved before the disk was full is there');
    await checkAfterRestart();
  });

  it('that is full lets a server neither hang at its start nor lose anything', { timeout: 90_000 }, async () => {
    await confab.stop();
    faults.set(kNoSpace);
    // It may come up and read, or say why not and leave; it may not hang.
    const how = await confab.boot().then(() => 'up', (error) => error.message);
    console.log(`a start on a full disk: ${how === 'up' ? 'it runs' : how.split('\n')[0]}`);
    if (how === 'up') assert.equal((await api('GET', `/v1/conversations/${notes}/items`)).status, 200);
    else assert.match(how, /ended before it was ready \(code [1-9]/);
    startOnFullDisk = how;
    faults.set(kDiskIsWell);
    if (confab.alive) await poll(() => write('again'), (res) => res.status === 200);
    else await confab.boot();
    await checkAll();
  });

  it('that is full is called full at the start', () => {
    assert.match(startOnFullDisk, /^up$|disk is full|no space/i);
  });

  for (const [name, mode] of [['cannot sync', kSyncFails], ['cannot write', kWriteFails]]) {
    it(`that ${name} ends the process, and a new start finds what was acknowledged`, { timeout: 60_000 }, async () => {
      const turn = await beginAnswer(2000, 50);
      const mark = confab.log.length;
      const failedAt = performance.now();
      faults.set(mode);
      let acknowledged = 0;
      for (let i = 0; i < 20 && confab.alive; i += 1) {
        const res = await write(`during ${i}`);
        if (res?.status === 200) acknowledged += 1;
        await pause(50);
      }
      assert.equal(acknowledged, 0, 'a message was acknowledged that cannot be on the disk');
      const { signal, code } = await confab.exited(20_000);
      assert.ok(signal === 'SIGABRT' || code !== 0, `it left with ${code} ${signal}`);
      assert.match(confab.logSince(mark), /storage lost/, 'the log says why');
      await turn.ended;
      faults.set(kDiskIsWell);
      await confab.boot();
      await checkAll(failedAt);
      assert.equal((await api('GET', `/v1/responses/${turn.id}`)).json.status, 'incomplete');
      assert.equal((await write('afterwards')).status, 200);
      await checkAfterRestart();
    });
  }
});
