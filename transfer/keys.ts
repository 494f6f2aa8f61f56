import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Facts } from '../model/facts.ts';
import { failure } from '../model/failures.ts';
import type { StoreConfig } from '../model/platform.ts';
import { RecoveryKit } from '../model/recovery-kit.ts';
import { Signed } from '../model/recovery-point.ts';
import { loadAge } from './load-age.ts';

/** A new kit; without an escrow recipient an escrow identity is made, to be kept by somebody else and not in the kit. */
export type NewRecoveryKit = { readonly kit: RecoveryKit; readonly escrowIdentity: string | undefined };

/**
 * Makes a recovery kit: an age identity for operations, a second recipient for escrow, an ed25519 signing key.
 * @throws RecipientInvalid
 */
export async function createRecoveryKit(of: {
  platform: string;
  store: StoreConfig;
  escrowRecipient?: string | undefined;
  now?: Date | undefined;
}): Promise<NewRecoveryKit> {
  const { generateX25519Identity, identityToRecipient } = await loadAge();
  const identity = await generateX25519Identity();
  const { escrow, escrowIdentity } =
    of.escrowRecipient === undefined ? await newEscrow() : { escrow: of.escrowRecipient, escrowIdentity: undefined };
  if (!/^age1[a-z0-9]{20,}$/.test(escrow))
    throw failure('RecipientInvalid', { message: `make recovery kit: ${escrow} is not an age recipient` });
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const kit: RecoveryKit = {
    apiVersion: 'lifeboat/v1',
    kind: 'RecoveryKit',
    createdAt: (of.now ?? new Date()).toISOString(),
    platform: of.platform,
    identity,
    recipients: [await identityToRecipient(identity), escrow],
    signing: { privateKey, publicKey },
    store: of.store,
  };
  return { kit, escrowIdentity };
}

async function newEscrow(): Promise<{ escrow: string; escrowIdentity: string }> {
  const { generateX25519Identity, identityToRecipient } = await loadAge();
  const escrowIdentity = await generateX25519Identity();
  return { escrow: await identityToRecipient(escrowIdentity), escrowIdentity };
}

/** The text of a kit's file (JSON). */
export function formatRecoveryKit(kit: RecoveryKit): string {
  return `${JSON.stringify(kit, null, 2)}\n`;
}

/** Reads a kit's file and checks that its keys belong together. @throws KeyInvalid; the message holds nothing of the file */
export async function parseRecoveryKit(text: string): Promise<RecoveryKit> {
  const invalid = (why: string): Error => failure('KeyInvalid', { message: `read recovery kit: ${why}` });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  const parsed = RecoveryKit.safeParse(json);
  if (!parsed.success)
    throw invalid(
      `wrong or missing: ${[...new Set(parsed.error.issues.map((issue) => issue.path.join('.') || 'its keys'))].join(', ')}`,
    );
  const kit = parsed.data;
  const recipient = await (await loadAge()).identityToRecipient(kit.identity).catch(() => undefined);
  if (recipient === undefined || !kit.recipients.includes(recipient))
    throw invalid('its identity is none of its recipients');
  let belongs: boolean;
  try {
    belongs =
      publicPem(createPublicKey(createPrivateKey(kit.signing.privateKey))) ===
      publicPem(createPublicKey(kit.signing.publicKey));
  } catch {
    throw invalid('its signing key cannot be read');
  }
  if (!belongs) throw invalid('the halves of its signing key do not belong together');
  return kit;
}

/** The canonical JSON (RFC 8785) of a value, as bytes. */
export function canonicalBytes(value: unknown): Buffer {
  const text = canonicalize(value);
  if (text === undefined) throw new Error('only JSON has a canonical form');
  return Buffer.from(text);
}

/** Signs a document with the kit's ed25519 key. */
export function signDocument(kit: Pick<RecoveryKit, 'signing'>, document: unknown): Signed {
  return {
    document,
    publicKey: kit.signing.publicKey,
    signature: signBytes(kit, canonicalBytes(document)).toString('base64'),
  };
}

/** The detached ed25519 signature of bytes, 64 bytes as openssl wants them. */
export function signBytes(kit: Pick<RecoveryKit, 'signing'>, bytes: Uint8Array): Buffer {
  return sign(null, bytes, createPrivateKey(kit.signing.privateKey));
}

/**
 * The document of a signed one.
 * @param trustedKeys - SPKI PEM of the keys whose signature counts
 * @param subject - for messages: the key of the object
 * @throws ManifestInvalid when it is no signed document; SignatureInvalid; SignerUnknown, naming the fingerprint
 */
export function openSigned(signed: unknown, trustedKeys: readonly string[], subject: string): unknown {
  const parsed = Signed.safeParse(signed);
  if (!parsed.success)
    throw failure('ManifestInvalid', { message: `open ${subject}: it is not a signed document`, subject });
  const { document, publicKey, signature } = parsed.data;
  let holds: boolean;
  let signer: KeyObject;
  try {
    signer = createPublicKey(publicKey);
    holds =
      signer.asymmetricKeyType === 'ed25519' &&
      verify(null, canonicalBytes(document), signer, Buffer.from(signature, 'base64'));
  } catch {
    throw failure('SignatureInvalid', { message: `open ${subject}: its key or signature cannot be read`, subject });
  }
  if (!holds) throw failure('SignatureInvalid', { message: `open ${subject}: the signature does not fit`, subject });
  const trusted = trustedKeys.some((key) => publicPem(createPublicKey(key)) === publicPem(signer));
  if (!trusted)
    throw failure('SignerUnknown', {
      message: `open ${subject}: signed by the unknown key ${keyFingerprint(publicKey)}`,
      subject,
    });
  return document;
}

/** `SHA256:…` of a public key (SPKI PEM): what people compare. */
export function keyFingerprint(publicKey: string): string {
  const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
  return `SHA256:${createHash('sha256').update(der).digest('base64').replace(/=+$/, '')}`;
}

/** HMAC-SHA-256, hex, of the canonical facts under a key derived from the signing key: says equal or not, nothing else. */
export function factsDigest(kit: Pick<RecoveryKit, 'signing'>, facts: Facts): string {
  const secret = createPrivateKey(kit.signing.privateKey).export({ type: 'pkcs8', format: 'der' });
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'lifeboat/v1 facts', 32));
  return createHmac('sha256', key).update(canonicalBytes(facts)).digest('hex');
}

function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}
