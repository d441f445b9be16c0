// A disk that fills up during an import: the import fails and says so, what was whole stays and can be read, and doing it again completes it.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab } from '../support/confab.mjs';
import { DiskFaults, kDiskIsWell, kNoDiskFaults, kNoSpace } from '../support/disk_faults.mjs';
import { assertEnvelope, request } from '../support/http.mjs';

const kConversations = 2000;
const kMessages = 12;

let faults;
let confab;

const call = (method, path, options = {}) => request(confab, method, path, { key: confab.key, ...options });
const upload = (body) => call('POST', '/api/imports?filename=big.json', { body, headers: { 'content-type': 'application/octet-stream' } });
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function until(id, wanted) {
  for (let i = 0; i < 1200; i += 1) {
    const { json } = await call('GET', `/api/imports/${id}`);
    if (wanted(json)) return json;
    await pause(50);
  }
  throw new Error('the import does not get there');
}

function conversation(n) {
  const mapping = {};
  for (let m = 0; m < kMessages; m += 1) {
    mapping[`m${m}`] = {
      parent: m ? `m${m - 1}` : null,
      message: { author: { role: m % 2 ? 'assistant' : 'user' }, create_time: 100 + m, content: { content_type: 'text', parts: [`text ${m} `.repeat(100)] } },
    };
  }
  return { title: `Number ${n}`, create_time: 1_600_000_000 + n, mapping, current_node: `m${kMessages - 1}`, conversation_id: `c${n}` };
}

describe('an import on a disk that fills up', { skip: kNoDiskFaults }, () => {
  before(async () => {
    faults = new DiskFaults();
    confab = await Confab.start({ env: (dataDir) => faults.env(dataDir) });
  });

  after(async () => {
    try {
      await confab?.dispose({ check: false });
    } finally {
      faults?.dispose();
    }
  });

  it('fails, keeps what is whole, and is completed by importing again', async () => {
    const body = JSON.stringify(Array.from({ length: kConversations }, (_, n) => conversation(n)));
    const first = await upload(body);
    assert.equal(first.status, 202, first.text);
    await until(first.json.id, (job) => job.messages > 0);
    faults.set(kNoSpace);
    await pause(500);
    const list = await call('GET', '/v1/conversations?limit=100');
    assert.equal(list.status, 200, 'reading goes on');
    assertEnvelope(await upload('[]'), [409, 507]);
    faults.set(kDiskIsWell);
    const failed = await until(first.json.id, (job) => !['queued', 'running'].includes(job.status));
    assert.equal(failed.status, 'failed');
    assert.equal(failed.problems.at(-1).code, 'storage_full');
    assert.equal(failed.messages % kMessages, 0, 'nothing is half there');
    for (const one of list.json.data.slice(0, 5)) {
      const items = await call('GET', `/v1/conversations/${one.id}/items?limit=100`);
      assert.equal(items.json.data.length, kMessages);
    }
    const again = await upload(body);
    const done = await until(again.json.id, (job) => !['queued', 'running'].includes(job.status));
    assert.deepEqual([done.status, done.messages + done.skipped], ['completed', kConversations * kMessages]);
    assert.ok(done.skipped >= failed.messages);
  });
});
