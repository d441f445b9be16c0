// The connection to one answer that is being made. The answer itself lives on the server: losing or closing this connection
// never stops it. Events are handed on once each, in order; when the connection breaks, goes silent, or the page was hidden
// for a while, reading resumes after the last event seen.
import { ApiError, enc, isAbort, request } from './api';
import { SseParser } from './sse';
import type { StreamEvent } from './types';

const silenceMs = 45_000; // the server sends a comment at least every 15 s
const staleMs = 20_000; // after this much silence a page that is looked at again does not trust its connection
const hiddenMs = 30_000; // a hidden page gives its connection back: a browser has six for each host
const firstRetryMs = 400;
const lastRetryMs = 10_000;
const sendTries = 3; // of a request of which it is unknown whether it arrived
const terminal = new Set(['response.completed', 'response.incomplete', 'response.failed']);

export interface RunListener {
  event(event: StreamEvent): void;
  // Reading is interrupted (true) or goes on (false).
  interrupted(yes: boolean): void;
  // Reading cannot go on: the request was refused, or it is unknown whether it arrived.
  lost(error: unknown): void;
}

export class Run {
  id: string | null = null;
  ended = false;
  // Has this page seen the answer from its beginning without a break?
  whole = false;
  private repeatable = false;
  private last = -1;
  private attempt = 0;
  private closed = false;
  // The page is hidden, and nothing is read until it is shown again.
  private letGo = false;
  // The next try need not wait: nothing has failed.
  private soon = false;
  private stopWanted = false;
  private heardAt = Date.now();
  private connection: AbortController | null = null;
  private hiddenTimer = 0;
  private wake = () => {};

  // `held`: nobody keeps this answer but the connection, so it is never given back.
  constructor(
    private readonly listener: RunListener,
    private readonly held = false,
  ) {
    document.addEventListener('visibilitychange', this.visibility);
    addEventListener('online', this.online);
    if (document.hidden) this.visibility(); // opened in the background
  }

  // With a key the request may be sent again when no answer came: the server does it once.
  start(body: unknown, key?: string): void {
    this.whole = true;
    this.repeatable = key !== undefined;
    void this.follow((signal) => request('POST', '/v1/responses', body, signal, key ? { 'idempotency-key': key } : {}));
  }

  attach(id: string): void {
    this.id = id;
    void this.follow((signal) => this.resume(signal));
  }

  // Ends the answer. Before its id is known, the wish is kept and carried out as soon as it is.
  async stop(): Promise<void> {
    this.stopWanted = true;
    if (this.id && !this.ended) await request('POST', `/v1/responses/${enc(this.id)}/cancel`);
  }

  // Stops looking; the answer goes on.
  close(): void {
    this.closed = true;
    clearTimeout(this.hiddenTimer);
    document.removeEventListener('visibilitychange', this.visibility);
    removeEventListener('online', this.online);
    this.connection?.abort();
    this.wake();
  }

  private resume(signal: AbortSignal): Promise<Response> {
    const after = this.last < 0 ? '' : `&starting_after=${this.last}`;
    return request('GET', `/v1/responses/${enc(this.id!)}?stream=true${after}`, undefined, signal);
  }

  private async follow(open: (signal: AbortSignal) => Promise<Response>): Promise<void> {
    while (!this.closed) {
      let error: unknown = null;
      this.connection = new AbortController();
      try {
        await this.read(await open(this.connection.signal));
      } catch (caught) {
        error = caught;
      }
      if (this.closed || this.ended) break;
      if (!this.id && this.maySendAgain(error)) {
        await this.pause(error instanceof ApiError ? error.retryAfter : null);
        continue;
      }
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429) return this.fail(error);
      if (!this.id) return this.fail(isAbort(error) || !error ? new ApiError('The connection was lost while sending.', 0, 'network') : error);
      this.whole = false;
      if (this.held) return this.fail(new ApiError('The connection was lost. A temporary chat cannot go on with an answer that broke off.', 0, 'network'));
      if (!this.letGo && !this.soon) this.listener.interrupted(true);
      await this.pause(error instanceof ApiError ? error.retryAfter : null);
      open = (signal) => this.resume(signal);
    }
    this.close();
  }

  // Not what was refused: the server has said that it did not happen. Not what the page itself gave up.
  private maySendAgain(error: unknown): boolean {
    if (!this.repeatable || this.attempt >= sendTries - 1 || isAbort(error)) return false;
    return !(error instanceof ApiError) || error.status === 0 || error.code === 'idempotency_in_progress';
  }

  private fail(error: unknown): void {
    this.close();
    this.listener.lost(error);
  }

  private async read(response: Response): Promise<void> {
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    this.heardAt = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - this.heardAt > silenceMs) this.connection?.abort();
    }, 5_000);
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.heardAt = Date.now();
        if (this.attempt > 0) this.listener.interrupted(false);
        this.attempt = 0;
        for (const { data } of parser.push(decoder.decode(value, { stream: true }))) this.take(data);
        if (this.ended) return;
      }
    } finally {
      clearInterval(watch);
      reader.cancel().catch(() => {});
    }
  }

  private take(data: string): void {
    if (data === '[DONE]' || this.closed || this.ended) return;
    let event: StreamEvent;
    try {
      event = JSON.parse(data) as StreamEvent;
    } catch {
      return; // not ours
    }
    const number = event.sequence_number;
    if (typeof number === 'number') {
      if (number <= this.last) return;
      this.last = number;
    }
    if (!this.id && event.response?.id) {
      this.id = event.response.id;
      if (this.stopWanted) this.stop().catch(() => {});
      if (this.letGo) this.connection?.abort();
    }
    if (terminal.has(event.type)) this.ended = true;
    this.listener.event(event);
  }

  // Waits before the next try: longer each time, never in step with other pages, and not at all while nobody looks.
  private async pause(retryAfter: number | null): Promise<void> {
    const soon = this.soon;
    this.soon = false;
    if (!soon && !this.letGo) {
      const ceiling = Math.min(lastRetryMs, firstRetryMs * 2 ** this.attempt++);
      await this.sleep(Math.max(ceiling * (0.5 + Math.random() / 2), (retryAfter ?? 0) * 1000));
    }
    // However often the network comes and goes meanwhile.
    while (this.letGo && !this.closed) await this.sleep(null);
  }

  // Null: until woken.
  private sleep(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? 0 : setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private visibility = (): void => {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      if (this.held) return;
      this.hiddenTimer = window.setTimeout(() => {
        this.letGo = true;
        // A request that has no id yet could not be found again: it is let go as soon as it has one.
        if (this.id) this.connection?.abort();
        this.wake();
      }, hiddenMs);
      return;
    }
    // A connection that slept with the machine may look alive for minutes.
    if (!this.held && !this.letGo && Date.now() - this.heardAt > (this.id ? staleMs : silenceMs)) {
      this.soon = true;
      this.connection?.abort();
    }
    this.letGo = false;
    this.wake();
  };

  private online = (): void => this.wake();
}
