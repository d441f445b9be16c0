// How `chaos_server.mjs` misbehaves, by name. Faults that break off say the first words of `wordsText` before, so that tests know what
// must be kept.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from './random.mjs';
import { chunkOf } from './chaos_server.mjs';

export const kWordsBefore = 5;
export const kEndlessLineBytes = 2 ** 30;
const kPiece = 'x'.repeat(1024);
const kBlock = Buffer.alloc(64 * 1024, 'x');
const kPage = '<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>';

/** Event by event as long as the client listens. */
async function forever(talk, data) {
  const bytes = Buffer.from(data);
  while (!talk.gone) await talk.write(bytes);
}

/** The same bytes again and again up to a gigabyte, or until the client has enough. */
async function gigabyte(talk) {
  while (!talk.gone && talk.request.sent < kEndlessLineBytes) await talk.write(kBlock);
  talk.end();
}

async function wordsBefore(talk, headers) {
  await talk.head(200, headers);
  await talk.words(0, kWordsBefore);
}

const refusal = (status, message, code = null) => ({ error: { message, type: status >= 500 ? 'server_error' : 'invalid_request_error', param: null, code } });

function redirect(status) {
  return async (talk) => {
    await talk.head(status, { location: `${talk.redirectTo}/v1/chat/completions`, 'content-type': 'text/html', 'content-length': kPage.length });
    await talk.write(kPage);
    talk.end();
  };
}

/** An event whose text is cut in the middle of the three bytes of a character. */
async function halfCharacter(talk) {
  const bytes = Buffer.from(`data: ${JSON.stringify(chunkOf({ content: ' 漢' }))}\n\n`);
  await talk.write(bytes.subarray(0, bytes.indexOf(Buffer.from('漢')) + 2));
}

const kSilences = {
  silent: (talk) => talk.left,
  stall: async (talk) => { await wordsBefore(talk); await talk.left; },
  'stall-in-event': async (talk) => { await wordsBefore(talk); await talk.write('data: {"choices":[{"index":0,"del'); await talk.left; },
  'only-comments': async (talk) => {
    await talk.head();
    while (!talk.gone) { await talk.write(': still here\n\n'); await talk.pause(20); }
  },
  slow: async (talk) => { await talk.head(); await talk.words(0, 20_000, 5); await talk.finish(); },
};

const kBreaks = {
  'reset-at-once': (talk) => talk.reset(),
  'close-at-once': (talk) => talk.end(),
  'close-in-head': async (talk) => { await talk.write('HTTP/1.1 200 OK\r\ncontent-type: text/ev'); talk.end(); },
  'reset-after-words': async (talk) => { await wordsBefore(talk); await talk.reset(); },
  'close-after-words': async (talk) => { await wordsBefore(talk); talk.end(); },
  'reset-in-character': async (talk) => { await wordsBefore(talk); await halfCharacter(talk); await talk.reset(); },
  'close-in-character': async (talk) => { await wordsBefore(talk); await halfCharacter(talk); talk.end(); },
  'close-in-chunk': async (talk) => {
    await talk.head(200, { 'transfer-encoding': 'chunked' });
    const events = Array.from({ length: kWordsBefore }, (_, i) => `data: ${JSON.stringify(chunkOf({ content: i ? ` w${i}` : 'w0' }))}\n\n`).join('');
    await talk.write(`${events.length.toString(16)}\r\n${events}\r\n40\r\ndata: {`);
    talk.end();
  },
  'chunk-size-wrong': async (talk) => {
    await talk.head(200, { 'transfer-encoding': 'chunked' });
    await talk.write('zz\r\ndata: {}\r\n\r\n');
    talk.end();
  },
  'length-wrong': async (talk) => { await wordsBefore(talk, { 'content-length': 1_000_000 }); talk.end(); },
};

