// Many people, kept apart: roles, signing up, invitations, suspension, and what administrators do with other people's accounts.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, cookieHeader, open, request, sameOrigin, signIn } from '../support/http.mjs';

const fixture = useConfab({ prepare });
const kPassword = 'a long enough password';
let admin;
let self;

async function prepare({ confab }) {
  admin = as(await signIn(confab, kAdmin), confab);
  self = (await admin('GET', '/api/auth/me')).json.user;
}

function as(cookie, confab = fixture.confab) {
  const api = caller(confab, { cookie, headers: sameOrigin(confab) });
  api.cookie = cookie;
  return api;
}

const login = (email, password = kPassword) => request(fixture.confab, 'POST', '/api/auth/login', { json: { email, password }, headers: sameOrigin(fixture.confab) });
const signUp = (json, options = {}) => request(fixture.confab, 'POST', '/api/auth/signup', { json: { password: kPassword, ...json }, headers: sameOrigin(fixture.confab), ...options });
const settings = async (json) => assert.equal((await admin('PATCH', '/api/settings', { json })).status, 200);
const change = (user, json) => admin('PATCH', `/api/admin/users/${user.id}`, { json });
const publicPart = ({ id, email, name, role, created_at }) => ({ id, email, name, role, created_at });

/** A person made by the administrator, signed in, with a key. */
async function newPerson(email, role = 'member') {
  const made = await admin('POST', '/api/admin/users', { json: { email, password: kPassword, role } });
  assert.equal(made.status, 201, made.text);
  const api = as(await signIn(fixture.confab, { email, password: kPassword }));
  const key = (await api('POST', '/api/keys', { json: { name: 'test' } })).json.key;
  return { ...made.json, api, key };
}

async function invite(json = {}) {
  const res = await admin('POST', '/api/admin/invitations', { json });
  assert.equal(res.status, 201, res.text);
  return res.json;
}

