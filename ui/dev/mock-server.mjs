// Confab's HTTP contract (docs/api.md) in memory, for work on the page and for its browser tests. Not a model of the server's
// insides. Usage: node dev/mock-server.mjs [--port 8421] [--state setup|empty|demo|full] [--tps 60] [--token TOKEN] [--pressure 0.41]
// Prompts that contain one of these words answer differently: "fail-now", "fail-late", "refuse-http", "slow", "long", "drop",
// "forever", "hostile", "think", "think-long", "tool", "decline", "cut" (ends at the length), "forgets" (its events, once done), "slow-upload" in a file's name.
import { createServer } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import { extname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { answers, picture, refusal, seedConversations, thoughts, toolCalls } from './mock-data.mjs';
import { giantItem, Tree } from './mock-history.mjs';
import { organise } from './mock-organise.mjs';
import { resources } from './mock-resources.mjs';
import { health, modelAccess, people } from './mock-admin.mjs';

const option = (name, standard) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : standard;
};
const port = Number(option('port', 8421));
const mode = option('state', 'full');
const perSecond = Number(option('tps', 60));
const token = option('token', 'setup-token');
const giantCount = Number(option('giant', 100_000));
const level = Number(option('pressure', 0.41)); // how full the memory is

export const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const id = (prefix) => `${prefix}_${randomBytes(12).toString('hex')}`;
const now = () => Math.floor(Date.now() / 1000);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// --- state
const admin = { id: 'user_1', email: 'ada@example.org', name: 'Ada Lovelace', role: 'admin', created_at: now() - 9e5 };
let user = mode === 'setup' ? null : admin;
let password = 'correct horse';
const cookies = new Set();
const keys = [{ id: 'key_1', name: 'Editor plug-in', prefix: 'sk-cfb-7Qx2', created_at: now() - 86400 * 12, last_used_at: now() - 240 }];
let sessions = [
  { id: 'sess_1', created_at: now() - 7200, last_seen_at: now(), user_agent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140 Safari/537', current: true },
  { id: 'sess_2', created_at: now() - 86400 * 5, last_seen_at: now() - 86400, user_agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Safari/604', current: false },
];
const modelNames = ['llama3.3:70b', 'qwen3:32b', 'mistral-small:24b', 'gemma3:27b', 'phi4:14b', 'deepseek-r1:32b', 'gpt-oss:20b', 'llama3.2:3b', 'nomic-embed-text', 'codestral:22b'];
let upstreams = mode === 'full' ? [{ name: 'ollama', base_url: 'http://127.0.0.1:11434/v1', ok: true, error: null, models: modelNames.slice(0, 5), source: 'config' }, { name: 'workstation', base_url: 'http://10.0.0.7:8000/v1', ok: false, error: 'connection refused', source: 'stored' }] : [];
const conversations = new Map(); // id -> {meta, tree}
const runs = new Map();
const files = new Map(); // id -> {meta, data}

const models = () =>
  upstreams.length
    ? modelNames.map((name) => ({ id: name, object: 'model', created: 1, owned_by: 'ollama', upstream: 'ollama' }))
    : [{ id: 'confab-demo', object: 'model', created: 1, owned_by: 'confab', upstream: 'confab' }];

function newConversation(fields = {}, kept = true) {
  const meta = {
    id: id('conv'), object: 'conversation', created_at: now(), metadata: {}, title: null, updated_at: now(), model: null, pinned: false,
    archived: false, active_response_id: null, last_response: null, folder_id: null, tags: [], deleted_at: null, compaction: null, ...fields,
  };
  const conversation = { meta, tree: new Tree() };
  Object.defineProperty(meta, 'head_item_id', { get: () => conversation.tree.head, enumerable: true });
  if (kept) conversations.set(meta.id, conversation);
  return conversation;
}

function message(role, text, more = {}) {
  return { id: id('msg'), type: 'message', role, status: 'completed', content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }], created_at: now(), response_id: null, ...more };
}

