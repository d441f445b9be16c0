// One open conversation: its history, the answer being written, and what went wrong.
import { api, ApiError, enc, messageOf } from './api';
import { conversations } from './conversations.svelte';
import { History } from './history.svelte';
import { models } from './models.svelte';
import { notices } from './notices.svelte';
import { router } from './router.svelte';
import { Row } from './row.svelte';
import { Run } from './run';
import { troubleOf, type Trouble } from './trouble';
import type { Conversation, Item, StreamEvent } from './types';

export type Phase = 'idle' | 'sending' | 'waiting' | 'writing';

export class Chat {
  id = $state<string | null>(null);
  conversation = $state.raw<Conversation | null>(null);
  readonly history = new History(
    () => this.path,
    (item) => item.id === this.live?.item.id,
  );
  live = $state.raw<Row | null>(null);
  phase = $state<Phase>('idle');
  interrupted = $state(false);
  stopping = $state(false);
  // The model reasons before it answers; what it thinks is not shown.
  thinking = $state(false);
  trouble = $state.raw<Trouble | null>(null);
  // Opening, or why it did not work.
  opening = $state(false);
  problem = $state.raw<ApiError | Error | null>(null);
  model = $state<string | null>(null);
  // Set by the list: go to the end and stay there.
  follow = () => {};

  private run: Run | null = null;
  private responseId: string | null = null;
  private responseModel: string | null = null;
  private closed = false;
  private unsent = '';
  private pending = '';
  private frame = 0;
  private timer = 0;
  private pace = 0;

  constructor(id: string | null) {
    this.id = id;
    if (id) void this.open();
  }

  get busy(): boolean {
    return this.phase !== 'idle';
  }

  get empty(): boolean {
    return this.history.rows.length === 0 && !this.live && !this.opening;
  }

  // The model that the next message goes to.
  get chosenModel(): string | null {
    const own = this.model ?? this.conversation?.model ?? null;
    // Servers list incompletely, so an unlisted model may well answer; the built-in demo does not once it is not listed.
    if (own && !(own === models.demo && models.loaded && !models.has(own))) return own;
    return models.preferred;
  }

  close(): void {
    this.closed = true;
    this.history.closed = true;
    this.run?.close();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }

  async open(): Promise<void> {
    this.opening = true;
    this.problem = null;
    try {
      const [conversation, page] = await Promise.all([
        api.get<Conversation>(this.path),
        this.history.fetchNewest(),
      ]);
      if (this.closed) return;
      this.conversation = conversation;
      this.history.showNewest(page);
      conversations.put(conversation);
      this.settleState(conversation);
    } catch (error) {
      if (!this.closed) this.problem = error instanceof Error ? error : new Error(messageOf(error));
    } finally {
      this.opening = false;
    }
  }

  async choose(model: string): Promise<void> {
    this.model = model;
    models.remember(model);
    if (!this.id) return;
    try {
      this.conversation = await api.patch<Conversation>(`/api/conversations/${enc(this.id)}`, { model });
      conversations.put(this.conversation);
    } catch (error) {
      notices.error(error);
    }
  }

  async send(text: string): Promise<void> {
    if (this.busy) return;
    this.phase = 'sending';
    this.trouble = null;
    this.unsent = text;
    if (this.history.hasNewer) await this.history.loadNewest();
    const content = [{ type: 'input_text', text }];
    const row = new Row({ id: `local-${Date.now()}`, type: 'message', role: 'user', status: 'completed', content }, { local: true });
    this.history.append(row);
    this.follow();
    await this.deliver(text);
  }

  async retry(): Promise<void> {
    const kind = this.trouble?.retry;
    if (this.busy || !kind) return;
    this.phase = 'sending';
    this.trouble = null;
    if (kind === 'send') return this.resend();
    try {
      // Half an answer gives way to a whole one.
      if (this.history.last?.item.role === 'assistant') await this.history.deleteLast();
    } catch (error) {
      this.fail('The answer cannot be asked for again', messageOf(error), 'answer');
      return;
    }
    this.follow();
    this.startRun([]);
  }

