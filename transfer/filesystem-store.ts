import { type Dirent } from 'node:fs';
import { open, readdir, readFile, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure } from '../model/failures.ts';
import { filesystemFailure, hasCode } from './filesystem-failure.ts';
import { assertRoot, FilesystemWriter, uploadFolder } from './filesystem-writer.ts';
import { probeStore } from './probe-store.ts';
import type { ObjectInfo, Store, WhichUploads } from './store.ts';
import { assertKey, compareKeys } from './store-key.ts';

const readBytes = 1024 * 1024;

/**
 * A store in a directory, `file:///…`, which must exist. Objects appear whole: temp file, fsync, link or rename, fsync of
 * the folders. An object's path is its key.
 * Throws: as Store says; StoreFull (ENOSPC), StoreDenied (EACCES), StoreNotFound (the directory is gone).
 */
export function filesystemStore(directory: string): Store {
  const root = directory.replace(/(.)\/+$/, '$1');
  const store: Store = {
    address: `file://${root}`,
    put: async (key, bytes, options) => {
      assertKey(key);
      const writer = new FilesystemWriter(root, key);
      try {
        await writer.write(bytes);
        await writer.commit(options?.ifAbsent === true ? 'link' : 'rename');
      } catch (error) {
        await writer.abort();
        if (!hasCode(error, 'EEXIST')) throw error;
        if (!(await store.get(key)).equals(bytes))
          throw failure('ObjectExists', { message: `write ${key}: it exists in ${store.address}`, subject: key });
      }
    },
    openWriter: (key) => {
      assertKey(key);
      const writer = new FilesystemWriter(root, key);
      return {
        write: (bytes) => writer.write(bytes),
        commit: () => writer.commit('rename'),
        abort: () => writer.abort(),
      };
    },
    get: async (key) => {
      assertKey(key);
      return orAbsent(root, key, readFile(join(root, key)));
    },
    read: (key, range) => {
      assertKey(key);
      return readFileBytes(root, key, range);
    },
    head: async (key) => {
      assertKey(key);
      await assertRoot(root);
      try {
        const found = await stat(join(root, key));
        return found.isFile() ? { key, sizeBytes: found.size, modifiedAt: found.mtime.toISOString() } : undefined;
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
        throw filesystemFailure(error, `look at ${key}`);
      }
    },
    list: (prefix) => listFiles(root, prefix),
    delete: async (key) => {
      assertKey(key);
      await assertRoot(root);
      try {
        await unlink(join(root, key));
      } catch (error) {
        if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) throw filesystemFailure(error, `delete ${key}`);
      }
      await removeEmptyFolders(root, dirname(key));
    },
    listOpenUploads: async (prefix, which) =>
      (await openUploads(root, prefix, which)).map((upload) => upload.key).sort(compareKeys),
    abortOpenUploads: async (prefix, which) => {
      for (const { scratch } of await openUploads(root, prefix, which))
        await rm(scratch, { recursive: true, force: true });
    },
    probe: () => probeStore(store, () => Promise.resolve(false)),
    // Uploads that nobody ended are files of ours: no rule but ours takes them away.
    settings: () => Promise.resolve({ versioning: 'off', objectLock: 'off', abortsUploadsAfterDays: null }),
  };
  return store;
}

async function orAbsent<Value>(root: string, key: string, reading: Promise<Value>): Promise<Value> {
  try {
    return await reading;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) throw filesystemFailure(error, `read ${key}`);
    await assertRoot(root);
    throw failure('ObjectNotFound', { message: `read ${key}: it is not in file://${root}`, subject: key });
  }
}

async function* readFileBytes(
  root: string,
  key: string,
  range?: { readonly offset: number; readonly length: number },
): AsyncGenerator<Buffer, void> {
  const handle = await orAbsent(root, key, open(join(root, key), 'r'));
  try {
    let position = range?.offset ?? 0;
    const end = range === undefined ? Number.POSITIVE_INFINITY : range.offset + range.length;
    while (position < end) {
      const wanted = Math.min(readBytes, end - position);
      const { bytesRead, buffer } = await orAbsent(
        root,
        key,
        handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, position),
      );
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Files whose key begins with `prefix`, in the order of their keys. */
async function* listFiles(root: string, prefix: string): AsyncGenerator<ObjectInfo, void> {
  await assertRoot(root);
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (folder.split('/').some((segment) => segment.startsWith('.'))) return;
  yield* walk(root, folder, prefix);
}

async function* walk(root: string, folder: string, prefix: string): AsyncGenerator<ObjectInfo, void> {
  const entries = await readEntries(join(root, folder));
  // a folder stands where its keys do: `a-b` before `a/b`
  const names = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .sort(compareKeys);
  for (const name of names) {
    const key = folder + name;
    if (name.startsWith('.') || !(key.startsWith(prefix) || prefix.startsWith(key))) continue;
    if (name.endsWith('/')) yield* walk(root, key, prefix);
    else {
      const found = await stat(join(root, key)).catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return undefined;
        throw filesystemFailure(error, `list ${key}`);
      });
      if (found !== undefined) yield { key, sizeBytes: found.size, modifiedAt: found.mtime.toISOString() };
    }
  }
}

async function readEntries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw filesystemFailure(error, `list ${folder}`);
  }
}

/** Removes folders that a delete has left empty: they are no objects. */
async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let empty = folder; empty !== '.' && empty !== '/'; empty = dirname(empty)) {
    try {
      await rmdir(join(root, empty));
    } catch {
      return;
    }
  }
}

/** A file that is still written to counts from its last byte. */
async function openUploads(
  root: string,
  prefix: string,
  { begunBefore }: WhichUploads = {},
): Promise<{ key: string; scratch: string }[]> {
  await assertRoot(root);
  const uploads: { key: string; scratch: string }[] = [];
  for (const entry of await readEntries(join(root, uploadFolder))) {
    const scratch = join(root, uploadFolder, entry.name);
    for await (const { key, modifiedAt } of walk(scratch, '', prefix))
      if (begunBefore === undefined || new Date(modifiedAt) < begunBefore) uploads.push({ key, scratch });
  }
  return uploads;
}
