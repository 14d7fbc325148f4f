import { API_ADDRESS } from '@/api/address';
import { ApiError, request, toMessage } from '@/api/request';

function answerWith(status: number, body: string | null): jest.Mock {
  const fetch = jest.fn(async () => new Response(body, { status }));
  globalThis.fetch = fetch as unknown as typeof globalThis.fetch;
  return fetch;
}

test('a request carries the token and the body', async () => {
  const fetch = answerWith(201, '{"id": 1}');
  await expect(request('POST', '/notes', { token: 'abc', body: { title: 'Milk' } })).resolves.toEqual({
    id: 1,
  });
  expect(fetch).toHaveBeenCalledWith(
    `${API_ADDRESS}/notes`,
    expect.objectContaining({
      method: 'POST',
      headers: { Authorization: 'Bearer abc', 'Content-Type': 'application/json' },
      body: '{"title":"Milk"}',
    }),
  );
});

test('an answer without content is no error', async () => {
  answerWith(204, null);
  await expect(request('DELETE', '/notes/1')).resolves.toBeUndefined();
});

test('a problem document becomes its sentence', async () => {
  answerWith(409, '{"detail": "There is already an account with this e-mail address."}');
  const error = await request('POST', '/accounts').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409 });
  expect(toMessage(error)).toBe('There is already an account with this e-mail address.');
});

test('the error page of a proxy is not shown to a person', async () => {
  answerWith(502, '<html>Bad gateway</html>');
  await expect(request('GET', '/notes')).rejects.toThrow(
    'The server gave an unexpected answer. Try again later.',
  );
});

test('no answer at all is said to be so', async () => {
  globalThis.fetch = jest.fn().mockRejectedValue(new TypeError('Network request failed'));
  await expect(request('GET', '/notes')).rejects.toMatchObject({ status: 0 });
});
