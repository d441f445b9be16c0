// The usage ledger: what is counted, at which price, for whom it is shown, and as a table.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';
import { assertEnvelope, caller, open, sameOrigin, signIn } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

const fixture = useConfab({ prepare });
const kToday = () => new Date().toISOString().slice(0, 10);
let admin;
let people = 0;

async function prepare({ confab }) {
  admin = caller(confab, { cookie: await signIn(confab, kAdmin), headers: sameOrigin(confab) });
}

async function newPerson() {
  people += 1;
  const person = { email: `user${people}@example.org`, password: 'another long password' };
  const { id } = (await admin('POST', '/api/admin/users', { json: person })).json;
  const page = caller(fixture.confab, { cookie: await signIn(fixture.confab, person), headers: sameOrigin(fixture.confab) });
  const { key } = (await page('POST', '/api/keys', { json: { name: 'test' } })).json;
  return { ...person, id, key, page, api: caller(fixture.confab, { key }) };
}

const prices = async (data, currency = 'USD') => {
  const res = await admin('PUT', '/api/admin/prices', { json: { currency, data } });
  assert.equal(res.status, 200, res.text);
  return res.json;
};
const ask = async (api, model = 'script-echo', more = {}) => {
  const res = await api('POST', '/v1/responses', { json: { model, input: 'hello', ...more } });
  assert.equal(res.status, 200, res.text);
  return res.json;
};
const usage = async (api) => (await api('GET', '/api/usage')).json;
const counted = (api, requests) => eventually(async () => {
  const now = await usage(api);
  return now.total.requests === requests && now;
}, `${requests} answers are counted`);
const csv = async (api, path = '/api/usage/csv') => {
  const res = await api('GET', path);
  assert.equal(res.status, 200, res.text);
  assert.match(res.headers['content-type'], /^text\/csv/);
  assert.match(res.headers['content-disposition'], /attachment/);
  const [head, ...lines] = res.text.split('\r\n').filter(Boolean);
  const names = head.split(',');
  const split = (line) => [...line.matchAll(/"((?:[^"]|"")*)"|([^,]+)|(?<=,)(?=,|$)/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
  return lines.map((line) => Object.fromEntries(split(line).map((field, i) => [names[i], field])));
};

