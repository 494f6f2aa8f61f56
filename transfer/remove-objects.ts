import { LifeboatFailure } from '../model/failures.ts';
import { type ObjectInfo, type Store, sumSizes } from './store.ts';

const deletesAtOnce = 8;

/**
 * Removes every object under a prefix and takes back the uploads that are open there.
 * @returns the bytes that were removed
 * @throws StoreDenied where the store lets nobody remove; Store*
 */
export async function removeObjects(of: {
  store: Store;
  prefix: string;
  signal?: AbortSignal | undefined;
}): Promise<number> {
  const both = [listAll(of.store, of.prefix), of.store.abortOpenUploads(of.prefix)] as const;
  // Where one fails the other is waited for: done late it could hit what a next attempt writes.
  await Promise.allSettled(both);
  const [found] = await Promise.all(both);
  await deleteAll(of.store, found, of.signal);
  return sumSizes(found);
}

async function listAll(store: Store, prefix: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list(prefix)) found.push(object);
  return found;
}

/**
 * Deletes what is better gone and harms nobody where it stays: with credentials that may only add it stays, until `store gc`
 * runs with others. @returns whether it went
 */
export async function deleteIfAllowed(store: Store, key: string): Promise<boolean> {
  try {
    await store.delete(key);
    return true;
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'StoreDenied') return false;
    throw error;
  }
}

/** Deletes objects, some at once. */
export async function deleteAll(
  store: Store,
  objects: readonly Pick<ObjectInfo, 'key'>[],
  signal?: AbortSignal,
): Promise<void> {
  for (let at = 0; at < objects.length; at += deletesAtOnce) {
    signal?.throwIfAborted();
    await Promise.all(objects.slice(at, at + deletesAtOnce).map(({ key }) => store.delete(key)));
  }
}
