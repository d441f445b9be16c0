// slowhttptest's four attacks at once, a thousand connections each: heads and bodies that never end, answers that are hardly read, and requests
// for many ranges. Meanwhile everybody else is served, and afterwards nothing is held for the attackers.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { useConfab } from '../support/confab.mjs';
import { request } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

const run = promisify(execFile);
const fixture = useConfab();

const kAttackSeconds = 16;  // a head may take 10
const kAttacks = {
  'heads that do not end': { flags: ['-H', '-i', '2'], path: '/', closed: true },
  'bodies that do not end': { flags: ['-B', '-i', '2', '-s', '512', '-t', 'POST', '-f', 'application/json'], path: '/api/auth/login' },
  'answers that are read byte by byte': { flags: ['-X', '-w', '512', '-y', '1024', '-n', '5', '-z', '32', '-k', '3'], path: '/' },
  'many ranges': { flags: ['-R', '-a', '10', '-b', '3000'], path: '/' },
};

async function metric(name) {
  const { text } = await request(fixture.confab, 'GET', '/metrics');
  const line = new RegExp(`^${name} (\\S+)$`, 'm').exec(text);
  assert.ok(line, `no ${name} in /metrics`);
  return Number(line[1]);
}

/** Ends when the attack does, or when the server has closed all its connections (`ended`). */
async function attack({ flags, path }) {
  const { stdout } = await run('slowhttptest', [
    ...flags, '-c', '1000', '-r', '500', '-l', String(kAttackSeconds), '-p', '5', '-x', '24', '-u', `${fixture.confab.url}${path}`,
  ], { maxBuffer: 16 * 1024 * 1024 });
  return { available: !/service available:\s+\S*NO/.test(stdout), ended: stdout.includes('No open connections left'), text: stdout };
}

describe('slowhttptest', { concurrency: true }, () => {
  for (const [name, how] of Object.entries(kAttacks)) {
    it(`with ${name} holds nobody up`, { timeout: 90_000 }, async () => {
      let over = false;
      const attacking = attack(how).finally(() => { over = true; });
      let answers = 0;
      for (; !over; answers += 1) {
        const response = await request(fixture.confab, 'POST', '/v1/responses', { key: fixture.confab.key, json: { model: 'script-echo', input: 'Still there?' } });
        assert.equal(response.status, 200, response.text);
        await sleep(200);
      }
      const { available, ended, text } = await attacking;
      assert.ok(available, text);
      assert.ok(answers > 0, 'somebody was served meanwhile');
      if (how.closed) assert.ok(ended, `the server keeps connections open: ${text}`);
      await eventually(async () => await metric('confab_http_connections_live') <= 2, 'the attackers’ connections are gone');
      await eventually(async () => await metric('confab_budget_leased_bytes') <= 64 * 1024, 'nothing is held but for the connection that asks');
    });
  }
});
