import { defineConfig } from '@playwright/test';

import { canSandbox, chromiumArguments } from './support/chromium.ts';
import { readParameters } from './support/parameters.ts';
import { findTrustedKeys } from './support/trust.ts';

const parameters = readParameters(process.env);
const trustedKeys = await findTrustedKeys(parameters);

export default defineConfig({
  testDir: './tests',
  // Playwright empties this folder at the start, so it is not the one that holds the screenshots.
  outputDir: `${parameters.output}/failures`,
  // So long that a busy machine passes: only what never happens is a finding.
  timeout: 240_000,
  expect: { timeout: 60_000 },
  // A journey that passes only sometimes is a finding, so nothing is tried twice.
  retries: 0,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: parameters.baseUrl.href,
    viewport: { width: 420, height: 800 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: parameters.chromium,
      chromiumSandbox: canSandbox(),
      args: chromiumArguments(parameters, trustedKeys),
    },
  },
});
