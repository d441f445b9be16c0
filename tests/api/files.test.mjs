// /v1/files and images in messages, with the official client: stored once, private, streamed, and seen by the model byte by byte.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { BadRequestError, NotFoundError, toFile } from 'openai';
import { Confab, useConfab } from '../support/confab.mjs';
import { assertEnvelope, leasedBytes, open, request } from '../support/http.mjs';
import { dataUrl, eventually, form, image, sha256, storedFiles } from '../support/images.mjs';
import { exchange } from '../support/raw.mjs';

const kFileBytesMax = 20 * 1024 * 1024;

const fixture = useConfab({
  // Freed memory is given back at once, so that the resident size means something under AddressSanitizer too.
  env: { ASAN_OPTIONS: 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0' },
  prepare: async (it) => {
    it.member = await it.confab.addMember();
    it.memberClient = it.confab.client({ apiKey: it.member.key });
  },
});

const nameOf = (bytes) => `${sha256(bytes).slice(0, 2)}/${sha256(bytes)}`;
const upload = (bytes, name = 'picture.png', client = fixture.client) =>
  toFile(bytes, name).then((file) => client.files.create({ file, purpose: 'vision' }));
const post = (fields, options = {}) => request(fixture.confab, 'POST', '/v1/files', { key: fixture.confab.key, ...form(fields), ...options });
const ask = (content, more = {}) => fixture.client.responses.create({ model: 'script-echo', input: [{ role: 'user', content }], ...more });

/** What the model server got in its last request: the content parts of the last message. */
const lastParts = () => fixture.model.requests.at(-1).body.messages.at(-1).content;
const bytesOf = (part) => {
  const [, type, base64] = /^data:(image\/\w+);base64,(.*)$/s.exec(part.image_url.url);
  return { type, bytes: Buffer.from(base64, 'base64') };
};

/** Waits until exactly these files are kept: what was deleted goes behind the answers, a little later. */
async function assertStored(names) {
  const wanted = JSON.stringify([...names].sort());
  await eventually(() => JSON.stringify(storedFiles(fixture.confab).sort()) === wanted, `kept are exactly ${wanted}`);
}

describe('files', () => {
  it('are uploaded from a stream, looked up, listed, read and deleted', async () => {
    const bytes = image('png', 300_000);
    const path = join(fixture.confab.home, 'a cat.png');
    await writeFile(path, bytes);
    const file = await fixture.client.files.create({ file: createReadStream(path), purpose: 'vision' });
    assert.match(file.id, /^file-[0-9a-f]{32}$/);
    assert.deepEqual(
      { ...file, id: '', created_at: 0 },
      { id: '', object: 'file', bytes: 300_000, created_at: 0, filename: 'a cat.png', purpose: 'vision', status: 'processed', media_type: 'image/png' },
    );
    assert.deepEqual(await fixture.client.files.retrieve(file.id), file);
    const other = await upload(image('gif'));
    const listed = [];
    for await (const one of fixture.client.files.list({ limit: 1 })) listed.push(one.id);
    assert.deepEqual(listed, [other.id, file.id]);
    const content = await fixture.client.files.content(file.id);
    assert.ok(bytes.equals(Buffer.from(await content.arrayBuffer())));
    assert.ok(bytes.equals(await readFile(join(fixture.confab.dataDir, 'files', nameOf(bytes)))));
    assert.deepEqual(await fixture.client.files.delete(file.id), { id: file.id, object: 'file', deleted: true });
    await assert.rejects(fixture.client.files.retrieve(file.id), NotFoundError);
    await assert.rejects(fixture.client.files.content(file.id), NotFoundError);
    await fixture.client.files.delete(other.id);
    await assertStored([]);
  });

  it('are what their content is, whatever they are called', async () => {
    for (const type of ['png', 'jpeg', 'gif', 'webp']) {
      const file = await upload(image(type), 'looks.like.html');
      assert.equal(file.media_type, `image/${type}`);
      const res = await open(fixture.confab, 'GET', `/v1/files/${file.id}/content`, { key: fixture.confab.key });
      res.resume();
      assert.equal(res.headers['content-type'], `image/${type}`);
      await fixture.client.files.delete(file.id);
    }
  });

  it('are served so that nothing in them can run', async () => {
    const bytes = image('png');
    const { id } = await upload(bytes, 'naïve "cat".png');
    const get = (options = {}) => request(fixture.confab, 'GET', `/v1/files/${id}/content`, { key: fixture.confab.key, ...options });
    const { status, headers } = await get();
    assert.equal(status, 200);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['content-security-policy'], "sandbox; default-src 'none'");
    assert.equal(headers['cache-control'], 'private, max-age=31536000, immutable');
    assert.match(headers.vary, /cookie/);
    assert.equal(headers['content-disposition'], "inline; filename*=UTF-8''na%c3%afve%20%22cat%22.png");
    assert.equal(headers.etag, `"${sha256(bytes)}"`);
    const again = await get({ headers: { 'if-none-match': headers.etag } });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
    assert.equal((await get({ headers: { 'if-none-match': '"another"' } })).status, 200);
    assertEnvelope(await get({ key: undefined }), 401);
    await fixture.client.files.delete(id);
  });

  it('are stored once for everybody, and each has their own', async () => {
    const bytes = image('png', 5_000);
    const mine = await upload(bytes);
    const theirs = await upload(bytes, 'theirs.png', fixture.memberClient);
    assert.notEqual(mine.id, theirs.id);
    await assertStored([nameOf(bytes)]);
    for (const path of [`/v1/files/${mine.id}`, `/v1/files/${mine.id}/content`]) {
      assertEnvelope(await request(fixture.confab, 'GET', path, { key: fixture.member.key }), 404, { code: 'file_not_found' });
    }
    assertEnvelope(await request(fixture.confab, 'DELETE', `/v1/files/${mine.id}`, { key: fixture.member.key }), 404, { code: 'file_not_found' });
    assert.deepEqual((await fixture.memberClient.files.list()).data.map((file) => file.id), [theirs.id]);
    await fixture.client.files.delete(mine.id);
    assert.ok(bytes.equals(Buffer.from(await (await fixture.memberClient.files.content(theirs.id)).arrayBuffer())));
    await fixture.memberClient.files.delete(theirs.id);
    await assertStored([]);
  });
});