function storeFile(data, filename, type, fileId = id('file').replace('_', '-')) {
  const meta = { id: fileId, object: 'file', bytes: data.length, created_at: now(), filename, purpose: 'vision', status: 'processed', media_type: type };
  files.set(fileId, { meta, data });
  return meta;
}

if (mode === 'full') {
  for (let n = 1; n <= 3; n++) storeFile(picture(n + 2), `ridge-${n}.png`, 'image/png', `file-${n}`);
  for (const { title, age, turns, last } of seedConversations) {
    const one = newConversation({ id: `conv_${title.toLowerCase().replace(/\W+/g, '-')}`, title, updated_at: now() - age, created_at: now() - age, model: 'llama3.3:70b' });
    for (const [role, text, more] of turns) {
      if (role === 'item') one.tree.append({ id: id('item'), created_at: now() - age, response_id: 'resp_seed', model: 'llama3.3:70b', ...text });
      else if (role === 'images') one.tree.append(message('user', '', { created_at: now() - age, content: [...(text ? [{ type: 'input_text', text }] : []), ...more.map((file_id) => ({ type: 'input_image', file_id, detail: 'auto' }))] }));
      else one.tree.append(message(role, text, { created_at: now() - age, ...(role === 'assistant' ? { model: 'llama3.3:70b', response_id: 'resp_seed' } : {}), ...more }));
    }
    one.meta.last_response = last ?? { id: 'resp_seed', status: 'completed', model: 'llama3.3:70b', error: null, incomplete_details: null };
  }
  const giant = newConversation({ id: 'conv_giant', title: 'A hundred thousand messages', updated_at: now() - 3 * 86400, model: 'llama3.3:70b' });
  giant.tree = new Tree(giantCount, giantItem);
  for (let i = 0; i < 300; i++) newConversation({ title: `Older chat number ${i + 1}`, updated_at: now() - (8 + i) * 86400, created_at: now() - (8 + i) * 86400 });
}

// --- runs
function startRun(conversation, model, text, continued = null) {
  const response = { id: id('resp'), object: 'response', created_at: now(), status: 'queued', model, error: null, incomplete_details: null, output: [], conversation: { id: conversation.meta.id }, usage: null, timing: null };
  const run = { response, conversation, continued, events: [], wake: new Set(), done: false, cancelled: false, forgets: text.includes('forgets') };
  runs.set(response.id, run);
  conversation.meta.active_response_id = response.id;
  void play(run, text);
  return run;
}

