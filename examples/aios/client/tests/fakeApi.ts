import type { Kept } from '@/api/types';

type Record = Kept & { title: string };

/** An API with one account and no database, answering `fetch` in the words of the real one. */
export function installFakeApi(): void {
  const kept: { [kind: string]: Record[] } = { notes: [], tasks: [] };
  let lastId = 0;

  async function answer(address: string, init: RequestInit): Promise<Response> {
    const [, kind = '', id] = new URL(address).pathname.split('/');
    const values = init.body
      ? (JSON.parse(init.body as string) as { password?: string; title: string })
      : null;
    if (kind === 'sessions' && values?.password !== 'correct horse') {
      return json(401, { detail: 'The e-mail address or the password is wrong.' });
    }
    if (kind === 'sessions') return json(201, { token: 'abc', email: 'ada@example.com' });
    if (kind === 'version')
      return json(200, { greeting: 'Welcome to AIOS', version: '1.0.0', release: 'r7' });
    return answerRecords(kind, init.method!, Number(id), values);
  }

  function answerRecords(
    kind: string,
    method: string,
    id: number,
    values: { title: string } | null,
  ): Response {
    const rows = kept[kind]!;
    if (method === 'GET') return json(200, { items: rows, next_cursor: null });
    if (method === 'DELETE') {
      kept[kind] = rows.filter((row) => row.id !== id);
      return new Response(null, { status: 204 });
    }
    const row = { ...values!, id: method === 'PUT' ? id : ++lastId, created_at: '2026-12-01T09:00:00Z' };
    kept[kind] = [row, ...rows.filter((other) => other.id !== row.id)];
    return json(200, row);
  }

  globalThis.fetch = jest.fn(answer) as unknown as typeof fetch;
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status });
}