describe('uploads that are refused', () => {
  it('are those that are no image', async () => {
    const bad = {
      svg: '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', html: '<!DOCTYPE html><script>alert(1)</script>',
      pdf: '%PDF-1.7 ...............', empty: '', short: 'GI', zip: 'PK\x03\x04............',
    };
    for (const [name, content] of Object.entries(bad)) {
      assertEnvelope(await post([['purpose', 'vision'], ['file', content, `${name}.png`]]), 400, { code: 'unsupported_file_type', param: 'file' });
    }
    await assertStored([]);
  });

  it('are those that are too large, announced or not', async () => {
    const most = await upload(image('png', kFileBytesMax));
    assert.equal(most.bytes, kFileBytesMax);
    await fixture.client.files.delete(most.id);
    await assertStored([]);
    const over = form([['purpose', 'vision'], ['file', image('png', kFileBytesMax + 1), 'x.png']]);
    assertEnvelope(await post([], over), 413, { code: 'file_too_large' });
    const head = 'POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary=x\r\n' +
      `authorization: Bearer ${fixture.confab.key}\r\n`;
    const announced = await exchange(fixture.confab.port, `${head}content-length: 99999999\r\n\r\n`, { withinMs: 20_000 });
    assert.equal(announced.responses[0]?.status, 413);
    assert.equal(announced.responses[0].json.error.code, 'file_too_large');
    assert.ok(announced.closed);
    const { body } = form([['purpose', 'vision'], ['file', image('png', kFileBytesMax + 200_000), 'x.png']], 'x');
    const chunks = [`${head}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'];
    const chunked = await exchange(fixture.confab.port, chunks, { withinMs: 60_000 });
    assert.equal(chunked.responses[0]?.status, 413);
    assert.equal(chunked.responses[0].json.error.code, 'file_too_large');
    assert.ok(chunked.closed);
    await assertStored([]);
  });

  it('are those whose form is wrong', async () => {
    const file = ['file', image('png'), 'x.png'];
    assertEnvelope(await post([['purpose', 'vision']]), 400, { code: 'missing_required_parameter', param: 'file' });
    assertEnvelope(await post([file]), 400, { code: 'missing_required_parameter', param: 'purpose' });
    assertEnvelope(await post([['purpose', 'x'.repeat(65)], file]), 400, { param: 'purpose' });
    assertEnvelope(await post([['purpose', 'vision'], file, file]), 400, { code: 'malformed_multipart', param: 'file' });
    assertEnvelope(await post([['purpose', 'vision'], ['other', 'x'.repeat(65_537)], file]), 400, { code: 'malformed_multipart' });
    const { body, headers } = form([['purpose', 'vision'], file]);
    assertEnvelope(await post([], { body: body.subarray(0, -4), headers }), 400, { code: 'malformed_multipart' });
    assertEnvelope(await post([], { body: '{}', headers: { 'content-type': 'application/json' } }), 415, { code: 'unsupported_content_type' });
    assertEnvelope(await post([], { body, headers: { 'content-type': 'multipart/form-data' } }), 400, { code: 'malformed_multipart' });
    assertEnvelope(await post([['purpose', 'vision'], file], { key: undefined }), 401);
    await assertStored([]);
  });

  it('are none because of a name: a path in it is harmless', async () => {
    const names = {
      '../../../../tmp/confab-evil.png': 'confab-evil.png', '/etc/passwd': 'passwd', 'C:\\windows\\x.png': 'x.png', '..': 'image', '': 'image',
      'a\x01b\x7f.png': 'ab.png',
    };
    for (const [given, shown] of Object.entries(names)) {
      const bytes = image('png');
      const res = await post([['purpose', 'vision'], ['file', bytes, given]]);
      assert.equal(res.status, 200, res.text);
      assert.equal(res.json.filename, shown);
      await assertStored([nameOf(bytes)]);
      await fixture.client.files.delete(res.json.id);
      await assertStored([]);
    }
  });

  it('are those that break off, and they leave nothing', async () => {
    const { body, headers } = form([['purpose', 'vision'], ['file', image('png', 2_000_000), 'x.png']]);
    const socket = net.connect(fixture.confab.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${headers['content-type']}\r\n` +
      `authorization: Bearer ${fixture.confab.key}\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.write(body.subarray(0, 1_000_000));
    await eventually(() => storedFiles(fixture.confab).length === 1, 'the upload has begun');
    socket.destroy();
    await assertStored([]);
    assert.deepEqual((await fixture.client.files.list()).data, []);
  });

  it('keep a connection in step: what follows a whole upload is a request, the rest of a refused one is not', async () => {
    const head = (length) => `POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary=B\r\n` +
      `authorization: Bearer ${fixture.confab.key}\r\ncontent-length: ${length}\r\n\r\n`;
    const next = `GET /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${fixture.confab.key}\r\n\r\n`;
    const good = form([['purpose', 'vision'], ['file', image('png', 100_000), 'x.png']], 'B').body;
    const both = await exchange(fixture.confab.port, [head(good.length), good, next], { expect: 2, withinMs: 20_000 });
    assert.deepEqual(both.responses.map((one) => one.status), [200, 200]);
    assert.equal(both.responses[1].json.data[0].id, both.responses[0].json.id);
    await fixture.client.files.delete(both.responses[0].json.id);
    const bad = form([['file', `<html>${next.repeat(2_000)}`, 'x.png'], ['purpose', 'vision']], 'B').body;
    const refused = await exchange(fixture.confab.port, [head(bad.length), bad, next], { withinMs: 20_000 });
    assert.ok(refused.closed);
    assert.deepEqual(refused.responses.map((one) => one.status), [400], 'one answer, and nothing of the body is taken for a request');
  });
});

describe('images in messages', () => {
  it('reach the model byte by byte, by file_id', async () => {
    const bytes = image('jpeg', 200_001);
    const { id } = await upload(bytes, 'holiday.jpg');
    const conversation = await fixture.client.conversations.create();
    const response = await ask(
      [{ type: 'input_text', text: 'What is this?' }, { type: 'input_image', file_id: id, detail: 'low' }], { conversation: conversation.id },
    );
    assert.equal(response.output_text, 'What is this?');
    const [text, picture] = lastParts();
    assert.deepEqual(text, { type: 'text', text: 'What is this?' });
    assert.equal(picture.image_url.detail, 'low');
    assert.equal(bytesOf(picture).type, 'image/jpeg');
    assert.ok(bytes.equals(bytesOf(picture).bytes));
    const { headers, text: sent } = fixture.model.requests.at(-1);
    assert.equal(Number(headers['content-length']), Buffer.byteLength(sent), 'the length is known beforehand');
    const items = await fixture.client.conversations.items.list(conversation.id, { order: 'asc' });
    assert.deepEqual(items.data[0].content[1], { type: 'input_image', file_id: id, detail: 'low' });

    // It is in the next prompt as well, and when it is deleted a note takes its place.
    await ask('And now?', { conversation: conversation.id });
    assert.ok(bytes.equals(bytesOf(fixture.model.requests.at(-1).body.messages[0].content[1]).bytes));
    await fixture.client.files.delete(id);
    await ask('And now?', { conversation: conversation.id });
    assert.equal(fixture.model.requests.at(-1).body.messages[0].content[1].type, 'text');
    assert.match(fixture.model.requests.at(-1).body.messages[0].content[1].text, /deleted/);
    const after = await fixture.client.conversations.items.list(conversation.id, { order: 'asc' });
    assert.deepEqual(after.data[0].content[1], { type: 'input_image', file_id: id, detail: 'low' }, 'the message stays as it was');
  });

  it('become files when they come as data URLs, and the same one file', async () => {
    const bytes = image('webp', 150_000);
    const part = { type: 'input_image', image_url: dataUrl('png', bytes) };  // the URL is wrong about the type
    const conversation = await fixture.client.conversations.create({ items: [{ type: 'message', role: 'user', content: [part] }] });
    await fixture.client.conversations.items.create(conversation.id, { items: [{ type: 'message', role: 'user', content: [part] }] });
    await ask([part], { conversation: conversation.id });
    const files = (await fixture.client.files.list()).data;
    assert.deepEqual(files.map((file) => [file.purpose, file.media_type, file.bytes, file.filename]), [['vision', 'image/webp', 150_000, 'image.webp']]);
    const { messages } = fixture.model.requests.at(-1).body;
    assert.equal(messages.length, 3);
    for (const message of messages) {
      assert.equal(bytesOf(message.content[0]).type, 'image/webp');
      assert.ok(bytes.equals(bytesOf(message.content[0]).bytes));
    }
    const items = await fixture.client.conversations.items.list(conversation.id, { order: 'asc' });
    for (const item of items.data.slice(0, 3)) {
      assert.deepEqual(item.content, [{ type: 'input_image', file_id: files[0].id, detail: 'auto' }]);
    }
    await fixture.client.files.delete(files[0].id);
  });

  it('are sent again when the request is', async () => {
    const bytes = image('png', 100_000);
    const { id } = await upload(bytes);
    const conversation = await fixture.client.conversations.create();
    await assert.rejects(ask([{ type: 'input_image', file_id: id }], { conversation: conversation.id, model: 'script-error-500' }));
    await fixture.client.responses.create({ model: 'script-echo', conversation: conversation.id, input: [] });
    assert.ok(bytes.equals(bytesOf(lastParts()[0]).bytes));
    await fixture.client.files.delete(id);
  });

  it('are passed on when they are on the web', async () => {
    const url = 'https://example.org/cat.png';
    await ask([{ type: 'input_image', image_url: url }]);
    assert.deepEqual(lastParts(), [{ type: 'image_url', image_url: { url, detail: 'auto' } }]);
  });

  it('leave nothing on the disk when the response is not stored', async () => {
    const bytes = image('png', 10_000);
    await ask([{ type: 'input_image', image_url: dataUrl('png', bytes) }], { store: false });
    assert.ok(bytes.equals(bytesOf(lastParts()[0]).bytes));
    assert.ok(!storedFiles(fixture.confab).includes(nameOf(bytes)));
    await assertStored([]);
  });

  it('are at most sixteen in a prompt, the newest', async () => {
    const all = [];
    for (let i = 0; i < 18; ++i) all.push(image('gif', 100));
    await ask(all.map((bytes) => ({ type: 'input_image', image_url: dataUrl('gif', bytes) })));
    const parts = lastParts();
    assert.deepEqual(parts.map((part) => part.type), ['text', 'text', ...Array(16).fill('image_url')]);
    assert.match(parts[0].text, /left out/);
    assert.ok(parts.slice(2).every((part, i) => all[i + 2].equals(bytesOf(part).bytes)));
    for (const file of (await fixture.client.files.list({ limit: 100 })).data) await fixture.client.files.delete(file.id);
  });

  it('are refused by name when they are bad', async () => {
    const picture = image('png');
    const theirs = await upload(picture, 'theirs.png', fixture.memberClient);
    const bad = [
      [{ file_id: theirs.id }, 'file_not_found', '.file_id'],
      [{ file_id: `file-${'0'.repeat(32)}` }, 'file_not_found', '.file_id'],
      [{ file_id: '../../etc/passwd' }, 'file_not_found', '.file_id'],
      [{ file_id: 7 }, 'invalid_type', '.file_id'],
      [{}, 'missing_required_parameter', ''],
      [{ image_url: 7 }, 'invalid_type', '.image_url'],
      [{ image_url: 'http://127.0.0.1/cat.png' }, 'invalid_image', '.image_url'],
      [{ image_url: 'file:///etc/passwd' }, 'invalid_image', '.image_url'],
      [{ image_url: `https://example.org/${'x'.repeat(9_000)}` }, 'invalid_image', '.image_url'],
      [{ image_url: 'data:image/png;base64,' }, 'invalid_image', '.image_url'],
      [{ image_url: 'data:image/png,plain' }, 'invalid_image', '.image_url'],
      [{ image_url: 'data:image/png;base64,iVBORw0KGgo!' }, 'invalid_image', '.image_url'],
      [{ image_url: `${dataUrl('png', image('png', 100_000))}=` }, 'invalid_image', '.image_url'],
      [{ image_url: dataUrl('png', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')) }, 'unsupported_file_type', '.image_url'],
      [{ image_url: dataUrl('png', Buffer.from('x')) }, 'unsupported_file_type', '.image_url'],
      [{ image_url: dataUrl('png', image('png')), detail: 'extreme' }, 'invalid_value', '.detail'],
    ];
    for (const store of [true, false]) {
      for (const [part, code, suffix] of bad) {
        const content = [{ type: 'input_text', text: 'x' }, { type: 'input_image', ...part }];
        await assert.rejects(ask(content, { store }), (error) => {
          assert.ok(error instanceof BadRequestError, String(error));
          assert.deepEqual([error.code, error.param], [code, `input[0].content[1]${suffix}`]);
          return true;
        });
      }
    }
    const many = Array(101).fill({ type: 'input_image', image_url: 'https://example.org/x.png' });
    await assert.rejects(ask(many), (error) => error.code === 'too_many_images');
    await assertStored([nameOf(picture)]);
    await fixture.memberClient.files.delete(theirs.id);
  });
});

describe('memory', () => {
  const kPictureBytes = 15 * 1024 * 1024;
  const kGrowthMax = 8 * 1024 * 1024;  // pieces, buffers of libcurl and of the allocator; far from the picture's size

  /** By how much the resident size peaks above what it was before `work`. */
  async function growthOf(work) {
    const proc = (name) => `/proc/${fixture.confab.pid}/${name}`;
    const field = async (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(await readFile(proc('status'), 'utf8'))[1]) * 1024;
    await writeFile(proc('clear_refs'), '5');  // the peak counts from now on
    const before = await field('VmRSS');
    await work();
    return await field('VmHWM') - before;
  }

  it('does not grow with the size of a picture', async (t) => {
    const send = async (bytes) => {
      const { id } = await upload(bytes);
      const content = await fixture.client.files.content(id);
      for await (const piece of content.body) void piece;
      await ask([{ type: 'input_image', file_id: id }]);
      assert.ok(bytes.equals(bytesOf(lastParts()[0]).bytes));
      fixture.model.reset();
      await fixture.client.files.delete(id);
    };
    for (let i = 0; i < 3; ++i) await send(image('png', 1024 * 1024));  // whatever is allocated once
    const bytes = image('png', kPictureBytes);
    let id;
    const growth = {
      upload: await growthOf(async () => { ({ id } = await upload(bytes)); }),
      serve: await growthOf(async () => { for await (const piece of (await fixture.client.files.content(id)).body) void piece; }),
      send: await growthOf(() => ask([{ type: 'input_image', file_id: id }])),
    };
    t.diagnostic(`a picture of 15 MiB: ${Object.entries(growth).map(([name, b]) => `${name} +${(b / 1024).toFixed(0)} KiB`).join(', ')}`);
    assert.ok(bytes.equals(bytesOf(lastParts()[0]).bytes));
    for (const [name, grown] of Object.entries(growth)) assert.ok(grown < kGrowthMax, `${name}: ${grown} bytes`);
    // A data URL is part of its JSON request and in memory as such. It shows that this way of measuring sees a picture.
    const inJson = await growthOf(() => ask([{ type: 'input_image', image_url: dataUrl('png', bytes) }]));
    assert.ok(inJson > kPictureBytes, `as a data URL: ${inJson} bytes`);
    await eventually(async () => (await leasedBytes(fixture.confab)) === 0, 'everything leased was given back');
    await fixture.client.files.delete(id);
  });
});

describe('an image on a kept connection that turns out to be dead', () => {
  it('is sent again from its beginning, on a new connection', async () => {
    const requests = [];
    let broken = 0;
    const known = new Set();
    const server = http.createServer((req, res) => {
      const parts = [];
      const reused = known.has(req.socket);
      known.add(req.socket);
      req.on('error', () => {});
      req.on('data', (part) => parts.push(part));
      req.on('end', () => {
        if (reused && !broken && req.headers['content-length'] > 1_000_000) {
          broken += 1;
          req.socket.destroy();
          return;
        }
        if (req.method === 'POST') requests.push(JSON.parse(Buffer.concat(parts)));
        res.setHeader('content-type', 'application/json');
        res.end(JSON.stringify(req.method === 'GET'
          ? { object: 'list', data: [{ id: 'm', object: 'model' }] }
          : { id: 'x', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'seen' }, finish_reason: 'stop' }] }));
      });
    });
    server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const confab = await Confab.start({ upstream: `http://127.0.0.1:${server.address().port}/v1`, args: ['--shards', '1'] });
    try {
      const client = confab.client();
      const bytes = image('png', 3_000_000);
      const { id } = await client.files.create({ file: await toFile(bytes, 'x.png'), purpose: 'vision' });
      await client.responses.create({ model: 'm', input: 'first' });
      const response = await client.responses.create({ model: 'm', input: [{ role: 'user', content: [{ type: 'input_image', file_id: id }] }] });
      assert.equal(response.output_text, 'seen');
      assert.equal(broken, 1, 'the first attempt was cut off');
      assert.ok(bytes.equals(bytesOf(requests.at(-1).messages[0].content[0]).bytes));
    } finally {
      await confab.dispose();
      server.closeAllConnections();
      server.close();
    }
  });
});
