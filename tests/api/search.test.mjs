// Search from outside: what is found and when, whose it is, and that no input breaks it.

import { before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller } from '../support/http.mjs';

const fixture = useConfab();
let api;
let stranger;

const find = async (q, more = '', as = api) => {
  const res = await as('GET', `/api/search?q=${encodeURIComponent(q)}${more}`);
  assert.equal(res.status, 200, res.text);
  return res.json;
};
const marked = ({ snippet }) => snippet.map(({ text, hit }) => (hit ? `[${text}]` : text)).join('');

// Asks until `done` or two seconds are over: so long may the index be behind. (More on a busy machine, which is said.)
async function within(q, done) {
  const start = Date.now();
  for (;;) {
    const page = await find(q);
    if (done(page)) {
      if (Date.now() - start > 2_000) console.log(`# the index was ${Date.now() - start} ms behind`);
      return page;
    }
    assert.ok(Date.now() - start < 20_000, `still ${JSON.stringify(page)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('search', () => {
  before(async () => {
    api = caller(fixture.confab, { key: fixture.confab.key });
    stranger = caller(fixture.confab, await fixture.confab.addMember('searcher@example.org'));
  });

  it('finds a question and its answer soon after they were written', async () => {
    const made = await api('POST', '/v1/conversations', { json: {} });
    const answered = await api('POST', '/v1/responses', { json: { model: 'script-echo', conversation: made.json.id, input: 'a Zeppelin over Zürich' } });
    assert.equal(answered.status, 200, answered.text);
    const page = await within('zeppelin zurich', ({ data }) => data.filter((hit) => hit.item_id).length === 2);
    const hits = page.data.filter((hit) => hit.item_id);
    assert.deepEqual(hits.map(({ role, conversation_id: id }) => [role, id]), [['assistant', made.json.id], ['user', made.json.id]]);
    assert.equal(marked(hits[1]), 'a [Zeppelin] over [Zürich]');
    assert.equal(hits[0].model, 'script-echo');
    assert.equal(page.data[0].item_id, null, 'the title, made of the first words, comes first');
    const opened = await api('GET', `/v1/conversations/${made.json.id}/items/${hits[1].item_id}`);
    assert.equal(opened.status, 200);
    assert.deepEqual((await find('zeppelin', '', stranger)).data, [], "nobody finds another's");
  });

  it('forgets what is deleted and what is thrown away, and finds what is restored', async () => {
    const made = await api('POST', '/v1/conversations', { json: { items: [{ role: 'user', content: 'quokka one' }, { role: 'user', content: 'quokka two' }] } });
    const { data } = await within('quokka', (page) => page.data.length === 2);
    assert.equal((await api('DELETE', `/v1/conversations/${made.json.id}/items/${data[0].item_id}`)).status, 200);
    assert.equal((await find('quokka')).data.length, 1, 'at once');
    assert.equal((await api('POST', `/api/conversations/${made.json.id}/trash`)).status, 200);
    assert.equal((await find('quokka')).data.length, 0);
    assert.equal((await api('POST', `/api/conversations/${made.json.id}/restore`)).status, 200);
    assert.equal((await find('quokka')).data.length, 1);
    assert.equal((await api('DELETE', `/v1/conversations/${made.json.id}`)).status, 200);
    assert.equal((await find('quokka')).data.length, 0);
  });

  it('pages by a cursor', async () => {
    const made = await api('POST', '/v1/conversations', { json: { items: Array.from({ length: 20 }, (_, i) => ({ role: 'user', content: `axolotl ${i}` })) } });
    await within('axolotl', (page) => page.data.length === 20);
    const seen = [];
    for (let after = ''; ;) {
      const page = await find('axolotl', `&limit=7${after && `&after=${after}`}`);
      seen.push(...page.data.map((hit) => hit.snippet.map(({ text }) => text).join('')));
      assert.equal(page.has_more, page.next !== null);
      if (!page.next) break;
      after = page.next;
    }
    assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => `axolotl ${19 - i}`));
    assert.equal((await find('axolotl', '&order=relevance&limit=3')).data.length, 3);
    await api('DELETE', `/v1/conversations/${made.json.id}`);
  });

  it('takes any text for a query', async () => {
    for (const q of ['"', '*', 'NEAR(a, b)', 'col:x', '(', 'x OR 1=1', '%', '_', "'; DROP TABLE users;--", '\u0000', '-', '中', '😀', 'in:', 'before:9999-99-99', 'a"b', '']) {
      for (const order of ['newest', 'relevance']) await find(q, `&order=${order}`);
    }
  });

  it('says what is wrong with a request', async () => {
    assertEnvelope(await api('GET', '/api/search'), 400, { param: 'q' });
    assertEnvelope(await api('GET', `/api/search?q=${'x'.repeat(1_001)}`), 400, { param: 'q', code: 'query_too_long' });
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'order=best', 'after=x', 'after=n-1', 'after=r5']) {
      assertEnvelope(await api('GET', `/api/search?q=x&${query}`), 400);
    }
    const nobody = caller(fixture.confab, {});
    assertEnvelope(await nobody('GET', '/api/search?q=x'), 401);
  });
});
