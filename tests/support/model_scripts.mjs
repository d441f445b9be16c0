// What the scripted model says. A model's name is its script: `script-KIND`, then any of `-nCOUNT` (how many words), `-iMS` (the pause
// between two pieces) and `-dMS` (the delay before the first byte). Everything a script says is a pure function of the request, so that a
// test can state the whole answer, and each of its prefixes, in advance. Nothing here owns a socket: `model_server.mjs` does.

export const kCreated = 1700000000;

/** "w0 w1 ... w(n-1)": the text of `script-words-nN`. */
export function wordsText(count) {
  return wordsPieces(count).join('');
}

function wordsPieces(count) {
  return Array.from({ length: count }, (_, i) => (i === 0 ? 'w0' : ` w${i}`));
}

export const kUtf8Text = 'Grüße aus Köln: 😀 漢字かな नमस्ते \u200fשלום é end';

export const kMarkdownText = [
  '# A heading',
  '',
  'A paragraph with **bold**, *emphasis*, `code` and [a link](https://example.org/).',
  '',
  '- one',
  '- two',
  '  - nested',
  '',
  '| left | right |',
  '|---|---|',
  '| a | b |',
  '',
  '> a quotation',
  '',
  '```js',
  'const answer = 42;',
  'console.log(answer);',
  '```',
  '',
  'The end.',
].join('\n');

export const kToolCall = { id: 'call_script_1', name: 'get_weather', arguments: '{"city":"Köln","unit":"celsius"}' };

/** The standard error body that `script-error-STATUS` answers with. */
export function errorBody(status) {
  const table = {
    401: ['Incorrect API key provided: sk-scr*****pted.', 'invalid_request_error', 'invalid_api_key'],
    404: ['The model `script-error-404` does not exist or you do not have access to it.', 'invalid_request_error', 'model_not_found'],
    429: ['Rate limit reached for requests (scripted).', 'requests', 'rate_limit_exceeded'],
    500: ['The server had an error while processing your request (scripted).', 'server_error', null],
  };
  const [message, type, code] = table[status] ?? [`Scripted error ${status}.`, 'invalid_request_error', null];
  return { error: { message, type, param: null, code } };
}

/** Splits a model's name into its script, or returns null for a name that is no script. */
export function parseModel(name) {
  const match = /^script-([a-z0-9-]+?)((?:-[nid]\d+)*)$/.exec(String(name));
  if (!match) return null;
  const options = { kind: match[1], count: 20, interval: 0, delay: 0 };
  for (const [, letter, digits] of match[2].matchAll(/-([nid])(\d+)/g)) {
    options[{ n: 'count', i: 'interval', d: 'delay' }[letter]] = Number(digits);
  }
  return options;
}

/** The plain text of a chat message, whether its content is a string or an array of parts. */
export function textOf(message) {
  if (typeof message?.content === 'string') return message.content;
  if (!Array.isArray(message?.content)) return '';
  return message.content.map((part) => part?.text ?? '').join('');
}

function echoText(body) {
  return textOf((body.messages ?? []).filter((message) => message.role === 'user').at(-1));
}

/** What `script-count` answers: tests see from it which prompt arrived. */
export function countText(messages) {
  const chars = messages.reduce((sum, message) => sum + textOf(message).length, 0);
  return `messages=${messages.length} chars=${chars} roles=${messages.map((message) => message.role).join(',')}`;
}

function splitWords(text) {
  return text.match(/\s*\S+|\s+/g) ?? [];
}

const text = (pieces, finish = 'stop') => ({ deltas: pieces.map((content) => ({ content })), finish });

function toolDeltas() {
  const { id, name, arguments: args } = kToolCall;
  const first = { index: 0, id, type: 'function', function: { name, arguments: '' } };
  const fragments = args.match(/.{1,7}/gs).map((fragment) => ({ index: 0, function: { arguments: fragment } }));
  return [first, ...fragments].map((call) => ({ tool_calls: [call] }));
}

/** What `script-agent-nN` thinks and says before it calls two tools at once. */
export const kAgentCalls = [
  { id: 'call_agent_1', name: 'get_weather', arguments: '{"city":"Köln","unit":"celsius"}' },
  { id: 'call_agent_2', name: 'get_time', arguments: '{"zone":"Europe/Berlin"}' },
];

export function thoughtText(count) {
  return Array.from({ length: count }, (_, i) => `${i ? ' ' : ''}t${i}`).join('');
}