describe('a stored answer', () => {
  it('is counted once, as the model server counted it, with its key and its cost', async () => {
    await prices([{ model: 'script-*', input: 2.5, output: 10 }]);
    const { api } = await newPerson();
    const { usage: told } = await ask(api);
    const { total, data, currency, from, to } = await counted(api, 1);
    const cost = (told.input_tokens * 2.5 + told.output_tokens * 10) / 1e6;
    assert.deepEqual([total.input_tokens, total.output_tokens, currency, to], [told.input_tokens, told.output_tokens, 'USD', kToday()]);
    assert.ok(Math.abs(total.cost - cost) < 1e-9 && cost > 0, `${total.cost}, not ${cost}`);
    assert.equal(Date.parse(to) - Date.parse(from), 29 * 86_400_000);
    assert.deepEqual(data, [{ day: kToday(), model: 'script-echo', ...total }]);
    const [row] = await csv(api);
    assert.deepEqual([row.model, Number(row.input_tokens), Number(row.output_tokens), row.key_name, row.estimated, row.server.length > 0], ['script-echo', told.input_tokens, told.output_tokens, 'test', 'no', true]);
    assert.match(row.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(Number(row.cost).toFixed(9), cost.toFixed(9));
  });

  it('counts at what tokens cost when it ended', async () => {
    const { api } = await newPerson();
    await prices([]);
    await ask(api);
    assert.equal((await counted(api, 1)).total.cost, 0);
    await prices([{ model: 'script-echo', input: 1_000_000, output: 0 }, { model: '*', input: 5, output: 5 }], 'EUR');
    const { usage: told } = await ask(api);
    const now = await counted(api, 2);
    assert.equal(now.currency, 'EUR');
    assert.equal(now.total.cost, told.input_tokens);
    await prices([]);
  });

  it('that is not kept is counted all the same', async () => {
    const { api } = await newPerson();
    const { usage: told } = await ask(api, 'script-echo', { store: false });
    assert.equal((await counted(api, 1)).total.output_tokens, told.output_tokens);
  });

  it('that is cut off counts for what came, as an estimate', async () => {
    const { api, key } = await newPerson();
    const res = await open(fixture.confab, 'POST', '/v1/responses', { key, json: { model: 'script-words-n15000-i10', input: 'go', stream: true } });
    let text = '';
    res.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', () => {});
    await eventually(() => text.includes(' w30'), 'something came');
    res.destroy();
    const { total } = await counted(api, 1);
    assert.ok(total.output_tokens >= 30 && total.output_tokens < 5_000 && total.input_tokens > 0, JSON.stringify(total));
    assert.equal((await csv(api))[0].estimated, 'yes');
  });

  it('that failed without a word counts for nothing', async () => {
    const { api } = await newPerson();
    assert.equal((await api('POST', '/v1/responses', { json: { model: 'script-error-500', input: 'x' } })).status, 502);
    assert.deepEqual((await usage(api)).data, []);
  });
});

describe('a relayed chat completion', () => {
  const chat = (api, more = {}) => api('POST', '/v1/chat/completions', { json: { model: 'script-words-n40', messages: [{ role: 'user', content: 'hello '.repeat(40) }], ...more } });

  it('is counted as the model server counted it', async () => {
    const { api } = await newPerson();
    const { json } = await chat(api);
    const { total } = await counted(api, 1);
    assert.deepEqual([total.input_tokens, total.output_tokens], [json.usage.prompt_tokens, json.usage.completion_tokens]);
    const streamed = await chat(api, { stream: true, stream_options: { include_usage: true } });
    const told = /"usage":(\{.*?\}(?:.*?\})?)/.exec(streamed.text.split('\n').filter((line) => line.includes('"usage":{')).at(-1))[1];
    const said = JSON.parse(told.endsWith('}}') ? told.slice(0, -1) : told);
    const after = (await counted(api, 2)).total;
    assert.deepEqual([after.input_tokens - total.input_tokens, after.output_tokens - total.output_tokens], [said.prompt_tokens, said.completion_tokens]);
    assert.deepEqual((await csv(api)).map((row) => row.estimated), ['no', 'no']);
  });

  it('is estimated when the model server says nothing', async () => {
    const { api } = await newPerson();
    assert.equal((await chat(api, { stream: true })).status, 200);
    const { total } = await counted(api, 1);
    assert.ok(total.output_tokens >= 35 && total.output_tokens <= 60, `40 words: ${total.output_tokens}`);
    assert.ok(total.input_tokens >= 40 && total.input_tokens <= 120, `40 words: ${total.input_tokens}`);
    assert.equal((await csv(api))[0].estimated, 'yes');
  });

  it('that was refused is not counted', async () => {
    const { api } = await newPerson();
    assert.equal((await chat(api, { model: 'script-error-500' })).status, 502);
    assert.deepEqual((await usage(api)).data, []);
  });

  it('is not lost by a stop', async () => {
    const { api } = await newPerson();
    assert.equal((await chat(api)).status, 200);
    await fixture.confab.restart();
    admin = caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    assert.equal((await usage(api)).total.requests, 1);
  });

  it('adds no commit of its own to each answer', async () => {
    const { api } = await newPerson();
    const commits = async () => Number(/^confab_store_commits_total (\d+)/m.exec((await api('GET', '/metrics')).text)[1]);
    await chat(api);
    await counted(api, 1);
    const before = await commits();
    const begin = performance.now();
    await Promise.all(Array.from({ length: 100 }, () => chat(api)));
    await counted(api, 101);
    const seconds = (performance.now() - begin) / 1000;
    const made = await commits() - before;
    assert.ok(made <= 30 + 20 * seconds && made < 90, `${made} commits for 100 answers in ${seconds} s`);
  });
});

describe('sums', { skip: kNoSqlite }, () => {
  it('are what the ledger adds up to', async () => {
    await fixture.confab.stop();
    const [line] = sql(fixture.confab, `SELECT (SELECT count(*) FROM usage_ledger WHERE input_tokens + output_tokens > 0) AS n,
      (SELECT sum(input_tokens + output_tokens) FROM usage_ledger) AS tokens, (SELECT sum(requests) FROM usage_days WHERE user_no = 0) AS all_n,
      (SELECT sum(requests) FROM usage_days WHERE user_no > 0) AS days_n, (SELECT sum(requests) FROM usage_months WHERE key_id = X'') AS months_n,
      (SELECT sum(input_tokens + output_tokens) FROM usage_days WHERE user_no > 0) AS days_tokens,
      (SELECT sum(input_tokens + output_tokens) FROM usage_months WHERE key_id = X'') AS months_tokens`);
    for (const statement of ['DELETE FROM usage_ledger', 'UPDATE usage_ledger SET output_tokens = 0']) {
      assert.throws(() => sql(fixture.confab, statement), /the usage ledger is only added to/, statement);
    }
    await fixture.confab.boot();
    admin = caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    const [n, tokens, ...sums] = line.split('|').map(Number);
    assert.ok(n > 100);
    assert.deepEqual(sums, [n, n, n, tokens, tokens]);
  });
});

