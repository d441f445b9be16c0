// Out and in again: an export of everything, imported into an empty server, is exported there with the same lines.

import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, useConfab } from '../support/confab.mjs';
import { caller } from '../support/http.mjs';
import { form, image } from '../support/images.mjs';

const fixture = useConfab();
let empty;
after(() => empty?.dispose());

const octets = { 'content-type': 'application/octet-stream' };

async function imported(api, text) {
  const res = await api('POST', '/api/imports?filename=all.ndjson', { body: text, headers: octets });
  assert.equal(res.status, 202, res.text);
  for (let i = 0; i < 600; ++i) {
    const { json } = await api('GET', `/api/imports/${res.json.id}`);
    if (!['queued', 'running'].includes(json.status)) return json;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the import does not end');
}

const exported = async (api) => {
  const res = await api('GET', '/api/export');
  assert.equal(res.status, 200, res.text);
  return res.text.trimEnd().split('\n');
};

describe('an export of everything', () => {
  it('comes out of another server with the same lines', async () => {
    const api = caller(fixture.confab, { key: fixture.confab.key });
    const ask = (json) => api('POST', '/v1/responses', { json: { model: 'script-echo', ...json } });
    const folder = (await api('POST', '/api/folders', { json: { name: 'Work' } })).json;
    const { body, headers } = form([['purpose', 'vision'], ['file', image('png', 60_000), 'cat.png']]);
    const file = (await api('POST', '/v1/files', { body, headers })).json;

    const tree = (await api('POST', '/v1/conversations', { json: { title: 'Branches', metadata: { a: 'b' } } })).json;
    assert.equal((await ask({ conversation: tree.id, input: 'one' })).status, 200);
    const [question] = (await api('GET', `/v1/conversations/${tree.id}/items?order=asc`)).json.data;
    assert.equal((await ask({ conversation: tree.id, input: 'instead', after: null })).status, 200);
    assert.equal((await ask({ conversation: tree.id, input: [], after: question.id, model: 'script-words-n3' })).status, 200);
    assert.equal((await api('PUT', `/api/conversations/${tree.id}/head`, { json: { item_id: question.id, descend: true } })).status, 200);
    const patch = { folder_id: folder.id, tags: ['To do', 'ünï'], pinned: true, compaction: 'auto' };
    assert.equal((await api('PATCH', `/api/conversations/${tree.id}`, { json: patch })).status, 200);
    await api('POST', '/v1/conversations', {
      json: { title: 'Picture', items: [{ role: 'user', content: [{ type: 'input_text', text: 'look' }, { type: 'input_image', file_id: file.id }] }] },
    });
    await api('POST', '/v1/conversations', { json: { title: 'Empty' } });

    const first = await exported(api);
    assert.ok(first.length > 12 && first.some((line) => line.startsWith('{"type":"folder"')), first.join('\n'));

    empty = await Confab.start({ upstream: fixture.upstream?.url ?? undefined });
    const there = caller(empty, { key: empty.key });
    const job = await imported(there, `${first.join('\n')}\n`);
    // The empty one comes too, but brings no message to count it by.
    assert.deepEqual([job.status, job.problems_total, job.conversations], ['completed', 0, 2], JSON.stringify(job));
    const second = await exported(there);
    assert.deepEqual(second.slice(1).map((line) => JSON.parse(line)), first.slice(1).map((line) => JSON.parse(line)));
    assert.deepEqual(second.slice(1), first.slice(1), 'byte for byte');

    const again = await imported(there, `${first.join('\n')}\n`);
    assert.deepEqual([again.status, again.messages], ['completed', 0], JSON.stringify(again));
    assert.deepEqual((await exported(there)).slice(1), first.slice(1), 'importing twice adds nothing');
  });
});