/** Thinks, talks, calls two tools; once it has been told what they gave, it repeats that. */
function agentPlan(script, body) {
  const outputs = (body.messages ?? []).filter((message) => message.role === 'tool').map(textOf);
  if (outputs.length) return text(splitWords(`The tools said: ${outputs.join(' | ')}`));
  const thoughts = Array.from({ length: script.count }, (_, i) => ({ reasoning_content: `${i ? ' ' : ''}t${i}` }));
  const calls = kAgentCalls.flatMap(({ id, name, arguments: args }, index) => [
    { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
    ...args.match(/.{1,3}/gs).map((fragment) => ({ tool_calls: [{ index, function: { arguments: fragment } }] })),
  ]);
  return { deltas: [...thoughts, ...text(wordsPieces(script.count)).deltas, ...calls], finish: 'tool_calls' };
}

/** Says, thinks and passes to a tool what it was told last, cut inside of words, tags and characters' escapes. */
function parrotPlan(_, body) {
  const said = echoText(body);
  const pieces = said.match(/.{1,13}/gsu) ?? [];
  const call = { index: 0, id: 'call_parrot', type: 'function', function: { name: [...said].slice(0, 40).join(''), arguments: JSON.stringify({ text: said }) } };
  return { deltas: [...pieces.map((reasoning_content) => ({ reasoning_content })), ...text(pieces).deltas, { tool_calls: [call] }], finish: 'tool_calls' };
}

export const kRefusal = 'I cannot help with that.';

/**
 * The plan of one answer: `deltas' in order and the `finish` reason, and at most one of the ways to misbehave:
 * `status` (error before the first byte), `html`, `noStream`, `byByte`, and `ending`: what happens after the last delta
 * ('done' | 'error' | 'reset' | 'stall' | 'noterm').
 */
const kScripts = {
  words: (script) => text(wordsPieces(script.count)),
  length: (script) => text(wordsPieces(script.count), 'length'),
  echo: (_, body) => text(splitWords(echoText(body))),
  count: (_, body) => text(splitWords(countText(body.messages ?? []))),
  markdown: () => text(kMarkdownText.match(/[\s\S]{1,6}/g)),
  'utf8-bytes': () => ({ ...text([...kUtf8Text]), byByte: true }),
  tools: () => ({ deltas: toolDeltas(), finish: 'tool_calls' }),
  reasoning: (script) => ({
    deltas: [{ reasoning_content: 'Let me ' }, { reasoning_content: 'think.' }, ...text(wordsPieces(script.count)).deltas],
    finish: 'stop',
  }),
  agent: agentPlan,
  parrot: parrotPlan,
  complain: (_, body) => ({ ...text([]), status: 400, error: { error: { message: echoText(body), type: 'invalid_request_error', param: null, code: 'complaint' } } }),
  window: windowPlan,
  tight: windowPlan,
  heavy: windowPlan,
  notes: notesPlan,
  sleepynotes: notesPlan,
  restless: (script) => ({
    deltas: Array.from({ length: script.count }, (_, i) => (i % 2 ? { content: 'w' } : { reasoning_content: 't' })), finish: 'stop',
  }),
  refusal: () => ({ deltas: splitWords(kRefusal).map((refusal) => ({ refusal })), finish: 'stop' }),
  'midstream-error': (script) => ({ ...text(wordsPieces(Math.min(script.count, 5))), ending: 'error' }),
  reset: (script) => ({ ...text(wordsPieces(Math.min(script.count, 5))), ending: 'reset' }),
  stall: () => ({ ...text(wordsPieces(3)), ending: 'stall' }),
  noterm: (script) => ({ ...text(wordsPieces(script.count)), ending: 'noterm' }),
  html: () => ({ html: '<!doctype html><title>Sign in</title><p>This is not an API.</p>' }),
  'nonstream-only': (script) => ({ ...text(wordsPieces(script.count)), noStream: true }),
};

/** The tokens of a request as `script-window`, `script-tight` and `script-heavy` count them: a quarter of the characters, or half of them. */
export function promptTokens(body) {
  const chars = (body.messages ?? []).reduce((sum, message) => sum + textOf(message).length, 0);
  return Math.ceil(chars / (parseModel(body.model)?.kind === 'heavy' ? 2 : 4));
}

/** A model with a window of N tokens: `window` names it when it refuses, `tight` and `heavy` do not. */
function windowPlan(script, body) {
  const tokens = promptTokens(body);
  if (tokens <= script.count) return text(splitWords(countText(body.messages ?? [])));
  const message = script.kind === 'window'
    ? `This model's maximum context length is ${script.count} tokens. However, your messages resulted in ${tokens} tokens.`
    : 'The prompt is too long for this model.';
  return { ...text([]), status: 400, error: { error: { message, type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } } };
}

export const isNotesRequest = (body) => textOf(body.messages?.[0]).startsWith('You keep the notes');

/** Writes notes when asked to (`sleepynotes` never ends them): which of the marks m0, m1, ... it has been told of, by the notes so far or by the messages since. */
function notesPlan(script, body) {
  if (!isNotesRequest(body)) return text(splitWords(countText(body.messages ?? [])));
  const marks = [...textOf(body.messages[1]).matchAll(/\bm(\d+)\b/g)].map((match) => Number(match[1]));
  if (script.kind === 'sleepynotes') return { ...text(['NOTES']), ending: 'stall' };
  return text([`NOTES m${Math.min(...marks)} to m${Math.max(...marks)}`]);
}

/** The plan for one request, or null when the model is unknown. */
export function planFor(body) {
  const script = parseModel(body.model);
  if (!script) return null;
  const failing = /^error-(\d{3})$/.exec(script.kind);
  if (failing) return { script, status: Number(failing[1]), deltas: [] };
  const make = kScripts[script.kind];
  return make ? { script, deltas: [], ending: 'done', ...make(script, body) } : null;
}

export function usageOf(plan, body) {
  const prompt = promptTokens(body);
  return { prompt_tokens: prompt, completion_tokens: plan.deltas.length, total_tokens: prompt + plan.deltas.length };
}

const kEnvelope = { id: 'chatcmpl-scripted', created: kCreated };

export function chunk(body, delta, finish = null) {
  const choices = delta === null ? [] : [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  return { ...kEnvelope, object: 'chat.completion.chunk', model: body.model, choices };
}

/** The whole answer as one `chat.completion`. */
export function completion(plan, body) {
  const message = { role: 'assistant', content: plan.deltas.map((delta) => delta.content ?? '').join(''), refusal: null };
  const reasoning = plan.deltas.map((delta) => delta.reasoning_content ?? '').join('');
  if (reasoning) message.reasoning_content = reasoning;
  if (plan.finish === 'tool_calls') {
    message.content = null;
    message.tool_calls = [{ id: kToolCall.id, type: 'function', function: { name: kToolCall.name, arguments: kToolCall.arguments } }];
  }
  const choices = [{ index: 0, message, logprobs: null, finish_reason: plan.finish }];
  return { ...kEnvelope, object: 'chat.completion', model: body.model, choices, usage: usageOf(plan, body) };
}
