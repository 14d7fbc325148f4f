import Constants from 'expo-constants';
import * as Updates from 'expo-updates';

export interface Fact {
  name: string;
  value: string;
}

/** What runs on this device: the facts that support asks for first. */
export function describeApp(): Fact[] {
  return [
    { name: 'App version', value: Constants.expoConfig?.version ?? 'unknown' },
    { name: 'Channel', value: Updates.channel || process.env.EXPO_PUBLIC_CHANNEL || 'development' },
    // A browser, and an app that has not been updated yet, run no update.
    { name: 'Update', value: Updates.updateId ?? 'none, as installed' },
    { name: 'Runtime', value: Updates.runtimeVersion || 'none' },
  ];
}
