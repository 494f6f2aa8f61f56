import type { LifeboatFailure } from '../model/failures.ts';
import type { ReleaseName } from '../model/release-name.ts';
import { checkChain } from './chain.ts';
import { manifestFolder, platformFolder, pointPrefix } from './point-names.ts';
import { readChain } from './points.ts';
import { type ObjectInfo, type Store, sumSizes } from './store.ts';
import {
  comparePoint,
  compareSegments,
  countUploads,
  damage,
  isBeingWritten,
  readKnownHeads,
  type StoreFinding,
  startOfWriting,
  takeInventory,
} from './store-inventory.ts';
import { isRemoved, readTombstones, removedPoints } from './tombstones.ts';

/** What a store holds of one release. */
export type StoredRelease = {
  /** `cluster/namespace/name` */
  readonly release: string;
  readonly points: number;
  readonly storedBytes: number;
  readonly newest: string | null;
};

/** What a check of a store found. */
export type StoreCheck = {
  readonly releases: readonly StoredRelease[];
  readonly findings: readonly StoreFinding[];
  readonly objects: number;
  readonly storedBytes: number;
};

/**
 * Compares a store with what its manifests say, without reading the data: every chain, also with the heads that platform
 * points know, every object that a manifest or a platform point names by its size, and what no manifest names. Changes nothing. Releases that
 * are in the store alone are checked too. @throws Store*
 */
export async function checkStore(of: {
  store: Store;
  trustedKeys: readonly string[];
  platform: string;
  releases: readonly ReleaseName[];
  now: Date;
}): Promise<StoreCheck> {
  const { store, trustedKeys } = of;
  const findings: StoreFinding[] = [];
  const { heads, problems, points } = await readKnownHeads({ store, trustedKeys, platform: of.platform });
  findings.push(...damageOf(problems, platformFolder(of.platform)));
  const { releases: named, folders, ofPlatforms, objects, storedBytes } = await takeInventory(store, of.releases);
  for (const { config, id } of points) findings.push(...compareSegments([config], ofPlatforms, `platform point ${id}`));
  const releases: StoredRelease[] = [];
  for (const [path, release] of [...named].sort(([one], [other]) => one.localeCompare(other))) {
    const reading = { store, trustedKeys, release };
    const [chain, tombstones] = await Promise.all([readChain(reading), readTombstones(reading)]);
    findings.push(...damageOf(checkChain(chain, heads.get(path)), manifestFolder(release)));
    const manifests = chain.flatMap(({ document }) =>
      document === undefined || isRemoved(tombstones, document.id) ? [] : [document],
    );
    for (const manifest of manifests) {
      const folder = pointPrefix(release, manifest.id);
      const { missing, strange } = comparePoint(manifest, folders.get(folder) ?? []);
      findings.push(...missing);
      const [first, ...others] = strange;
      if (first !== undefined)
        findings.push(
          leftover(
            others.length === 0 ? first.key : folder,
            `${String(strange.length)} objects of an attempt that was repeated`,
            strange,
          ),
        );
      folders.delete(folder);
    }
    for (const { id } of removedPoints(tombstones)) {
      const folder = pointPrefix(release, id);
      const left = folders.get(folder);
      if (left !== undefined) findings.push(leftover(folder, 'it expired, and its removal was not finished', left));
      folders.delete(folder);
    }
    for (const [id, count] of await countUploads(store, release, startOfWriting(of.now)))
      findings.push(leftover(pointPrefix(release, id), `${String(count)} uploads that did not end`, []));
    releases.push({
      release: path,
      points: manifests.length,
      storedBytes: manifests.reduce((sum, manifest) => sum + manifest.storedBytes, 0),
      newest: manifests[0]?.id ?? null,
    });
  }
  for (const [folder, found] of folders) {
    if (isBeingWritten(found, of.now)) continue;
    findings.push(
      leftover(folder, 'no manifest names it: a backup that did not end, or a manifest that is gone', found),
    );
  }
  return { releases, findings, objects, storedBytes };
}

/** What is wrong with a chain, each by its link, or by the folder of the chain. */
function damageOf(problems: readonly LifeboatFailure[], folder: string): StoreFinding[] {
  return problems.map(({ message, subject = folder }) => damage(subject, message));
}

function leftover(subject: string, message: string, objects: readonly ObjectInfo[]): StoreFinding {
  return { kind: 'leftover', subject, message, bytes: sumSizes(objects) };
}