describe('pages', () => {
  it('show one’s own, and administrators everybody’s', async () => {
    const [one, other] = [await newPerson(), await newPerson()];
    await ask(one.api);
    await counted(one.api, 1);
    assert.equal((await usage(other.api)).total.requests, 0);
    const all = (await admin('GET', '/api/admin/usage?days=7')).json;
    assert.ok(all.total.requests >= 1);
    const hers = (await admin('GET', `/api/admin/usage?user=${one.id}`)).json;
    assert.deepEqual(hers.data, (await usage(one.api)).data);
    assert.ok((await csv(admin, '/api/admin/usage/csv')).some((row) => row.person === one.email));
    assert.ok((await csv(admin, `/api/admin/usage/csv?user=${one.id}`)).every((row) => row.person === one.email));
    assert.ok((await csv(one.api)).every((row) => row.person === one.email));
  });

  it('name people this month, page by page', async () => {
    const seen = [];
    let path = '/api/admin/usage/people?limit=1';
    for (let i = 0; i < 50 && path; i += 1) {
      const { json } = await admin('GET', path);
      assert.ok(json.data.length <= 1);
      seen.push(...json.data);
      path = json.next && `/api/admin/usage/people?limit=1&after=${json.next}`;
    }
    assert.ok(seen.length > 2);
    assert.equal(new Set(seen.map(({ email }) => email)).size, seen.length);
    const all = (await admin('GET', '/api/admin/usage/people?limit=100')).json;
    assert.deepEqual(all.data, seen);
    assert.deepEqual([all.has_more, all.next], [false, null]);
  });

  it('refuse nonsense', async () => {
    const { api } = await newPerson();
    for (const days of ['0', '401', 'x', '-1', '1.5', '']) {
      assertEnvelope(await api('GET', `/api/usage?days=${days}`), 400, { param: 'days' });
      assertEnvelope(await api('GET', `/api/usage/csv?days=${days}`), 400, { param: 'days' });
    }
    assertEnvelope(await admin('GET', '/api/admin/usage?user=5'), 400, { param: 'user' });
    assertEnvelope(await admin('GET', '/api/admin/usage?user=user_00000000000000000000000000000000'), 404);
    for (const [query_, param] of [['after=x', 'after'], ['after=-1', 'after'], ['limit=0', 'limit'], ['limit=101', 'limit']]) {
      assertEnvelope(await admin('GET', `/api/admin/usage/people?${query_}`), 400, { param });
    }
  });
});

describe('prices', () => {
  it('are checked', async () => {
    for (const [json, param] of [
      [{}, 'data'], [{ data: {} }, 'data'], [{ data: [5] }, 'data[0]'], [{ data: [{ input: 1 }] }, 'data[0].model'], [{ data: [{ model: ' ', input: 1 }] }, 'data[0].model'],
      [{ data: [{ model: 'x', input: -1 }] }, 'data[0].input'], [{ data: [{ model: 'x', output: 'much' }] }, 'data[0].output'], [{ data: [{ model: 'x', input: 1e9 }] }, 'data[0].input'],
      [{ data: [], currency: 'much too long' }, 'currency'], [{ data: [], currency: '' }, 'currency'], [{ data: Array.from({ length: 501 }, () => ({ model: 'x' })) }, 'data'],
    ]) {
      assertEnvelope(await admin('PUT', '/api/admin/prices', { json }), 400, { param });
    }
  });

  it('are kept in order, through a restart, and cached input costs what input costs unless it is said', async () => {
    const data = [{ model: 'a', input: 0.15, output: 0.6 }, { model: 'a*', input: 3, cached_input: 0.3, output: 15 }];
    const set = await prices(data, 'CHF');
    await fixture.confab.restart();
    admin = caller(fixture.confab, { cookie: await signIn(fixture.confab, kAdmin), headers: sameOrigin(fixture.confab) });
    const { json } = await admin('GET', '/api/admin/prices');
    assert.deepEqual(json, set);
    assert.deepEqual([json.currency, json.data], ['CHF', [{ model: 'a', input: 0.15, cached_input: 0.15, output: 0.6 }, { model: 'a*', input: 3, cached_input: 0.3, output: 15 }]]);
    await prices([]);
  });
});

describe('a table for spreadsheets', () => {
  it('holds nothing that one would run', async () => {
    const person = await newPerson();
    const { page } = person;
    const names = ['=HYPERLINK("http://evil","x")', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', 'a "quoted", name', 'two\nlines'];
    for (const name of names) {
      const { key } = (await page('POST', '/api/keys', { json: { name } })).json;
      await ask(caller(fixture.confab, { key }));
    }
    await counted(person.api, names.length);
    const { text } = await page('GET', '/api/usage/csv');
    const lines = text.split('\r\n').slice(1, -1);
    assert.equal(lines.length, names.length, 'a line for each, whatever is in the names');
    for (const line of lines) assert.ok(!/(^|,)"?[=+@\t\r-]/.test(line), line);
    assert.ok(text.includes(`"'=HYPERLINK(""http://evil"",""x"")"`), text);
  });

  it('is as long as the ledger, whatever its length', async () => {
    const person = await newPerson();
    for (let i = 0; i < 12; i += 1) await Promise.all(Array.from({ length: 50 }, () => person.api('POST', '/v1/chat/completions', { json: { model: 'script-echo', messages: [{ role: 'user', content: 'x' }] } })));
    await counted(person.api, 600);
    const rows = await csv(person.api);
    assert.equal(rows.length, 600, 'more than one page of it');
  });
});
