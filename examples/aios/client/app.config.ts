import type { ExpoConfig } from 'expo/config';

import { version } from './package.json';

const domain = process.env.EXPO_PUBLIC_DOMAIN ?? 'localhost:5000';

/**
 * What is native about the app. Almost everything here enters the fingerprint, so a change needs a new
 * build in the stores; `fingerprint.config.js` lists the exceptions.
 */
const config: ExpoConfig = {
  name: 'AIOS',
  slug: 'aios',
  scheme: 'aios',
  version,
  icon: './assets/icon.png',
  orientation: 'portrait',
  userInterfaceStyle: 'automatic',
  ios: { bundleIdentifier: 'app.aios.client', supportsTablet: true },
  android: {
    package: 'app.aios.client',
    adaptiveIcon: { foregroundImage: './assets/icon.png', backgroundColor: '#0B1F2A' },
  },
  // One page for every address: whoever serves the export answers unknown paths with index.html.
  web: { bundler: 'metro', output: 'single', favicon: './assets/icon.png' },
  plugins: ['expo-router', 'expo-secure-store'],
  runtimeVersion: { policy: 'fingerprint' },
  updates: {
    url: process.env.EXPO_PUBLIC_UPDATES_URL ?? `https://${domain}/_updates/manifest`,
    requestHeaders: { 'expo-channel-name': process.env.EXPO_PUBLIC_CHANNEL ?? 'development' },
    // Start at once with what is on the device; a newer update is used from the next start on.
    checkAutomatically: 'ON_LOAD',
    fallbackToCacheTimeout: 0,
  },
};

export default config;
