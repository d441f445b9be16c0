// Sharing: a conversation as it was, for whoever has the link and for nobody else; and nothing of it after it ends. Abuse cases 11 and 15.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Confab, kAdmin, useConfab } from '../support/confab.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';
import { assertEnvelope, caller, request, sameOrigin, signIn } from '../support/http.mjs';
import { form, image } from '../support/images.mjs';

const kDay = 86_400;
const kSecret = 'words of the owner';
const fixture = useConfab({ prepare });
let owner; // by cookie
let admin;
let stranger;
let member;

async function prepare({ confab }) {
  member = await confab.addMember('sharer@example.org');
  const other = await confab.addMember('stranger@example.org');
  const signedIn = async (person) => caller(confab, { cookie: await signIn(confab, person), headers: sameOrigin(confab) });
  owner = await signedIn(member);
  stranger = await signedIn(other);
  admin = await signedIn(kAdmin);
}

async function good(promise, status = 200) {
  const res = await promise;
  assert.equal(res.status, status, res.text);
  return res.json;
}

/** What whoever has the link may ask; no credentials but the token. */
const shared = (token, path = '', options = {}) => request(fixture.confab, options.method ?? 'GET', `/api/shared${path}`, { ...options, headers: { 'confab-share': token, ...options.headers } });
const textsOf = (page) => page.data.map((item) => item.content?.map((part) => part.text).join('') ?? item.output ?? item.arguments);
const gone = (res) => assertEnvelope(res, 404, { code: 'share_not_found' });

async function talk(...words) {
  const items = words.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }));
  const { id } = await good(owner('POST', '/v1/conversations', { json: { title: 'A talk', items } }));
  const { data } = await good(owner('GET', `/v1/conversations/${id}/items?order=asc`));
  return { id, items: data.map((item) => item.id) };
}

const share = (id, json = {}) => good(owner('POST', `/api/conversations/${id}/shares`, { json }), 201);
const ask = (conversation, input) => good(owner('POST', '/v1/responses', { json: { model: 'script-echo', input, conversation } }));

