// The connection to an answer, with a clock, a network and a page visibility that the test moves by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Run } from '../src/lib/run';
import type { StreamEvent } from '../src/lib/types';

declare const setImmediate: (run: () => void) => void;

// Whatever is ready to happen without time passing happens.
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
};

class Connection {
  readonly url: string;
  readonly method: string;
  readonly key: string | null;
  open = true;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly response: Response;

  constructor(url: string, init: RequestInit) {
    this.url = url;
    this.method = init.method ?? 'GET';
    this.key = new Headers(init.headers).get('idempotency-key');
    const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (this.controller = controller) });
    init.signal?.addEventListener('abort', () => this.break(new DOMException('aborted', 'AbortError')));
    this.response = new Response(stream, { status: 200 });
  }

  send(...events: object[]): Promise<void> {
    this.write(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
    return settle();
  }

  write(text: string): void {
    this.controller.enqueue(new TextEncoder().encode(text));
  }

  break(error: unknown = new TypeError('network')): void {
    if (!this.open) return;
    this.open = false;
    this.controller.error(error);
  }
}

class World {
  readonly connections: Connection[] = [];
  readonly timers = new Map<number, { at: number; every: number; run: () => void }>();
  readonly events: StreamEvent[] = [];
  readonly interruptions: boolean[] = [];
  readonly losses: unknown[] = [];
  now = 1_000_000;
  hidden = false;
  // Requests wait for an answer of the server until the test lets them through.
  held: (() => void)[] | null = null;
  private next = 1;
  private readonly document = new EventTarget();
  private readonly window = new EventTarget();

  constructor() {
    const world = this;
    const timer = (every: boolean) => (run: () => void, ms = 0) => {
      this.timers.set(this.next, { at: this.now + ms, every: every ? ms : 0, run });
      return this.next++;
    };
    const clear = (id: number) => void this.timers.delete(id);
    Object.defineProperty(this.document, 'hidden', { get: () => world.hidden });
    const fakes = {
      document: this.document,
      window: globalThis,
      addEventListener: this.window.addEventListener.bind(this.window),
      removeEventListener: this.window.removeEventListener.bind(this.window),
      setTimeout: timer(false),
      setInterval: timer(true),
      clearTimeout: clear,
      clearInterval: clear,
      fetch: async (url: string, init: RequestInit) => {
        const connection = new Connection(url, init);
        this.connections.push(connection);
        if (this.held) await new Promise<void>((resolve) => this.held!.push(resolve));
        if (init.signal?.aborted) throw new DOMException('aborted', 'AbortError');
        return connection.response;
      },
    };
    for (const [name, value] of Object.entries(fakes)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    Date.now = () => this.now;
  }

  get last(): Connection {
    return this.connections.at(-1)!;
  }

  get text(): string {
    return this.events.map((event) => event.delta ?? '').join('');
  }

  run(): Run {
    return new Run({
      event: (event) => void this.events.push(event),
      interrupted: (yes) => void this.interruptions.push(yes),
      lost: (error) => void this.losses.push(error),
    });
  }

  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(([, one]) => one.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      const [id, one] = due;
      this.now = Math.max(this.now, one.at);
      if (one.every) one.at += one.every;
      else this.timers.delete(id);
      one.run();
      await settle();
    }
    this.now = end;
    await settle();
  }

  // A machine that sleeps runs no timers: only the time has moved.
  sleep(ms: number): void {
    this.now += ms;
    for (const one of this.timers.values()) one.at += ms;
  }

  async show(yes: boolean): Promise<void> {
    this.hidden = !yes;
    this.document.dispatchEvent(new Event('visibilitychange'));
    await settle();
  }

  async online(): Promise<void> {
    this.window.dispatchEvent(new Event('online'));
    await settle();
  }
}

const created = { type: 'response.created', sequence_number: 0, response: { id: 'resp_1' } };
const delta = (sequence_number: number) => ({ type: 'response.output_text.delta', sequence_number, delta: `w${sequence_number} ` });
const completed = (sequence_number: number) => ({ type: 'response.completed', sequence_number, response: { id: 'resp_1', status: 'completed' } });

async function begun(): Promise<{ world: World; run: Run }> {
  const world = new World();
  const run = world.run();
  run.start({});
  await settle();
  await world.last.send(created, delta(1), delta(2));
  return { world, run };
}

test('a page hidden for half a minute gives its connection back, is still while hidden, and resumes without a gap or a double', async () => {
  const { world, run } = await begun();
  await world.show(false);
  await world.pass(29_000);
  assert.ok(world.last.open, 'not at once');
  await world.last.send(delta(3));
  await world.pass(2_000);
  assert.ok(!world.last.open, 'given back');
  assert.equal(world.timers.size, 0, 'no timer polls');
  await world.online();
  await world.pass(3_600_000);
  assert.equal(world.connections.length, 1, 'nothing is asked while nobody looks');
  assert.deepEqual(world.interruptions, [], 'resting is no interruption');
  await world.show(true);
  assert.equal(world.connections.length, 2);
  assert.ok(world.last.url.endsWith('/v1/responses/resp_1?stream=true&starting_after=3'), world.last.url);
  await world.last.send(delta(3), delta(4), completed(5));
  assert.equal(world.text, 'w1 w2 w3 w4 ');
  assert.ok(run.ended);
  assert.ok(!run.whole);
  assert.deepEqual(world.losses, []);
});

