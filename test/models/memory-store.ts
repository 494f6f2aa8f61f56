import { failure } from '../../model/failures.ts';
import type { ObjectInfo, Store } from '../../transfer/store.ts';

/** What a memory store keeps, and what it does before each call: nothing, or fail as a process that is killed there. */
export type MemoryStoreOptions = {
  readonly objects: Map<string, { bytes: Buffer; modifiedAt: string }>;
  /** The clock of the store. */
  readonly now: () => Date;
  readonly before?: (call: string, key: string) => Promise<void>;
};

/** A store for models of what happens to one: thousands of them are run through in seconds. */
export function memoryStore({ objects, now, before = () => Promise.resolve() }: MemoryStoreOptions): Store {
  const infoOf = (key: string): ObjectInfo | undefined => {
    const object = objects.get(key);
    return object === undefined
      ? undefined
      : { key, sizeBytes: object.bytes.byteLength, modifiedAt: object.modifiedAt };
  };
  const unused = (call: string) => () => {
    throw new Error(`the memory store has no ${call}`);
  };
  return {
    address: 'memory://',
    put: async (key, bytes, options) => {
      await before('put', key);
      if (options?.ifAbsent === true && objects.has(key))
        throw failure('ObjectExists', { message: `put ${key}: it is there` });
      objects.set(key, { bytes: Buffer.from(bytes), modifiedAt: now().toISOString() });
    },
    get: async (key) => {
      await before('get', key);
      const object = objects.get(key);
      if (object === undefined) throw failure('ObjectNotFound', { message: `get ${key}: it is not there` });
      return object.bytes;
    },
    head: async (key) => {
      await before('head', key);
      return infoOf(key);
    },
    async *list(prefix) {
      await before('list', prefix);
      // As a real store does it: what comes later in the listing may be gone when it is reached.
      for (const key of [...objects.keys()].filter((each) => each.startsWith(prefix)).sort()) {
        const info = infoOf(key);
        if (info !== undefined) yield info;
      }
    },
    delete: async (key) => {
      await before('delete', key);
      objects.delete(key);
    },
    abortOpenUploads: async (prefix) => {
      await before('abort', prefix);
    },
    listOpenUploads: () => Promise.resolve([]),
    openWriter: unused('openWriter'),
    read: unused('read'),
    probe: unused('probe'),
    settings: unused('settings'),
  };
}
