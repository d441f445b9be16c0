// The newest page of a conversation over HTTP, from the real server: 1,000,000 messages against 100.
//
//     node bench/http_page.mjs DATA_DIR [MESSAGES]     DATA_DIR/confab.db made by `store_bench seed FILE MESSAGES`
//
// The two conversations are asked for alternately on one connection. Memory is the server's, from /proc/PID/status.

import { Agent, request } from 'node:http';
import { confabCommand, memoryKib, printTable, quantile, round, startConfab, stop } from './support.mjs';

const kWarmUp = 200;
const kPages = 3000;
const kOlderPages = 1000;

const dataDir = process.argv[2];
const messages = Number(process.argv[3] ?? 1_000_000).toLocaleString('en-US');
if (!dataDir) throw new Error('usage: node http_page.mjs DATA_DIR');

const key = confabCommand(dataDir, ['key', 'add', '--user', 'bench@example.org', '--name', 'http_page']);
const { child, port } = await startConfab({ dataDir });
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function get(path) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const asked = request({ host: '127.0.0.1', port, path, agent, headers: { authorization: `Bearer ${key}` } }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => {
        const us = (performance.now() - begin) * 1000;
        const body = Buffer.concat(pieces);
        if (answer.statusCode === 200) resolve({ us, body });
        else reject(new Error(`${path}: ${answer.statusCode} ${body}`));
      });
    });
    asked.on('error', reject).end();
  });
}

const rssMib = () => memoryKib(child.pid).VmRSS / 1024;

async function find(title) {
  const list = JSON.parse((await get('/v1/conversations?limit=100')).body);
  return list.data.find((conversation) => conversation.title === title).id;
}

const subjects = [
  { name: '100 messages', id: await find('short'), us: [], olderUs: [], bytes: 0 },
  { name: `${messages} messages`, id: await find('long'), us: [], olderUs: [], bytes: 0 },
];
const newest = (subject) => get(`/v1/conversations/${subject.id}/items?limit=50`);

const memory = [['after the start', round(rssMib())]];
for (const subject of subjects) {
  for (let i = 0; i < kWarmUp; ++i) await newest(subject);
  memory.push([`after ${kWarmUp} newest pages of ${subject.name}`, round(rssMib())]);
}
for (let i = 0; i < kPages; ++i) {
  for (const subject of subjects) {
    const { us, body } = await newest(subject);
    subject.us.push(us);
    subject.bytes = body.length;
  }
}
memory.push([`after ${kPages} more of each`, round(rssMib())]);

// "Load more", page after page, as somebody who scrolls up; at the top of the short one they begin again.
async function scrollUp(subject) {
  const { us, body } = await get(`/v1/conversations/${subject.id}/items?limit=50${subject.after ?? ''}`);
  const page = JSON.parse(body);
  if (subject.after) subject.olderUs.push(us);
  subject.after = page.has_more ? `&after=${page.last_id}` : '';
}

for (let i = 1; i <= kOlderPages; ++i) {
  for (const subject of subjects) await scrollUp(subject);
  if (i % 500 === 0) memory.push([`after scrolling up ${i} pages in each`, round(rssMib())]);
}

const row = ({ name, us, bytes, olderUs }) =>
  [name, round(quantile(us, 0.5), 0), round(quantile(us, 0.99), 0), String(bytes), round(quantile(olderUs, 0.5), 0), round(quantile(olderUs, 0.99), 0)];
const ratio = (pick, digits = 2) => round(pick(subjects[1]) / pick(subjects[0]), digits);
printTable(
  `GET /v1/conversations/{id}/items?limit=50 over HTTP, ${kPages} newest pages of each, alternating, one connection`,
  ['', 'p50 us', 'p99 us', 'bytes', 'older page p50 us', 'p99 us'],
  [...subjects.map(row), ['ratio', ratio((s) => quantile(s.us, 0.5)), ratio((s) => quantile(s.us, 0.99)), ratio((s) => s.bytes),
    ratio((s) => quantile(s.olderUs, 0.5)), ratio((s) => quantile(s.olderUs, 0.99))]],
);
printTable('Memory of the server', ['', 'RSS MiB'], memory);

agent.destroy();
await stop(child);
