// A memory control group of our own (version 1), to run a program in that has no more memory than it is given. Needs the right to make
// one, which root has on a machine that mounts version 1; where that is not possible, `make` says why and gives null.

import { readFileSync, rmdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const kMiB = 1024 * 1024;

/** The folder where version 1 of the memory controller is mounted, or null. */
function mountPoint() {
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const [, path, type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('memory')) return path;
  }
  return null;
}

export class MemoryGroup {
  /** A group with that limit, or null where none can be made; what was done is printed. */
  static make(name, limitBytes) {
    const mount = mountPoint();
    if (!mount) {
      console.log('no memory control group of version 1 is mounted here');
      return null;
    }
    const folder = join(mount, `confab-${name}-${process.pid}`);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'memory.limit_in_bytes'), String(limitBytes));
    } catch (error) {
      console.log(`no memory control group can be made here: ${error.message}`);
      return null;
    }
    console.log(`memory control group (version 1) with ${limitBytes / kMiB} MiB`);
    return new MemoryGroup(folder, limitBytes);
  }

  constructor(folder, limitBytes) {
    this.folder = folder;
    this.limitBytes = limitBytes;
  }

  #read(file) { return readFileSync(join(this.folder, file), 'utf8'); }

  /** A command that runs another one inside the group, as the same process. */
  launcher(command) {
    return ['/bin/sh', ['-c', `echo $$ > ${join(this.folder, 'cgroup.procs')} && exec "$0" "$@"`, command]];
  }

  /** What the group holds and the kernel cannot take back: anonymous pages, sockets, the kernel's own memory. */
  usage() {
    const [, anonymous] = /^total_rss (\d+)$/m.exec(this.#read('memory.stat'));
    return Number(anonymous) + Number(this.#read('memory.kmem.usage_in_bytes')) + Number(this.#read('memory.kmem.tcp.usage_in_bytes'));
  }

  /** How many processes of the group the kernel has killed for want of memory. */
  oomKills() { return Number(/^oom_kill (\d+)$/m.exec(this.#read('memory.oom_control'))?.[1] ?? 0); }

  /** Removes the group; its processes must be gone, and the kernel may take a moment to see it. */
  async remove() {
    for (let i = 0; i < 50; ++i) {
      try {
        rmdirSync(this.folder);
        return;
      } catch {
        await sleep(100);
      }
    }
    console.log(`the control group ${this.folder} could not be removed`);
  }
}

// Holds as many MiB of written memory as the last line said.
const kBallast = `
  const kMiB = 1024 * 1024;
  const held = [];
  async function hold(wanted) {
    while (held.length < wanted) held.push(new Uint8Array(kMiB).fill(1));
    held.length = wanted;
    // What is collected is freed a little later, by another thread.
    while (process.memoryUsage().arrayBuffers > (wanted + 1) * kMiB) {
      globalThis.gc();
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    console.log(wanted);
  }
  require('node:readline').createInterface(process.stdin).on('line', (line) => hold(Number(line)));`;

/** A process in the group that holds memory for nothing, so that a test can say how full the group is. */
export class Ballast {
  static async start(group) {
    const [command, args] = group.launcher(process.execPath);
    // glibc keeps freed memory once it has freed a large block, unless this is fixed.
    const env = { PATH: process.env.PATH, MALLOC_MMAP_THRESHOLD_: '65536' };
    const child = spawn(command, [...args, '--expose-gc', '-e', kBallast], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const ballast = new Ballast(group, child);
    await ballast.hold(0);
    return ballast;
  }

  constructor(group, child) {
    this.group = group;
    this.child = child;
    this.lines = createInterface(child.stdout);
    this.mib = 0;
  }

  async hold(mib) {
    this.mib = Math.max(0, Math.round(mib));
    this.child.stdin.write(`${this.mib}\n`);
    await once(this.lines, 'line');
  }

  /** Fills the group up to that part of its limit, within a hundredth. */
  async fill(fraction) {
    const wanted = fraction * this.group.limitBytes;
    for (let i = 0; i < 20 && Math.abs(this.group.usage() - wanted) > this.group.limitBytes / 100; ++i) {
      await this.hold(this.mib + (wanted - this.group.usage()) / kMiB);
      await sleep(50);
    }
  }

  async stop() {
    const closed = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await closed;
  }
}
