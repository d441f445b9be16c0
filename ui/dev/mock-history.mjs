// The mock's conversations: a tree of items with one active path, as docs/api.md describes it. The beginning of a path may be
// `giant`: items that are made when asked for and kept nowhere.
import { giantText } from './mock-data.mjs';

const rowBytesMax = 65_536;
const pageBytesMax = 262_144;

const giantId = (n) => `msg_g${String(n).padStart(7, '0')}`;
const giantAt = (itemId) => (/^msg_g\d{7}$/.test(itemId ?? '') ? Number(itemId.slice(5)) : -1);

export class Tree {
  nodes = new Map(); // id -> {item, parent}
  children = new Map(); // parent id or null -> ids, oldest first
  chosen = new Map(); // at a fork: the child that was looked at last
  head = null;

  // `make(n)`: item n of the giant beginning.
  constructor(giant = 0, make = null) {
    this.giant = giant;
    this.make = make;
    if (giant) this.head = giantId(giant - 1);
  }

  has(itemId) {
    const n = giantAt(itemId);
    return n >= 0 ? n < this.giant : this.nodes.has(itemId);
  }

  // Adds `item` after `parent` and makes it the head.
  append(item, parent = this.head) {
    this.nodes.set(item.id, { item, parent });
    this.children.set(parent, [...(this.children.get(parent) ?? []), item.id]);
    this.setHead(item.id);
    return item;
  }

  setHead(itemId) {
    this.head = itemId;
    let at = itemId;
    for (; this.nodes.has(at); at = this.nodes.get(at).parent) this.chosen.set(this.nodes.get(at).parent, at);
    const n = giantAt(at);
    if (n >= 0) for (const key of this.chosen.keys()) if (giantAt(key) >= 0 && (giantAt(key) < n || itemId === at)) this.chosen.delete(key);
  }

  // The leaf last looked at beneath an item.
  leafOf(itemId) {
    let at = itemId;
    for (;;) {
      const n = giantAt(at);
      const next = this.chosen.get(at) ?? this.childrenOf(at).at(-1);
      if (!next) return at;
      at = n >= 0 && giantAt(next) >= 0 ? this.nextFork(giantAt(next)) : next;
    }
  }

  nextFork(n) {
    let end = this.giant - 1;
    for (const key of this.chosen.keys()) if (giantAt(key) >= n && giantAt(key) < end) end = giantAt(key);
    return giantId(end);
  }

  childrenOf(itemId) {
    const n = giantAt(itemId);
    const first = itemId === null ? 0 : n + 1;
    const virtual = (itemId === null || n >= 0) && first < this.giant ? [giantId(first)] : [];
    return [...virtual, ...(this.children.get(itemId) ?? [])];
  }

  // What precedes an item: so many giant ones, then these nodes.
  path(leaf = this.head) {
    const ids = [];
    let at = leaf;
    for (; this.nodes.has(at); at = this.nodes.get(at).parent) ids.push(at);
    return { giant: giantAt(at) + 1, ids: ids.reverse() };
  }

  length(path) {
    return path.giant + path.ids.length;
  }

  // Item number `n` (from 0) of a path, as the API gives it.
  at(path, n) {
    const item = n < path.giant ? this.make(n) : this.nodes.get(path.ids[n - path.giant])?.item;
    return item ? this.dressed(item, n) : undefined;
  }

  dressed(item, n) {
    const parent = this.parentOf(item.id);
    const all = this.childrenOf(parent);
    const i = all.indexOf(item.id);
    const siblings = all.length > 1 ? { siblings: { index: i + 1, count: all.length, previous_id: all[i - 1] ?? null, next_id: all[i + 1] ?? null } } : {};
    return { ...item, position: n + 1, parent_id: parent, ...siblings };
  }

  parentOf(itemId) {
    const n = giantAt(itemId);
    if (n >= 0) return n > 0 ? giantId(n - 1) : null;
    return this.nodes.get(itemId)?.parent ?? null;
  }

  get(itemId) {
    if (!this.has(itemId)) return undefined;
    const path = this.path(itemId);
    return this.at(path, this.length(path) - 1);
  }

