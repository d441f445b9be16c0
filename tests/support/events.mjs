// What a stream of /v1/responses events must look like, whoever reads it. `checkEvents` states the grammar once, for all tests.

import assert from 'node:assert/strict';

const kTerminal = ['response.completed', 'response.incomplete', 'response.failed'];

/**
 * Checks one whole stream: numbering without gaps (`afterCrash`: with one), the order of events, the same ids throughout, deltas that add up to the text,
 * and one terminal event, the last. `from` is the first sequence number expected. Returns {text, terminal, response, types}.
 */
export function checkEvents(events, { from = 0, afterCrash = false } = {}) {
  assert.ok(events.length > 0, 'the stream has no events');
  const numbers = events.map((event) => event.sequence_number);
  if (afterCrash) {
    const gaps = numbers.filter((number, i) => number !== (i === 0 ? from : numbers[i - 1] + 1));
    assert.ok(gaps.length === 1 && numbers.every((number, i) => i === 0 || number > numbers[i - 1]), 'numbers grow, with one gap: that before the end');
  } else {
    assert.deepEqual(numbers, events.map((_, i) => from + i), 'numbered without a gap');
  }
  const types = events.map((event) => event.type);
  const terminal = events.at(-1);
  assert.ok(kTerminal.includes(terminal.type), `ends with ${terminal.type}`);
  assert.equal(types.filter((type) => kTerminal.includes(type)).length, 1, 'one terminal event');
  const text = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');
  checkIds(events);
  if (from === 0) checkOrder(events);
  const done = events.filter((event) => event.type === 'response.output_text.done').map((event) => event.text).join('');
  if (from === 0) assert.equal(done, text, 'the deltas add up to the text');
  if (from === 0) assert.equal(outputText(terminal.response), text, 'and so does the last snapshot');
  return { text, terminal, response: terminal.response, types };
}

function checkIds(events) {
  const responses = new Set(events.filter((event) => event.response).map((event) => event.response.id));
  assert.equal(responses.size, 1, 'one response id');
  const [id] = responses;
  assert.match(id, /^resp_/);
  const items = new Map();
  for (const event of events) {
    const item = event.item_id ?? event.item?.id;
    if (!item) continue;
    assert.equal(item, items.get(event.output_index) ?? item, `one item at output ${event.output_index}`);
    items.set(event.output_index, item);
    if (/content_part|output_text|refusal/.test(event.type)) assert.equal(typeof event.content_index, 'number');
    if (event.type.includes('summary')) assert.equal(event.summary_index, 0);
  }
  assert.equal(new Set(items.values()).size, items.size, 'no item twice');
}

const kMessageGrammar = /^i(td*DT|ur*RT)*I$/;
const kReasoningGrammar = /^iks*SKI$/;
const kCallGrammar = /^ia*AI$/;

/**
 * created, queued?, in_progress, then each item in full or none at all, then the terminal event. An `error` event may precede
 * `response.failed` when there is no item: nothing worth keeping is lost by the clients that stop there.
 */
function checkOrder(events) {
  const letters = {
    'response.created': 'c', 'response.queued': 'q', 'response.in_progress': 'p', 'response.output_item.added': 'i',
    'response.content_part.added': 't', 'response.output_text.delta': 'd', 'response.output_text.done': 'D',
    'response.content_part.done': 'T', 'response.output_item.done': 'I', 'response.completed': '.', 'response.incomplete': '.',
    'response.failed': '.', error: 'e', 'response.refusal.delta': 'r', 'response.refusal.done': 'R',
    'response.reasoning_summary_part.added': 'k', 'response.reasoning_summary_text.delta': 's', 'response.reasoning_summary_text.done': 'S',
    'response.reasoning_summary_part.done': 'K', 'response.function_call_arguments.delta': 'a', 'response.function_call_arguments.done': 'A',
  };
  const letter = (event) => (event.part?.type === 'refusal' && event.type.endsWith('added') ? 'u' : letters[event.type] ?? `<${event.type}>`);
  const own = events.filter((event) => event.output_index === undefined).map(letter).join('');
  assert.match(own, /^c(q?p|pq?)?e?\.$/, `events in an unexpected order: ${own}`);
  const items = groupBy(events, (event) => event.output_index);
  items.delete(undefined);
  if (own.includes('e')) assert.equal(items.size, 0, 'no item before an error');
  for (const [output, its] of items) {
    const word = its.map(letter).join('');
    const grammar = { message: kMessageGrammar, reasoning: kReasoningGrammar, function_call: kCallGrammar }[its[0].item?.type];
    assert.ok(grammar, `output ${output} begins with ${its[0].type}`);
    assert.match(word, grammar, `events of output ${output} in an unexpected order`);
  }
}

function groupBy(all, keyOf) {
  const groups = new Map();
  for (const one of all) {
    const key = keyOf(one);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(one);
  }
  return groups;
}

/** The text of a Response: what the official client calls output_text. */
export function outputText(response) {
  return (response.output ?? []).filter((item) => item.type === 'message')
    .flatMap((item) => item.content).filter((part) => part.type === 'output_text').map((part) => part.text).join('');
}

export function itemText(item) {
  return (item.content ?? []).map((part) => part.text ?? '').join('');
}

/** The keys that a Response always carries; the union satisfies every client. */
export const kResponseKeys = [
  'id', 'object', 'created_at', 'completed_at', 'status', 'error', 'incomplete_details', 'instructions', 'model', 'output',
  'previous_response_id', 'conversation', 'tools', 'tool_choice', 'parallel_tool_calls', 'truncation', 'text', 'temperature', 'top_p',
  'presence_penalty', 'frequency_penalty', 'top_logprobs', 'reasoning', 'usage', 'max_output_tokens', 'max_tool_calls', 'store',
  'background', 'service_tier', 'metadata', 'safety_identifier', 'prompt_cache_key', 'user',
];

/** Checks the shape of a Response object. */
export function checkResponse(response) {
  for (const key of kResponseKeys) assert.ok(key in response, `a Response lacks ${key}`);
  assert.equal(response.object, 'response');
  assert.match(response.id, /^resp_/);
  assert.equal(typeof response.temperature, 'number');
  assert.equal(typeof response.top_p, 'number');
  if (response.status === 'completed') {
    const { usage } = response;
    assert.equal(typeof usage.input_tokens, 'number');
    assert.equal(typeof usage.output_tokens, 'number');
    assert.equal(typeof usage.total_tokens, 'number');
    assert.equal(typeof usage.input_tokens_details.cached_tokens, 'number');
    assert.equal(typeof usage.output_tokens_details.reasoning_tokens, 'number');
    assert.ok(response.completed_at >= response.created_at);
  }
}

/** Collects an async iterable; `until` may end it early (its result is then the last element). */
export async function collect(stream, until = () => false) {
  const all = [];
  for await (const event of stream) {
    all.push(event);
    if (until(event, all)) break;
  }
  return all;
}

/** Asks again until `good(value)`; for what has no event to await. Throws after `withinMs` with the last value. */
export async function poll(ask, good, { everyMs = 25, withinMs = 10_000 } = {}) {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (good(value)) return value;
    if (performance.now() > end) throw new Error(`still not so after ${withinMs} ms: ${JSON.stringify(value)?.slice(0, 500)}`);
    await new Promise((resolve) => { setTimeout(resolve, everyMs); });
  }
}
