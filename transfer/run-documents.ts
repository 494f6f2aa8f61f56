import { failure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { Signed } from '../model/recovery-point.ts';
import { openSigned, signDocument } from './keys.ts';
import type { Store } from './store.ts';

/** Where signed documents are, and whose they are. */
type SignedIn = { readonly store: Store; readonly kit: Pick<RecoveryKit, 'signing'> };

/** Key of a document of a run. */
export function runKey(runId: string, name: 'plan' | 'report'): string {
  return `runs/${runId}/${name}.json`;
}

/** Signs a document with the kit's key and writes it. With `ifAbsent` one that is there makes it fail with ObjectExists. */
export async function writeSigned(
  { store, kit }: SignedIn,
  key: string,
  document: object,
  options?: { readonly ifAbsent: boolean },
): Promise<void> {
  await store.put(key, Buffer.from(JSON.stringify(signDocument(kit, document))), options);
}

/** What a signed document says. @throws ObjectNotFound, SignatureInvalid, ManifestInvalid */
export async function readSigned({ store, kit }: SignedIn, key: string): Promise<unknown> {
  const signed = Signed.safeParse(JSON.parse(Buffer.from(await store.get(key)).toString('utf8')));
  if (!signed.success) throw failure('ManifestInvalid', { message: `read ${key}: not a signed document` });
  return openSigned(signed.data, [kit.signing.publicKey], key);
}
