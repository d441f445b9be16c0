// Images that go with the message being written. Each is uploaded at once, shown by the server's address of it, and deleted on
// the server when it is taken out again. Loaded when the first image comes.
import { api, ApiError, enc } from './api';
import { notices } from './notices.svelte';
import { load, save } from './storage';
import type { Part, StoredFile } from './types';

export const maxImages = 8; // in one message
export const maxImageBytes = 20 * 1024 * 1024; // the server takes no larger ones
const types = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);

let nextKey = 1;

export class Attachment {
  readonly key = nextKey++;
  state = $state<'uploading' | 'ready' | 'failed'>('uploading');
  progress = $state(0); // 0..1
  error = $state('');
  id = $state<string | null>(null);
  request: XMLHttpRequest | null = null;
  removed = false;

  constructor(
    readonly name: string,
    readonly file: File | null,
  ) {}
}

export class Attachments {
  list = $state.raw<readonly Attachment[]>([]);

  // `key`: where the draft's images are remembered; changes when a new chat gets its id.
  constructor(private readonly key: () => string) {
    this.restore();
  }

  get uploading(): boolean {
    return this.list.some((one) => one.state === 'uploading');
  }

  get failed(): boolean {
    return this.list.some((one) => one.state === 'failed');
  }

  add(files: readonly File[]): void {
    const fitting: File[] = [];
    for (const file of files) {
      const problem = this.problemWith(file, fitting.length);
      if (!problem) fitting.push(file);
      else notices.show('error', problem);
    }
    const added = fitting.map((file) => new Attachment(file.name || 'Pasted image', file));
    this.list = [...this.list, ...added];
    for (const one of added) void this.upload(one);
  }

  async upload(one: Attachment): Promise<void> {
    one.state = 'uploading';
    one.progress = 0;
    one.error = '';
    try {
      const file = await send(one);
      one.id = file.id;
      if (one.removed) return void forgetFile(file.id);
      one.state = 'ready';
      this.remember();
    } catch (error) {
      one.state = 'failed';
      one.error = error instanceof Error ? error.message : String(error);
    }
  }

  remove(one: Attachment): void {
    one.removed = true;
    one.request?.abort();
    this.list = this.list.filter((other) => other !== one);
    this.remember();
    if (one.id) void forgetFile(one.id);
  }

  // The parts of the message; they are the conversation's now.
  take(): Part[] {
    const parts = this.list.flatMap((one) => (one.id ? [{ type: 'input_image', file_id: one.id, detail: 'auto' }] : []));
    this.list = [];
    this.remember();
    return parts;
  }

  // The composer goes away. What is uploaded stays with the draft, what is not is given up.
  close(): void {
    for (const one of this.list) if (one.state === 'uploading') this.remove(one);
  }

  private problemWith(file: File, before: number): string | null {
    if (!types.has(file.type)) return `“${file.name}” cannot be attached: only PNG, JPEG, WebP and GIF images can.`;
    if (file.size > maxImageBytes) return `“${file.name}” is larger than 20 MB.`;
    if (file.size === 0) return `“${file.name}” is empty.`;
    if (this.list.length + before >= maxImages) return `A message has room for ${maxImages} images.`;
    return null;
  }

  private remember(): void {
    const ready = this.list.filter((one) => one.state === 'ready').map((one) => ({ id: one.id, name: one.name }));
    save(this.key(), ready.length ? JSON.stringify(ready) : null, 'session');
  }

  private restore(): void {
    try {
      const known = JSON.parse(load(this.key(), 'session') ?? '[]') as { id: string; name: string }[];
      this.list = known.slice(0, maxImages).map(({ id, name }) => {
        const one = new Attachment(String(name), null);
        one.id = String(id);
        one.state = 'ready';
        return one;
      });
    } catch {
      // Not ours: a draft without images.
    }
  }
}

async function forgetFile(id: string): Promise<void> {
  // Nothing in the conversation depends on it.
  await api.delete(`/v1/files/${enc(id)}`).catch(() => {});
}

// fetch() tells nothing about how far an upload has come.
function send(one: Attachment): Promise<StoredFile> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('purpose', 'vision');
    form.append('file', one.file!, one.name);
    const request = new XMLHttpRequest();
    one.request = request;
    request.open('POST', '/v1/files');
    request.responseType = 'json';
    request.upload.onprogress = (event) => event.lengthComputable && (one.progress = event.loaded / event.total);
    request.onload = () => {
      const body = request.response as (StoredFile & { error?: { message?: string; code?: string } }) | null;
      if (request.status < 300 && body?.id) resolve(body);
      else reject(new ApiError(body?.error?.message ?? `The server answered with status ${request.status}.`, request.status, body?.error?.code ?? 'http'));
    };
    request.onerror = () => reject(new ApiError('The image did not reach the server.', 0, 'network'));
    request.onabort = () => reject(new ApiError('The upload was stopped.', 0, 'aborted'));
    request.send(form);
  });
}
