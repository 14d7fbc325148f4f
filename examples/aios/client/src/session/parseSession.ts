import type { Session } from '@/api/types';

/** Read a stored session. What an older version of the app stored may have another shape: then sign in again. */
export function parseSession(stored: string | null): Session | null {
  if (!stored) return null;
  try {
    const value = JSON.parse(stored) as Partial<Session> | null;
    const complete = typeof value?.token === 'string' && typeof value.email === 'string';
    return complete ? { token: value.token!, email: value.email! } : null;
  } catch {
    return null;
  }
}
