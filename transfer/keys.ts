import type { Facts } from '../model/facts.ts';
import type { StoreConfig } from '../model/platform.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Signed } from '../model/recovery-point.ts';

/** A new kit; without an escrow recipient an escrow identity is made, to be kept by somebody else. */
export type NewRecoveryKit = { readonly kit: RecoveryKit; readonly escrowIdentity: string | undefined };

const notBuilt = (name: string): Error => new Error(`${name} is not built yet`);

/** Makes a recovery kit: an age identity for operations, a second recipient for escrow, an ed25519 signing key. */
export function createRecoveryKit(of: { platform: string; store: StoreConfig; escrowRecipient?: string | undefined; now?: Date }): Promise<NewRecoveryKit> {
  return Promise.reject(notBuilt(of.platform));
}

/** The text of a kit's file (JSON). */
export function formatRecoveryKit(kit: RecoveryKit): string {
  return `${JSON.stringify(kit, null, 2)}\n`;
}

/** Reads a kit's file and checks that its keys belong together. @throws KeyInvalid; the message holds nothing of the file */
export function parseRecoveryKit(text: string): Promise<RecoveryKit> {
  return Promise.reject(notBuilt(String(text.length)));
}

/** The canonical JSON (RFC 8785) of a value, as bytes. */
export function canonicalBytes(value: unknown): Buffer {
  throw notBuilt(typeof value);
}

/** Signs a document with the kit's ed25519 key. */
export function signDocument(kit: Pick<RecoveryKit, 'signing'>, document: unknown): Signed {
  throw notBuilt(kit.signing.publicKey + String(document));
}

/** The document of a signed one. @param trustedKeys - SPKI PEM. @throws SignatureInvalid, SignerUnknown naming the fingerprint */
export function openSigned(signed: Signed, trustedKeys: readonly string[], subject: string): unknown {
  throw notBuilt(subject + String(signed) + String(trustedKeys));
}

/** `SHA256:…` of a public key (SPKI PEM): what people compare. */
export function keyFingerprint(publicKey: string): string {
  throw notBuilt(publicKey);
}

/** HMAC-SHA-256, hex, of the canonical facts under a key derived from the signing key: says equal or not, nothing else. */
export function factsDigest(kit: Pick<RecoveryKit, 'signing'>, facts: Facts): string {
  throw notBuilt(kit.signing.publicKey + String(facts));
}
