// What people and keys may use. The names and units are those of docs/api.md.
export const limitKinds = [
  { id: 'requests_per_minute', name: 'Answers per minute' },
  { id: 'tokens_per_minute', name: 'Tokens per minute' },
  { id: 'requests_per_month', name: 'Answers per month' },
  { id: 'tokens_per_month', name: 'Tokens per month' },
  { id: 'concurrent_answers', name: 'Answers at once' },
  { id: 'storage_bytes', name: 'Storage for files (MiB)' },
] as const;

export type LimitKind = (typeof limitKinds)[number]['id'];

// null: as everybody, or none for everybody.
export type Limits = Record<LimitKind, number | 'unlimited' | null>;

const mib = 1024 * 1024;

// As a person reads and writes it: '' for null, a star for no limit.
export function limitText(kind: LimitKind, value: Limits[LimitKind]): string {
  if (value === null) return '';
  if (value === 'unlimited') return '*';
  return String(kind === 'storage_bytes' ? Math.round(value / mib) : value);
}

// Undefined: it cannot be understood.
export function parseLimit(kind: LimitKind, text: string): Limits[LimitKind] | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (trimmed === '*') return 'unlimited';
  if (!/^\d{1,12}$/.test(trimmed)) return undefined;
  return Number(trimmed) * (kind === 'storage_bytes' ? mib : 1);
}
