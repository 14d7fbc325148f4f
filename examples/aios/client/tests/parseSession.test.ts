import { parseSession } from '@/session/parseSession';

test('a stored session is read back', () => {
  const session = { token: 'abc', email: 'ada@example.com' };
  expect(parseSession(JSON.stringify(session))).toEqual(session);
});

test.each([null, '', 'not JSON', 'null', '{"token": 7}', '{"token": "abc"}'])(
  '%p is no session',
  (stored) => {
    expect(parseSession(stored)).toBeNull();
  },
);
