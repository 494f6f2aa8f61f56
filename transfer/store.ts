import type { BucketSettings } from '../model/store-specs.ts';

/** An object in a store. */
export type ObjectInfo = { readonly key: string; readonly sizeBytes: number; readonly modifiedAt: string };

/** The bytes of some objects together. */
export function sumSizes(objects: readonly Pick<ObjectInfo, 'sizeBytes'>[]): number {
  return objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What the start-up probe found out about a store. */
export type StoreProbe = {
  readonly address: string;
  /** Two racing writers of one key had exactly one winner. */
  readonly conditionalPut: boolean;
  /** The store refused bytes whose checksum did not fit. */
  readonly checksums: boolean;
  readonly latencyMs: number;
};

/** An object that is written piece by piece; nothing is visible before `commit`. */
export type ObjectWriter = {
  /** Resolves when there is room for more: the back-pressure of the store. */
  write(bytes: Uint8Array): Promise<void>;
  /** Publishes the object and checks that the store has what was sent. @throws ObjectExists, StoreFull, StoreUnreachable */
  commit(): Promise<{ sizeBytes: number }>;
  /** Takes back everything that was sent; idempotent. */
  abort(): Promise<void>;
};

/** Which open uploads are meant: by default all of them. */
export type WhichUploads = { readonly begunBefore?: Date | undefined };

/**
 * Where recovery points live. Keys are `/`-separated; implementations pass test/conformance/store.test.ts.
 * Every call throws StoreUnreachable (retryable), StoreDenied, StoreNotFound or StoreFull where that is so.
 */
export type Store = {
  /** `s3://bucket/prefix` or `file:///directory`, for messages. */
  readonly address: string;
  /** Writes a small object at once. With `ifAbsent` an existing one makes it fail with ObjectExists. */
  put(key: string, bytes: Uint8Array, options?: { readonly ifAbsent?: boolean | undefined }): Promise<void>;
  openWriter(key: string): ObjectWriter;
  /** A whole small object. @throws ObjectNotFound */
  get(key: string): Promise<Buffer>;
  /** An object's bytes, or those of a range; each chunk belongs to who reads. @throws ObjectNotFound */
  read(key: string, range?: { readonly offset: number; readonly length: number }): AsyncIterable<Uint8Array>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Every object under a prefix, in the order of their keys. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Deletes an object; one that is not there is a success. */
  delete(key: string): Promise<void>;
  /** Uploads that were begun and neither committed nor aborted, by key. */
  listOpenUploads(prefix: string, which?: WhichUploads): Promise<readonly string[]>;
  /** Takes back the open uploads under a prefix: what an attempt that was killed has left. */
  abortOpenUploads(prefix: string, which?: WhichUploads): Promise<void>;
  probe(): Promise<StoreProbe>;
  /** What decides over objects beside us. */
  settings(): Promise<BucketSettings>;
};
