// What is wrong with a server, in words.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { said, type Finding, type Health } from '../src/lib/health';

const health = (findings: Finding[], store: Partial<Health['store']> = {}): Health => ({
  status: findings.some((one) => one.serious) ? 'trouble' : 'ok',
  at: 1_000_000,
  started_at: 999_000,
  version: '1',
  findings,
  store: { ok: true, error: null, answered_ms: 1, database_bytes: 1, log_bytes: 1, disk_free_bytes: 500 * 1024 * 1024, disk_bytes: 1e12, last_backup_at: null, ...store },
  upstreams: [{ name: 'big', base_url: 'http://127.0.0.1:1/v1', ok: false, error: 'Connection refused.', models: 0, answered_ms: null, last_failure: null, in_flight: 0, waiting: 0, slots: 0 }],
  memory: { usage_bytes: 1, limit_bytes: 2, level: 0.5, given_up: [] },
  answers: 0,
  connections: 1,
});

test('nothing is said when all is well', () => assert.deepEqual(said(health([])), []));

test('every finding is told with what to do, the serious ones first', () => {
  const codes = ['no_backup', 'no_upstream', 'backup_old', 'disk_full', 'store_failing', 'disk_low', 'log_large', 'upstream_unreachable', 'upstream_without_models', 'memory_short', 'stopping'];
  const told = said(health(codes.map((code, i) => ({ code, serious: i > 2, about: code.startsWith('upstream') ? 'big' : null }))));
  assert.equal(told.length, codes.length);
  for (const { what, todo } of told) assert.ok(what.length > 10 && todo.length > 10 && !codes.includes(what), what);
  assert.deepEqual(told.map((one) => one.serious), codes.map((_, i) => i < codes.length - 3));
});

test('a server’s own words are part of it', () => {
  const [one] = said(health([{ code: 'upstream_unreachable', serious: true, about: 'big' }]));
  assert.ok(one!.what.includes('“big” cannot be reached'));
  assert.ok(one!.todo.startsWith('Connection refused. '));
});

test('memory is one matter, however much is given up', () => {
  const short = ['defer_background', 'refuse_uploads'].map((about) => ({ code: 'memory_short', serious: true, about }));
  assert.equal(said(health(short)).length, 1);
});

test('what a newer server finds is shown as it is', () => {
  const [one] = said(health([{ code: 'something_new', serious: true, about: 'here' }]));
  assert.deepEqual([one!.what, one!.todo], ['something_new', 'here']);
});