describe('a share', () => {
  it('shows the conversation to whoever has its link, without an account', async () => {
    const { id } = await talk('a question', 'an answer');
    const made = await share(id);
    assert.match(made.token, /^[\w-]{43}$/);
    assert.equal(made.path, `/share#${made.token}`);
    assert.ok(Math.abs(made.expires_at - made.created_at - 30 * kDay) <= 1, 'thirty days unless said');
    const page = await good(shared(made.token));
    assert.equal(page.title, 'A talk');
    assert.deepEqual(textsOf(page), ['a question', 'an answer']);
    assert.deepEqual(page.data.map(({ role }) => role), ['user', 'assistant']);
    assert.equal(page.has_more, false);
  });

  it('says nothing of its owner and names none of their objects', async () => {
    const { id, items } = await talk('a question');
    await ask(id, 'another');
    const { text } = await shared((await share(id)).token);
    const { user } = await good(owner('GET', '/api/auth/me'));
    for (const secret of [id, ...items, user.id, user.email, user.name, 'resp_', 'script-echo', 'usage'].filter(Boolean)) {
      assert.ok(!text.includes(secret), `${secret} in ${text}`);
    }
  });

  it('is not changed by what comes later: messages, branches, a new title', async () => {
    const { id, items } = await talk('one', 'two', 'three');
    const { token } = await share(id);
    const before = (await shared(token)).text;
    await ask(id, 'later words');
    await good(owner('PUT', `/api/conversations/${id}/head`, { json: { item_id: items[0] } }));
    await ask(id, 'on another branch');
    await good(owner('PATCH', `/api/conversations/${id}`, { json: { title: 'Another title' } }));
    assert.equal((await shared(token)).text, before);
    const branch = await share(id);
    assert.deepEqual(textsOf(await good(shared(branch.token))), ['one', 'on another branch', 'on another branch']);
    assert.equal((await shared(token)).text, before);
  });

  it('loses what its owner deletes', async () => {
    const { id, items } = await talk('stays', 'is deleted', 'stays too');
    const { token } = await share(id);
    await good(owner('DELETE', `/v1/conversations/${id}/items/${items[1]}`));
    assert.deepEqual(textsOf(await good(shared(token))), ['stays', 'stays too']);
    gone(await shared(token, '/items/2'));
  });

  it('shows what was said, not what the model was told beforehand', async () => {
    const items = [{ role: 'system', content: kSecret }, { role: 'developer', content: kSecret }, { role: 'user', content: 'hello' }];
    const { id } = await good(owner('POST', '/v1/conversations', { json: { items } }));
    const { token } = await share(id);
    const page = await shared(token);
    assert.deepEqual(textsOf(page.json), ['hello']);
    assert.ok(!page.text.includes(kSecret));
    for (const position of [1, 2]) assertEnvelope(await shared(token, `/items/${position}`), 404);
  });

  it('is read page by page, and a long message by itself', async () => {
    const { id } = await good(owner('POST', '/v1/conversations', { json: {} }));
    for (let i = 0; i < 130; i += 20) {
      const items = Array.from({ length: Math.min(20, 130 - i) }, (_, n) => ({ role: n % 2 ? 'assistant' : 'user', content: `m${i + n}` }));
      await good(owner('POST', `/v1/conversations/${id}/items`, { json: { items } }));
    }
    const long = 'x'.repeat(100_000);
    await good(owner('POST', `/v1/conversations/${id}/items`, { json: { items: [{ role: 'user', content: long }] } }));
    const { token } = await share(id);
    const seen = [];
    let page;
    let after = 0;
    do {
      page = await good(shared(token, `?after=${after}`));
      assert.ok(page.data.length <= 50);
      seen.push(...page.data);
      after = page.last_position;
    } while (page.has_more);
    assert.deepEqual(seen.slice(0, 130).map((item) => item.content[0].text), Array.from({ length: 130 }, (_, i) => `m${i}`));
    const last = seen.at(-1);
    assert.equal(last.truncated, true);
    const whole = await good(shared(token, `/items/${last.position}`));
    assert.deepEqual([whole.content[0].text, whole.id], [long, last.id]);
    gone(await shared(token, `/items/${last.position + 1}`));
    assertEnvelope(await shared(token, '?after=-1'), 400, { param: 'after' });
  });

  it('answers with headers that keep it private', async () => {
    const { id } = await talk('words');
    const { token } = await share(id);
    assert.equal((await shared(token)).headers['cache-control'], 'no-store');
    for (const res of [await shared(token), await shared('x'.repeat(43))]) {
      assert.equal(res.headers['x-robots-tag'], 'noindex, nofollow');
      assert.equal(res.headers['referrer-policy'], 'no-referrer');
      assert.equal(res.headers['access-control-allow-origin'], undefined);
    }
    const page = await request(fixture.confab, 'GET', '/share');
    if (page.status === 200) {
      assert.equal(page.headers['x-robots-tag'], 'noindex, nofollow');
      assert.equal(page.headers['referrer-policy'], 'no-referrer');
      assert.match(page.headers['content-security-policy'], /img-src 'self' blob:;/);
    }
  });

  it('leaves its token in no log and in no file', async () => {
    const { id } = await talk('words');
    const { token } = await share(id);
    await good(shared(token));
    assert.ok(!fixture.confab.log.includes(token));
    for (const name of await readdir(fixture.confab.dataDir)) {
      if (name.startsWith('confab.db')) assert.ok(!(await readFile(join(fixture.confab.dataDir, name))).includes(token), name);
    }
  });
});

describe('images of a share', () => {
  const upload = async (bytes) => {
    const { body, headers } = form([['purpose', 'vision'], ['file', bytes, `${kSecret}.png`]]);
    return (await good(owner('POST', '/v1/files', { body, headers: { ...headers, ...sameOrigin(fixture.confab) } }))).id;
  };

  it('are reached through the item that shows them, and no other file is', async () => {
    const bytes = image('png');
    const [one, other, later] = [await upload(bytes), await upload(image('png')), await upload(image('png'))];
    const content = [{ type: 'input_text', text: 'look' }, { type: 'input_image', file_id: one }];
    const { id } = await good(owner('POST', '/v1/conversations', { json: { items: [{ role: 'user', content }] } }));
    const { token } = await share(id);
    await good(owner('POST', `/v1/conversations/${id}/items`, { json: { items: [{ role: 'user', content: [{ type: 'input_image', file_id: later }] }] } }));
    const page = await shared(token);
    assert.ok(!/file-/.test(page.text) && !page.text.includes(kSecret), page.text);
    assert.deepEqual(page.json.data[0].content, [{ type: 'input_text', text: 'look' }, { type: 'input_image', image: 1 }]);
    const got = await shared(token, '/items/1/images/1');
    assert.equal(got.status, 200);
    assert.deepEqual([got.headers['content-type'], got.headers['content-length'] ?? '1000', got.headers['cache-control']], ['image/png', '1000', 'no-store']);
    assert.ok(!got.headers['content-disposition'].includes('owner'));
    for (const path of ['/items/1/images/0', '/items/1/images/2', '/items/2/images/0', `/items/1/images/${other}`, `/items/${other}/images/0`]) {
      assertEnvelope(await shared(token, path), [404, 400]);
    }
    for (const file of [one, other]) {
      assertEnvelope(await request(fixture.confab, 'GET', `/v1/files/${file}/content`, { headers: { 'confab-share': token } }), 401);
    }
    await good(owner('DELETE', `/v1/files/${one}`));
    assertEnvelope(await shared(token, '/items/1/images/1'), 404);
  });
});

