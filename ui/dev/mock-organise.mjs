// The mock's routes around conversations: lists with filters, folders, tags, the trash, bulk actions, search, what the model
// sees, settings, import and export. `organise` answers true when the route was one of these.
import { Readable } from 'node:stream';

const folders = [
  { id: 'fold_1', name: 'Databases', created_at: 1_700_000_000 },
  { id: 'fold_2', name: 'Summer trip', created_at: 1_710_000_000 },
];
const settings = { default_model: '', title_model: '', retention_days: null, trash_days: 30, compaction: 'auto', sharing: 'on' };
let shares = [];
const mySettings = { retention_days: null };
const imports = [];
let seeded = false;

function seed(conversations) {
  seeded = true;
  const set = (id, fields) => conversations.get(`conv_${id}`) && Object.assign(conversations.get(`conv_${id}`).meta, fields);
  set('keyset-pagination', { pinned: true, folder_id: 'fold_1', tags: ['sql', 'work'] });
  set('why-is-page-5-000-slow-', { folder_id: 'fold_1', tags: ['sql'] });
  set('two-days-in-ljubljana', { folder_id: 'fold_2', tags: ['travel'] });
  set('trip-to-ljubljana', { folder_id: 'fold_2', tags: ['travel'] });
}

const textOf = (item) => item.content?.map((part) => part.text ?? '').join('') ?? '';