function emit(run, type, fields) {
  const event = { type, sequence_number: run.events.length, ...structuredClone(fields) };
  run.events.push(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
  for (const wake of run.wake) wake();
  run.wake.clear();
}

// Sends `text` in pieces as `type` events. False when it was stopped, or broke off after `most` pieces.
async function pour(run, type, fields, text, most = Infinity, fast = 1) {
  const pieces = text.match(/[\s\S]{1,6}/gu) ?? [];
  let said = '';
  for (let i = 0; i < pieces.length && i < most && !run.cancelled; i++) {
    said += pieces[i];
    emit(run, type, { ...fields, delta: pieces[i] });
    if (i % fast === 0) await sleep(1000 / perSecond);
  }
  return said;
}

async function think(run, text, fast) {
  const item = { id: id('rs'), type: 'reasoning', status: 'in_progress', summary: [] };
  const where = { item_id: item.id, output_index: run.response.output.length, summary_index: 0 };
  emit(run, 'response.output_item.added', { output_index: where.output_index, item });
  emit(run, 'response.reasoning_summary_part.added', { ...where, part: { type: 'summary_text', text: '' } });
  const said = await pour(run, 'response.reasoning_summary_text.delta', where, text, Infinity, fast);
  item.status = run.cancelled ? 'incomplete' : 'completed';
  item.summary = [{ type: 'summary_text', text: said }];
  emit(run, 'response.reasoning_summary_text.done', { ...where, text: said });
  emit(run, 'response.reasoning_summary_part.done', { ...where, part: item.summary[0] });
  emit(run, 'response.output_item.done', { output_index: where.output_index, item });
  run.response.output.push(item);
}

async function call(run, { name, arguments: text }) {
  const item = { id: id('fc'), type: 'function_call', status: 'in_progress', call_id: id('call'), name, arguments: '' };
  const where = { item_id: item.id, output_index: run.response.output.length };
  emit(run, 'response.output_item.added', { output_index: where.output_index, item });
  item.arguments = await pour(run, 'response.function_call_arguments.delta', where, text);
  item.status = 'completed';
  emit(run, 'response.function_call_arguments.done', { ...where, arguments: item.arguments });
  emit(run, 'response.output_item.done', { output_index: where.output_index, item });
  run.response.output.push(item);
}

async function speak(run, prompt, status) {
  const { response, continued } = run;
  const item = message('assistant', '', { status: 'in_progress', model: response.model, response_id: response.id, content: [] });
  const where = { output_index: response.output.length, content_index: 0, item_id: item.id };
  const refused = prompt.includes('decline');
  const [kind, member] = refused ? ['refusal', 'refusal'] : ['output_text', 'text'];
  emit(run, 'response.output_item.added', { output_index: where.output_index, item });
  emit(run, 'response.content_part.added', { ...where, part: { type: kind, [member]: '' } });
  let text = '';
  let whole = refused ? refusal : answers.for(prompt, upstreams.length > 0);
  if (continued) {
    text = continued.content[0].text;
    emit(run, 'response.output_text.delta', { ...where, delta: text });
    whole = prompt.includes('forever') || !whole.startsWith(text) ? ' went on.\n\nAnd this is the end of it.' : whole.slice(text.length);
  }
  const most = prompt.includes('fail-late') || status.cut ? 60 : Infinity;
  text += await pour(run, `response.${kind}.delta`, where, whole, most, /long|hostile/.test(prompt) ? 40 : 1);
  status.item = item;
  item.status = run.cancelled || most < Infinity ? 'incomplete' : 'completed';
  item.content = [{ type: kind, [member]: text, ...(refused ? {} : { annotations: [] }) }];
  emit(run, `response.${kind}.done`, { ...where, [member]: text });
  emit(run, 'response.content_part.done', { ...where, part: item.content[0] });
  emit(run, 'response.output_item.done', { output_index: where.output_index, item });
  response.output.push(item);
}

// The items of a finished answer become the conversation's in one step with its end.
function commit(run) {
  const { response, conversation, continued } = run;
  if (continued && response.output.length) conversation.tree.remove(continued.id);
  for (const item of response.output) conversation.tree.append({ ...item, created_at: now(), response_id: response.id, model: response.model, ...(item.type === 'message' ? { usage: response.usage, timing: response.timing } : {}) });
}

async function play(run, prompt) {
  const { response, conversation } = run;
  const start = Date.now();
  emit(run, 'response.created', { response });
  emit(run, 'response.queued', { response });
  response.status = 'in_progress';
  emit(run, 'response.in_progress', { response });
  await sleep(prompt.includes('slow') ? 6000 : 250);
  const first = Date.now() - start;
  const finish = (status, type, extra = {}) => {
    Object.assign(response, { status, ...extra });
    if (response.output.length) {
      const output = Math.ceil(JSON.stringify(response.output).length / 6);
      const ms = Date.now() - start;
      response.usage = { input_tokens: 1412, input_tokens_details: { cached_tokens: 1200 }, output_tokens: output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 1412 + output };
      response.timing = { first_token_ms: first, duration_ms: ms, tokens_per_second: Math.round((output / (ms - first)) * 1e4) / 10 };
    }
    commit(run);
    conversation.meta.active_response_id = null;
    conversation.meta.last_response = { id: response.id, status, model: response.model, error: response.error, incomplete_details: response.incomplete_details };
    conversation.meta.updated_at = now();
    run.done = true;
    emit(run, type, { response });
  };
  const cancelled = () => finish('cancelled', 'response.incomplete');
  if (run.cancelled) return cancelled();
  if (prompt.includes('fail-now')) return finish('failed', 'response.failed', { error: { code: 'upstream_unreachable', message: 'The model server “ollama” at http://127.0.0.1:11434 cannot be reached: connection refused. Start it, or choose another model.' } });
  if (prompt.includes('think-long')) await think(run, thoughts.repeat(120), 60);
  else if (prompt.includes('think')) await think(run, thoughts, 1);
  if (run.cancelled) return cancelled();
  if (prompt.includes('tool')) {
    for (const one of toolCalls) await call(run, one);
    return run.cancelled ? cancelled() : finish('completed', 'response.completed');
  }
  const status = { cut: prompt.includes('cut') && !run.continued };
  await speak(run, prompt, status);
  if (run.cancelled) cancelled();
  else if (prompt.includes('fail-late')) finish('failed', 'response.failed', { error: { code: 'upstream_error', message: 'The model server closed the connection in the middle of its answer.' } });
  else if (status.cut) finish('incomplete', 'response.incomplete', { incomplete_details: { reason: 'max_output_tokens' } });
  else finish('completed', 'response.completed');
}

async function tail(run, from, request, response, dropAfter = Infinity) {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform', 'content-security-policy': policy });
  response.write(': ok\n\n');
  let open = true;
  request.on('close', () => (open = false));
  response.on('close', () => (open = false));
  const ping = setInterval(() => open && response.write(':\n\n'), 10_000);
  for (let at = from; open; at++) {
    while (open && at >= run.events.length && !run.done) await Promise.race([new Promise((resolve) => run.wake.add(resolve)), sleep(500)]);
    if (at >= run.events.length) break;
    if (at - from >= dropAfter) {
      response.destroy();
      break;
    }
    response.write(run.events[at]);
  }
  clearInterval(ping);
  if (open) response.end('data: [DONE]\n\n');
}

// --- http
class Failure extends Error {
  constructor(status, code, text, param = null) {
    super(text);
    Object.assign(this, { status, code, param });
  }
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    throw new Failure(400, 'invalid_json', 'The body is not JSON.');
  }
}