describe('a share that has ended', () => {
  it('is as unknown as one that never was: revoked, in the trash, deleted', async () => {
    const never = await shared('A'.repeat(43));
    const ends = {
      async revoked({ made }) { await good(owner('DELETE', `/api/shares/${made.id}`)); },
      async trashed({ id }) { await good(owner('POST', `/api/conversations/${id}/trash`, { json: {} })); },
      async deleted({ id }) { await good(owner('DELETE', `/api/conversations/${id}`)); },
    };
    for (const [name, end] of Object.entries(ends)) {
      const { id } = await talk(kSecret);
      const made = await share(id);
      await good(shared(made.token));
      await end({ id, made });
      for (const path of ['', '/items/1', '/items/1/images/0']) {
        const res = await shared(made.token, path);
        gone(res);
        assert.equal(res.text, never.text, `${name} ${path}`);
      }
    }
    for (const token of ['', ' ', 'x', 'A'.repeat(10_000)]) gone(await shared(token));
    gone(await request(fixture.confab, 'GET', '/api/shared'));
  });

  it('is as unknown when its time has passed', { skip: kNoSqlite }, async () => {
    const { id } = await talk(kSecret);
    const [{ token, id: shareId }, { token: lasting }] = [await share(id), await share(id, { expires_in_days: null })];
    await good(shared(token));
    await fixture.confab.stop();
    sql(fixture.confab, `UPDATE shares SET expires_at = ${Math.floor(Date.now() / 1000) - 1} WHERE hex(id) = '${shareId.slice(6).toUpperCase()}'`);
    await fixture.confab.boot();
    const never = await shared('A'.repeat(43));
    for (const path of ['', '/items/1', '/items/1/images/0']) {
      const res = await shared(token, path);
      gone(res);
      assert.equal(res.text, never.text);
    }
    const { data } = await good(owner('GET', `/api/shares?conversation=${id}`));
    assert.deepEqual(data.map((row) => row.expired), [false, true], 'its owner still sees it in the list');
    await good(shared(lasting));
  });

  it('comes back with a conversation that is restored', async () => {
    const { id } = await talk('words');
    const { token } = await share(id);
    await good(owner('POST', `/api/conversations/${id}/trash`, { json: {} }));
    gone(await shared(token));
    assertEnvelope(await owner('POST', `/api/conversations/${id}/shares`, { json: {} }), 409, { code: 'conversation_in_trash' });
    await good(owner('POST', `/api/conversations/${id}/restore`, { json: {} }));
    await good(shared(token));
  });

  it('is not there while its owner is suspended, and ends with their account', async () => {
    const { id } = await talk(kSecret);
    const { token } = await share(id);
    const { data } = await good(admin('GET', '/api/admin/users?limit=100'));
    const person = data.find(({ email }) => email === member.email);
    await good(admin('PATCH', `/api/admin/users/${person.id}`, { json: { suspended: true } }));
    gone(await shared(token));
    await good(admin('PATCH', `/api/admin/users/${person.id}`, { json: { suspended: false } }));
    await good(shared(token));
    await good(admin('DELETE', `/api/admin/users/${person.id}`));
    gone(await shared(token));
    await prepareAgain();
  });

  async function prepareAgain() {
    member = await fixture.confab.addMember('sharer2@example.org');
    owner = caller(fixture.confab, { cookie: await signIn(fixture.confab, member), headers: sameOrigin(fixture.confab) });
  }
});

