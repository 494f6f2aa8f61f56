import { randomUUID } from 'node:crypto';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { compareSpecs, StoreSpecs } from '../model/store-specs.ts';
import { canonicalBytes, signDocument } from './keys.ts';
import { deleteIfAllowed } from './remove-objects.ts';
import { readDocuments } from './signed-documents.ts';
import type { Store } from './store.ts';

const folder = 'specs/';

/**
 * Finds out what a store keeps to, and keeps the answer in it, signed: what it kept to when a point was made can be read later.
 * @returns the specs, and what is not as it was the last time; null the first time
 * @throws Store*
 */
export async function takeSpecs(of: {
  store: Store;
  kit: RecoveryKit;
  now: Date;
}): Promise<{ specs: StoreSpecs; changed: readonly string[] | null }> {
  const { store, kit, now } = of;
  const known = await readDocuments({
    ...{ store, trustedKeys: [kit.signing.publicKey], prefix: folder, schema: StoreSpecs },
  });
  const before = known.flatMap(({ document }) => document ?? []).at(-1);
  const { address, conditionalPut, checksums } = await store.probe();
  const specs: StoreSpecs = {
    apiVersion: 'lifeboat/v1',
    kind: 'StoreSpecs',
    at: now.toISOString(),
    ...{ address, conditionalPut, checksums },
    deletes: await deletes(store),
    uploads: await takesUploadsBack(store),
    ...(await store.settings()),
  };
  const key = `${folder}${specs.at.replaceAll(/[-:.]/g, '')}.json`;
  await store.put(key, canonicalBytes(signDocument(kit, specs)), { ifAbsent: true });
  return { specs, changed: before === undefined ? null : compareSpecs(before, specs) };
}

async function deletes(store: Store): Promise<boolean> {
  const key = `probe/${randomUUID()}/delete`;
  await store.put(key, Buffer.from('to be deleted'));
  return (await deleteIfAllowed(store, key)) && (await store.head(key)) === undefined;
}

/** Begins an upload as a writer does and takes it back: it must be listed, and then be gone, and never be an object. */
async function takesUploadsBack(store: Store): Promise<boolean> {
  const key = `probe/${randomUUID()}/upload`;
  const writer = store.openWriter(key);
  await writer.write(Buffer.alloc(20 * 1024 * 1024));
  const isListed = (await store.listOpenUploads(key)).length === 1;
  await writer.abort();
  return isListed && (await store.listOpenUploads(key)).length === 0 && (await store.head(key)) === undefined;
}
