// Whether all is well with the server, said in words.
import { bytes } from './figures';
import { ago } from './time';

export interface Finding {
  code: string;
  serious: boolean;
  about: string | null;
}

export interface ServerHealth {
  name: string;
  base_url: string;
  ok: boolean | null; // null: nobody has looked yet
  error: string | null;
  models: number;
  answered_ms: number | null;
  last_failure: { at: number; code: string; message: string } | null;
  in_flight: number;
  waiting: number;
  slots: number;
}

export interface Health {
  status: 'ok' | 'trouble';
  at: number;
  started_at: number;
  version: string;
  findings: Finding[];
  store: {
    ok: boolean;
    error: string | null;
    answered_ms: number;
    database_bytes: number | null;
    log_bytes: number;
    disk_free_bytes: number | null;
    disk_bytes: number | null;
    last_backup_at: number | null;
  };
  upstreams: ServerHealth[];
  memory: { usage_bytes: number; limit_bytes: number; level: number; given_up: string[] };
  answers: number;
  connections: number;
}

export interface Said {
  key: string;
  serious: boolean;
  what: string;
  todo: string;
}

const sentence = (text: string | null | undefined) => (text ? `${text}${/[.!?]$/.test(text) ? '' : '.'} ` : '');

// What is wrong, and what to do about it, for whoever has never heard of it. Memory is one matter, however much is given up.
export function said(health: Health): Said[] {
  const { store } = health;
  const words: Record<string, (about: string) => [string, string]> = {
    disk_full: () => ['The disk is full: nothing can be saved.', 'Make room on it, or enlarge it. What people write until then is refused and not lost silently.'],
    store_failing: () => ['The database does not answer.', `${sentence(store.error)}Nothing can be saved. Look into the server’s log; when the disk is sound, start the server again.`],
    disk_low: () => [`The disk has only ${bytes(store.disk_free_bytes ?? 0)} left.`, 'Make room on it soon. When it is full, nothing can be saved.'],
    log_large: () => [`The write-ahead log of the database has grown to ${bytes(store.log_bytes)}.`, 'Something reads for very long, a backup for instance. It becomes small again when that has ended; if it does not, start the server again.'],
    upstream_unreachable: (name) => [
      `The model server “${name}” cannot be reached.`,
      `${sentence(health.upstreams.find((one) => one.name === name)?.error)}See that it runs, and that its address and key are right. It is tried again by itself.`,
    ],
    upstream_without_models: (name) => [`The model server “${name}” has no models.`, 'Load one there. It appears here by itself.'],
    memory_short: () => ['Memory is short: the server does less until there is room again.', 'What it gives up is shown below. If this comes often, give it more memory, or limit what people may use.'],
    stopping: () => ['The server is shutting down.', 'Answers under way are finished, new ones are refused.'],
    no_upstream: () => ['No model server is connected.', 'Connect one under “Model servers”. Until then a built-in demo answers.'],
    no_backup: () => ['No backup was made yet.', 'Run “confab backup FILE” on the server; it may go on working meanwhile.'],
    backup_old: () => [`The last backup was made ${ago(store.last_backup_at, health.at)}.`, 'Run “confab backup FILE” on the server regularly.'],
  };
  const told = new Map<string, Said>();
  for (const { code, serious, about } of health.findings) {
    const [what, todo] = words[code]?.(about ?? '') ?? [code, about ?? ''];
    const key = code === 'memory_short' ? code : `${code} ${about ?? ''}`;
    if (!told.has(key)) told.set(key, { key, serious, what, todo });
  }
  return [...told.values()].sort((a, b) => Number(b.serious) - Number(a.serious));
}
