// kill -9 in the middle of uploads: the next start removes what is half there and keeps what was acknowledged.

import { after, before, it } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFile } from 'openai';
import { Confab } from '../support/confab.mjs';
import { eventually, form, image, sha256, storedFiles } from '../support/images.mjs';

let confab;

before(async () => { confab = await Confab.start(); });
after(() => confab?.dispose());

/** Sends the first half of an upload and leaves the connection open. */
function beginUpload() {
  const { body, headers } = form([['purpose', 'vision'], ['file', image('png', 2_000_000), 'x.png']]);
  const socket = net.connect(confab.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${headers['content-type']}\r\n` +
    `authorization: Bearer ${confab.key}\r\ncontent-length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, 1_000_000));
  return socket;
}

it('a start after kill -9 in the middle of uploads sweeps what they left', async () => {
  const bytes = image('png', 50_000);
  const kept = await confab.client().files.create({ file: await toFile(bytes, 'kept.png'), purpose: 'vision' });
  const sockets = [beginUpload(), beginUpload(), beginUpload()];
  await eventually(() => storedFiles(confab).length === 4, 'three uploads have begun');
  await confab.kill();
  for (const socket of sockets) socket.destroy();
  assert.equal(storedFiles(confab).length, 4, 'the crash left them');

  // A crash between the renaming and the commit leaves a blob that the database does not know.
  const unknown = image('png', 1_000);
  const folder = join(confab.dataDir, 'files', sha256(unknown).slice(0, 2));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, sha256(unknown)), unknown);

  await confab.boot();
  await eventually(() => storedFiles(confab).length === 1, 'only the acknowledged file is left');
  const files = (await confab.client().files.list()).data;
  assert.deepEqual(files.map((file) => file.id), [kept.id]);
  const content = Buffer.from(await (await confab.client().files.content(kept.id)).arrayBuffer());
  assert.ok(bytes.equals(content));
});

it('an upload that stalls is dropped and leaves nothing', async () => {
  const before = storedFiles(confab).length;
  const socket = beginUpload();
  let closed = false;
  socket.on('close', () => { closed = true; });
  socket.resume();
  await eventually(() => storedFiles(confab).length === before + 1, 'the upload has begun');
  await eventually(() => closed, 'the connection is closed', 90_000);  // the limit is 20 s
  await eventually(() => storedFiles(confab).length === before, 'nothing is left');
});
