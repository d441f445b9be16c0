// Looks into the database of a program that does not run, with SQLite's own tool. Not every machine has it: see `kSqlite`.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

function found() {
  try {
    execFileSync('sqlite3', ['--version'], { stdio: 'pipe' });
    return 'sqlite3';
  } catch {
    return null;
  }
}

/** The tool's name, or null; `kNoSqlite` is then the reason to give for what is skipped. */
export const kSqlite = found();
export const kNoSqlite = kSqlite ? false : 'there is no sqlite3 on this machine (apt install sqlite3)';

/** Runs one statement on the stopped program's database; returns the lines it printed. */
export function sql(confab, statement) {
  const out = execFileSync(kSqlite, [join(confab.dataDir, 'confab.db'), statement], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return out.split('\n').filter(Boolean);
}
