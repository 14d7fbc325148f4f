/** Where the session survives a reload: browsers have no keychain, so it is the storage of this origin. */
const KEY = 'aios.session';

export async function readStored(): Promise<string | null> {
  return localStorage.getItem(KEY);
}

export async function writeStored(value: string): Promise<void> {
  localStorage.setItem(KEY, value);
}

export async function clearStored(): Promise<void> {
  localStorage.removeItem(KEY);
}