// The one file of a multipart body, as far as a browser and the official client write one.
async function multipart(request) {
  const boundary = /boundary="?([^";]+)/.exec(request.headers['content-type'] ?? '')?.[1];
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  for (let at = body.indexOf(`--${boundary}`); at >= 0; ) {
    const next = body.indexOf(`--${boundary}`, at + 1);
    const head = body.indexOf('\r\n\r\n', at);
    if (next < 0 || head < 0) break;
    const name = /filename="([^"]*)"/.exec(body.subarray(at, head).toString());
    if (name) return { name: name[1], data: body.subarray(head + 4, next - 2) };
    at = next;
  }
  throw new Failure(400, 'missing_file', 'The form has no file.', 'file');
}

function imageType(data) {
  const head = data.subarray(0, 12).toString('latin1');
  if (head.startsWith('\x89PNG')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (head.startsWith('GIF8')) return 'image/gif';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'image/webp';
  throw new Failure(400, 'unsupported_file_type', 'Only PNG, JPEG, WebP and GIF images can be uploaded.', 'file');
}

const mime = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const dist = new URL('../dist/', import.meta.url);

function file(response, path) {
  let data;
  try {
    data = readFileSync(new URL(`.${path}`, dist));
  } catch {
    throw new Failure(404, 'not_found', 'No such file.');
  }
  response.writeHead(200, { 'content-type': mime[extname(path)] ?? 'application/octet-stream', 'content-security-policy': policy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  response.end(data);
}

function find(conversationId) {
  const conversation = conversations.get(conversationId);
  if (!conversation) throw new Failure(404, 'conversation_not_found', 'No such conversation.');
  return conversation;
}

const signedIn = (request) => (request.headers.cookie ?? '').split(/;\s*/).some((one) => cookies.has(one.replace('session=', '')));

async function handle(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const path = url.pathname;
  const method = request.method;
  const send = (status, value, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': id('req'), ...headers });
    response.end(JSON.stringify(value));
  };
  const list = (data) => send(200, { object: 'list', data });
  if (method === 'GET' && !path.startsWith('/api/') && !path.startsWith('/v1/')) {
    if (/^\/($|c\/|setup$|login$|settings)/.test(path)) return file(response, '/index.html');
    return file(response, path);
  }
  const upload = path === '/v1/files' && method === 'POST';
  const body = !upload && path !== '/api/imports' && /POST|PATCH|PUT/.test(method) ? await bodyOf(request) : {};
  const enter = (status) => {
    const cookie = randomBytes(16).toString('hex');
    cookies.add(cookie);
    send(status, { user }, { 'set-cookie': `session=${cookie}; HttpOnly; SameSite=Lax; Path=/` });
  };
  if (path === '/api/status') return send(200, { version: '0.1.0', setup_required: user === null });
  if (path === '/api/auth/setup') {
    if (user) throw new Failure(409, 'setup_already_done', 'Confab is set up already.');
    if (body.token !== token) throw new Failure(403, 'setup_token_invalid', 'The set-up token is wrong.');
    user = { ...admin, email: body.email, name: body.name ?? '' };
    password = body.password;
    return enter(201);
  }
  if (path === '/api/auth/login') {
    if (body.email !== user?.email || body.password !== password) throw new Failure(401, 'invalid_credentials', 'The email or the password is wrong.');
    return enter(200);
  }
  if (!signedIn(request)) throw new Failure(401, 'not_signed_in', 'Sign in first.');
  if (path === '/api/auth/logout') {
    cookies.clear();
    return send(200, {}, { 'set-cookie': 'session=; Max-Age=0; Path=/' });
  }
  if (path === '/api/auth/me') return send(200, { user });
  if (path === '/api/auth/password') {
    if (body.current_password !== password) throw new Failure(400, 'invalid_credentials', 'The current password is wrong.', 'current_password');
    password = body.new_password;
    return send(200, {});
  }
  if (path === '/api/auth/sessions') return list(sessions);
  if (path.startsWith('/api/auth/sessions/')) {
    sessions = sessions.filter((one) => one.id !== path.split('/').at(-1));
    return send(200, {});
  }
  if (path === '/api/keys' && method === 'GET') return list(keys);
  if (path === '/api/keys') {
    const secret = `sk-cfb-${randomBytes(24).toString('base64url')}`;
    const key = { id: id('key'), name: body.name, prefix: secret.slice(0, 11), created_at: now(), last_used_at: null };
    keys.unshift(key);
    return send(201, { ...key, key: secret });
  }
  if (path.startsWith('/api/keys/')) {
    keys.splice(keys.findIndex((one) => one.id === path.split('/').at(-1)), 1);
    return send(200, { deleted: true });
  }
  if (path === '/v1/models') return send(200, { object: 'list', data: models(), default_model: models()[0].id, upstreams });
  if (path === '/api/upstreams/discover') {
    await sleep(500);
    return list([{ name: 'ollama', base_url: 'http://127.0.0.1:11434/v1', models: modelNames.slice(0, 5) }, { name: 'llama.cpp', base_url: 'http://127.0.0.1:8080/v1', models: ['stories260K'] }]);
  }
  if (path === '/api/admin/resources') return send(200, resources(Number(url.searchParams.get('since') ?? 0), level));
  if (path === '/api/upstreams' && method === 'GET') return list(upstreams);
  if (path === '/api/upstreams') {
    if (!/^https?:/.test(body.base_url)) throw new Failure(400, 'invalid_base_url', 'The base URL must begin with http:// or https://.', 'base_url');
    const upstream = { name: body.name, base_url: body.base_url, ok: true, error: null, models: modelNames.slice(0, 2), source: 'stored' };
    upstreams.push(upstream);
    return send(201, upstream);
  }
  if (path.startsWith('/api/upstreams/') && method === 'PATCH') {
    const upstream = upstreams.find((one) => one.name === decodeURIComponent(path.split('/').at(-1)));
    return send(200, Object.assign(upstream, { slots: body.slots ?? upstream.slots }));
  }
  if (path === '/api/admin/model-access') return send(200, modelAccess(method === 'PUT' ? body : undefined));
  if (path === '/api/admin/health') return send(200, health(upstreams));
  if (path === '/api/admin/users' && method === 'GET') return send(200, { object: 'list', data: people, has_more: false });
  if (path.startsWith('/api/upstreams/')) {
    upstreams = upstreams.filter((one) => one.name !== decodeURIComponent(path.split('/').at(-1)));
    return send(200, { deleted: true });
  }
  if (upload) {
    if (Number(request.headers['content-length']) > 20 * 1024 * 1024 + 4096) throw new Failure(413, 'file_too_large', 'The file is larger than 20 MiB.', 'file');
    const { name, data } = await multipart(request);
    if (name.includes('slow-upload')) await sleep(1500);
    return send(200, storeFile(data, name, imageType(data)));
  }
  if (path === '/v1/files') return list([...files.values()].map((one) => one.meta).reverse());
  let match = /^\/v1\/files\/([^/]+)(\/content)?$/.exec(path);
  if (match) {
    const one = files.get(match[1]);
    if (!one) throw new Failure(404, 'file_not_found', 'No such file.');
    if (method === 'DELETE') {
      files.delete(match[1]);
      return send(200, { id: match[1], object: 'file', deleted: true });
    }
    if (!match[2]) return send(200, one.meta);
    response.writeHead(200, { 'content-type': one.meta.media_type, 'content-length': one.data.length, 'x-content-type-options': 'nosniff', 'content-security-policy': "sandbox; default-src 'none'", 'cache-control': 'private, max-age=31536000, immutable' });
    return response.end(one.data);
  }
  if (path === '/v1/responses' && method === 'POST') {
    const content = typeof body.input === 'string' ? [{ type: 'input_text', text: body.input }] : body.input.flatMap((item) => (typeof item.content === 'string' ? [{ type: 'input_text', text: item.content }] : (item.content ?? [])));
    if (!body.conversation && body.store === false) {
      const asked = body.input.findLast((item) => item.role === 'user')?.content.find((part) => part.text)?.text ?? '';
      return tail(startRun(newConversation({}, false), body.model, asked), 0, request, response);
    }
    const conversation = find(body.conversation);
    const { tree } = conversation;
    if (conversation.meta.active_response_id) throw new Failure(400, 'conversation_locked', 'Another answer is being written in this conversation.', 'conversation');
    const newest = tree.newest;
    const asked = () => tree.newestUser()?.content.find((part) => part.text)?.text ?? '';
    if (body.continue) {
      if (newest?.role !== 'assistant' || newest.status !== 'incomplete') throw new Failure(400, 'nothing_to_continue', 'The newest item of the conversation is not an incomplete answer.', 'continue');
      return tail(startRun(conversation, body.model, asked().replace('fail-late', ''), newest), 0, request, response);
    }
    const text = content.map((part) => part.text ?? '').join('');
    for (const part of content) if (part.file_id && !files.has(part.file_id)) throw new Failure(404, 'file_not_found', `There is no file ${part.file_id}.`, 'input');
    if (text.includes('refuse-http')) throw new Failure(429, 'rate_limit_exceeded', 'You have used up your requests for this minute. Try again in 20 seconds.');
    if (body.after !== undefined) {
      if (body.after !== null && !tree.has(body.after)) throw new Failure(400, 'item_not_found', 'No such item.', 'after');
      tree.setHead(body.after);
    }
    if (content.length) {
      tree.append(message('user', '', { content }));
      conversation.meta.title ??= text.slice(0, 48) || 'Images';
    }
    conversation.meta.updated_at = now();
    // The second try succeeds: an empty input is a retry.
    const run = startRun(conversation, body.model, text || 'again');
    return tail(run, 0, request, response, text.includes('drop') ? 25 : Infinity);
  }
  match = /^\/v1\/responses\/([^/]+)(\/cancel)?$/.exec(path);
  if (match) {
    const run = runs.get(match[1]);
    if (!run) throw new Failure(404, 'response_not_found', 'No such response.');
    if (match[2]) {
      run.cancelled = true;
      return send(200, run.response);
    }
    // Ten minutes after the end a viewer who had seen something gets the end only. With "forgets" in the prompt, at once.
    if (run.done && run.forgets && url.searchParams.has('starting_after')) return tail(run, run.events.length - 1, request, response);
    if (url.searchParams.get('stream') === 'true') return tail(run, Number(url.searchParams.get('starting_after') ?? -1) + 1, request, response);
    return send(200, run.response);
  }
  const fail = (status, code, text, param) => new Failure(status, code, text, param);
  if (await organise({ path, method, url, body, request, response, send, list, find, conversations, newConversation, fail, now, id, admin: user })) return;
  if (path === '/v1/conversations') return send(200, newConversation({ model: body.model ?? null, title: body.title ?? null }).meta);
  match = /^\/(v1|api)\/conversations\/([^/]+)(\/items)?(?:\/([^/]+))?$/.exec(path);
  if (match) {
    const conversation = find(decodeURIComponent(match[2]));
    const { tree, meta } = conversation;
    if (match[4] === 'head') {
      if (body.item_id !== null && !tree.has(body.item_id)) throw new Failure(404, 'item_not_found', 'No such item.');
      tree.setHead(body.descend ? tree.leafOf(body.item_id) : body.item_id);
      return send(200, meta);
    }
    if (match[4] === 'fork') {
      if (!tree.has(body.item_id)) throw new Failure(404, 'item_not_found', 'No such item.');
      const path = tree.path(body.item_id);
      const copy = newConversation({ title: meta.title, model: meta.model, tags: meta.tags });
      copy.tree = new Tree(path.giant, giantItem);
      for (const one of path.ids) copy.tree.append({ ...tree.nodes.get(one).item, id: id('msg') });
      return send(201, copy.meta);
    }
    if (match[4] && match[3]) {
      const item = tree.get(decodeURIComponent(match[4]));
      if (!item) throw new Failure(404, 'item_not_found', 'No such item.');
      if (method === 'DELETE') {
        tree.remove(item.id);
        return send(200, meta);
      }
      return send(200, item);
    }
    if (match[3]) {
      await sleep(60);
      return send(200, tree.page(url.searchParams, (code, param) => new Failure(code === 'invalid_cursor' ? 400 : 404, code, 'No such item.', param)));
    }
    if (!match[4]) {
      if (method === 'PATCH') {
        Object.assign(meta, body, body.folder_id === '' ? { folder_id: null } : {}, body.compaction === '' ? { compaction: null } : {});
        return send(200, meta);
      }
      if (method === 'DELETE') {
        conversations.delete(meta.id);
        return send(200, { id: meta.id, object: 'conversation.deleted', deleted: true });
      }
      return send(200, meta);
    }
  }
  throw new Failure(404, 'not_found', 'No such route.');
}

createServer((request, response) => {
  handle(request, response).catch((error) => {
    if (!(error instanceof Failure)) console.error(error);
    if (response.headersSent) return response.destroy();
    response.writeHead(error.status ?? 500, { 'content-type': 'application/json', 'x-request-id': id('req') });
    response.end(JSON.stringify({ error: { message: error.message, type: 'invalid_request_error', param: error.param ?? null, code: error.code ?? 'internal' } }));
  });
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/ (${mode}; ada@example.org / "correct horse"; ${readdirSync(dist).length} files in dist)`));
