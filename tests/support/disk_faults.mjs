// Builds `disk_faults.c` and turns its faults on and off for one program.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, openSync, writeSync, closeSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const kDiskIsWell = '-';
export const kNoSpace = 'S';
export const kNoSpaceAfterHalf = 'H';
export const kSyncFails = 'F';
export const kWriteFails = 'W';

const kSource = fileURLToPath(new URL('./disk_faults.c', import.meta.url));

function hasCompiler() {
  try {
    execFileSync('cc', ['--version'], { stdio: 'pipe' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
}

/** The reason to skip what needs the library, or false. */
export const kNoDiskFaults = hasCompiler() ? false : 'there is no C compiler `cc` on this machine, or it is no Linux';

/** The library, built for one test file. `env` goes to the program; `set` says what fails from now on, `dispose` cleans up. */
export class DiskFaults {
  constructor() {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'confab-disk-')));
    this.library = join(this.folder, 'disk_faults.so');
    this.control = join(this.folder, 'control');
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', this.library, kSource, '-ldl'], { stdio: ['ignore', 'inherit', 'inherit'] });
    writeFileSync(this.control, kDiskIsWell);
  }

  /** For a program whose data lie below `directory`. AddressSanitizer wants to be loaded first, and need not be. */
  env(directory) {
    return {
      LD_PRELOAD: this.library,
      CONFAB_FAULT_DIR: directory,
      CONFAB_FAULT_CONTROL: this.control,
      ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':'),
    };
  }

  /** In place, for the file is mapped by the program. */
  set(mode) {
    const file = openSync(this.control, 'r+');
    writeSync(file, mode, 0);
    closeSync(file);
  }

  dispose() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