describe('signing up', () => {
  it('is off to begin with', async () => {
    assert.equal((await request(fixture.confab, 'GET', '/api/status')).json.signup, 'off');
    const { json } = await admin('GET', '/api/settings');
    assert.deepEqual([json.signup, json.signup_role], ['off', 'pending']);
    assertEnvelope(await signUp({ email: 'stranger@example.org' }), 403, { code: 'signup_off' });
    assertEnvelope(await signUp({ email: 'stranger@example.org', invitation: 'x'.repeat(43) }), 403, { code: 'signup_off' });
    assertEnvelope(await admin('POST', '/api/admin/invitations', { json: {} }), 409, { code: 'signup_off' });
    for (const [name, value] of [['signup', 'yes'], ['signup', true], ['signup_role', 'admin'], ['signup_role', 5]]) {
      assertEnvelope(await admin('PATCH', '/api/settings', { json: { [name]: value } }), 400, { param: name });
    }
  });

  it('when open makes people who wait until an administrator lets them in', async () => {
    await settings({ signup: 'open' });
    assert.equal((await request(fixture.confab, 'GET', '/api/status')).json.signup, 'open');
    const res = await signUp({ email: ' Waiting@Example.org ', name: 'W', role: 'admin', suspended_at: null });
    assert.equal(res.status, 201, res.text);
    assert.deepEqual([res.json.user.email, res.json.user.name, res.json.user.role], ['waiting@example.org', 'W', 'pending']);
    assert.equal(res.headers['set-cookie'], undefined, 'no session');
    assertEnvelope(await login('waiting@example.org', 'the wrong password'), 401, { code: 'invalid_credentials' });
    const told = await login('waiting@example.org');
    assertEnvelope(told, 403, { code: 'account_pending' });
    assert.equal(told.headers['set-cookie'], undefined);
    const listed = (await admin('GET', '/api/admin/users')).json.data.find((user) => user.email === 'waiting@example.org');
    assert.deepEqual(publicPart(listed), res.json.user);
    assert.equal((await change(listed, { role: 'member' })).json.role, 'member');
    assert.equal((await login('waiting@example.org')).status, 200);
  });

  it('when open to members signs them in', async () => {
    await settings({ signup: 'open', signup_role: 'member' });
    const res = await signUp({ email: 'welcome@example.org' });
    assert.equal(res.status, 201, res.text);
    assert.equal(res.json.user.role, 'member');
    assert.deepEqual((await as(cookieHeader(res))('GET', '/api/auth/me')).json.user, res.json.user);
    assertEnvelope(await as(cookieHeader(res))('GET', '/api/admin/users'), 403, { code: 'admin_required' });
    await settings({ signup_role: 'pending' });
  });

  it('checks what it is given', async () => {
    await settings({ signup: 'open' });
    for (const [json, param] of [[{ email: 'x' }, 'email'], [{ email: 5 }, 'email'], [{}, 'email'], [{ email: 'a@b.c', password: 'short' }, 'password'],
      [{ email: 'a@b.c', password: null }, 'password'], [{ email: 'a@b.c', name: 'n'.repeat(201) }, 'name'], [{ email: 'a@b.c', invitation: [] }, 'invitation'],
      [{ email: 'a@b.c', invitation: 'x'.repeat(300) }, 'invitation']]) {
      assertEnvelope(await signUp(json), 400, { param });
    }
    assertEnvelope(await signUp({ email: kAdmin.email }), 409, { code: 'email_taken', param: 'email' });
    assertEnvelope(await signUp({ email: 'a@b.c' }, { headers: { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' } }), 403, { code: 'cross_site_request' });
  });

  it('is slowed down for who keeps failing', async () => {
    await settings({ signup: 'invitation' });
    const again = () => signUp({ email: 'guesser@example.org', invitation: 'x'.repeat(43) });
    let res;
    for (let tries = 0; tries < 10; ++tries) {
      res = await again();
      if (res.status === 429) break;
      assertEnvelope(res, 403, { code: 'invitation_invalid', param: 'invitation' });
    }
    assertEnvelope(res, 429, { code: 'too_many_signups' });
    assert.ok(Number(res.headers['retry-after']) >= 1);
  });
});

describe('an invitation', () => {
  it('lets one person in, once', async () => {
    await settings({ signup: 'invitation' });
    assertEnvelope(await signUp({ email: 'uninvited@example.org' }), 403, { code: 'invitation_required', param: 'invitation' });
    const made = await invite({ note: 'for Ada' });
    assert.match(made.id, /^inv_/);
    assert.match(made.token, /^\S{43}$/);
    assert.equal(made.path, `/signup#${made.token}`);
    assert.deepEqual([made.note, made.role, made.status, made.uses, made.uses_max], ['for Ada', 'member', 'open', 0, 1]);
    assert.equal(made.expires_at - made.created_at, 72 * 3600);
    assertEnvelope(await signUp({ email: kAdmin.email, invitation: made.token }), 409, { code: 'email_taken' });
    const race = await Promise.all([1, 2, 3].map((n) => signUp({ email: `racer${n}@example.org`, invitation: made.token })));
    assert.deepEqual(race.map((res) => res.status).sort(), [201, 403, 403]);
    const won = race.find((res) => res.status === 201);
    assert.equal((await as(cookieHeader(won))('GET', '/api/auth/me')).json.user.role, 'member');
    const { json: list, text } = await admin('GET', '/api/admin/invitations');
    const row = list.data.find(({ id }) => id === made.id);
    assert.deepEqual([row.status, row.uses], ['used', 1]);
    assert.ok(!text.includes(made.token), 'the token is shown once');
  });

  it('may be good for several, and for people who then wait', async () => {
    const made = await invite({ uses_max: 2, role: 'pending', expires_in_hours: 1 });
    assert.equal(made.expires_at - made.created_at, 3600);
    assert.equal((await signUp({ email: 'first@example.org', invitation: made.token })).json.user.role, 'pending');
    assert.equal((await signUp({ email: 'second@example.org', invitation: made.token })).status, 201);
    assertEnvelope(await signUp({ email: 'third@example.org', invitation: made.token }), 403, { code: 'invitation_invalid' });
    assertEnvelope(await login('first@example.org'), 403, { code: 'account_pending' });
  });

  it('can be withdrawn, and ends with the power of who made it', async () => {
    const made = await invite();
    assert.deepEqual((await admin('DELETE', `/api/admin/invitations/${made.id}`)).json, { id: made.id, deleted: true });
    assertEnvelope(await admin('DELETE', `/api/admin/invitations/${made.id}`), 404);
    assertEnvelope(await signUp({ email: 'late@example.org', invitation: made.token }), 403, { code: 'invitation_invalid' });
    const other = await newPerson('inviter@example.org', 'admin');
    const theirs = (await other.api('POST', '/api/admin/invitations', { json: {} })).json;
    await change(other, { role: 'member' });
    assertEnvelope(await signUp({ email: 'late@example.org', invitation: theirs.token }), 403, { code: 'invitation_invalid' });
  });

  it('is bounded', async () => {
    for (const [json, param] of [[{ uses_max: 0 }, 'uses_max'], [{ uses_max: 101 }, 'uses_max'], [{ expires_in_hours: 0 }, 'expires_in_hours'],
      [{ expires_in_hours: 721 }, 'expires_in_hours'], [{ expires_in_hours: 1.5 }, 'expires_in_hours'], [{ role: 'admin' }, 'role'], [{ note: 'n'.repeat(201) }, 'note'], [{ note: 5 }, 'note']]) {
      assertEnvelope(await admin('POST', '/api/admin/invitations', { json }), 400, { param });
    }
  });
});

describe('an administrator', () => {
  it('makes people, with a password of theirs or one that is shown once', async () => {
    const given = await admin('POST', '/api/admin/users', { json: { email: 'Given@example.org', name: 'Given', password: kPassword } });
    assert.equal(given.status, 201, given.text);
    assert.deepEqual(Object.keys(given.json).sort(), ['created_at', 'email', 'id', 'name', 'role', 'suspended_at']);
    assert.deepEqual([given.json.email, given.json.role, given.json.suspended_at], ['given@example.org', 'member', null]);
    const made = await admin('POST', '/api/admin/users', { json: { email: 'made@example.org', role: 'admin' } });
    assert.match(made.json.password, /^\S{20}$/);
    assert.equal((await login('made@example.org', made.json.password)).json.user.role, 'admin');
    const seen = await admin('GET', `/api/admin/users/${made.json.id}`);
    assert.ok(!seen.text.includes('password') && !seen.text.includes(made.json.password));
    for (const [json, param] of [[{ email: 'x' }, 'email'], [{ email: 'r@example.org', role: 'root' }, 'role'], [{ email: 'r@example.org', password: 'short' }, 'password']]) {
      assertEnvelope(await admin('POST', '/api/admin/users', { json }), 400, { param });
    }
    assertEnvelope(await admin('POST', '/api/admin/users', { json: { email: 'given@example.org' } }), 409, { code: 'email_taken' });
    for (const id of ['user_x', `user_${'0'.repeat(32)}`]) assertEnvelope(await admin('GET', `/api/admin/users/${id}`), 404);
  });

  it('sees everybody in pages', async () => {
    const seen = [];
    for (let after = '', more = true; more;) {
      const { json } = await admin('GET', `/api/admin/users?limit=3&order=asc&after=${after}`);
      assert.ok(json.data.length <= 3);
      seen.push(...json.data.map((user) => user.email));
      after = json.last_id;
      more = json.has_more;
    }
    assert.equal(seen[0], kAdmin.email);
    assert.ok(seen.length > 5);
    assert.equal(new Set(seen).size, seen.length);
    const newest = (await admin('GET', '/api/admin/users?limit=1')).json;
    assert.deepEqual([newest.data[0].email, newest.has_more], [seen.at(-1), true]);
    for (const query of ['limit=0', 'limit=101', 'order=up', 'after=conv_1']) assertEnvelope(await admin('GET', `/api/admin/users?${query}`), 400);
  });

  it('gives and takes roles, which is in force with the next request', async () => {
    const person = await newPerson('climber@example.org');
    assertEnvelope(await person.api('GET', '/api/upstreams'), 403, { code: 'admin_required' });
    await change(person, { role: 'admin', name: 'Climber' });
    // Several connections, so that several shards are asked.
    for (let n = 0; n < 8; ++n) assert.equal((await person.api('GET', '/api/upstreams')).status, 200);
    const back = await change(person, { role: 'member' });
    assert.deepEqual([back.json.role, back.json.name], ['member', 'Climber']);
    for (let n = 0; n < 8; ++n) assertEnvelope(await person.api('GET', '/api/upstreams'), 403, { code: 'admin_required' });
    assert.equal((await person.api('GET', '/api/auth/me')).status, 200, 'still signed in');
    assertEnvelope(await change(person, { role: 'king' }), 400, { param: 'role' });
    assertEnvelope(await change(person, { suspended: 'yes' }), 400, { param: 'suspended' });
  });

  it('suspends: sessions and keys end at once, on every shard, and do not come back', async () => {
    const person = await newPerson('suspect@example.org');
    for (let n = 0; n < 8; ++n) assert.equal((await person.api('GET', '/v1/conversations')).status, 200);
    const res = await change(person, { suspended: true });
    assert.equal(typeof res.json.suspended_at, 'number');
    for (let n = 0; n < 8; ++n) {
      assertEnvelope(await person.api('GET', '/v1/conversations'), 401, { code: 'not_signed_in' });
      assertEnvelope(await request(fixture.confab, 'GET', '/v1/models', { key: person.key }), 401, { code: 'invalid_api_key' });
    }
    assertEnvelope(await login('suspect@example.org'), 403, { code: 'account_suspended' });
    assertEnvelope(await login('suspect@example.org', 'the wrong password'), 401, { code: 'invalid_credentials' });
    assert.equal((await change(person, { suspended: false })).json.suspended_at, null);
    assertEnvelope(await person.api('GET', '/v1/conversations'), 401);
    assertEnvelope(await request(fixture.confab, 'GET', '/v1/models', { key: person.key }), 401);
    assert.equal((await login('suspect@example.org')).status, 200);
  });

  it('ends what a suspended person has under way within five seconds', async () => {
    for (const [name, path, body] of [['watcher', '/v1/responses', { model: 'script-words-n2000-i20', input: 'x', stream: true, background: true }],
      ['relayed', '/v1/chat/completions', { model: 'script-words-n2000-i20', messages: [{ role: 'user', content: 'x' }], stream: true }]]) {
      const person = await newPerson(`${name}@example.org`);
      const stream = await open(fixture.confab, 'POST', path, { json: body, key: person.key });
      assert.equal(stream.statusCode, 200);
      let bytes = 0;
      const ended = new Promise((resolve) => {
        stream.on('data', (data) => { bytes += data.length; });
        for (const event of ['end', 'close', 'error', 'aborted']) stream.on(event, resolve);
      });
      await sleep(300);
      assert.ok(bytes > 0, 'the answer is being made');
      const begin = performance.now();
      await change(person, { suspended: true });
      await ended;
      assert.ok(performance.now() - begin < 5_000, `${name} went on`);
    }
  });

  it('replaces a password, which ends the sessions', async () => {
    const person = await newPerson('forgetful@example.org');
    const res = await admin('POST', `/api/admin/users/${person.id}/password`, { json: {} });
    assert.equal(res.status, 200, res.text);
    assert.match(res.json.password, /^\S{20}$/);
    assertEnvelope(await person.api('GET', '/api/auth/me'), 401);
    assertEnvelope(await login('forgetful@example.org'), 401);
    assert.equal((await login('forgetful@example.org', res.json.password)).status, 200);
    const set = await admin('POST', `/api/admin/users/${person.id}/password`, { json: { password: 'one that was chosen' } });
    assert.equal(set.json.password, undefined);
    assert.equal((await login('forgetful@example.org', 'one that was chosen')).status, 200);
    assertEnvelope(await admin('POST', `/api/admin/users/${person.id}/password`, { json: { password: 'short' } }), 400, { param: 'password' });
    assertEnvelope(await admin('POST', `/api/admin/users/user_${'0'.repeat(32)}/password`, { json: {} }), 404, { code: 'user_not_found' });
    const own = await admin('POST', `/api/admin/users/${self.id}/password`, { json: { password: kAdmin.password } });
    assert.equal(own.status, 200);
    assert.equal((await admin('GET', '/api/auth/me')).status, 200, 'one’s own session stays');
  });

  it('ends all sessions and keys of a person', async () => {
    const person = await newPerson('everywhere@example.org');
    await login('everywhere@example.org');
    const res = await admin('POST', `/api/admin/users/${person.id}/end-access`, { json: {} });
    assert.deepEqual(res.json, { id: person.id, sessions_ended: 2, keys_ended: 1 });
    assertEnvelope(await person.api('GET', '/api/auth/me'), 401);
    assertEnvelope(await request(fixture.confab, 'GET', '/v1/models', { key: person.key }), 401);
    assert.equal((await login('everywhere@example.org')).status, 200);
    assert.equal((await admin('POST', `/api/admin/users/${self.id}/end-access`, { json: {} })).json.id, self.id);
    assert.equal((await admin('GET', '/api/auth/me')).status, 200, 'one’s own session stays');
  });

  it('deletes a person with all that was theirs, also when the program is killed meanwhile', async () => {
    const person = await newPerson('leaver@example.org');
    const conversations = [];
    for (let n = 0; n < 40; ++n) {
      conversations.push((await person.api('POST', '/v1/conversations', { json: { title: `t${n}`, items: [{ role: 'user', content: `quux words ${n}` }] } })).json.id);
    }
    const running = (await person.api('POST', '/v1/responses', { json: { model: 'script-words-n2000-i20', input: 'x', background: true } })).json.id;
    await person.api('POST', '/api/folders', { json: { name: 'folder' } });
    assert.deepEqual((await admin('DELETE', `/api/admin/users/${person.id}`)).json, { id: person.id, deleted: true });
    assertEnvelope(await person.api('GET', `/v1/conversations/${conversations[0]}`), 401);
    assertEnvelope(await request(fixture.confab, 'GET', `/v1/responses/${running}`, { key: person.key }), 401);
    assertEnvelope(await login('leaver@example.org'), 401, { code: 'invalid_credentials' });
    for (const method of ['GET', 'DELETE']) assertEnvelope(await admin(method, `/api/admin/users/${person.id}`), 404, { code: 'user_not_found' });
    assertEnvelope(await change(person, { suspended: false }), 404);
    assert.ok((await admin('GET', '/api/admin/users?limit=100')).json.data.every((user) => user.id !== person.id));
    await fixture.confab.kill();
    await fixture.confab.boot();
    const again = await newPerson('leaver@example.org');
    assert.notEqual(again.id, person.id);
    assert.equal((await again.api('GET', '/v1/conversations')).json.data.length, 0);
    assert.equal((await again.api('GET', '/api/search?q=quux')).json.data.length, 0);
    const doctor = await wiped();
    assert.ok(!/nobody/.test(doctor), doctor);
  });

  async function wiped() {
    await sleep(1_000);
    await fixture.confab.stop();
    const out = await fixture.confab.command(['doctor']);
    await fixture.confab.boot();
    return out;
  }

  it('stays one, if it is the last', async () => {
    const others = (await admin('GET', '/api/admin/users?limit=100')).json.data.filter((user) => user.role === 'admin' && user.id !== self.id);
    for (const user of others) await change(user, { role: 'member' });
    for (const json of [{ role: 'member' }, { role: 'pending' }, { suspended: true }]) {
      assertEnvelope(await change(self, json), 409, { code: 'last_administrator' });
    }
    assertEnvelope(await admin('DELETE', `/api/admin/users/${self.id}`), 409, { code: 'last_administrator' });
    assert.equal((await change(self, { role: 'admin', suspended: false })).status, 200);
    const deputy = await newPerson('deputy@example.org', 'admin');
    await change(deputy, { suspended: true });
    assertEnvelope(await change(self, { role: 'member' }), 409, { code: 'last_administrator' });
  });

  it('is shown in the list of the command line with the others’ states', async () => {
    const out = await fixture.confab.command(['user', 'list']);
    assert.match(out, /deputy@example\.org\s+admin \(suspended\)/);
    assert.match(out, /first@example\.org\s+pending/);
  });
});

describe('a member', () => {
  it('may do none of it, nor may a key, nor anybody else', async () => {
    const person = await newPerson('curious@example.org');
    const made = await invite();
    const routes = [['GET', '/api/admin/users'], ['POST', '/api/admin/users', { email: 'x@example.org' }], ['GET', `/api/admin/users/${person.id}`],
      ['PATCH', `/api/admin/users/${person.id}`, { role: 'admin' }], ['DELETE', `/api/admin/users/${self.id}`],
      ['POST', `/api/admin/users/${self.id}/password`, {}], ['POST', `/api/admin/users/${self.id}/end-access`, {}], ['GET', '/api/admin/invitations'],
      ['POST', '/api/admin/invitations', {}], ['DELETE', `/api/admin/invitations/${made.id}`], ['PATCH', '/api/settings', { signup: 'open' }]];
    for (const [method, path, json] of routes) {
      assertEnvelope(await person.api(method, path, { json }), 403, { code: 'admin_required' });
      for (const key of [person.key, fixture.confab.key].filter(Boolean)) {
        assertEnvelope(await request(fixture.confab, method, path, { json, key }), [401, 403]);
      }
      assertEnvelope(await request(fixture.confab, method, path, { json, headers: sameOrigin(fixture.confab) }), 401, { code: 'not_signed_in' });
      if (method !== 'GET') {
        const foreign = { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' };
        assertEnvelope(await request(fixture.confab, method, path, { json, cookie: admin.cookie, headers: foreign }), 403, { code: 'cross_site_request' });
      }
    }
    assert.equal((await admin('GET', `/api/admin/users/${person.id}`)).json.role, 'member');
    const { json } = await admin('GET', '/api/settings');
    assert.equal(json.signup, 'invitation');
  });

  it('cannot change what one is', async () => {
    const person = await newPerson('sly@example.org');
    await person.api('PATCH', '/api/me/settings', { json: { role: 'admin' } });
    assertEnvelope(await person.api('PATCH', '/api/auth/me', { json: { role: 'admin' } }), [404, 405]);
    assert.equal((await person.api('GET', '/api/auth/me')).json.user.role, 'member');
  });
});
