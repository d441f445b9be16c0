// Connections to the model server that a rush of answers has left behind: a few are kept for the next ones, the others go soon.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { useConfab } from '../support/confab.mjs';
import { request } from '../support/http.mjs';
import { eventually } from '../support/images.mjs';

const fixture = useConfab({ args: ['--user-runs', '100', '--shards', '1'] });
const kKept = 16;

async function connections() {
  const { text } = await request(fixture.confab, 'GET', '/metrics');
  return Number(/^confab_upstream_connections_live (\d+)$/m.exec(text)[1]);
}

describe('what a rush leaves behind', () => {
  it('is let go within seconds, but for what the next answers use again', async () => {
    const answers = Array.from({ length: 40 }, () => fixture.client.chat.completions.create({ model: 'script-words-n150-i20', messages: [{ role: 'user', content: 'x' }] }));
    await eventually(async () => (await connections()) >= 40, 'forty at once');
    await Promise.all(answers);
    await eventually(async () => (await connections()) <= kKept, 'the surplus is closed');
    assert.equal(await connections(), kKept);
  });
});
