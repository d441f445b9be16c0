// Exports: the formats, their names, other people, slow readers; and the commands that make them.

import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { useConfab } from '../support/confab.mjs';
import { assertEnvelope, caller, open } from '../support/http.mjs';
import { form, image } from '../support/images.mjs';

const fixture = useConfab({
  // Freed memory is given back at once, so that the resident size means something under AddressSanitizer too.
  env: { ASAN_OPTIONS: 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0' },
});
const api = (...args) => caller(fixture.confab, { key: fixture.confab.key })(...args);

const message = (role, text) => ({ type: 'message', role, content: text });
const lines = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));

async function conversation(fields) {
  const res = await api('POST', '/v1/conversations', { json: fields });
  assert.equal(res.status, 200, res.text);
  return res.json;
}

describe('an export of one conversation', () => {
  it('holds everything as NDJSON, images too', async () => {
    const bytes = image('png', 100_000);
    const { body, headers } = form([['purpose', 'vision'], ['file', bytes, 'cat.png']]);
    const file = (await api('POST', '/v1/files', { body, headers })).json;
    const made = await conversation({
      title: 'With a picture', metadata: { a: 'b' },
      items: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'look' }, { type: 'input_image', file_id: file.id }] }, message('assistant', 'I see')],
    });
    const res = await api('GET', `/api/conversations/${made.id}/export?format=ndjson`);
    assert.equal(res.status, 200, res.text);
    assert.match(res.headers['content-type'], /^application\/x-ndjson/);
    const all = lines(res.text);
    assert.deepEqual(all.map(({ type }) => type), ['confab_export', 'conversation', 'item', 'item', 'file', 'file_data', 'file_data', 'file_data', 'end']);
    assert.equal(all[1].title, 'With a picture');
    assert.deepEqual(all[1].metadata, { a: 'b' });
    assert.equal(all[2].parent_id, null);
    assert.equal(all[3].parent_id, all[2].item.id);
    const single = (await api('GET', `/v1/conversations/${made.id}/items/${all[3].item.id}`)).json;
    for (const [name, value] of Object.entries(all[3].item)) assert.deepEqual(value, single[name] ?? value, name);
    const data = Buffer.concat(all.filter(({ type }) => type === 'file_data').map((line) => Buffer.from(line.data, 'base64')));
    assert.equal(createHash('sha256').update(data).digest('hex'), all[4].sha256);
    assert.ok(data.equals(bytes));
    assert.deepEqual(all.at(-1), { type: 'end', conversations: 1, items: 2, files: 1 });
  });

  it('is one object as JSON and readable as Markdown, with the texts as they were', async () => {
    const text = '# not a heading of ours\n\n=1+1 <b>"quoted"</b> ```\ncode\n```';
    const made = await conversation({ title: 'Two\r\nlines', items: [message('user', text), message('assistant', 'answer')] });
    const json = await api('GET', `/api/conversations/${made.id}/export?format=json`);
    assert.equal(json.json.conversation.id, made.id);
    assert.equal(json.json.items.length, 2);
    const md = await api('GET', `/api/conversations/${made.id}/export?format=md`);
    assert.match(md.headers['content-type'], /^text\/markdown/);
    assert.ok(md.text.startsWith('# Two  lines\n'), md.text);
    assert.ok(md.text.includes(`\n${text}\n`), md.text);
    assert.match(md.text, /\n## User · \d{4}-/);
  });

  it('has a name that is safe wherever it is kept', async () => {
    for (const [title, expected] of [
      ['a/../../etc/passwd', 'a-..-..-etc-passwd.md'], ['..hidden', 'hidden.md'], ['x"\r\nset-cookie: a=b', 'x-set-cookie-a-b.md'],
      ['\u202egnp.exe', 'gnp.exe.md'], ['   ', 'conversation.md'], ['Grüße', 'Gre.md'],
    ]) {
      const made = await conversation({ title });
      const res = await api('GET', `/api/conversations/${made.id}/export?format=md`);
      const given = res.headers['content-disposition'];
      assert.match(given, /^attachment; filename="[\w.-]+"; filename\*=UTF-8''[\w.%-]+$/, title);
      assert.equal(/filename="([^"]+)"/.exec(given)[1], expected, title);
      assert.equal(res.headers['set-cookie'], undefined);
    }
  });

  it('is refused to others, and in other formats', async () => {
    const made = await conversation({ title: 'mine', items: [message('user', 'secret')] });
    const member = await fixture.confab.addMember('export@example.org');
    const other = caller(fixture.confab, { key: member.key });
    assertEnvelope(await other('GET', `/api/conversations/${made.id}/export`), 404);
    assert.deepEqual(lines((await other('GET', '/api/export')).text).map(({ type }) => type), ['confab_export', 'end']);
    assertEnvelope(await api('GET', `/api/conversations/${made.id}/export?format=pdf`), 400, { param: 'format' });
    assertEnvelope(await caller(fixture.confab, {})('GET', '/api/export'), 401);
  });

  it('goes at the pace of its reader, in flat memory', async () => {
    const made = await conversation({ title: 'long' });
    const text = 'x'.repeat(60_000);
    for (let i = 0; i < 60; ++i) {
      const res = await api('POST', `/v1/conversations/${made.id}/items`, { json: { items: Array.from({ length: 20 }, () => message('user', text)) } });
      assert.equal(res.status, 200, res.text);
    }
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${fixture.confab.pid}/status`, 'utf8'))[1]) / 1024;
    const before = rss();
    const readers = await Promise.all(Array.from({ length: 4 }, () => open(fixture.confab, 'GET', `/api/conversations/${made.id}/export`, { key: fixture.confab.key })));
    for (const reader of readers) reader.pause();
    await sleep(2_000);
    assert.ok(rss() - before < 48, `${rss() - before} MiB more while nobody reads`);
    let bytes = 0;
    await Promise.all(readers.map(async (reader) => { for await (const part of reader) bytes += part.length; }));
    assert.ok(bytes > 4 * 60 * 20 * 60_000);
    assert.ok(rss() - before < 64, `${rss() - before} MiB more after ${bytes} bytes`);
  });
});

describe('confab export', () => {
  it('writes the same, whether the server runs or not', async () => {
    const { confab } = fixture;
    const out = join(confab.home, 'out.ndjson');
    await confab.command(['export', '--user', 'admin@example.org', '-o', out]);
    assert.ok(!existsSync(`${out}.part`));
    assert.equal(statSync(out).mode & 0o777, 0o600);
    const running = lines(readFileSync(out, 'utf8'));
    assert.equal(running.at(-1).type, 'end');
    await confab.stop();
    try {
      await confab.command(['export', '--user', 'admin@example.org', '-o', out]);
    } finally {
      await confab.boot();
    }
    assert.deepEqual(lines(readFileSync(out, 'utf8')).slice(1), running.slice(1));
  });

  it('writes nothing but the data on standard output, and no file when it fails', async () => {
    const { confab } = fixture;
    const made = await conversation({ title: 'Short', items: [message('user', 'hello')] });
    assert.match(await confab.command(['export', '--conversation', made.id, '--format', 'md']), /^# Short\n[^]*\nhello\n$/);
    const out = join(confab.home, 'never');
    await assert.rejects(confab.command(['export', '--user', 'nobody@example.org', '-o', out]), /no user/);
    assert.ok(!existsSync(out) && !existsSync(`${out}.part`));
  });
});