// Plain words, all of which must occur; the prefixes are taken off.
function parse(q) {
  const filters = {};
  const words = [];
  for (const word of q.toLowerCase().match(/"[^"]*"|\S+/g) ?? []) {
    const match = /^(in|from|model|before|after):(.+)$/.exec(word);
    if (match) filters[match[1]] = match[2];
    else words.push(word.replace(/"/g, ''));
  }
  return { filters, words: words.filter(Boolean) };
}

function snippet(text, words) {
  const at = Math.max(0, text.toLowerCase().indexOf(words[0] ?? '') - 40);
  const piece = `${at > 0 ? '…' : ''}${text.slice(at, at + 160).replace(/\s+/g, ' ')}`;
  const parts = [];
  let rest = piece;
  const any = words.length ? new RegExp(words.map((word) => word.replace(/[^\p{L}\p{N}]/gu, '\\$&')).join('|'), 'i') : null;
  for (let hit; any && (hit = any.exec(rest)); rest = rest.slice(hit.index + hit[0].length)) {
    if (hit.index) parts.push({ text: rest.slice(0, hit.index), hit: false });
    parts.push({ text: hit[0], hit: true });
  }
  return rest ? [...parts, { text: rest, hit: false }] : parts;
}

function search(conversations, q) {
  const { filters, words } = parse(q);
  const hits = [];
  for (const { meta, tree } of conversations.values()) {
    if (meta.deleted_at) continue;
    const title = meta.title ?? '';
    const base = { conversation_id: meta.id, conversation_title: title };
    if (words.length && words.every((word) => title.toLowerCase().includes(word))) hits.push({ ...base, item_id: null, role: null, model: null, created_at: meta.updated_at, snippet: snippet(title, words), score: 2 });
    if (filters.in === 'title') continue;
    const items = [...tree.nodes.values()].map((one) => one.item);
    if (tree.giant) items.push(...[41, 4_999, 50_000].filter((n) => n < tree.giant).map((n) => tree.make(n)));
    for (const item of items) {
      const text = textOf(item).toLowerCase();
      if (filters.from && (filters.from === 'me') !== (item.role === 'user')) continue;
      if (filters.model && !item.model?.includes(filters.model)) continue;
      if (words.every((word) => text.includes(word)) && text) hits.push({ ...base, item_id: item.id, role: item.role ?? null, model: item.model ?? null, created_at: item.created_at, snippet: snippet(textOf(item), words), score: 1 });
    }
  }
  return hits;
}

function listed({ conversations, url }) {
  const query = url.searchParams;
  const ascending = query.get('order') === 'asc';
  const all = [...conversations.values()].map((one) => one.meta).filter((meta) => matches(meta, (name) => query.get(name))).sort((a, b) => (ascending ? a.updated_at - b.updated_at : b.updated_at - a.updated_at));
  const limit = Number(query.get('limit') ?? 20);
  const start = all.findIndex((one) => one.id === query.get('after')) + 1;
  const data = all.slice(start, start + limit);
  return { object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: start + limit < all.length };
}

function matches(meta, get) {
  if ((get('trash') === 'true') !== (meta.deleted_at !== null)) return false;
  if (get('trash') !== 'true' && get('archived') !== 'any' && meta.archived !== (get('archived') === 'true')) return false;
  if (get('pinned') && String(meta.pinned) !== get('pinned')) return false;
  if (get('folder') && (meta.folder_id ?? 'none') !== get('folder')) return false;
  return !get('tag') || meta.tags.includes(get('tag'));
}

function act(conversation, body, now, conversations) {
  const { meta } = conversation;
  if (body.action === 'trash') meta.deleted_at = now();
  if (body.action === 'restore') meta.deleted_at = null;
  if (body.action === 'delete') conversations.delete(meta.id);
  if (body.action === 'archive' || body.action === 'unarchive') meta.archived = body.action === 'archive';
  if (body.action === 'move') meta.folder_id = body.folder_id || null;
  if (body.action === 'tag') meta.tags = [...new Set([...meta.tags, body.tag])];
  if (body.action === 'untag') meta.tags = meta.tags.filter((tag) => tag !== body.tag);
}

// Reads the body and counts; the job then goes on for a while.
async function startImport({ request, url, now, id }) {
  let bytes = 0;
  let head = '';
  for await (const chunk of request) {
    bytes += chunk.length;
    if (head.length < 4096) head += chunk;
  }
  const job = { id: id('imp'), object: 'import', filename: url.searchParams.get('filename'), format: null, status: 'queued', bytes, bytes_read: 0, conversations: 0, messages: 0, skipped: 0, problems: [], problems_total: 0, created_at: now(), finished_at: null };
  imports.unshift(job);
  const bad = !/[{[]/.test(head.slice(0, 64));
  let step = 0;
  const timer = setInterval(() => {
    if (job.status === 'cancelled') return clearInterval(timer);
    step++;
    job.status = 'running';
    job.format = bad ? null : head.includes('confab_export') ? 'confab' : 'chatgpt';
    job.bytes_read = Math.min(bytes, Math.round((bytes * step) / 6));
    if (!bad) Object.assign(job, { conversations: step * 2, messages: step * 31 });
    if (step < 6) return;
    clearInterval(timer);
    job.finished_at = now();
    job.status = bad ? 'failed' : 'completed';
    job.problems = bad ? [{ where: 'byte 0', code: 'unknown_format', message: 'This is none of the formats that can be imported.' }] : [{ where: 'conversation 4', code: 'cycle', message: 'Two messages name each other as their parent; both were left out.' }];
    job.problems_total = job.problems.length;
  }, 250);
  return job;
}

export async function organise(call) {
  const { path, method, url, body, response, send, list, find, conversations, fail, now, id, admin } = call;
  if (!seeded && conversations.size) seed(conversations);
  const done = (status, value) => (send(status, value), true);
  if (path === '/v1/conversations' && method === 'GET') {
    await new Promise((resolve) => setTimeout(resolve, 120));
    return done(200, listed(call));
  }
  if (path === '/api/search') {
    const q = url.searchParams.get('q') ?? '';
    if (q.includes('fail-search')) throw fail(503, 'overloaded', 'The server is busy. Try again in a moment.');
    await new Promise((resolve) => setTimeout(resolve, 60));
    const all = q.trim() ? search(conversations, q) : [];
    all.sort((a, b) => (url.searchParams.get('order') === 'relevance' ? b.score - a.score : b.created_at - a.created_at));
    const start = Number(url.searchParams.get('after') ?? 0);
    const limit = Number(url.searchParams.get('limit') ?? 20);
    const more = start + limit < all.length;
    return done(200, { object: 'list', data: all.slice(start, start + limit), has_more: more, next: more ? String(start + limit) : null, pending: q.includes('pending') ? 1200 : 0 });
  }
  if (path === '/api/folders') {
    if (method === 'POST') {
      const folder = { id: id('fold'), name: body.name, created_at: now() };
      folders.push(folder);
      return done(201, { ...folder, conversations: 0 });
    }
    const count = (folder) => [...conversations.values()].filter(({ meta }) => meta.folder_id === folder && !meta.deleted_at).length;
    return list(folders.map((one) => ({ ...one, conversations: count(one.id) }))), true;
  }
  let match = /^\/api\/folders\/([^/]+)$/.exec(path);
  if (match) {
    const at = folders.findIndex((one) => one.id === match[1]);
    if (at < 0) throw fail(404, 'folder_not_found', 'No such folder.');
    if (method === 'PATCH') return done(200, Object.assign(folders[at], { name: body.name }));
    for (const { meta } of conversations.values()) if (meta.folder_id === match[1]) meta.folder_id = null;
    folders.splice(at, 1);
    return done(200, { id: match[1], deleted: true });
  }
  if (path === '/api/tags') {
    const counts = new Map();
    for (const { meta } of conversations.values()) if (!meta.deleted_at) for (const tag of meta.tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    return list([...counts].sort().map(([name, count]) => ({ name, conversations: count }))), true;
  }
  if (path === '/api/conversations/bulk') {
    const chosen = body.all ? [...conversations.values()].filter(({ meta }) => matches(meta, (name) => (body[name] === undefined ? null : String(body[name])))) : body.ids.map((one) => conversations.get(one)).filter(Boolean);
    for (const one of chosen) act(one, body, now, conversations);
    return done(200, { done: chosen.length, failed: [] });
  }
  match = /^\/api\/conversations\/([^/]+)\/shares$/.exec(path);
  if (match && method === 'POST') {
    const { meta } = find(decodeURIComponent(match[1]));
    const days = body.expires_in_days === undefined ? 30 : body.expires_in_days;
    const token = 'T'.repeat(30) + id('').slice(-13);
    const share = { id: id('share'), object: 'share', conversation_id: meta.id, title: meta.title, created_at: now(), expires_at: days === null ? null : now() + days * 86400, expired: false };
    shares.unshift({ share, token });
    return done(201, { ...share, token, path: `/share#${token}` });
  }
  if (path === '/api/admin/audit' && admin?.role === 'admin') {
    const kinds = ['sign_in', 'key_made', 'person_suspended', 'settings_changed', 'share_made'];
    const all = Array.from({ length: 120 }, (_, i) => ({ id: 120 - i, at: now() - i * 4000, kind: kinds[i % 5], outcome: i % 10 === 5 ? 'invalid_credentials' : 'ok', person: i % 10 === 5 ? null : 'user_1', email: i % 10 === 5 ? null : 'ada@example.org', address: '192.0.2.7', object: null, detail: i % 5 === 2 ? 'grace@example.org' : i % 5 === 3 ? 'signup trash_days' : null }));
    const some = all.filter((one) => (!url.searchParams.get('kind') || one.kind === url.searchParams.get('kind')) && one.id < Number(url.searchParams.get('after') ?? 1e9));
    return done(200, { object: 'list', data: some.slice(0, 50), has_more: some.length > 50, next: some.length > 50 ? String(some[49].id) : null, kinds });
  }
  if (path === '/api/shares') {
    const of = url.searchParams.get('conversation');
    return list(shares.map((one) => one.share).filter((one) => !of || one.conversation_id === of)), true;
  }
  match = /^\/api\/shares\/([^/]+)$/.exec(path);
  if (match) {
    shares = shares.filter((one) => one.share.id !== match[1]);
    return done(200, { id: match[1], deleted: true });
  }
  if (path === '/api/shared') {
    const one = shares.find(({ token }) => token === call.request.headers['confab-share']);
    if (!one) throw fail(404, 'share_not_found', 'There is nothing at this link.');
    const { tree } = find(one.share.conversation_id);
    const after = Number(url.searchParams.get('after') ?? 0);
    const whole = tree.path();
    const last = Math.min(tree.length(whole), after + 50);
    const data = [];
    for (let i = after; i < last; i++) data.push({ ...tree.at(whole, i), position: i + 1, model: undefined });
    return done(200, { object: 'shared_conversation', ...one.share, data, last_position: last, has_more: last < tree.length(whole) });
  }
  match = /^\/api\/conversations\/([^/]+)\/(trash|restore|context|export)$/.exec(path);
  if (match) {
    const conversation = find(decodeURIComponent(match[1]));
    const { meta, tree } = conversation;
    if (match[2] === 'trash' || match[2] === 'restore') {
      act(conversation, { action: match[2] }, now, conversations);
      return done(200, meta);
    }
    const whole = tree.path();
    const total = tree.length(whole);
    if (match[2] === 'context') {
      const first = Math.max(0, total - 24);
      const upto = first > 0 ? tree.at(whole, first - 1) : null;
      return done(200, {
        model: url.searchParams.get('model') ?? meta.model, context_tokens: 8192, budget_tokens: 6144, used_tokens: Math.min(5800, total * 160), first_item_id: total ? tree.at(whole, first).id : null, first_position: first + 1, head_position: total,
        summary: upto && meta.compaction !== 'off' ? { upto_item_id: upto.id, upto_position: first, tokens: 214, created_at: now() - 600, text: 'You asked how pages of a long list are read, and settled on **keyset pagination** with the id as a tie-breaker. Two things are open: jumping to a date, and what happens when rows are deleted meanwhile.' } : null,
        compaction: meta.compaction ?? settings.compaction,
      });
    }
    const format = url.searchParams.get('format') ?? 'md';
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-disposition': `attachment; filename="conversation.${format}"` });
    response.end(`# ${meta.title}\n`);
    return true;
  }
  if (path === '/api/export') {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'content-disposition': 'attachment; filename="confab.ndjson"' });
    Readable.from(['{"type":"confab_export","version":1}\n', '{"type":"end","conversations":0,"items":0,"files":0}\n']).pipe(response);
    return true;
  }
  if (path === '/api/imports') return method === 'POST' ? done(202, await startImport(call)) : (list(imports), true);
  match = /^\/api\/imports\/([^/]+)$/.exec(path);
  if (match) {
    const job = imports.find((one) => one.id === match[1]);
    if (!job) throw fail(404, 'import_not_found', 'No such import.');
    if (method === 'DELETE') Object.assign(job, { status: 'cancelled', finished_at: now() });
    return done(200, job);
  }
  if (path === '/api/settings' && admin?.role === 'admin') return done(200, method === 'PATCH' ? Object.assign(settings, body) : settings);
  if (path === '/api/me/settings') return done(200, method === 'PATCH' ? Object.assign(mySettings, body) : mySettings);
  return false;
}
