// One open conversation: its history, the answer being written, and what went wrong.
import { api, ApiError, enc, messageOf } from './api';
import { ContextView } from './context.svelte';
import { conversations } from './conversations.svelte';
import { History } from './history.svelte';
import { models } from './models.svelte';
import { notices } from './notices.svelte';
import { Pace } from './pace';
import { Places } from './places.svelte';
import { router } from './router.svelte';
import { Row } from './row.svelte';
import { Run } from './run';
import { SendingKeys } from './sending';
import { tabs } from './tabs';
import { wholeOf } from './temporary';
import { troubleOf, type Trouble } from './trouble';
import { imagesOf, isAnswer, ofModel, type Conversation, type Item, type Part, type StreamEvent } from './types';

export type Phase = 'idle' | 'sending' | 'waiting' | 'writing';

// What an answer is asked with besides the new messages. `after`: the item that they follow, when that is not the newest one.
interface Ask {
  continued?: Row;
  after?: string | null;
  model?: string;
}

export class Chat {
  id = $state<string | null>(null);
  conversation = $state.raw<Conversation | null>(null);
  readonly history: History;
  readonly places: Places;
  readonly context = new ContextView();
  live = $state.raw<Row | null>(null);
  phase = $state<Phase>('idle');
  interrupted = $state(false);
  stopping = $state(false);
  trouble = $state.raw<Trouble | null>(null);
  // Opening, or why it did not work.
  opening = $state(false);
  problem = $state.raw<ApiError | Error | null>(null);
  model = $state<string | null>(null);
  switching = $state(false);
  // Set by the list: go to the end and stay there; keep an element where it is while things change.
  follow = () => {};
  keepAt: (find: () => Element | null, change: () => Promise<void>) => Promise<void> = (_, change) => change();

  private run: Run | null = null;
  private responseId: string | null = null;
  private responseModel: string | null = null;
  private closed = false;
  private unsent: Part[] = [];
  private unsentAsk: Ask = {};
  // What the running answer consists of so far, by the items' ids.
  private made = new Map<string, Row>();
  // The running answer opened a branch.
  private branched = false;
  // The incomplete answer that the running one goes on with.
  private continued: Row | null = null;
  // Since when the model thinks, for a page that sees all of it.
  private thinkingSince = 0;
  private readonly keys = new SendingKeys();
  private pending = '';
  private pendingRow: Row | null = null;
  private pace = new Pace(() => this.flush());

  // `item`: the message to open at, instead of the newest.
  // `temporary`: the messages are on this page only, and gone with it.
  constructor(
    id: string | null,
    item: string | null = null,
    readonly temporary = false,
  ) {
    this.id = id;
    this.history = new History(() => this.path, (item) => item.id === this.live?.item.id, temporary);
    this.places = new Places(this.history, () => this.id);
    this.places.found = item;
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
    this.pace.stop();
  }

