// Writes a ChatGPT export of a given size, for measuring imports: node bench/make_import.mjs FILE MIB [MESSAGES_PER_CONVERSATION]
// Messages have 200 to 600 bytes, every tenth question has two answers. The same arguments make the same file.

import { createWriteStream } from 'node:fs';
import { once } from 'node:events';

const [file, mib, perConversation = '40'] = process.argv.slice(2);
if (!file || !mib) {
  console.error('usage: node bench/make_import.mjs FILE MIB [MESSAGES_PER_CONVERSATION]');
  process.exit(2);
}

const words = 'the a of to and in that it is was for on are with as at be this have from or had by not but what all were when we there can an your which'.split(' ');
let state = 42;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state % below;
};
const text = () => {
  const length = 200 + random(400);
  let out = '';
  while (out.length < length) out += `${words[random(words.length)]} `;
  return out;
};
const uuid = (n, m) => `${String(n).padStart(8, '0')}-0000-4000-8000-${String(m).padStart(12, '0')}`;

function conversation(n) {
  const mapping = {};
  const add = (m, parent, role) => {
    mapping[uuid(n, m)] = {
      id: uuid(n, m), parent: parent === null ? null : uuid(n, parent), children: [],
      message: {
        id: uuid(n, m), author: { role, name: null, metadata: {} }, create_time: 1_700_000_000 + n * 100 + m, update_time: null,
        content: { content_type: 'text', parts: [text()] }, status: 'finished_successfully', end_turn: true, weight: 1,
        metadata: role === 'assistant' ? { model_slug: 'gpt-4o', finish_details: { type: 'stop' } } : {}, recipient: 'all',
      },
    };
  };
  const count = Number(perConversation);
  let last = null;
  for (let m = 0; m < count; ++m) {
    add(m, last, m % 2 ? 'assistant' : 'user');
    if (m % 20 === 19 && m + 1 < count) add(++m, last, 'assistant');
    last = m;
  }
  return JSON.stringify({
    title: `Conversation ${n}`, create_time: 1_700_000_000 + n * 100, update_time: 1_700_000_000 + n * 100 + count, mapping,
    current_node: uuid(n, last), conversation_id: uuid(n, 0), is_archived: false, default_model_slug: 'gpt-4o',
  });
}

const out = createWriteStream(file);
const bytesMax = Number(mib) * 1024 * 1024;
let bytes = 1;
out.write('[');
for (let n = 0; bytes < bytesMax; ++n) {
  const one = (n ? ',' : '') + conversation(n);
  bytes += one.length;
  if (!out.write(one)) await once(out, 'drain');
}
out.end(']');
await once(out, 'finish');