describe('whoever has a link', () => {
  it('changes nothing with it, on any route', async () => {
    const { id, items } = await talk(kSecret, 'an answer');
    const { token, id: shareId } = await share(id);
    const before = (await shared(token)).text;
    const headers = { 'confab-share': token };
    const values = { id, item: items[0], position: 1, image: 0, name: 'x', section: 'keys', file: 'x', 'name...': 'x', 'rest...': 'x' };
    const harmless = /^\/api\/auth\/(setup|login|signup)$/;
    for (const { method, pattern, access } of JSON.parse(await fixture.confab.bareCommand(['routes', '--json']))) {
      if (method === 'GET' || harmless.test(pattern)) continue;
      assert.notEqual(access, 'open', `${method} ${pattern} is open`);
      const path = pattern.replace(/\{([^}]+)\}/g, (_, name) => (pattern.startsWith('/api/shares/') ? shareId : values[name]));
      assertEnvelope(await request(fixture.confab, method, path, { json: {}, headers }), 401);
      assertEnvelope(await request(fixture.confab, method, path, { json: {}, headers: { authorization: `Bearer ${token}` } }), 401);
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const path of ['', '/items/1', '/items/1/images/0']) assertEnvelope(await shared(token, path, { method, json: {} }), 405);
    }
    assert.equal((await shared(token)).text, before);
  });

  it('is slowed down beyond a rate, when they are not on this machine', async () => {
    const confab = await Confab.start({ args: ['--trusted-proxy', '127.0.0.1'] });
    try {
      const read = (address) => request(confab, 'GET', '/api/shared', { headers: { 'confab-share': 'x', 'x-forwarded-for': address, host: `127.0.0.1:${confab.port}` } });
      let refused;
      for (let i = 0; i < 620 && !refused; ++i) {
        const res = await read('203.0.113.7');
        if (res.status === 429) refused = { i, res };
      }
      assert.ok(refused?.i >= 600, 'after six hundred a minute');
      assertEnvelope(refused.res, 429, { code: 'too_many_requests' });
      assert.ok(Number(refused.res.headers['retry-after']) >= 1);
      gone(await read('203.0.113.8'));
    } finally {
      await confab.dispose();
    }
  });
});

describe('one’s own shares', () => {
  it('are listed with what they show and when they end, and revoked', async () => {
    const { id } = await talk('one');
    const other = await talk('two');
    const now = Math.floor(Date.now() / 1000);
    const week = await share(id, { expires_in_days: 7 });
    const never = await share(id, { expires_in_days: null });
    await share(other.id);
    assert.ok(Math.abs(week.expires_at - now - 7 * kDay) < 60);
    assert.equal(never.expires_at, null);
    const { data } = await good(owner('GET', `/api/shares?conversation=${id}`));
    assert.deepEqual(data.map((row) => row.id), [never.id, week.id]);
    assert.deepEqual(Object.keys(data[0]).sort(), ['conversation_id', 'created_at', 'expired', 'expires_at', 'id', 'object', 'title']);
    const all = await good(owner('GET', '/api/shares?limit=1'));
    assert.deepEqual([all.data.length, all.has_more, all.data[0].title], [1, true, 'A talk']);
    await good(owner('DELETE', `/api/shares/${week.id}`));
    assertEnvelope(await owner('DELETE', `/api/shares/${week.id}`), 404, { code: 'share_not_found' });
    assert.deepEqual((await good(owner('GET', `/api/shares?conversation=${id}`))).data.map((row) => row.id), [never.id]);
  });

  it('are nobody else’s to see, to make or to revoke', async () => {
    const { id } = await talk('mine');
    const made = await share(id);
    for (const other of [stranger, admin]) {
      assertEnvelope(await other('POST', `/api/conversations/${id}/shares`, { json: {} }), 404);
      assertEnvelope(await other('DELETE', `/api/shares/${made.id}`), 404);
      assertEnvelope(await other('GET', `/api/shares?conversation=${id}`), 404);
      assert.ok(!(await other('GET', '/api/shares')).text.includes(made.id));
    }
    await good(shared(made.token));
  });

  it('are checked', async () => {
    const { id } = await talk('words');
    for (const days of [0, -1, 4_000, '7', 1.5]) {
      assertEnvelope(await owner('POST', `/api/conversations/${id}/shares`, { json: { expires_in_days: days } }), 400, { param: 'expires_in_days' });
    }
    const empty = await good(owner('POST', '/v1/conversations', { json: {} }));
    assertEnvelope(await owner('POST', `/api/conversations/${empty.id}/shares`, { json: {} }), 400, { code: 'nothing_to_share' });
  });
});

describe('an administrator', () => {
  before(() => good(admin('PATCH', '/api/settings', { json: { sharing: 'on' } })));
  after(() => good(admin('PATCH', '/api/settings', { json: { sharing: 'on' } })));

  it('turns sharing off, with all links that there are', async () => {
    const { id } = await talk('words');
    const { token } = await share(id);
    assert.equal((await good(owner('GET', '/api/auth/me'))).sharing, true);
    assert.equal((await good(admin('PATCH', '/api/settings', { json: { sharing: 'off' } }))).sharing, 'off');
    assert.equal((await good(owner('GET', '/api/auth/me'))).sharing, false);
    gone(await shared(token));
    assertEnvelope(await owner('POST', `/api/conversations/${id}/shares`, { json: {} }), 403, { code: 'sharing_off' });
    assertEnvelope(await admin('PATCH', '/api/settings', { json: { sharing: 'maybe' } }), 400, { param: 'sharing' });
    await good(admin('PATCH', '/api/settings', { json: { sharing: 'on' } }));
    await good(shared(token));
  });
});
