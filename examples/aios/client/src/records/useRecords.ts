import { useCallback, useEffect, useState } from 'react';

import { toMessage } from '@/api/request';
import type { Kept, Page } from '@/api/types';
import { useSession } from '@/session/SessionProvider';

interface Records<Values, Item> {
  items: Item[];
  loading: boolean;
  /** The sentence about the last thing that went wrong, until something goes right. */
  problem: string | null;
  /** Load the next page; absent when everything is shown. */
  loadMore?: () => Promise<void>;
  refresh: () => Promise<void>;
  /** Each answers whether it worked, so that a form knows whether to empty itself. */
  add: (values: Values) => Promise<boolean>;
  replace: (item: Item, values: Values) => Promise<boolean>;
  remove: (item: Item) => Promise<boolean>;
}

/** The person's notes or tasks, newest first, kept in step with the API at `path`. */
export function useRecords<Values, Item extends Values & Kept>(path: string): Records<Values, Item> {
  const { call } = useSession();
  const [items, setItems] = useState<Item[]>([]);
  const [cursor, setCursor] = useState<number | null>(null);
  const [loading, setLoading] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);

  const attempt = useCallback(async (work: () => Promise<void>) => {
    try {
      await work();
      setProblem(null);
      return true;
    } catch (error) {
      setProblem(toMessage(error));
      return false;
    }
  }, []);

  const refresh = useCallback(async () => {
    setLoading(true);
    await attempt(async () => {
      const page = await call<Page<Item>>('GET', path);
      setItems(page.items);
      setCursor(page.next_cursor);
    });
    setLoading(false);
  }, [attempt, call, path]);

  useEffect(() => {
    void refresh();
  }, [refresh]);

  const loadMore = async () => {
    await attempt(async () => {
      const page = await call<Page<Item>>('GET', `${path}?cursor=${cursor}`);
      setItems((shown) => [...shown, ...page.items]);
      setCursor(page.next_cursor);
    });
  };

  const add = (values: Values) =>
    attempt(async () => {
      const added = await call<Item>('POST', path, values);
      setItems((shown) => [added, ...shown]);
    });

  const replace = (item: Item, values: Values) =>
    attempt(async () => {
      const replaced = await call<Item>('PUT', `${path}/${item.id}`, values);
      setItems((shown) => shown.map((other) => (other.id === item.id ? replaced : other)));
    });

  const remove = (item: Item) =>
    attempt(async () => {
      await call('DELETE', `${path}/${item.id}`);
      setItems((shown) => shown.filter((other) => other.id !== item.id));
    });

  return {
    items,
    loading,
    problem,
    loadMore: cursor === null ? undefined : loadMore,
    refresh,
    add,
    replace,
    remove,
  };
}
