// Does anything depend on how long a conversation is, or on how much the database holds? Through the real server, over HTTP, in one run.
//
//     node bench/flat.mjs [SIZES] [--database N] [--samples N] [--keep DIR]
//
// SIZES: messages in one conversation, default 100,10000,1000000. Each has a database and a server of its own. With --database N (default
// 10000000, 0 leaves it out) there is one more database, which holds N messages of twelve users: the longest conversation once more, and one
// of 100 messages. All servers are asked in turn, operation by operation, on one kept connection each, so what disturbs the machine
// disturbs all of them. The databases take a while to be made (bench/flat_seed.cpp); --keep makes them below DIR and finds them there again.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { confabCommand, kBuild, kDirectory, memoryKib, printTable, quantile, round, sleep, startConfab, startMock, stop } from './support.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { database: { type: 'string', default: '10000000' }, samples: { type: 'string', default: '2000' }, keep: { type: 'string' } },
});
const kSizes = (positionals[0] ?? '100,10000,1000000').split(',').map(Number);
const kDatabase = Number(options.database);
const kReads = Number(options.samples);
const kWrites = Math.ceil(kReads / 5); // they wait for the disk
const kWarmUp = 50;
const kPage = 50;
const kPlaces = 500; // drawn evenly from the whole conversation
const kModel = 'mock-n32-i0-b'; // an answer of 32 tokens in one write; a context of 8,192 tokens, which every size fills

const commas = (number) => number.toLocaleString('en-US');
let state = 20261125;
function random() { // the same draw every time
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const pick = (list) => list[Math.floor(random() * list.length)];

// ---- databases ----

const seeded = [];
function seed(name, messages, others = 0) {
  const dataDir = join(options.keep ?? kDirectory, name);
  const file = join(dataDir, 'confab.db');
  if (!existsSync(join(dataDir, 'seeded'))) {
    mkdirSync(dataDir, { recursive: true });
    const told = JSON.parse(execFileSync(join(kBuild, 'bench', 'flat_seed'), [file, String(messages), String(others)], { encoding: 'utf8' }));
    mkdirSync(join(dataDir, 'seeded'));
    seeded.push([commas(told.messages), round(told.written_s), round(told.indexed_s - told.written_s), round(told.merged_s - told.indexed_s), round(statSync(file).size / 1024 / 1024, 0)]);
  }
  return dataDir;
}

// ---- one conversation on one server ----

class Subject {
  constructor(name, server, key) {
    Object.assign(this, { name, server, key, us: {}, agent: new Agent({ keepAlive: true, maxSockets: 1 }) });
  }

  call(method, path, body) {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = { authorization: `Bearer ${this.key}`, ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) };
      const asked = request({ host: '127.0.0.1', port: this.server.port, method, path, agent: this.agent, headers }, (answer) => {
        const pieces = [];
        answer.on('data', (piece) => pieces.push(piece));
        answer.on('end', () => {
          const received = Buffer.concat(pieces);
          if (answer.statusCode < 300) resolve(received);
          else reject(new Error(`${this.name}: ${method} ${path}: ${answer.statusCode} ${received}`));
        });
      });
      asked.on('error', reject).end(text);
    });
  }

  async json(...call) {
    return JSON.parse(await this.call(...call));
  }

  items(query) {
    return this.call('GET', `/v1/conversations/${this.id}/items?limit=${kPage}${query}`);
  }

  answer(more) {
    return this.call('POST', '/v1/responses', { model: kModel, conversation: this.id, stream: true, ...more });
  }

  async prepare(title) {
    const list = await this.json('GET', '/v1/conversations?limit=100');
    this.id = list.data.find((conversation) => conversation.title === title).id;
    this.places = [];
    for (let i = 0; i < kPlaces; ++i) {
      const page = await this.json('GET', `/v1/conversations/${this.id}/items?limit=1&at=${random()}`);
      this.places.push(page.data[0]);
    }
    // An edit in the middle: two ways on, one of them half of the conversation. The long one is shown.
    const middle = await this.json('GET', `/v1/conversations/${this.id}/items?limit=8&at=0.5`);
    const edited = middle.data.find((item) => item.role === 'user' && item.parent_id);
    const before = (await this.json('GET', `/v1/conversations/${this.id}`)).head_item_id;
    await this.answer({ after: edited.parent_id, input: 'Say it in other words, please.' });
    const beside = (await this.json('GET', `/v1/conversations/${this.id}`)).head_item_id;
    if (before === beside) throw new Error(`${this.name}: the edit is not shown`);
    const short = (await this.json('GET', `/v1/conversations/${this.id}/items?limit=2&around=${beside}`)).data[0];
    this.ways = [edited.id, short.id];
    this.switches = 0;
    await this.json('PUT', `/api/conversations/${this.id}/head`, { item_id: edited.id, descend: true });
    const after = (await this.json('GET', `/v1/conversations/${this.id}`)).head_item_id;
    if (after !== before) throw new Error(`${this.name}: the switch did not lead back`);
  }
}

// ---- what is measured ----

const search = (q) => (subject) => subject.call('GET', `/api/search?limit=20&q=${encodeURIComponent(q)}`);

