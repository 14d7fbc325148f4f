/**
 * Where the API is: beside the domain of the app, as `api.` + domain.
 *
 * On a developer's machine one port of `localhost` is the API itself. A phone on the same network cannot
 * reach `localhost`, so `EXPO_PUBLIC_API_URL` overrides the rule.
 */
export function deriveApiAddress(domain: string, override?: string): string {
  if (override) return override.replace(/\/+$/, '');
  const [host] = domain.split(':');
  return host === 'localhost' ? `http://${domain}` : `https://api.${domain}`;
}

// Expo replaces each `process.env.EXPO_PUBLIC_*` by its value when it bundles, and only when written out whole.
export const API_ADDRESS = deriveApiAddress(
  process.env.EXPO_PUBLIC_DOMAIN ?? 'localhost:5000',
  process.env.EXPO_PUBLIC_API_URL,
);
