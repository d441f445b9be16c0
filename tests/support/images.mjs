// Images for the tests: real beginnings, and any bytes after them, for nobody in here decodes a picture.

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const kHeads = {
  png: Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
  jpeg: Buffer.from('ffd8ffe000104a4649460001', 'hex'),
  gif: Buffer.from('GIF89a\x01\x00\x01\x00\x80\x00', 'latin1'),
  webp: Buffer.from('RIFF\x24\x00\x00\x00WEBPVP8 ', 'latin1'),
};

/** `bytes` bytes of an image of this type, different each time. */
export function image(type, bytes = 1_000) {
  return Buffer.concat([kHeads[type], randomBytes(bytes - kHeads[type].length)]);
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export const dataUrl = (type, bytes) => `data:image/${type};base64,${bytes.toString('base64')}`;

/** A form as a client would send it; `fields` are [name, value, filename?] with strings or buffers. */
export function form(fields, boundary = 'BoundaryOfTheTest') {
  const parts = fields.flatMap(([name, value, filename]) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`,
    value, '\r\n',
  ]);
  const body = Buffer.concat([...parts, `--${boundary}--\r\n`].map((part) => Buffer.from(part)));
  return { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

/** Paths of all regular files that the program keeps for uploads, below DATA/files. */
export function storedFiles(confab) {
  const root = join(confab.dataDir, 'files');
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true }).filter((name) => {
    try { return statSync(join(root, name)).isFile(); } catch { return false; /* gone meanwhile */ }
  }).sort();
}

/** Waits until `check()` is truthy; the machine may be busy. */
export async function eventually(check, what, withinMs = 30_000) {
  const end = performance.now() + withinMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