  // The page was not looked at for a while: another tab or device may have gone on with this conversation.
  async catchUp(): Promise<void> {
    if (!this.id || this.busy || this.opening || this.problem || this.trouble?.retry === 'send') return;
    try {
      const conversation = await api.get<Conversation>(this.path);
      if (this.closed || this.busy) return;
      const known = this.history.last?.item.id === conversation.head_item_id;
      this.conversation = conversation;
      if (this.history.hasNewer || (known && !conversation.active_response_id)) return;
      await this.history.loadNewest();
      if (!this.busy) this.settleState(conversation);
    } catch {
      // The next message will tell.
    }
  }

  async stop(): Promise<void> {
    if (!this.busy || this.stopping) return;
    this.stopping = true;
    try {
      await this.run?.stop();
    } catch (error) {
      this.stopping = false;
      notices.error(error, { label: 'Try again', run: () => void this.stop() });
    }
  }

  private get path(): string {
    return `/v1/conversations/${enc(this.id ?? '')}`;
  }

  // The message never arrived. What others wrote meanwhile comes before it.
  private async resend(): Promise<void> {
    const row = this.history.last;
    if (this.id) await this.history.loadNewest();
    if (row?.local && !this.history.rows.includes(row)) this.history.append(row);
    this.follow();
    await this.deliver(this.unsent);
  }

  private async deliver(text: string): Promise<void> {
    try {
      if (!this.id) {
        const made = await api.post<Conversation>('/v1/conversations', { model: this.chosenModel });
        if (this.closed) return;
        this.id = made.id;
        this.conversation = made;
        conversations.put(made, true);
        router.go(`/c/${enc(made.id)}`);
      }
    } catch (error) {
      this.fail('The message was not sent', messageOf(error), 'send');
      return;
    }
    await this.startRun([{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }]);
  }

  private async startRun(input: unknown[]): Promise<void> {
    const run = this.newRun();
    this.phase = 'waiting';
    // No model is known while no model server answers. It may be back by now; if not, its error becomes the answer's.
    if (!this.chosenModel) await models.refresh().catch(() => {});
    if (this.closed || this.run !== run) return;
    run.start({ model: this.chosenModel ?? 'default', input, conversation: this.id, background: true, stream: true, store: true });
  }

  private newRun(): Run {
    this.run?.close();
    this.live = null;
    this.pending = '';
    this.interrupted = false;
    this.stopping = false;
    this.thinking = false;
    this.responseId = null;
    this.responseModel = null;
    const run: Run = new Run({
      event: (event) => this.run === run && this.onEvent(event),
      interrupted: (yes) => this.run === run && (this.interrupted = yes),
      lost: (error) => this.run === run && void this.onLost(error),
    });
    this.run = run;
    return run;
  }

  // After opening: is an answer being written, and how did the last one end?
  private settleState(conversation: Conversation): void {
    this.trouble = null;
    const active = conversation.active_response_id;
    const last = this.history.last?.item;
    if (active && !(last?.response_id === active && last.role === 'assistant')) {
      this.newRun().attach(active);
      this.phase = 'waiting';
      this.responseId = active;
      return;
    }
    this.phase = 'idle';
    const response = conversation.last_response;
    if (!response || !last) return;
    const about = last.role === 'user' ? true : last.response_id === response.id;
    if (about) this.trouble = troubleOf(response, last.role === 'assistant');
  }

  private onEvent(event: StreamEvent): void {
    switch (event.type) {
      case 'response.created':
        this.responseId = event.response?.id ?? null;
        this.responseModel = event.response?.model ?? null;
        void this.refresh();
        this.history.learnIds().catch(() => {}); // the next answer tries again
        break;
      case 'response.output_item.added':
        this.flush();
        if (event.item?.type === 'message') this.begin(event.item);
        else this.thinking = event.item?.type === 'reasoning';
        break;
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        this.pending += event.delta ?? '';
        this.schedule();
        break;
      case 'response.output_item.done':
        this.flush();
        if (event.item && this.live?.item.id === event.item.id) this.live.replace(this.complete(event.item));
        break;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.flush();
        this.end(event);
    }
  }

