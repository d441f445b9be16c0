// Sending a file to be imported. XMLHttpRequest alone tells how far it is; the file is streamed from the disk and never read here.
import { ApiError, enc } from './api';

export interface ImportJob {
  id: string;
  filename: string | null;
  format: string | null;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  bytes: number;
  bytes_read: number;
  conversations: number;
  messages: number;
  skipped: number;
  problems: { where: string; code: string; message: string }[];
  problems_total: number;
  created_at: number;
  finished_at: number | null;
}

// `progress` gets the share that is sent. Stopped: `done` resolves to null.
export function upload(file: File, progress: (share: number) => void): { done: Promise<ImportJob | null>; stop: () => void } {
  const request = new XMLHttpRequest();
  const done = new Promise<ImportJob | null>((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onabort = () => resolve(null);
    request.onerror = () => reject(new ApiError('The connection was lost while the file was sent.', 0, 'network'));
    request.onload = () => {
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && body?.id) resolve(body as ImportJob);
      else reject(new ApiError(body?.error?.message ?? `The server answered with status ${request.status}.`, request.status, body?.error?.code ?? ''));
    };
    request.open('POST', `/api/imports?filename=${enc(file.name.slice(0, 200))}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.send(file);
  });
  return { done, stop: () => request.abort() };
}

type Answer = Partial<ImportJob> & { error?: { message?: string; code?: string } };

function parsed(text: string): Answer | null {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return null;
  }
}