test('a page hidden for a moment keeps its connection', async () => {
  const { world } = await begun();
  await world.show(false);
  await world.pass(10_000);
  await world.show(true);
  await world.pass(25_000);
  assert.equal(world.connections.length, 1);
  assert.ok(world.last.open);
});

test('a page that was opened in the background rests too', async () => {
  const world = new World();
  world.hidden = true;
  const run = world.run();
  run.attach('resp_1');
  await settle();
  await world.last.send(created, delta(1));
  await world.pass(31_000);
  assert.ok(!world.last.open);
  assert.equal(world.timers.size, 0);
  await world.show(true);
  assert.equal(world.connections.length, 2);
});

test('a request without an id is not let go before it can be found again', async () => {
  const world = new World();
  world.held = [];
  const run = world.run();
  run.start({});
  await settle();
  await world.show(false);
  await world.pass(31_000);
  assert.ok(world.last.open, 'the message is still being sent');
  world.held.forEach((go) => go());
  world.held = null;
  await settle();
  await world.last.send(created);
  assert.ok(!world.last.open, 'now it is');
  assert.deepEqual(world.losses, []);
  await world.show(true);
  assert.equal(world.last.method, 'GET');
  await world.last.send(delta(1), completed(2));
  assert.equal(world.text, 'w1 ');
});

test('a connection that breaks while the page is hidden is not tried again for ever', async () => {
  const { world } = await begun();
  await world.show(false);
  await world.pass(5_000);
  world.last.break();
  await settle();
  await world.pass(1_000);
  assert.equal(world.connections.length, 2, 'tried again while somebody may come back');
  world.last.break();
  await world.pass(60_000);
  const tried = world.connections.length;
  assert.equal(world.timers.size, 0);
  await world.pass(3_600_000);
  assert.equal(world.connections.length, tried);
  await world.show(true);
  assert.equal(world.connections.length, tried + 1);
});

test('a phone that wakes does not trust its connection, and waits for nothing', async () => {
  const { world } = await begun();
  await world.show(false);
  world.sleep(600_000);
  await world.show(true);
  assert.equal(world.connections.length, 2, 'at once');
  assert.ok(!world.connections[0]!.open);
  assert.ok(world.last.url.endsWith('starting_after=2'));
  assert.deepEqual(world.interruptions, []);
  await world.last.send(delta(3), completed(4));
  assert.equal(world.text, 'w1 w2 w3 ');
});

test('a laptop that sleeps with the page in sight finds out by the silence', async () => {
  const { world } = await begun();
  world.sleep(3_600_000);
  await world.pass(6_000);
  assert.equal(world.connections.length, 2);
  assert.deepEqual(world.interruptions, [true]);
  await world.last.send(delta(3));
  assert.deepEqual(world.interruptions, [true, false]);
});

test('keep-alive comments are no silence', async () => {
  const { world } = await begun();
  for (let i = 0; i < 12; i++) {
    await world.pass(10_000);
    world.last.write(':\n\n');
    await settle();
  }
  assert.equal(world.connections.length, 1);
});

test('an answer seen from its beginning to its end without a break is whole', async () => {
  const { world, run } = await begun();
  await world.last.send(completed(3));
  assert.ok(run.whole);
  assert.equal(world.timers.size, 0);
});

test('a wish to stop waits for the id', async () => {
  const world = new World();
  const run = world.run();
  run.start({});
  await settle();
  await run.stop();
  assert.equal(world.connections.length, 1);
  await world.connections[0]!.send(created);
  assert.equal(world.last.url, '/v1/responses/resp_1/cancel');
});

test('a message whose arrival is unknown is sent again under the same key, and only then', async () => {
  const world = new World();
  const run = world.run();
  run.start({ input: 'x' }, 'key-1');
  await settle();
  world.last.break();
  await settle();
  await world.pass(1_000);
  assert.deepEqual(world.connections.map(({ method, key }) => [method, key]), [['POST', 'key-1'], ['POST', 'key-1']]);
  await world.last.send(created, delta(1), completed(2));
  assert.equal(world.text, 'w1 ');
  assert.deepEqual(world.losses, []);

  const lost = new World();
  lost.run().start({ input: 'x' }, 'key-2');
  for (let i = 0; i < 5; i++) {
    await settle();
    lost.last.break();
    await lost.pass(20_000);
  }
  assert.equal(lost.connections.length, 3, 'not for ever');
  assert.equal(lost.losses.length, 1);

  const bare = new World();
  bare.run().start({ input: 'x' });
  await settle();
  bare.last.break();
  await bare.pass(20_000);
  assert.equal(bare.connections.length, 1, 'without a key it could be done twice');
  assert.equal(bare.losses.length, 1);
});