  private begin(item: Item): void {
    this.keepLive();
    this.live = new Row({ ...this.complete(item), status: 'in_progress' }, { live: true });
    this.phase = 'writing';
    this.thinking = false;
    notices.announce('Answer started.');
  }

  private complete(item: Item): Item {
    return { ...item, model: item.model ?? this.responseModel ?? this.chosenModel, response_id: item.response_id ?? this.responseId, created_at: item.created_at ?? Date.now() / 1000 };
  }

  // The live row becomes part of the history, unless the reader is far up: then it will be fetched on the way down.
  private keepLive(): void {
    const row = this.live;
    if (!row) return;
    const known = this.history.hasNewer || this.history.has(row.item.id);
    // Both in one change, or the list would take its elements away and make them again.
    this.history.keepPlace(() => {
      this.live = null;
      if (!known) this.history.append(row);
    });
  }

  private end(event: StreamEvent): void {
    const response = event.response;
    const status = response?.status ?? 'completed';
    const partial = this.live !== null;
    if (this.live?.item.status === 'in_progress') this.live.close(status === 'completed' ? 'completed' : 'incomplete');
    this.keepLive();
    this.phase = 'idle';
    this.stopping = false;
    this.interrupted = false;
    if (response) this.trouble = troubleOf(response, partial);
    notices.announce(this.trouble ? `${this.trouble.title}.` : 'Answer finished.');
    void this.refresh();
  }

  // Title, model and state as the server has them now.
  private async refresh(top = true): Promise<void> {
    try {
      const conversation = await api.get<Conversation>(this.path);
      if (this.closed) return;
      this.conversation = conversation;
      conversations.put(conversation, top);
    } catch {
      // The list is refreshed another time.
    }
  }

  // Refused, or silence after sending: find out what the server has.
  private async onLost(error: unknown): Promise<void> {
    this.flush();
    this.interrupted = false;
    const locked = error instanceof ApiError && error.code === 'conversation_locked';
    try {
      await this.history.learnIds();
      const conversation = await api.get<Conversation>(this.path);
      if (this.closed) return;
      this.conversation = conversation;
      const arrived = this.history.arrived;
      const active = conversation.active_response_id;
      if (active && active !== this.responseId && (arrived || !locked)) {
        this.live = null;
        this.settleState(conversation);
        return;
      }
      if (this.responseId || (arrived && conversation.last_response && conversation.head_item_id !== this.history.last?.item.id)) {
        // It ended while we were away.
        this.live = null;
        await this.history.loadNewest();
        this.settleState(conversation);
        return;
      }
      this.fail(arrived ? 'No answer' : 'The message was not sent', messageOf(error), arrived ? 'answer' : 'send');
    } catch {
      this.fail('No answer', messageOf(error), this.history.arrived ? 'answer' : 'send');
    }
  }

  private fail(title: string, message: string, retry: Trouble['retry']): void {
    if (this.live) {
      this.live.close('incomplete');
      this.keepLive();
    }
    this.phase = 'idle';
    this.stopping = false;
    this.trouble = { kind: 'failed', title, message, retry };
    notices.announce(`${title}.`);
  }

  // Text is applied once a frame. When a frame's work is heavy (one huge open block), frames are skipped to match.
  private schedule(): void {
    if (this.frame || this.timer) return;
    const run = () => {
      this.frame = 0;
      this.timer = 0;
      this.flush();
    };
    if (document.hidden) this.timer = window.setTimeout(run, 300);
    else if (this.pace > 6) this.timer = window.setTimeout(run, Math.min(this.pace * 5, 500));
    else this.frame = requestAnimationFrame(run);
  }

  private flush(): void {
    const text = this.pending;
    this.pending = '';
    if (!text || !this.live) return;
    const start = performance.now();
    this.live.append(text);
    queueMicrotask(() => (this.pace = performance.now() - start));
  }
}
