// /api/imports and `confab import`: uploads that become conversations, once, with their branches; separate, cancellable, and taken up again.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, request } from '../support/http.mjs';

const fixture = useConfab({
  prepare: async (it) => {
    it.member = await it.confab.addMember();
  },
});

const call = (method, path, options = {}) => request(fixture.confab, method, path, { key: fixture.confab.key, ...options });
const upload = (body, name = 'conversations.json', options = {}) =>
  call('POST', `/api/imports?filename=${encodeURIComponent(name)}`, { body, headers: { 'content-type': 'application/octet-stream' }, ...options });

/** Waits for the end of an import. */
async function ended(id, options = {}) {
  for (let i = 0; i < 600; ++i) {
    const { json } = await call('GET', `/api/imports/${id}`, options);
    if (!['queued', 'running'].includes(json.status)) return json;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the import does not end');
}

async function imported(body, name, options) {
  const res = await upload(body, name, options);
  assert.equal(res.status, 202, res.text);
  return ended(res.json.id, options);
}

/** A ChatGPT conversation: a question, two answers, and what follows the second one. */
function chatgpt(id, words = 'Where to?', extra = 0) {
  const node = (name, parent, role, text, time) => ({
    id: name, parent, children: [],
    message: { id: name, author: { role }, create_time: time, content: { content_type: 'text', parts: [text] }, metadata: { model_slug: 'gpt-4o' } },
  });
  const mapping = {
    root: { id: 'root', message: null, parent: null, children: ['q'] },
    q: node('q', 'root', 'user', words, 10), a: node('a', 'q', 'assistant', 'Rome.', 11),
    b: node('b', 'q', 'assistant', 'Oslo.', 12), c: node('c', 'b', 'user', 'When?', 13),
  };
  for (let i = 0; i < extra; ++i) mapping[`x${i}`] = node(`x${i}`, i ? `x${i - 1}` : 'c', i % 2 ? 'user' : 'assistant', `text ${i} `.repeat(50), 14 + i);
  return { title: `Trip ${id}`, create_time: 1_700_000_000, update_time: 1_700_000_100, mapping, current_node: extra ? `x${extra - 1}` : 'c', conversation_id: id };
}

const texts = async (id, options) => {
  const { json } = await call('GET', `/v1/conversations/${id}/items?order=asc&limit=100`, options);
  return json.data.map((item) => item.content[0].text);
};
const titled = async (title, options) => {
  const { json } = await call('GET', '/v1/conversations?limit=100', options);
  return json.data.filter((one) => one.title === title);
};

describe('imports', () => {
  it('become conversations with their branches, and add nothing the second time', async () => {
    const body = JSON.stringify([chatgpt('one'), chatgpt('two')]);
    const first = await imported(body);
    assert.match(first.id, /^imp_[0-9a-f]{32}$/);
    assert.deepEqual(
      { ...first, id: '', created_at: 0, finished_at: 0 },
      {
        id: '', object: 'import', filename: 'conversations.json', format: 'chatgpt', status: 'completed', bytes: Buffer.byteLength(body),
        bytes_read: Buffer.byteLength(body), conversations: 2, messages: 8, skipped: 0, problems: [], problems_total: 0, created_at: 0, finished_at: 0,
      },
    );
    const [conversation] = await titled('Trip one');
    assert.equal(conversation.created_at, 1_700_000_000);
    assert.deepEqual(await texts(conversation.id), ['Where to?', 'Oslo.', 'When?']);
    const second = await imported(body);
    assert.deepEqual([second.conversations, second.messages, second.skipped], [0, 0, 8]);
    assert.equal((await titled('Trip one')).length, 1);
    const list = await call('GET', '/api/imports?limit=1');
    assert.deepEqual([list.json.data[0].id, list.json.has_more], [second.id, true]);
    assert.deepEqual(await readdir(join(fixture.confab.dataDir, 'imports')), [], 'no upload stays behind');
  });

  it('can be gone on with: an answer follows the imported path', async () => {
    await imported(JSON.stringify([chatgpt('goes on')]));
    const [conversation] = await titled('Trip goes on');
    const answer = await fixture.client.responses.create({ model: 'script-echo', input: 'Tell me', conversation: conversation.id });
    assert.equal(answer.status, 'completed');
    const sent = fixture.model.requests.at(-1).body.messages.map((one) => one.content);
    assert.deepEqual(sent, ['Where to?', 'Oslo.', 'When?', 'Tell me']);
  });

  it('say what was wrong and keep what was whole', async () => {
    const body = JSON.stringify([chatgpt('whole'), chatgpt('cut')]).slice(0, -40);
    const job = await imported(body, 'cut.json');
    assert.equal(job.status, 'failed');
    assert.equal(job.conversations, 1);
    assert.deepEqual(job.problems.map((one) => [one.where, one.code]), [['cut.json', 'truncated']]);
    assert.equal((await titled('Trip whole')).length, 1);
    assert.equal((await titled('Trip cut')).length, 0);
    for (const [bytes, code] of [['nonsense', 'malformed_json'], ['PK\x03\x04nonsense', 'malformed_zip'], ['[{"a":1}]', 'unknown_format']]) {
      const bad = await imported(bytes);
      assert.equal(bad.status, 'failed');
      assert.equal(bad.problems.at(-1).code, code);
    }
  });

  it('are nobody else’s', async () => {
    const job = await imported(JSON.stringify([chatgpt('private')]));
    const theirs = { key: fixture.member.key };
    for (const method of ['GET', 'DELETE']) assertEnvelope(await call(method, `/api/imports/${job.id}`, theirs), 404, { code: 'import_not_found' });
    assert.deepEqual((await call('GET', '/api/imports', theirs)).json.data, []);
    assert.deepEqual(await titled('Trip private', theirs), []);
    assertEnvelope(await call('GET', '/api/imports/imp_x'), 404);
    assert.equal((await call('GET', '/api/imports', { key: undefined })).status, 401);
    assert.equal((await upload('[]', 'x', { key: undefined })).status, 401);
  });

  it('refuse an empty body and a name that is too long, and free the place', async () => {
    assertEnvelope(await upload(''), 400, { code: 'empty_file' });
    assertEnvelope(await upload('[]', 'x'.repeat(300)), 400, { param: 'filename' });
    assert.equal((await imported(JSON.stringify([chatgpt('after empty')]))).status, 'completed');
  });

  it('go one at a time for a user, and can be cancelled', async () => {
    const many = JSON.stringify(Array.from({ length: 3000 }, (_, i) => chatgpt(`many ${i}`, `question ${i}`, 20)));
    const first = await upload(many, 'many.json');
    assert.equal(first.status, 202, first.text);
    assertEnvelope(await upload('[]'), 409, { code: 'import_running' });
    const cancelled = await call('DELETE', `/api/imports/${first.json.id}`);
    assert.equal(cancelled.json.status, 'cancelled');
    const job = await imported(JSON.stringify([chatgpt('after cancel')]));
    assert.equal(job.status, 'completed');
    const stopped = (await call('GET', `/api/imports/${first.json.id}`)).json;
    assert.equal(stopped.status, 'cancelled');
    assert.ok(stopped.messages < 3000 * 24, `${stopped.messages} messages were imported all the same`);
  });

  it('go on after the program was killed, and nothing is doubled', async () => {
    const many = JSON.stringify(Array.from({ length: 1500 }, (_, i) => chatgpt(`kill ${i}`, `question ${i}`, 20)));
    const { json } = await upload(many, 'kill.json');
    await new Promise((resolve) => setTimeout(resolve, 700));
    await fixture.confab.kill();
    await fixture.confab.boot();
    const job = await ended(json.id);
    assert.equal(job.status, 'completed');
    assert.equal(job.messages + job.skipped, 1500 * 24);
    const again = await imported(many);
    assert.deepEqual([again.messages, again.skipped], [0, 1500 * 24]);
    const found = await titled('Trip kill 1499');
    assert.equal(found.length, 1);
    assert.equal((await texts(found[0].id)).length, 23);
  });

  it('come from the command line, with the server and without', async () => {
    const file = join(fixture.confab.home, 'mine.json');
    await writeFile(file, JSON.stringify([chatgpt('by hand')]));
    const before = await fixture.confab.command(['import', file, '--user', kAdmin.email]);
    assert.equal(before, 'Imported 4 messages in 1 conversations; 0 were there already or could not be taken.\n');
    assert.equal((await titled('Trip by hand')).length, 1);
    const odd = join(fixture.confab.home, 'odd\u001b[31m.json');
    await writeFile(odd, JSON.stringify([chatgpt('odd'), chatgpt('cut')]).slice(0, -40));
    await assert.rejects(fixture.confab.command(['import', odd, '--user', kAdmin.email]), ({ stderr }) => {
      assert.match(stderr, /^ {2}odd\?\[31m\.json: /m, 'what a file says does not steer the terminal');
      return !stderr.includes('\u001b');
    });
    await fixture.confab.stop();
    const alone = await fixture.confab.command(['import', file, '--user', kAdmin.email]);
    assert.equal(alone, 'Imported 0 messages in 0 conversations; 4 were there already or could not be taken.\n');
    await assert.rejects(fixture.confab.command(['import', file, '--user', 'nobody@example.org']), /no user with the address/);
    await assert.rejects(fixture.confab.command(['import', `${file}x`, '--user', kAdmin.email]), /Cannot read/);
    await fixture.confab.boot();
    assert.equal((await titled('Trip by hand')).length, 1);
  });
});
