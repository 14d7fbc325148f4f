/** What to test and where to leave the evidence: Shipway sets these variables, a person may. */
export interface Parameters {
  /** The deployed web export. */
  baseUrl: URL;
  /** The deployed API. */
  apiUrl: URL;
  /** Where a host is reached when its name does not resolve, as `host:port` to `address`. */
  resolve: ReadonlyMap<string, string>;
  /** The certificate of the local authority that signed those of both; absent when a public one did. */
  caFile?: string;
  /** The folder for screenshots and traces. */
  output: string;
  chromium: string;
}

export function readParameters(environment: NodeJS.ProcessEnv): Parameters {
  return {
    baseUrl: new URL(required(environment, 'E2E_BASE_URL')),
    apiUrl: new URL(required(environment, 'E2E_API_URL')),
    resolve: parseResolve(environment.E2E_RESOLVE ?? ''),
    caFile: environment.E2E_CA_FILE || undefined,
    output: environment.E2E_OUTPUT || 'test-results',
    chromium: environment.CHROMIUM || '/usr/bin/chromium',
  };
}

/** Read `host:port=address`, several of them apart by commas. */
function parseResolve(text: string): Map<string, string> {
  const mappings = text.split(',').filter(Boolean);
  return new Map(
    mappings.map((mapping) => {
      const [from, to] = mapping.split('=');
      if (!from || !to) throw new Error(`E2E_RESOLVE has ${mapping}; expected host:port=address.`);
      return [from.trim(), to.trim()];
    }),
  );
}

function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`${name} is missing.`);
  return value;
}
