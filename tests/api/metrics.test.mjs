// The meters: what is exported is documented and the other way round, the dashboard asks for nothing else, the history moves, and what a
// turn does shows in them.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { kAdmin, useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, request, sameOrigin, signIn } from '../support/http.mjs';
import { poll } from '../support/events.mjs';
import { eventually } from '../support/images.mjs';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const fixture = useConfab({
  prepare: async (made) => { made.admin = caller(made.confab, { cookie: await signIn(made.confab, kAdmin), headers: sameOrigin(made.confab) }); },
});
const kSampleMs = 5_000;

/** {name: {type, samples: Map(line without value -> value)}} */
async function metrics() {
  const res = await request(fixture.confab, 'GET', '/metrics');
  assert.equal(res.status, 200);
  const families = {};
  for (const [, name, type] of res.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) families[name] = { type, samples: new Map() };
  for (const [, series, value] of res.text.matchAll(/^([^#\s]\S*) (\S+)$/gm)) {
    const name = series.split('{')[0];
    const family = families[name] ?? families[name.replace(/_(bucket|sum|count)$/, '')];
    assert.ok(family, `${series} has no type`);
    family.samples.set(series, Number(value));
  }
  return families;
}

const valueOf = (families, name) => families[name].samples.get(name);

const resources = (query = '') => fixture.admin('GET', `/api/admin/resources${query}`);

function documented() {
  const rows = [...read('docs/metrics.md').matchAll(/^\| `([a-z0-9_]+)` \| (counter|gauge|histogram)(?: with `[a-z_]+`)? \| ([^|]+) \| ([^|]+) \|$/gm)];
  for (const [, name, , unit, meaning] of rows) assert.ok(unit.trim() && meaning.trim(), `${name} has a unit and a meaning`);
  assert.equal(new Set(rows.map(([, name]) => name)).size, rows.length, 'a metric is documented twice');
  return Object.fromEntries(rows.map(([, name, type]) => [name, type]));
}

describe('the list of metrics', () => {
  it('is what the server exports, with its types', async () => {
    const exported = Object.fromEntries(Object.entries(await metrics()).map(([name, { type }]) => [name, type]));
    assert.deepEqual(documented(), exported);
  });

  it('has the units in the names', () => {
    for (const [name, type] of Object.entries(documented())) {
      assert.equal(/_total$/.test(name), type === 'counter', `${name} is a ${type}`);
      assert.match(name, /^(confab|process)_[a-z0-9_]+$/);
    }
  });

  it('has everything that the dashboard asks for', () => {
    const names = documented();
    const expressions = JSON.parse(read('packaging/grafana/confab.json')).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const asked = expressions.flatMap((expr) => expr.match(/\b(?:confab|process)_[a-z0-9_]+/g));
    assert.ok(asked.length > 30, 'the dashboard asks for something');
    for (const name of asked) {
      const histogram = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(names[name] || names[histogram] === 'histogram', `the dashboard asks for ${name}`);
    }
  });
});

describe('the meters', () => {
  it('show what a turn did', async () => {
    const before = await metrics();
    const { client } = fixture;
    const { id } = await client.conversations.create();
    for (let i = 0; i < 3; i += 1) await client.responses.create({ model: 'script-words-n20', input: 'x', conversation: id });
    await client.conversations.items.list(id);
    const after = await metrics();
    const grown = (name, series = name) => after[name].samples.get(series) - before[name].samples.get(series);
    assert.equal(grown('confab_runs_started_total'), 3);
    for (const name of ['prompt_bytes', 'answer_bytes', 'first_token_seconds', 'duration_seconds']) {
      assert.equal(grown(`confab_run_${name}`, `confab_run_${name}_count`), 3, name);
    }
    assert.ok(grown('confab_run_answer_bytes', 'confab_run_answer_bytes_sum') > 3 * 20 * 2, 'the bytes of the answers');
    assert.ok(grown('confab_run_prompt_bytes', 'confab_run_prompt_bytes_sum') > 3 * 50, 'the bytes of the prompts');
    assert.ok(grown('confab_store_page_rows', 'confab_store_page_rows_count') >= 1, 'a page was read');
    assert.equal(grown('confab_store_group_operations', 'confab_store_group_operations_sum'), grown('confab_store_operations_total'));
    assert.ok(grown('confab_store_commit_seconds', 'confab_store_commit_seconds_count') >= 6, 'commits took time');
    assert.ok(grown('confab_store_reads_total') >= 1);
    assert.ok(grown('confab_http_connections_reused_total') >= 1, 'the client keeps its connection');
    const reused = (meters) => meters.confab_upstream_connections_reused_total.samples.get('confab_upstream_connections_reused_total');
    await eventually(async () => reused(await metrics()) - reused(before) >= 2, 'connections to the model server are counted with the next tick');
    assert.ok(grown('confab_allocations_total') > 100 && grown('confab_allocated_bytes_total') > 10_000);
    assert.ok(grown('process_cpu_seconds_total') > 0);
  });

  it('know what is open, and the most that was', async () => {
    const now = await poll(metrics, (families) => valueOf(families, 'confab_upstream_connections_live') >= 1);
    assert.equal(valueOf(now, 'confab_store_connections_live'), valueOf(now, 'confab_store_connections_peak'));
    assert.ok(valueOf(now, 'confab_upstream_connections_live') >= 1, 'a connection is kept');
    assert.ok(valueOf(now, 'confab_upstream_connections_live') <= valueOf(now, 'confab_upstream_connections_peak'));
    assert.ok(valueOf(now, 'confab_http_connections_live') >= 1 && valueOf(now, 'confab_http_connections_live') <= valueOf(now, 'confab_http_connections_peak'));
    assert.ok(valueOf(now, 'process_open_fds') > 10 && valueOf(now, 'process_open_fds') <= valueOf(now, 'confab_process_open_fds_peak'));
    assert.ok(valueOf(now, 'process_max_fds') >= valueOf(now, 'process_open_fds'));
    assert.ok(valueOf(now, 'process_resident_memory_bytes') > 1e6);
    assert.ok(valueOf(now, 'process_threads') >= 5);
    assert.ok(Math.abs(valueOf(now, 'process_start_time_seconds') - Date.now() / 1000) < 600);
    assert.ok(valueOf(now, 'confab_runs_peak') >= 1);
  });

  it('count the connections that the model server sees, and their end', async () => {
    const open = () => fixture.model.stats().live_sockets;
    const live = async () => valueOf(await metrics(), 'confab_upstream_connections_live');
    const streams = await Promise.all(Array.from({ length: 4 }, () => fixture.client.chat.completions.create(
      { model: 'script-words-n200-i20', stream: true, messages: [{ role: 'user', content: 'x' }] })));
    await poll(live, (count) => count >= 4 && count === open());
    for (const stream of streams) stream.controller.abort();
    await poll(live, (count) => count < 4 && count === open());
  });
});

describe('GET /api/admin/resources', () => {
  it('gives the same meters as /metrics', async () => {
    const { json, status } = await resources();
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(json.meters).sort(), Object.keys(await metrics()).sort());
    assert.deepEqual(Object.keys(json.meters.confab_upstream_slots_limit), ['default']);
    const { bounds, counts, sum } = json.meters.confab_store_group_operations;
    assert.equal(counts.length, bounds.length + 1);
    assert.ok(sum >= counts.reduce((all, one) => all + one));
    assert.ok(json.meters.confab_store_commit_seconds.bounds[0] < 0.01, 'in seconds');
  });

  it('keeps a history that grows, and gives what is new of it', async () => {
    const first = await poll(async () => (await resources()).json, ({ history }) => history.at.length >= 1, { withinMs: 4 * kSampleMs });
    const { history } = first;
    assert.equal(history.interval_seconds * history.samples_max, 15 * 60);
    for (const [name, values] of Object.entries(history.series)) {
      assert.equal(values.length, history.at.length, name);
      assert.notEqual(first.meters[name], undefined, `${name} is a meter`);
    }
    assert.ok(history.series.process_resident_memory_bytes.at(-1) > 1e6);
    const newest = history.at.at(-1);
    await fixture.client.responses.create({ model: 'script-echo', input: 'x' });
    const next = await poll(async () => (await resources(`?since=${newest}`)).json, (json) => json.history.at.length > 0, { withinMs: 4 * kSampleMs });
    assert.ok(next.history.at.every((at) => at > newest));
    assert.ok(next.history.at.length <= 2, 'only what is new');
    const started = next.history.series.confab_runs_started_total;
    const seconds = next.history.at[0] - newest;
    assert.ok(Math.abs(started[0] * seconds - 1) < 0.01 || started[1] > 0, `one answer in ${seconds} s is ${started}`);
  });

  it('says who holds what, and what is given up when memory runs short', async () => {
    const stream = await fixture.client.responses.create({ model: 'script-words-n400-i10', input: 'x', stream: true });
    const held = await poll(async () => (await resources()).json.held, ({ users }) => users.some(({ runs }) => runs > 0));
    const [user] = held.users;
    assert.equal(user.email, kAdmin.email);
    assert.match(user.id, /^user_/);
    assert.equal(user.runs, 1);
    assert.ok(user.bytes >= 32 * 1024 && held.purposes.runs >= 32 * 1024, 'what an answer leases to begin with');
    stream.controller.abort();
    await poll(async () => (await resources()).json.held, ({ purposes }) => purposes.runs === 0);
    const { pressure, meters } = (await resources()).json;
    assert.ok(pressure.usage_bytes > 1e6 && pressure.limit_bytes > pressure.usage_bytes);
    assert.ok(Math.abs(pressure.level - pressure.usage_bytes / pressure.limit_bytes) < 0.01);
    assert.deepEqual(pressure.actions.map(({ begins_at }) => begins_at), [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]);
    assert.deepEqual(pressure.actions.map(({ name }) => name), Object.keys(meters.confab_pressure_active));
    for (const { active, name, meaning } of pressure.actions) assert.ok(meaning && meters.confab_pressure_active[name] === Number(active));
    assert.equal(meters.confab_shed_total.run_refused, 0);
  });

  it('refuses what is no time', async () => {
    for (const since of ['x', '-1', '1.5', '']) assertEnvelope(await resources(`?since=${since}`), 400, { param: 'since' });
  });
});
