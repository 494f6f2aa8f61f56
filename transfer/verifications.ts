import type { RecoveryKit } from '../model/recovery-kit.ts';
import { Verification } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { canonicalBytes, signDocument } from './keys.ts';
import { verificationFolder, verificationsFolder } from './point-names.ts';
import { openDocument, readDocuments } from './signed-documents.ts';
import type { Store } from './store.ts';

/**
 * Writes a signed verification beside its point. Idempotent because: the same one again is a success.
 * @throws ObjectExists when another verification of this point bears the same instant; Store*
 */
export async function writeVerification(of: {
  store: Store;
  kit: RecoveryKit;
  verification: Verification;
}): Promise<void> {
  const { verification } = of;
  const instant = new Date(verification.at).toISOString().replaceAll(/[-:.]/g, '');
  const key = `${verificationFolder(verification.release, verification.point)}/${instant}.json`;
  await of.store.put(key, canonicalBytes(signDocument(of.kit, Verification.parse(verification))), { ifAbsent: true });
}

/**
 * The verifications of a point that a trusted key signed, newest first. Others are left out: whoever may only write to
 * the store must not be able to call a point usable, nor to block a recovery. @throws Store*
 */
export async function readVerifications(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
  point: string;
}): Promise<Verification[]> {
  const { release, point } = of;
  return (await readUnder(verificationFolder(release, point), { ...of, points: [point] }))(point);
}

type ManyPoints = { store: Store; trustedKeys: readonly string[]; release: ReleaseName; points: readonly string[] };

/** As `readVerifications`, of many points of a release: one list, and the reads beside each other. @throws Store* */
export async function readVerificationsOf(of: ManyPoints): Promise<(point: string) => Verification[]> {
  return await readUnder(verificationsFolder(of.release), of);
}

async function readUnder(folder: string, of: ManyPoints): Promise<(point: string) => Verification[]> {
  const points = new Map(of.points.map((point): [string, Verification[]] => [point, []]));
  const pointOf = (key: string): string => key.split('/').at(-2) ?? '';
  const wanted = (key: string): boolean => points.has(pointOf(key));
  const read = await readDocuments({ ...of, prefix: `${folder}/`, schema: Verification, wanted });
  for (const { key, document } of read)
    if (document?.point === pointOf(key) && releasePath(document.release) === releasePath(of.release))
      points.get(document.point)?.push(document);
  for (const found of points.values()) found.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
  return (point) => points.get(point) ?? [];
}

/** When a point of a release was last restored and found equal to its facts; null where none ever was. @throws Store* */
export async function readLastRestored(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
}): Promise<string | null> {
  const keys: string[] = [];
  for await (const { key } of of.store.list(`${verificationsFolder(of.release)}/`)) keys.push(key);
  // The name of a verification is its instant: the newest ones come first, so that few are read.
  const instantOf = (key: string): string => key.slice(key.lastIndexOf('/'));
  for (const key of keys.sort((one, other) => instantOf(other).localeCompare(instantOf(one)))) {
    const verification = openDocument(await of.store.get(key), { ...of, key, schema: Verification });
    if (
      verification?.proof === 'restored' &&
      verification.outcome === 'usable' &&
      releasePath(verification.release) === releasePath(of.release)
    )
      return verification.at;
  }
  return null;
}
