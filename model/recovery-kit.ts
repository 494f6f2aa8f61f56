import { z } from 'zod';
import { StoreConfig } from './platform.ts';

/**
 * The recovery kit: the one file that, with the store, is enough to recover. Written by `lifeboat keys create`, kept
 * outside the platform. Credentials of the store are not in it; they come from the environment.
 */
export const RecoveryKit = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('RecoveryKit'),
  createdAt: z.iso.datetime({ offset: true }),
  /** Platform that it was made for. */
  platform: z.string(),
  /** age v1 identity, `AGE-SECRET-KEY-1…`: opens every artifact. */
  identity: z.string().startsWith('AGE-SECRET-KEY-1'),
  /** Everybody who can open the points, `age1…`; the kit's own identity is one of them. */
  recipients: z.array(z.string().startsWith('age1')).min(1),
  /** ed25519, PEM: PKCS #8 and SPKI. Signs manifests, verifications, RESTORE.md and reports. */
  signing: z.strictObject({ privateKey: z.string(), publicKey: z.string() }),
  store: StoreConfig,
});
export type RecoveryKit = z.infer<typeof RecoveryKit>;
