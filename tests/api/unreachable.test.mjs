// Model servers that cannot be reached at all: a message for people, a code for programs, and no long wait.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { Confab } from '../support/confab.mjs';
import { startModelServer } from '../support/model_server.mjs';

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** What an answer and a chat completion fail with when the model server has this base URL. */
async function failures(upstream) {
  const confab = await Confab.start({ upstream });
  try {
    const client = confab.client({ timeout: 120_000 });
    const thrown = (promise) => promise.then(() => assert.fail('an error was expected'), (error) => error);
    const message = { role: 'user', content: 'x' };
    return [
      await thrown(client.responses.create({ model: 'script-echo', input: 'x' })),
      await thrown(client.chat.completions.create({ model: 'script-echo', messages: [message] })),
      await thrown(client.chat.completions.create({ model: 'script-echo', messages: [message], stream: true })),
    ];
  } finally {
    await confab.dispose();
  }
}

function check(errors, code, message) {
  for (const error of errors) {
    assert.equal(error.status, 502, `${error}`);
    assert.equal(error.code, code, `${error}`);
    assert.match(error.message, message);
  }
}

describe('a model server that cannot be reached', { timeout: 240_000 }, () => {
  it('because nobody listens', async () => {
    check(await failures(`http://127.0.0.1:${await freePort()}/v1`), 'upstream_unreachable', /cannot be reached/);
  });

  it('because its name does not exist', async () => {
    check(await failures('http://model.invalid/v1'), 'upstream_unreachable', /host name cannot be resolved/);
  });

  it('because it speaks no TLS', async () => {
    const model = await startModelServer();
    try {
      check(await failures(model.baseURL.replace('http:', 'https:')), 'upstream_tls', /secure connection to the model server failed/);
    } finally {
      await model.close();
    }
  });
});
