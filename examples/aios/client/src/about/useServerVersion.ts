import { useEffect, useState } from 'react';

import { request, toMessage } from '@/api/request';
import type { ServerVersion } from '@/api/types';

/** Ask the server which release it is. */
export function useServerVersion(): { server: ServerVersion | null; problem: string | null } {
  const [server, setServer] = useState<ServerVersion | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    request<ServerVersion>('GET', '/version').then(setServer, (error: unknown) =>
      setProblem(toMessage(error)),
    );
  }, []);

  return { server, problem };
}