const kFloods = {
  endless: async (talk) => {
    await talk.head();
    await forever(talk, `data: ${JSON.stringify(chunkOf({ content: kPiece }))}\n\n`);
  },
  'endless-thoughts': async (talk) => {
    await talk.head();
    await forever(talk, `data: ${JSON.stringify(chunkOf({ reasoning_content: kPiece }))}\n\n`);
  },
  'endless-comments': async (talk) => { await wordsBefore(talk); await forever(talk, ': nothing yet\n\n'.repeat(64)); },
  'endless-nothing': async (talk) => { await wordsBefore(talk); await forever(talk, 'data: {"choices":[]}\n\n'.repeat(64)); },
  'endless-after-done': async (talk) => {
    await wordsBefore(talk);
    await talk.delta({}, 'stop');
    await talk.write('data: [DONE]\n\n');
    await forever(talk, `data: ${JSON.stringify(chunkOf({ content: 'too late' }))}\n\n`);
  },
  'line-1g': async (talk) => { await wordsBefore(talk); await talk.write('data: {"x":"'); await gigabyte(talk); },
  'comment-1g': async (talk) => { await wordsBefore(talk); await talk.write(': '); await gigabyte(talk); },
  'document-1g': async (talk) => { await talk.head(200, { 'content-type': 'application/json' }); await talk.write('{"choices":[{"message":{"content":"'); await gigabyte(talk); },
  'page-1g': async (talk) => { await talk.head(200, { 'content-type': 'text/html' }); await talk.write('<html><title>Big</title>'); await gigabyte(talk); },
  'refusal-endless': async (talk) => {
    await talk.head(500, { 'content-type': 'text/plain' });
    while (!talk.gone) { await talk.write(kPiece); await talk.pause(2); }
  },
  'head-endless': async (talk) => { await talk.write('HTTP/1.1 200 OK\r\n'); await forever(talk, `x-more: ${'y'.repeat(1000)}\r\n`); },
  'header-1g': async (talk) => { await talk.write('HTTP/1.1 200 OK\r\nx-long: '); await gigabyte(talk); },
  'large-delta': async (talk) => { await talk.head(); await talk.delta({ content: kPiece.repeat(1900) }); await talk.finish(); },
  'large-answer': async (talk) => {
    await talk.head();
    for (let i = 0; i < 24 && !talk.gone; i += 1) {
      for (let j = 0; j < 1024; j += 1) await talk.delta({ content: kPiece.slice(0, 64) });
      await talk.pause(100);
    }
    await talk.finish();
  },
};

const kWrongAnswers = {
  'page-200': (talk) => talk.json(200, kPage, { 'content-type': 'text/html' }),
  'page-as-events': (talk) => talk.json(200, kPage, { 'content-type': 'text/event-stream' }),
  'text-200': (talk) => talk.json(200, 'It works!', { 'content-type': 'text/plain' }),
  'empty-200': (talk) => talk.json(200, ''),
  'empty-204': async (talk) => { await talk.write('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'); talk.end(); },
  'json-empty': (talk) => talk.json(200, {}),
  'json-broken': (talk) => talk.json(200, '{"choices":[{"message":'),
  'json-error-200': (talk) => talk.json(200, refusal(500, 'Out of memory on device 0.', 'cuda_oom')),
  'gzip-unasked': (talk) => talk.json(200, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 75, 76]).toString('latin1'), { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }),
  garbage: async (talk) => { await talk.write(Buffer.from([0, 255, 1, 254, 13, 10, 13, 10, 7, 7, 7])); talk.end(); },
  'other-protocol': async (talk) => { await talk.write('SSH-2.0-OpenSSH_9.2\r\n'); talk.end(); },
  'http-0.9': async (talk) => { await talk.write('data: {"choices":[{"delta":{"content":"old"}}]}\n\n'); talk.end(); },
  'no-delta-is-json': async (talk) => { await wordsBefore(talk); await talk.write('data: this is no JSON\n\ndata: {"choices":[]}\n\n'); await talk.finish(); },
};

