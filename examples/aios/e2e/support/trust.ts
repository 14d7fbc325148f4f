import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';

import type { Parameters } from './parameters.ts';

const TIMEOUT_MILLISECONDS = 10_000;

/**
 * The keys that Chromium may trust although no public authority signed them.
 *
 * Chromium takes no authority of ours without a certificate database in the home folder, but it takes the
 * hash of a server's key. So Node checks each server first, name and chain, against the local authority, and
 * Chromium then accepts the very keys that passed and no others.
 */
export async function findTrustedKeys({ baseUrl, apiUrl, resolve, caFile }: Parameters): Promise<string[]> {
  if (!caFile) return [];
  const authority = await readFile(caFile, 'utf8');
  const servers = [baseUrl, apiUrl].filter((url) => url.protocol === 'https:');
  return Promise.all(servers.map((url) => readVerifiedKey(url, resolve, authority)));
}

async function readVerifiedKey(url: URL, resolve: Parameters['resolve'], authority: string): Promise<string> {
  const port = url.port || '443';
  const target = resolve.get(`${url.hostname}:${port}`) ?? url.hostname;
  const certificate = await fetchCertificate(target, Number(port), url.hostname, authority);
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

function fetchCertificate(
  target: string,
  port: number,
  name: string,
  authority: string,
): Promise<X509Certificate> {
  return new Promise((succeed, fail) => {
    const { host, port: mappedPort } = splitAddress(target, port);
    const socket = connect({ host, port: mappedPort, servername: name, ca: authority });
    socket.setTimeout(TIMEOUT_MILLISECONDS, () =>
      socket.destroy(new Error(`it does not answer at ${target}`)),
    );
    socket.once('error', (cause) =>
      fail(new Error(`${name} cannot be trusted: ${cause.message}.`, { cause })),
    );
    socket.once('secureConnect', () => {
      succeed(new X509Certificate(socket.getPeerCertificate().raw));
      socket.end();
    });
  });
}

/** Split `address` or `address:port`; an IPv6 address has its port only after a bracket. */
function splitAddress(target: string, port: number): { host: string; port: number } {
  const [, bracketed, plain, given] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(target) ?? [];
  return { host: bracketed ?? plain ?? target, port: given ? Number(given) : port };
}
