// Backups under load, restored; what is killed in the middle; and what `confab doctor` finds.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Confab, kBinary } from '../support/confab.mjs';
import { caller } from '../support/http.mjs';
import { form, image, sha256, storedFiles } from '../support/images.mjs';
import { kNoSqlite, sql } from '../support/database.mjs';

const message = (text) => ({ type: 'message', role: 'user', content: text });

function run(args) {
  return new Promise((resolve) => {
    execFile(kBinary, args, { timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

async function upload(api, bytes) {
  const { body, headers } = form([['purpose', 'vision'], ['file', bytes, 'a.png']]);
  const res = await api('POST', '/v1/files', { body, headers });
  assert.equal(res.status, 200, res.text);
  return res.json.id;
}

async function fill(api, rounds) {
  const { id } = (await api('POST', '/v1/conversations', { json: { title: 'load' } })).json;
  for (let i = 0; i < rounds; ++i) {
    const items = Array.from({ length: 20 }, (_, n) => message(`${i}.${n} ${'x'.repeat(20_000)}`));
    assert.equal((await api('POST', `/v1/conversations/${id}/items`, { json: { items } })).status, 200);
  }
  return id;
}

describe('a backup', () => {
  it('made while people write holds everything acknowledged before it, and comes back sound', async () => {
    const confab = await Confab.start();
    try {
      const api = caller(confab, { key: confab.key });
      const id = await fill(api, 30);
      const picture = image('png', 200_000);
      const file = await upload(api, picture);
      let writing = true;
      let during = 0;
      const writer = (async () => {
        while (writing) {
          const res = await api('POST', `/v1/conversations/${id}/items`, { json: { items: [message(`during ${during}`)] } });
          assert.equal(res.status, 200, res.text);
          during += 1;
          await upload(api, image('png', 30_000)).then((one) => api('DELETE', `/v1/files/${one}`));
        }
      })();
      const out = join(confab.home, 'backup.tar');
      await confab.command(['backup', out]);
      writing = false;
      await writer;
      assert.ok(during > 0, 'appends went on');
      assert.equal(statSync(out).mode & 0o777, 0o600);
      assert.deepEqual(readdirSync(confab.dataDir).filter((name) => name === 'backup.tmp'), []);
      assert.match(execFileSync('tar', ['tf', out], { encoding: 'utf8' }), /^manifest\.json\nsecret\.key\nconfab\.db\nfiles\//);

      const other = join(confab.home, 'restored');
      const restored = await run(['restore', out, '--data-dir', other]);
      assert.equal(restored.code, 0, restored.stderr);
      const doctor = await run(['doctor', '--data-dir', other]);
      assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
      assert.match(doctor.stdout, /Everything is sound/);
      assert.ok(readFileSync(join(other, 'files', sha256(picture).slice(0, 2), sha256(picture))).equals(picture));
      const again = await run(['restore', out, '--data-dir', other]);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /--force/);
      const whole = join(confab.home, 'whole.ndjson');
      assert.equal((await run(['export', '--conversation', id, '--data-dir', other, '-o', whole])).code, 0);
      const texts = readFileSync(whole, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line)).filter(({ type }) => type === 'item');
      assert.ok(texts.length >= 600 && texts.length <= 600 + during, `${texts.length} items`);
      assert.ok(file);
    } finally {
      await confab.dispose();
    }
  });

  it('that is killed leaves no file of its name, and one that is cut off is not restored', async () => {
    const confab = await Confab.start();
    try {
      const api = caller(confab, { key: confab.key });
      await fill(api, 40);
      await confab.stop();
      const out = join(confab.home, 'killed.tar');
      const child = spawn(kBinary, ['backup', out, '--data-dir', confab.dataDir], { stdio: 'ignore' });
      while (!existsSync(`${out}.part`)) await sleep(2);
      child.kill('SIGKILL');
      await once(child, 'close');
      assert.ok(!existsSync(out));
      await confab.command(['backup', out]);
      assert.ok(existsSync(out) && !existsSync(`${out}.part`));
      for (const size of [0, 1_000, statSync(out).size >> 1]) {
        const cut = join(confab.home, 'cut.tar');
        writeFileSync(cut, readFileSync(out));
        truncateSync(cut, size);
        const target = join(confab.home, `cut-${size}`);
        const { code } = await run(['restore', cut, '--data-dir', target]);
        assert.equal(code, 1, `cut at ${size}`);
        assert.ok(!existsSync(join(target, 'confab.db')) && !existsSync(join(target, 'restore.part')));
      }
    } finally {
      await confab.dispose({ check: false });
    }
  });

  it('with names that lead elsewhere is refused', async () => {
    const confab = await Confab.start({ admin: false });
    try {
      const dir = join(confab.home, 'evil');
      mkdirSync(join(dir, 'a'), { recursive: true });
      writeFileSync(join(dir, 'escaped'), 'x');
      const tar = join(confab.home, 'evil.tar');
      execFileSync('tar', ['cPf', tar, '-C', join(dir, 'a'), '../escaped'], { stdio: 'pipe' });
      const { code, stderr } = await run(['restore', tar, '--data-dir', join(confab.home, 'target')]);
      assert.equal(code, 1);
      assert.match(stderr, /not a backup/);
    } finally {
      await confab.dispose();
    }
  });
});

describe('confab doctor', () => {
  it('finds a missing image, a wrong one, and rows that do not fit', { skip: kNoSqlite }, async () => {
    const confab = await Confab.start();
    try {
      const api = caller(confab, { key: confab.key });
      await fill(api, 1);
      await upload(api, image('png', 5_000));
      await upload(api, image('png', 5_001));
      const busy = await run(['doctor', '--data-dir', confab.dataDir]);
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, /running/);
      await confab.stop();
      const doctor = () => run(['doctor', '--data-dir', confab.dataDir]);
      assert.equal((await doctor()).code, 0);
      const [first, second] = storedFiles(confab).map((name) => join(confab.dataDir, 'files', name));
      rmSync(first);
      writeFileSync(second, image('png', 5_000));
      sql(confab, "UPDATE branches SET head_pos = head_pos + 1");
      sql(confab, "DELETE FROM bodies WHERE mid = (SELECT min(mid) FROM bodies)");
      const { code, stdout } = await doctor();
      assert.equal(code, 1);
      for (const problem of [/is missing/, /other bytes/, /branches that do not end/, /1 items without a text/]) assert.match(stdout, problem);
    } finally {
      await confab.dispose({ check: false });
    }
  });

  it('finds a damaged database', async () => {
    const confab = await Confab.start();
    try {
      await fill(caller(confab, { key: confab.key }), 5);
      await confab.stop();
      const path = join(confab.dataDir, 'confab.db');
      const bytes = readFileSync(path);
      bytes.fill(0x5a, 4096 * 20, 4096 * 40);
      writeFileSync(path, bytes);
      const { code, stdout, stderr } = await run(['doctor', '--data-dir', confab.dataDir]);
      assert.equal(code, 1, stdout + stderr);
      assert.match(stdout, /PROBLEM: .*(damaged|cannot be opened)/);
    } finally {
      await confab.dispose({ check: false });
    }
  });
});