const kRefusals = {
  'status-429': (talk) => talk.json(429, refusal(429, 'Rate limit reached for requests per minute.', 'rate_limit_exceeded'), { 'retry-after': '1' }),
  'status-429-date': (talk) => talk.json(429, refusal(429, 'Slow down.'), { 'retry-after': 'Wed, 21 Oct 2099 07:28:00 GMT' }),
  'status-500': (talk) => talk.json(500, refusal(500, 'The engine crashed.')),
  'status-500-empty': (talk) => talk.json(500, ''),
  'status-502-page': (talk) => talk.json(502, kPage, { 'content-type': 'text/html' }),
  'status-503': (talk) => talk.json(503, refusal(503, 'The model is loading.', 'model_loading'), { 'retry-after': '1' }),
  'status-529': (talk) => talk.json(529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
  'status-400': (talk) => talk.json(400, refusal(400, 'This model\'s maximum context length is 8192 tokens.', 'context_length_exceeded')),
  'status-401-echo': (talk) => talk.json(401, refusal(401, `Incorrect API key provided: ${/^authorization: *(.*)$/im.exec(talk.request.head)?.[1]}.`, 'invalid_api_key')),
  'status-500-echo': (talk) => talk.json(500, refusal(500, `Unexpected header ${/^authorization: *(.*)$/im.exec(talk.request.head)?.[1]}.`)),
  'status-403': (talk) => talk.json(403, refusal(403, 'Country not supported.')),
  'status-404': (talk) => talk.json(404, { error: 'model "nope" not found, try pulling it first' }),
  'status-404-page': (talk) => talk.json(404, kPage.replace('502 Bad Gateway', '404 Not Found'), { 'content-type': 'text/html' }),
  'status-413': (talk) => talk.json(413, { detail: 'Request entity too large' }),
  'status-418': (talk) => talk.json(418, { message: 'I am a teapot.' }),
  'status-422': (talk) => talk.json(422, { detail: [{ loc: ['body', 'model'], msg: 'field required' }] }),
  'no-stream-options': async (talk) => {
    if (talk.request.body.stream_options) return talk.json(400, refusal(400, 'Unknown field: stream_options'));
    await talk.head();
    await talk.words(0, 20);
    return talk.finish();
  },
  ...Object.fromEntries([301, 302, 303, 307, 308].map((status) => [`redirect-${status}`, redirect(status)])),
};

/** What is odd, but an answer all the same: twenty words. */
const kOddities = {
  'one-byte': async (talk) => {
    const events = Array.from({ length: 20 }, (_, i) => `data: ${JSON.stringify(chunkOf({ content: i ? ` w${i}` : 'w0' }))}\n\n`);
    await talk.writeInPieces(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${events.join('')}data: [DONE]\n\n`, () => 1);
    talk.end();
  },
  'open-after-done': async (talk) => {
    await talk.head();
    await talk.words(0, 20);
    await talk.delta({}, 'stop');
    await talk.write('data: [DONE]\n\n');
    await talk.left;
  },
  'many-100': async (talk) => {
    for (let i = 0; i < 20; i += 1) await talk.write('HTTP/1.1 100 Continue\r\n\r\n');
    await talk.head();
    await talk.words(0, 20);
    await talk.finish();
  },
  'whole-document': (talk) => talk.json(200, {
    id: 'c', object: 'chat.completion', created: 1, model: 'chaos',
    choices: [{ index: 0, message: { role: 'assistant', content: Array.from({ length: 20 }, (_, i) => `w${i}`).join(' ') }, finish_reason: 'stop' }],
  }),
  'no-type': async (talk) => { await talk.head(200, { 'content-type': null }); await talk.words(0, 20); await talk.finish(); },
};

export const kFaults = { ...kSilences, ...kBreaks, ...kFloods, ...kWrongAnswers, ...kRefusals, ...kOddities };
export const kOddNames = Object.keys(kOddities);

const kTypes = { sse: 'text/event-stream', json: 'application/json', html: 'text/html; charset=utf-8' };

export function recordingPath(file) {
  return fileURLToPath(new URL(`../golden/upstreams/${file}`, import.meta.url));
}

/** A recording of a real server, byte by byte or in random pieces. */
export async function sendRecording(talk, file, cutting) {
  const random = new Random(file.length * 7919);
  await talk.head(200, { 'content-type': kTypes[file.split('.').at(-1)] });
  await talk.writeInPieces(readFileSync(recordingPath(file)), cutting === 'bytes' ? () => 1 : () => random.between(1, 150));
  talk.end();
}