const kOperations = [
  ['open: the conversation, then its newest page', kReads, async (s) => {
    await s.call('GET', `/v1/conversations/${s.id}`);
    await s.items('');
  }],
  ['page before a message anywhere (`after`)', kReads, (s) => s.items(`&after=${pick(s.places).id}`)],
  ['page after it (`order=asc`)', kReads, (s) => s.items(`&order=asc&after=${pick(s.places).id}`)],
  ['jump to a message (`around`)', kReads, (s) => s.items(`&around=${pick(s.places).id}`)],
  ['jump to a share (`at`)', kReads, (s) => s.items(`&at=${random()}`)],
  ['jump to a date (`date`)', kReads, (s) => s.items(`&date=${pick(s.places).created_at}`)],
  ['search: the most frequent word', kReads, search('harbour ')],
  ['search: the same, as it is typed (a prefix)', kReads, search('harbour')],
  ['search: its first two letters', Math.ceil(kReads / 10), search('ha')],
  ['search: a rare word', kReads, search('kittiwake ')],
  ['search: two frequent words', kReads, search('harbour re ')],
  ['switch branch (`PUT head`, `descend`)', kWrites, (s) => {
    s.switches += 1;
    return s.call('PUT', `/api/conversations/${s.id}/head`, { item_id: s.ways[s.switches % 2], descend: true });
  }],
  ['append one message', kWrites, (s) => s.call('POST', `/v1/conversations/${s.id}/items`, {
    items: [{ type: 'message', role: 'user', content: 'The harbour was quiet when the first boats came in.' }],
  })],
  ['answer: `POST /v1/responses` to the end of the stream', kWrites, async (s) => {
    const events = await s.answer({ input: 'What was the harbour like?' });
    if (!events.includes('response.completed')) throw new Error(events.toString().slice(-500));
  }],
];

const memory = [];
function noteMemory(servers, when) {
  memory.push([when, ...servers.map(({ child }) => round(memoryKib(child.pid).VmRSS / 1024))]);
}

async function measure(subjects, [name, samples, operation]) {
  for (let i = -kWarmUp; i < samples; ++i) {
    for (const subject of subjects) {
      const begin = performance.now();
      await operation(subject);
      if (i >= 0) (subject.us[name] ??= []).push((performance.now() - begin) * 1000);
    }
  }
}

// ---- the run ----

async function startServer(dataDir, users, mock) {
  const keys = users.map((user) => confabCommand(dataDir, ['key', 'add', '--user', user, '--name', 'flat']));
  return { keys, ...(await startConfab({ dataDir, upstreamPort: mock.port })) };
}

const mock = await startMock();
const servers = [];
const subjects = [];
for (const messages of kSizes) {
  const server = await startServer(seed(`flat-${messages}`, messages), ['bench@example.org'], mock);
  servers.push(Object.assign(server, { name: commas(messages) }));
  const subject = new Subject(commas(messages), server, server.keys[0]);
  subjects.push(Object.assign(subject, { title: 'long' }));
}
if (kDatabase > 0) {
  const longest = Math.max(...kSizes);
  const dataDir = seed(`flat-${longest}-of-${kDatabase}`, longest, kDatabase - longest - 100);
  const server = await startServer(dataDir, ['small@example.org', 'bench@example.org'], mock);
  servers.push(Object.assign(server, { name: `database of ${commas(kDatabase)}` }));
  subjects.push(Object.assign(new Subject(`100 of ${commas(kDatabase)}`, server, server.keys[0]), { title: 'short' }));
  subjects.push(Object.assign(new Subject(`${commas(longest)} of ${commas(kDatabase)}`, server, server.keys[1]), { title: 'long' }));
}
noteMemory(servers, 'after the start');
for (const subject of subjects) await subject.prepare(subject.title);
await sleep(3000); // the index has what was just written
noteMemory(servers, `after ${kPlaces} pages of one message anywhere`);
for (const operation of kOperations) {
  await measure(subjects, operation);
  noteMemory(servers, `after ${operation[0]}`);
}

if (seeded.length) printTable('The databases', ['messages', 'written, s', 'then indexed, s', 'merged, s', 'MiB'], seeded);
const smallest = subjects[0];
const cell = (subject, name) => {
  const [p50, p99] = [0.5, 0.99].map((q) => quantile(subject.us[name], q));
  const ratios = [0.5, 0.99].map((q) => round(quantile(subject.us[name], q) / quantile(smallest.us[name], q), 2));
  return `${round(p50 / 1000, 2)} / ${round(p99 / 1000, 2)}${subject === smallest ? '' : ` (${ratios.join(', ')})`}`;
};
printTable(
  `p50 / p99 in ms (ratios to ${smallest.name} messages); ${kReads} reads and ${kWrites} writes each, alternating`,
  ['messages in the conversation', ...subjects.map(({ name }) => name)],
  kOperations.map(([name]) => [name, ...subjects.map((subject) => cell(subject, name))]),
);
printTable('RSS of each server, MiB', ['', ...servers.map(({ name }) => name)], memory);

for (const { agent } of subjects) agent.destroy();
for (const { child } of servers) await stop(child);
await stop(mock.child);
process.exit(0);
