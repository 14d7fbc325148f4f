/** What the API sends and takes. */

export interface Session {
  token: string;
  email: string;
}

export interface Credentials {
  email: string;
  password: string;
}

export interface Page<Item> {
  items: Item[];
  next_cursor: number | null;
}

export interface NoteValues {
  title: string;
  body: string;
}

export interface TaskValues {
  title: string;
  done: boolean;
  due_on: string | null;
}

export interface Kept {
  id: number;
  created_at: string;
}

export type Note = NoteValues & Kept;
export type Task = TaskValues & Kept;

export interface ServerVersion {
  product: string;
  greeting: string;
  version: string;
  release: string;
}