  async open(): Promise<void> {
    const { places } = this;
    this.opening = true;
    this.problem = null;
    try {
      const [conversation, page] = await Promise.all([
        api.get<Conversation>(this.path),
        places.found ? places.pageAbout(places.found) : null,
      ]);
      const latest = page ? null : await this.history.fetchNewest();
      if (this.closed) return;
      this.conversation = conversation;
      if (page) this.history.showAt(page);
      if (latest) {
        if (places.found) notices.info('That message is not there any more.');
        places.found = null;
        this.history.showNewest(latest);
      }
      conversations.put(conversation);
      this.settle(conversation);
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

  // May the newest answer be gone on with?
  get continuable(): boolean {
    const last = this.history.last;
    return !this.temporary && !this.busy && !this.history.hasNewer && !!last && isAnswer(last.item) && last.item.status === 'incomplete' && last.text !== '';
  }

  // Does the newest answer end with a call that nobody has answered yet?
  get awaitsTool(): boolean {
    const last = this.history.last?.item;
    return !this.busy && !this.history.hasNewer && last?.type === 'function_call' && last.status !== 'incomplete' && !this.trouble;
  }

  // `images`: parts of type input_image.
  async send(text: string, images: readonly Part[] = []): Promise<void> {
    if (this.busy) return;
    this.phase = 'sending';
    this.trouble = null;
    if (this.history.hasNewer) await this.history.loadNewest();
    const content = [...(text ? [{ type: 'input_text', text }] : []), ...images];
    this.unsent = content;
    this.unsentAsk = {};
    this.keys.begin();
    const row = new Row({ id: `local-${Date.now()}`, type: 'message', role: 'user', status: 'completed', content }, { local: true });
    this.history.append(row);
    this.follow();
    await this.deliver(content);
  }

  async retry(): Promise<void> {
    const kind = this.trouble?.retry;
    if (this.busy || !kind) return;
    this.phase = 'sending';
    this.trouble = null;
    if (kind === 'send') return this.resend();
    const last = this.history.last;
    // Half an answer stays, as another version of the whole one.
    if (last && ofModel(last.item)) return this.answerAgain(last, {});
    this.follow();
    await this.startRun([]);
  }

  // Another answer instead of the one that `row` belongs to, by this or another model. The old one stays beside it.
  async regenerate(row: Row, model?: string): Promise<void> {
    if (this.busy) return;
    this.phase = 'sending';
    this.trouble = null;
    await this.answerAgain(row, model ? { model } : {});
  }

  private async answerAgain(row: Row, ask: Ask): Promise<void> {
    const first = this.history.answerOf(row);
    if (this.temporary) {
      this.history.cutFrom(first);
      this.follow();
      return this.startRun([], ask);
    }
    const after = await this.parentOf(first);
    if (after === undefined) return;
    this.history.cutFrom(first);
    this.follow();
    await this.startRun([], { ...ask, after });
  }

  // A message as it should have been, and a new answer to it. The old ones stay beside them.
  async edit(row: Row, text: string): Promise<void> {
    if (this.busy) return;
    this.phase = 'sending';
    this.trouble = null;
    const after = this.temporary ? null : await this.parentOf(row);
    if (after === undefined) return;
    const content = [...(text ? [{ type: 'input_text', text }] : []), ...imagesOf(row.item)];
    this.history.cutFrom(row);
    this.unsent = content;
    this.unsentAsk = { after };
    this.keys.begin();
    this.history.append(new Row({ id: `local-${Date.now()}`, type: 'message', role: 'user', status: 'completed', content, parent_id: after }, { local: true }));
    this.follow();
    await this.startRun([{ type: 'message', role: 'user', content }], { after });
  }

  // The item before `row`. Undefined when it cannot be found out; that is then said.
  private async parentOf(row: Row): Promise<string | null | undefined> {
    try {
      if (this.history.parentOf(row) === undefined) await this.history.renew(row);
      return this.history.parentOf(row) ?? null;
    } catch (error) {
      this.phase = 'idle';
      notices.error(error);
      return undefined;
    }
  }

  // Shows the version `item` in the place of `row`, with what followed it when it was looked at last.
  async switchTo(row: Row, item: string): Promise<void> {
    if (this.busy || this.switching) return;
    this.switching = true;
    try {
      const conversation = await api.put<Conversation>(`/api/conversations/${enc(this.id ?? '')}/head`, { item_id: item, descend: true });
      if (this.closed) return;
      this.conversation = conversation;
      conversations.put(conversation);
      await this.history.branch(row, item);
      this.settle(conversation);
    } catch (error) {
      if (!this.closed) notices.error(error);
    } finally {
      this.switching = false;
    }
  }

  // The incomplete answer stays where it is and grows.
  async goOn(): Promise<void> {
    const row = this.history.last;
    if (!row || !this.continuable) return;
    this.phase = 'sending';
    this.trouble = null;
    this.follow();
    await this.startRun([], { continued: row });
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
      if (!this.busy) this.settle(conversation);
    } catch {
      // The next message will tell.
    }
  }

  async stop(): Promise<void> {
    if (!this.busy || this.stopping) return;
    if (this.temporary) return this.breakOff();
    this.stopping = true;
    try {
      await this.run?.stop();
    } catch (error) {
      this.stopping = false;
      notices.error(error, { label: 'Try again', run: () => void this.stop() });
    }
  }

  // Nobody but this page has the answer: to let go of it is to stop it.
  private breakOff(): void {
    this.run?.stop().catch(() => {}); // the closed connection says the same
    this.run?.close();
    this.flush();
    const partial = !!this.live && isAnswer(this.live.item);
    for (const row of this.made.values()) if (row.item.status === 'in_progress') row.close('incomplete');
    this.keepLive();
    this.phase = 'idle';
    this.trouble = troubleOf({ status: 'cancelled', error: null, incomplete_details: null }, partial);
  }

  private get path(): string {
    return `/v1/conversations/${enc(this.id ?? '')}`;
  }

  // The message never arrived. What others wrote meanwhile comes before it.
  private async resend(): Promise<void> {
    const row = this.history.last;
    if (this.unsentAsk.after !== undefined) {
      this.follow();
      return this.startRun([{ type: 'message', role: 'user', content: this.unsent }], this.unsentAsk);
    }
    if (this.id) await this.history.loadNewest();
    if (row?.local && !this.history.rows.includes(row)) this.history.append(row);
    this.follow();
    await this.deliver(this.unsent);
  }

  private async deliver(content: Part[]): Promise<void> {
    try {
      if (!this.id && !this.temporary) {
        const wanted = { model: this.chosenModel };
        const made = await api.post<Conversation>('/v1/conversations', wanted, undefined, this.keys.of('/v1/conversations', wanted));
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
    await this.startRun([{ type: 'message', role: 'user', content }]);
  }

  private async startRun(input: unknown[], ask: Ask = {}): Promise<void> {
    const run = this.newRun();
    this.continued = ask.continued ?? null;
    this.branched = ask.after !== undefined;
    this.phase = 'waiting';
    // No model is known while no model server answers. It may be back by now; if not, its error becomes the answer's.
    if (!this.chosenModel) await models.refresh().catch(() => {});
    if (this.closed || this.run !== run) return;
    if (this.temporary) {
      run.start({ model: ask.model ?? this.chosenModel ?? 'default', input: wholeOf(this.history.rows), stream: true, store: false, truncation: 'auto' });
      return;
    }
    const more = { ...(ask.continued ? { continue: true } : {}), ...(ask.after !== undefined ? { after: ask.after } : {}) };
    const wanted = { model: ask.model ?? this.chosenModel ?? 'default', input, conversation: this.id, background: true, stream: true, store: true, ...more };
    if (!input.length) this.keys.begin(); // another answer is another request, though it looks the same
    run.start(wanted, this.keys.of('/v1/responses', wanted));
  }

  private newRun(): Run {
    this.run?.close();
    this.live = null;
    this.pending = '';
    this.pendingRow = null;
    this.made.clear();
    this.continued = null;
    this.interrupted = false;
    this.stopping = false;
    this.responseId = null;
    this.responseModel = null;
    const run: Run = new Run({
      event: (event) => this.run === run && this.onEvent(event),
      interrupted: (yes) => this.run === run && (this.interrupted = yes),
      lost: (error) => this.run === run && void this.onLost(error),
    }, this.temporary);
    this.run = run;
    return run;
  }

  // The newest messages may not be the ones that are shown.
  private settle(conversation: Conversation): void {
    if (!this.history.hasNewer) this.settleState(conversation);
    else this.trouble = null;
  }

  // After opening: is an answer being written, and how did the last one end?
  private settleState(conversation: Conversation): void {
    this.trouble = null;
    const active = conversation.active_response_id;
    const row = this.history.last;
    const last = row?.item;
    if (active && !(last && last.response_id === active && ofModel(last))) {
      const run = this.newRun();
      // An answer that is made behind an unfinished one goes on with it.
      if (row && isAnswer(row.item) && row.item.status === 'incomplete') this.continued = row;
      this.phase = 'waiting';
      this.responseId = active;
      run.attach(active);
      return;
    }
    this.phase = 'idle';
    if (!last) return;
    const response = conversation.last_response;
    const unfinished = isAnswer(last) && last.status === 'incomplete';
    if (response && (!ofModel(last) || last.response_id === response.id || unfinished)) this.trouble = troubleOf(response, isAnswer(last));
    if (!this.trouble && unfinished) this.trouble = troubleOf({ status: 'incomplete', error: null, incomplete_details: null }, true);
  }

  private onEvent(event: StreamEvent): void {
    switch (event.type) {
      case 'response.created':
        if (event.response?.id !== this.responseId && this.id) tabs.tell(this.id);
        this.responseId = event.response?.id ?? null;
        this.responseModel = event.response?.model ?? null;
        if (this.temporary) break;
        void this.refresh();
        this.history.learnIds().catch(() => {}); // the next answer tries again
        break;
      case 'response.output_item.added':
        if (event.item) this.begin(event.item);
        break;
      case 'response.reasoning_summary_part.added':
        if (this.rowOf(event)?.text || this.pending) this.take(event, '\n\n');
        break;
      case 'response.output_text.delta':
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
      case 'response.function_call_arguments.delta':
        this.take(event, event.delta ?? '');
        break;
      case 'response.refusal.delta':
        this.flush();
        this.rowOf(event)?.refuse(event.delta ?? '');
        break;
      case 'response.output_item.done':
        if (event.item) this.finish(event.item);
        break;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.end(event);
    }
  }

  private rowOf(event: StreamEvent): Row | null {
    return this.made.get(event.item_id ?? '') ?? this.live;
  }

  private take(event: StreamEvent, text: string): void {
    const row = this.rowOf(event);
    if (row !== this.pendingRow) this.flush();
    this.pendingRow = row;
    this.pending += text;
    this.pace.want();
  }

  private begin(item: Item): void {
    this.flush();
    const full = this.complete(item);
    const old = isAnswer(item) ? this.continued : null;
    const stored = this.history.rows.find((row) => row.item.id === item.id && row !== old);
    this.keepLive();
    if (old) this.continued = null;
    this.history.keepPlace(() => {
      if (stored) this.history.take(stored);
      if (old) {
        this.history.take(old);
        old.goOn(full);
      }
      this.live = old ?? new Row({ ...full, status: 'in_progress' }, { live: true });
    });
    this.made.set(item.id, this.live!);
    this.phase = 'writing';
    if (item.type === 'reasoning') this.thinkingSince = Date.now();
    if (isAnswer(item)) notices.announce('Answer started.');
    else if (item.type === 'reasoning') notices.announce('Thinking.');
  }

  private finish(item: Item): void {
    this.flush();
    const row = this.made.get(item.id);
    if (!row) return;
    row.replace(this.complete(item));
    if (item.type === 'reasoning' && this.run?.whole) row.seconds = (Date.now() - this.thinkingSince) / 1000;
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
    this.flush();
    const response = event.response;
    const status = response?.status ?? 'completed';
    // Normally all of it is here already. Not so after a long sleep: the server then tells the end only.
    for (const item of response?.output ?? []) {
      const row = this.made.get(item.id);
      if (row ? row.item.status !== 'in_progress' : this.history.has(item.id)) continue;
      if (!row) this.begin(item);
      this.finish(item);
    }
    for (const row of this.made.values()) if (row.item.status === 'in_progress') row.close(status === 'completed' ? 'completed' : 'incomplete');
    const answer = [...this.made.values()].findLast((row) => isAnswer(row.item));
    if (answer && response) answer.item = { ...answer.item, usage: response.usage ?? answer.item.usage, timing: response.timing ?? answer.item.timing };
    this.keepLive();
    this.phase = 'idle';
    this.stopping = false;
    this.interrupted = false;
    if (response) this.trouble = troubleOf(response, !!(answer ?? this.continued));
    this.continued = null;
    this.renewBranch();
    notices.announce(this.trouble ? `${this.trouble.title}.` : 'Answer finished.');
    if (!this.temporary) void this.refresh();
  }

  // The first item of a new branch has alternatives now.
  private renewBranch(): void {
    if (!this.branched || this.temporary) return;
    this.branched = false;
    const first = [...this.made.values()][0];
    if (first) this.history.renew(first).catch(() => {}); // they show when the chat is opened again
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
    if (this.temporary) {
      this.fail('No answer', messageOf(error), 'answer');
      return;
    }
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
      for (const row of this.made.values()) if (row.item.status === 'in_progress') row.close('incomplete');
      this.keepLive();
    }
    this.phase = 'idle';
    this.stopping = false;
    this.trouble = { kind: 'failed', title, message, retry };
    notices.announce(`${title}.`);
  }

  private flush(): void {
    const text = this.pending;
    const row = this.pendingRow;
    this.pending = '';
    if (text && row) this.pace.measure(() => row.append(text));
  }
}
