import * as SecureStore from 'expo-secure-store';

/** Where the session survives a restart: the keychain of the device. The web has `storage.web.ts`. */
const KEY = 'aios.session';

export async function readStored(): Promise<string | null> {
  return SecureStore.getItemAsync(KEY);
}

export async function writeStored(value: string): Promise<void> {
  await SecureStore.setItemAsync(KEY, value);
}

export async function clearStored(): Promise<void> {
  await SecureStore.deleteItemAsync(KEY);
}
