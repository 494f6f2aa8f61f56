import { failure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { Hold, isHeld } from '../model/retention.ts';
import { canonicalBytes, signDocument } from './keys.ts';
import { holdFolder } from './point-names.ts';
import { deleteIfAllowed } from './remove-objects.ts';
import { readDocuments } from './signed-documents.ts';
import type { Store } from './store.ts';
import { isRemoved, readTombstones } from './tombstones.ts';

/** A run that died leaves its hold: it counts for so long. No step of a run lasts longer without renewing it. */
const hourMs = 60 * 60 * 1000;
const runHoldMs = 3 * 24 * hourMs;

/** A hold as it was found. One that no trusted key signed counts too: what cannot be read must not let data be removed. */
export type FoundHold = {
  readonly key: string;
  readonly point: string;
  readonly by: string;
  readonly run: string | null;
  readonly until: string | null;
  readonly reason: string;
};

/**
 * Holds a point, so that it is not removed while it is held; a run's hold is renewed by a second call. Who holds writes first
 * and looks for a removal then, who removes says so first and looks for holds then: of two at once, one at least gives way.
 * @throws PointExpired where the removal of its objects has begun; Store*
 */
export async function holdPoint(of: {
  store: Store;
  kit: RecoveryKit;
  hold: Pick<Hold, 'point' | 'release' | 'by' | 'run' | 'reason'> & { readonly until?: string | null };
  /** The run writes the point: it has no manifest yet. */
  uncommitted?: boolean;
  now: Date;
}): Promise<string> {
  const { store, kit, now } = of;
  const { point, release, run } = of.hold;
  const name = run === null ? `person-${now.toISOString().replaceAll(/[-:.]/g, '')}` : `run-${run}`;
  const key = `${holdFolder(release)}/${point}/${name}.json`;
  const until = run === null ? (of.hold.until ?? null) : new Date(now.getTime() + runHoldMs).toISOString();
  const hold = Hold.parse({ ...of.hold, apiVersion: 'lifeboat/v1', kind: 'Hold', at: now.toISOString(), until });
  const isRenewal = run !== null && (await countsFor(store, [kit.signing.publicKey], key, now));
  await store.put(key, canonicalBytes(signDocument(kit, hold)));
  // What was held all the time nobody has removed, whatever was announced since.
  if (isRenewal) return key;
  const tombstones = await readTombstones({ store, trustedKeys: [kit.signing.publicKey], release });
  const isGoing = of.uncommitted === true ? tombstones.uncommitted.has(point) : isRemoved(tombstones, point);
  if (!isGoing) return key;
  await deleteIfAllowed(store, key);
  throw failure('PointExpired', {
    message: `hold point ${point} of ${releasePath(release)}: its objects are being removed or are gone`,
    subject: point,
  });
}

/** Whether a hold is there that counts, and will for an hour more: clocks differ. */
async function countsFor(store: Store, trustedKeys: readonly string[], key: string, now: Date): Promise<boolean> {
  const [found] = await readDocuments({ store, trustedKeys, prefix: key, schema: Hold });
  return found?.document !== undefined && isHeld(found.document, new Date(now.getTime() + hourMs));
}

/** The holds of a release that count at `now`, by point. @throws Store* */
export async function readHolds(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
  now: Date;
}): Promise<Map<string, FoundHold[]>> {
  const folder = `${holdFolder(of.release)}/`;
  const byPoint = new Map<string, FoundHold[]>();
  for (const { key, document } of await readDocuments({ ...of, prefix: folder, schema: Hold })) {
    const point = key.slice(folder.length).split('/')[0] ?? '';
    const isOwn = document?.point === point && releasePath(document.release) === releasePath(of.release);
    const found: FoundHold = isOwn
      ? { key, ...document }
      : { key, point, by: `a hold that cannot be read, ${key}`, run: null, until: null, reason: '' };
    if (isHeld(found, of.now)) byPoint.set(point, [...(byPoint.get(point) ?? []), found]);
  }
  return byPoint;
}

/**
 * Ends every hold of a run. Holds of points that it never read are not there: that is a success. One that may not be deleted
 * ends by its time.
 */
export async function endRunHolds(of: { store: Store; runId: string }): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of of.store.list('holds/')) if (key.endsWith(`/run-${of.runId}.json`)) keys.push(key);
  for (const key of keys) await deleteIfAllowed(of.store, key);
}
