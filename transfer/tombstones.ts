import type { RecoveryKit } from '../model/recovery-kit.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { Tombstone } from '../model/retention.ts';
import type { KnownHead } from './chain.ts';
import { canonicalBytes, signDocument } from './keys.ts';
import { tombstoneFolder } from './point-names.ts';
import { readDocuments } from './signed-documents.ts';
import type { Store } from './store.ts';

/** What the tombstones of a release say of a point, and since when. */
export type Expired = { readonly stage: 'expired' | 'removing'; readonly at: string; readonly manifest: KnownHead };

/**
 * Writes a tombstone for some points of a release. Idempotent because: the same stage of the same run at the same instant
 * has the same name, and a point that expired twice is expired since the first time.
 * @throws Store*
 */
export async function writeTombstone(of: {
  store: Store;
  kit: RecoveryKit;
  tombstone: Omit<Tombstone, 'apiVersion' | 'kind'>;
}): Promise<void> {
  const tombstone = Tombstone.parse({ ...of.tombstone, apiVersion: 'lifeboat/v1', kind: 'Tombstone' });
  const { release, at, stage, run } = tombstone;
  const name = `${at.replaceAll(/[-:.]/g, '')}-${stage}-${run.runId}`;
  await of.store.put(`${tombstoneFolder(release)}/${name}.json`, canonicalBytes(signDocument(of.kit, tombstone)));
}

/** What the tombstones of a release say. */
export type Tombstones = {
  /** Points that expired, by id. */
  readonly expired: ReadonlyMap<string, Expired>;
  /** Ids without a manifest whose objects were removed. They say nothing of a point that has one. */
  readonly uncommitted: ReadonlySet<string>;
};

/** The points whose removal has begun, with their links: a reader of the chain need not fetch these. */
export function removedPoints({ expired }: Pick<Tombstones, 'expired'>): { id: string; manifest: KnownHead }[] {
  return [...expired].flatMap(([id, { stage, manifest }]) => (stage === 'removing' ? [{ id, manifest }] : []));
}

/** Whether the removal of a point has begun. */
export function isRemoved({ expired }: Pick<Tombstones, 'expired'>, id: string): boolean {
  return expired.get(id)?.stage === 'removing';
}

/** Reads the tombstones of a release; those that no trusted key signed are left out. @throws Store* */
export async function readTombstones(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
}): Promise<Tombstones> {
  const expired = new Map<string, Expired>();
  const removers = new Map<string, Set<string>>();
  const uncommitted = new Set<string>();
  const prefix = `${tombstoneFolder(of.release)}/`;
  const read = await readDocuments({ ...of, prefix, schema: Tombstone });
  const own = read.flatMap(({ document }) =>
    document !== undefined && releasePath(document.release) === releasePath(of.release) ? [document] : [],
  );
  for (const { stage, at, points, run } of own.sort((one, other) => Date.parse(one.at) - Date.parse(other.at)))
    for (const { id, manifest } of points) {
      if (manifest === null) {
        uncommitted.add(id);
        continue;
      }
      const known = expired.get(id);
      const others = removers.get(id) ?? new Set<string>();
      removers.set(id, others);
      if (stage === 'removing') others.add(run.runId);
      else if (stage === 'kept') others.delete(run.runId);
      if (others.size > 0) expired.set(id, known?.stage === 'removing' ? known : { stage: 'removing', at, manifest });
      else if (stage === 'kept') expired.delete(id);
      else if (known === undefined) expired.set(id, { stage: 'expired', at, manifest });
    }
  return { expired, uncommitted };
}
