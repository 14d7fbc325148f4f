import { API_ADDRESS } from './address';

const TIMEOUT_MILLISECONDS = 15_000;
const UNREACHABLE = 'The server cannot be reached. Check your connection and try again.';
const UNEXPECTED = 'The server gave an unexpected answer. Try again later.';

/** A refusal or a failure, in words for the person. `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RequestOptions {
  token?: string;
  body?: unknown;
}

/** Call the API and return what it sends, or throw an `ApiError`. */
export async function request<Answer>(
  method: Method,
  path: string,
  { token, body }: RequestOptions = {},
): Promise<Answer> {
  const response = await send(method, path, token, body);
  if (!response.ok) throw await toApiError(response);
  if (response.status === 204) return undefined as Answer;
  return (await response.json()) as Answer;
}

async function send(method: Method, path: string, token?: string, body?: unknown): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MILLISECONDS);
  try {
    return await fetch(API_ADDRESS + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: timeout.signal,
    });
  } catch {
    throw new ApiError(0, UNREACHABLE);
  } finally {
    clearTimeout(timer);
  }
}

/** Read the sentence of a problem document. A proxy's own error page has none. */
async function toApiError(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as { detail?: unknown };
    return new ApiError(response.status, typeof problem.detail === 'string' ? problem.detail : UNEXPECTED);
  } catch {
    return new ApiError(response.status, UNEXPECTED);
  }
}

/** The sentence to show for anything that was thrown. */
export function toMessage(error: unknown): string {
  return error instanceof ApiError ? error.message : UNEXPECTED;
}
