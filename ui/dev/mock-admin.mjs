// What administrators look at: who may use which model, and whether all is well.
import { randomBytes } from 'node:crypto';

export const people = ['Ada Lovelace', 'Grace Hopper', 'Alan Turing', 'Barbara Liskov', 'Edsger Dijkstra'].map((name, i) => ({
  id: `user_${randomBytes(16).toString('hex')}`,
  name,
  email: `${name.split(' ')[0].toLowerCase()}@example.org`,
  role: i === 0 ? 'admin' : 'member',
  created_at: 1_700_000_000 + i * 86_400,
  suspended_at: null,
}));

const access = { others: 'everybody', rules: new Map() };

const table = () => ({ object: 'model_access', others: access.others, data: [...access.rules.values()] });

/** `change` undefined: only looks. */
export function modelAccess(change) {
  if (change?.others) access.others = change.others;
  else if (change?.who) access.rules.set(change.model, { model: change.model, who: change.who, people: (change.people ?? []).map((id) => people.find((one) => one.id === id)) });
  else if (change) access.rules.delete(change.model);
  return table();
}

const startedAt = Date.now() / 1000 - 200_000;

export function health(upstreams) {
  const now = Math.floor(Date.now() / 1000);
  const gone = upstreams.filter((one) => !one.ok);
  return {
    object: 'health', status: gone.length ? 'trouble' : 'ok', at: now, started_at: Math.floor(startedAt), version: '0.1.0',
    findings: [...gone.map((one) => ({ code: 'upstream_unreachable', serious: true, about: one.name })), { code: 'no_backup', serious: false, about: null }],
    store: { ok: true, error: null, answered_ms: 3, database_bytes: 412_000_000, log_bytes: 4_200_000, disk_free_bytes: 120e9, disk_bytes: 500e9, last_backup_at: null },
    upstreams: upstreams.map((one) => ({
      name: one.name, base_url: one.base_url, ok: one.ok, error: one.error, models: 5, answered_ms: one.ok ? 12 : null,
      last_failure: one.ok ? null : { at: now - 300, code: 'upstream_unreachable', message: 'Connection refused.' }, in_flight: one.ok ? 3 : 0, waiting: one.ok ? 1 : 0, slots: one.slots ?? 0,
    })),
    memory: { usage_bytes: 48_000_000, limit_bytes: 512_000_000, level: 0.09, given_up: [] }, answers: 3, connections: 9,
  };
}
