// The one place that talks HTTP. Errors of every kind become ApiError with a message that a person can act on.
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number, // 0: no answer came
    readonly code: string,
    readonly param: string | null = null,
    readonly requestId: string | null = null,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

let onSignedOut = () => {};

// `handler` runs when the server no longer knows the session.
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler;
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function errorFrom(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const error = (body as { error?: { message?: unknown; code?: unknown; param?: unknown } } | null)?.error;
  const retryAfter = Number(response.headers.get('retry-after'));
  return new ApiError(
    typeof error?.message === 'string' && error.message ? error.message : `The server answered with status ${response.status}.`,
    response.status,
    typeof error?.code === 'string' ? error.code : `http_${response.status}`,
    typeof error?.param === 'string' ? error.param : null,
    response.headers.get('x-request-id'),
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

// A response whose status is fine; the caller reads the body.
export async function request(method: string, path: string, body?: unknown, signal?: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('The server cannot be reached. Check that it runs and that you are online.', 0, 'network');
  }
  if (response.ok) return response;
  const error = await errorFrom(response);
  if (error.status === 401 && error.code !== 'invalid_credentials') onSignedOut();
  throw error;
}

async function json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, headers?: Record<string, string>): Promise<T> {
  const response = await request(method, path, body, signal, headers);
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('The answer of the server was cut off. Try again.', 0, 'network');
  }
}

export const api = {
  get: <T>(path: string, signal?: AbortSignal, headers?: Record<string, string>) => json<T>('GET', path, undefined, signal, headers),
  // `key`: an Idempotency-Key.
  post: <T>(path: string, body: unknown = {}, signal?: AbortSignal, key?: string) =>
    json<T>('POST', path, body, signal, key ? { 'idempotency-key': key } : undefined),
  put: <T>(path: string, body: unknown) => json<T>('PUT', path, body),
  patch: <T>(path: string, body: unknown) => json<T>('PATCH', path, body),
  delete: <T>(path: string) => json<T>('DELETE', path),
};

// Ids come from the server or the address bar: always encode them before they become part of a path.
export const enc = encodeURIComponent;
