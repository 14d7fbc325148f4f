import { spawnSync } from 'node:child_process';

import type { Parameters } from './parameters.ts';

const QUIET = [
  // A test browser talks to the product alone: no updates, no metrics, no background requests.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--disable-gpu',
  '--no-first-run',
];

/** The command line of Chromium: where hosts are and which keys to trust. */
export function chromiumArguments({ resolve }: Parameters, trustedKeys: string[]): string[] {
  const rules = [...resolve].map(([from, to]) => `MAP ${from} ${to}`);
  return [
    ...QUIET,
    ...(rules.length ? [`--host-resolver-rules=${rules.join(',')}`] : []),
    ...(trustedKeys.length ? [`--ignore-certificate-errors-spki-list=${trustedKeys.join(',')}`] : []),
  ];
}

/**
 * Whether Chromium can build its own sandbox: not as root, and not where user namespaces are forbidden, as
 * they may be inside another sandbox. Then it runs without, and the walls around it are the ones that hold.
 */
export function canSandbox(): boolean {
  const isRoot = process.getuid?.() === 0;
  return (
    !isRoot && spawnSync('unshare', ['--user', '--pid', '--fork', '--map-root-user', 'true']).status === 0
  );
}
