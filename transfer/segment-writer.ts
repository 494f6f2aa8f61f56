import { createHash } from 'node:crypto';
import type { Segment } from '../model/recovery-point.ts';
import { openAgeEncryptor } from './age-stream.ts';
import type { Store } from './store.ts';

/** One segment on its way into the store. */
export type SegmentWriter = {
  /** Adds a compressed frame that holds so many bytes of plaintext. */
  add(packed: Uint8Array, plainBytes: number): Promise<void>;
  /** Ends the age file and publishes the object. */
  commit(): Promise<Segment>;
  /** Takes it back, also after a commit; never throws. */
  abort(): Promise<void>;
};

/** Starts a segment: an age file of its own, hashed as it goes into the store. @throws RecipientInvalid, Store* */
export async function openSegment(of: {
  store: Store;
  key: string;
  recipients: readonly string[];
  frameBytes: number;
}): Promise<SegmentWriter> {
  const { store, key, frameBytes } = of;
  const age = await openAgeEncryptor(of.recipients);
  const writer = store.openWriter(key);
  const storedHash = createHash('sha256');
  const frames: number[] = [];
  let storedBytes = 0;
  let plainTotal = 0;
  let committed = false;
  const send = async (bytes: Buffer): Promise<void> => {
    storedHash.update(bytes);
    storedBytes += bytes.byteLength;
    await writer.write(bytes);
  };
  let started = false;
  const start = async (): Promise<void> => {
    if (!started) await send(age.header);
    started = true;
  };
  return {
    add: async (packed, plainBytes) => {
      await start();
      for (const sealed of age.update(packed)) await send(sealed);
      frames.push(packed.byteLength);
      plainTotal += plainBytes;
    },
    commit: async () => {
      await start();
      await send(age.final());
      committed = true;
      const { sizeBytes } = await writer.commit();
      if (sizeBytes !== storedBytes)
        throw new Error(
          `store ${store.address} says ${String(sizeBytes)} bytes of ${key}, ${String(storedBytes)} were sent`,
        );
      return { key, storedBytes, storedSha256: storedHash.digest('hex'), plainBytes: plainTotal, frameBytes, frames };
    },
    abort: async () => {
      await writer.abort().catch(() => undefined);
      // a commit whose answer was lost may have published it
      if (committed) await store.delete(key).catch(() => undefined);
    },
  };
}
