import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
  type PropsWithChildren,
} from 'react';

import { ApiError, request, type Method } from '@/api/request';
import type { Credentials, Session } from '@/api/types';

import { parseSession } from './parseSession';
import { clearStored, readStored, writeStored } from './storage';

type Call = <Answer>(method: Method, path: string, body?: unknown) => Promise<Answer>;

interface SessionContext {
  /** Who is signed in; `null` when nobody is, `undefined` while the device is still being asked. */
  session: Session | null | undefined;
  register: (credentials: Credentials) => Promise<void>;
  signIn: (credentials: Credentials) => Promise<void>;
  signOut: () => Promise<void>;
  /** Call the API as the signed-in person; a session that has ended signs the person out. */
  call: Call;
}

const Context = createContext<SessionContext | null>(null);

export function useSession(): SessionContext {
  const context = useContext(Context);
  if (!context) throw new Error('useSession needs a SessionProvider above it.');
  return context;
}

export function SessionProvider({ children }: PropsWithChildren) {
  const [session, setSession] = useState<Session | null>();

  useEffect(() => {
    // A device that refuses its storage shows the sign-in screen, not an endless wait.
    readStored().then(
      (stored) => setSession(parseSession(stored)),
      () => setSession(null),
    );
  }, []);

  const open = useCallback(async (path: string, credentials: Credentials) => {
    const opened = await request<Session>('POST', path, { body: credentials });
    await writeStored(JSON.stringify(opened));
    setSession(opened);
  }, []);

  const signOut = useCallback(async () => {
    await clearStored();
    setSession(null);
  }, []);

  const token = session?.token;
  const call = useCallback<Call>(
    async (method, path, body) => {
      try {
        return await request(method, path, { token, body });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) await signOut();
        throw error;
      }
    },
    [token, signOut],
  );

  const value = useMemo<SessionContext>(
    () => ({
      session,
      register: (credentials) => open('/accounts', credentials),
      signIn: (credentials) => open('/sessions', credentials),
      signOut,
      call,
    }),
    [session, open, signOut, call],
  );

  return <Context.Provider value={value}>{children}</Context.Provider>;
}
