// Texts for the mock server.
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

const hour = 3600;
const dayLong = 86400;

export const seedConversations = [
  { title: 'Keyset pagination', age: 0.2 * hour, turns: [['user', 'Why is OFFSET slow on page 5,000, and what should I do instead?'], ['assistant', rich], ['user', 'And how do I read a stream line by line without holding it all in memory? Some code please.'], ['assistant', code]] },
  { title: 'Naming a small boat', age: 1.5 * hour, turns: [['user', 'Three names for a small wooden sailing boat, please.'], ['assistant', '**Wren**, because she is small and loud in a wind.\n\n**Second Breakfast**, for the owner who is never in a hurry.\n\n**Halcyon**, the old word for a calm sea.']] },
  { title: 'Sourdough without a scale', age: 2 * hour, turns: [['user', 'Can I bake sourdough without a scale?'], ['assistant', 'Yes. Use one part starter, two parts water and three parts flour by *volume*, and judge by feel.']] },
  { title: 'A model that was not there', age: 3 * hour, turns: [['user', 'Summarise the attached minutes.']], last: { id: 'resp_failed', status: 'failed', model: 'llama3.3:70b', error: { code: 'upstream_unreachable', message: 'The model server “ollama” at http://127.0.0.1:11434 cannot be reached: connection refused. Start it, or choose another model.' }, incomplete_details: null } },
  { title: 'Stopped halfway', age: 4 * hour, turns: [['user', 'Tell me everything about the Hanseatic League.'], ['assistant', 'The Hanseatic League was a network of merchant towns that', { status: 'incomplete', response_id: 'resp_stopped' }]], last: { id: 'resp_stopped', status: 'cancelled', model: 'llama3.3:70b', error: null, incomplete_details: null } },
  { title: 'A very long paste', age: 5 * hour, turns: [['user', 'Log:\n' + 'GET /v1/models 200 1.2 ms\n'.repeat(6000)], ['assistant', 'All of these requests succeeded.']] },
  { title: 'Letter to the landlord', age: dayLong + hour, turns: [['user', 'Help me write a polite letter about the heating.'], ['assistant', 'Dear Ms Brandt,\n\nthe heating in the living room has not worked since Monday…']] },
  { title: 'Hostile text', age: dayLong + 2 * hour, turns: [['user', 'Show me hostile \u202etxet'], ['assistant', hostile]] },
  { title: 'Regular expressions for dates, and a title that is far too long to fit', age: dayLong + 3 * hour, turns: [['user', 'Regex for ISO dates?'], ['assistant', '`^\\d{4}-\\d{2}-\\d{2}$`']] },
  { title: 'Trip to Ljubljana', age: 2 * dayLong, turns: [['user', 'Two days in Ljubljana?'], ['assistant', 'Start at the Dragon Bridge.']] },
  { title: 'Explaining monads to a gardener', age: 4 * dayLong, turns: [['user', 'Monads?'], ['assistant', 'Think of pots.']] },
];