  indexOn(path, itemId) {
    const n = giantAt(itemId);
    if (n >= 0) return n < path.giant ? n : -1;
    const i = path.ids.indexOf(itemId);
    return i < 0 ? -1 : i + path.giant;
  }

  // The newest items of the active path, oldest first.
  get newest() {
    return this.head === null ? undefined : this.get(this.head);
  }

  newestUser() {
    for (let at = this.head; at !== null; at = this.parentOf(at)) {
      const item = this.get(at);
      if (item.role === 'user') return item;
    }
    return undefined;
  }

  remove(itemId) {
    const node = this.nodes.get(itemId);
    if (!node) return;
    const under = this.children.get(itemId) ?? [];
    for (const child of under) this.nodes.get(child).parent = node.parent;
    this.children.set(node.parent, this.children.get(node.parent).flatMap((one) => (one === itemId ? under : [one])));
    this.children.delete(itemId);
    this.chosen.delete(itemId);
    this.nodes.delete(itemId);
    for (const [at, child] of this.chosen) if (child === itemId) this.chosen.delete(at);
    if (this.head === itemId) this.head = this.leafOf(node.parent);
  }

  page(query, fail) {
    const limit = Math.min(100, Number(query.get('limit') ?? 20));
    let leaf = query.get('leaf') ?? this.head;
    const wanted = query.get('around');
    if (wanted && this.has(wanted) && this.indexOn(this.path(leaf), wanted) < 0) leaf = this.leafOf(wanted);
    if (leaf !== null && !this.has(leaf)) throw fail('item_not_found', 'leaf');
    const path = this.path(leaf);
    const total = this.length(path);
    const place = ['around', 'at', 'date'].find((name) => query.has(name));
    let ascending = query.get('order') === 'asc';
    let at;
    if (place) {
      at = this.placeOf(path, total, place, query.get(place));
      if (at < 0) throw fail('item_not_found', place);
      ascending = true;
      at = Math.max(-1, Math.min(at - Math.floor(limit / 2), total - limit) - 1);
    } else {
      const after = query.get('after');
      at = after ? this.indexOn(path, after) : ascending ? -1 : total;
      if (after && at < 0) throw fail('invalid_cursor', 'after');
    }
    const data = [];
    const step = ascending ? 1 : -1;
    let bytes = 0;
    for (at += step; at >= 0 && at < total && data.length < limit; at += step) {
      const item = cut(this.at(path, at));
      bytes += item.content?.[0]?.text?.length ?? 0;
      if (data.length && bytes > pageBytesMax) break;
      data.push(item);
    }
    const positions = data.map((item) => item.position);
    return {
      object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: at >= 0 && at < total,
      has_older: data.length > 0 && Math.min(...positions) > 1, has_newer: data.length > 0 && Math.max(...positions) < total,
      leaf_id: leaf, head_position: total,
    };
  }

  placeOf(path, total, place, value) {
    if (place === 'around') return this.indexOn(path, value);
    if (place === 'at') return Math.round(Number(value) * (total - 1));
    for (let low = 0, high = total; ; ) {
      if (low >= high) return Math.min(low, total - 1);
      const middle = (low + high) >> 1;
      if (this.at(path, middle).created_at < Number(value)) low = middle + 1;
      else high = middle;
    }
  }
}

function cut(item) {
  const text = item.content?.[0]?.text ?? '';
  if (text.length <= rowBytesMax) return item;
  return { ...item, content: [{ ...item.content[0], text: text.slice(0, rowBytesMax) }], truncated: true, bytes: Buffer.byteLength(text) };
}

export const giantItem = (n) => ({
  id: giantId(n), type: 'message', role: n % 2 ? 'assistant' : 'user', status: 'completed',
  content: [{ type: n % 2 ? 'output_text' : 'input_text', text: giantText(n) }],
  created_at: 1_700_000_000 + n * 600, response_id: n % 2 ? 'resp_seed' : null, ...(n % 2 ? { model: 'llama3.3:70b' } : {}),
});
