import type { Store } from './store.ts';

/**
 * A store in a directory, `file:///…`, which must exist. Objects appear whole: temp file, fsync, link or rename.
 * Throws: as Store says; StoreFull (ENOSPC), StoreDenied (EACCES), StoreNotFound (the directory is gone).
 */
export function filesystemStore(directory: string): Store {
  throw new Error(`filesystemStore is not built yet: ${directory}`);
}
