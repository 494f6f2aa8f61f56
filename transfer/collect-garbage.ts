import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { ReleaseName } from '../model/release-name.ts';
import type { Tombstone } from '../model/retention.ts';
import { checkChain } from './chain.ts';
import { readHolds } from './holds.ts';
import { holdFolder, pointPrefix } from './point-names.ts';
import { readChain } from './points.ts';
import { deleteAll, removeObjects } from './remove-objects.ts';
import { type ObjectInfo, type Store, sumSizes } from './store.ts';
import {
  comparePoint,
  countUploads,
  isBeingWritten,
  readKnownHeads,
  startOfWriting,
  takeInventory,
} from './store-inventory.ts';
import { isRemoved, readTombstones, writeTombstone } from './tombstones.ts';

/** Objects that nothing needs. */
export type Garbage = {
  /** A folder, or `N objects of …`. */
  readonly subject: string;
  readonly why: string;
  readonly objects: number;
  readonly bytes: number;
};

/** What a collection found, and removed unless it only looked. */
export type GarbageCollection = {
  readonly garbage: readonly Garbage[];
  /** Releases of which nothing is collected, because their chain is in doubt: what looks like garbage may be a point. */
  readonly inDoubt: readonly { readonly release: string; readonly why: string }[];
};

/** A whole point may lie here whose manifest somebody removed: it is left for so long. */
const lostPointMs = 14 * 24 * 60 * 60 * 1000;
const lapsedMs = 24 * 60 * 60 * 1000;

/**
 * Removes what no manifest names and nobody writes any more: points that were never committed, objects of attempts that were
 * repeated, uploads that did not end, what an expiry did not get to, and holds of runs that have lapsed. Never touches a release whose chain is in doubt,
 * what is younger than a day, what is held, and, for two weeks, a folder with a RESTORE.md: it has all but its manifest.
 * Idempotent because: what is gone is not found again. With `dryRun` nothing changes.
 * @throws StoreDenied where the store lets nothing be removed; Store*
 */
export async function collectGarbage(of: {
  store: Store;
  kit: RecoveryKit;
  platform: string;
  releases: readonly ReleaseName[];
  run: Tombstone['run'];
  now: Date;
  dryRun: boolean;
  signal?: AbortSignal | undefined;
}): Promise<GarbageCollection> {
  const { store, kit, now, signal } = of;
  const trustedKeys = [kit.signing.publicKey];
  const { heads } = await readKnownHeads({ store, trustedKeys, platform: of.platform });
  const { releases, folders } = await takeInventory(store, of.releases);
  const garbage: Garbage[] = [];
  const inDoubt: { release: string; why: string }[] = [];
  for (const [path, release] of releases) {
    const reading = { store, trustedKeys, release };
    const [chain, tombstones] = await Promise.all([readChain(reading), readTombstones(reading)]);
    const [problem] = checkChain(chain, heads.get(path));
    if (problem !== undefined) {
      inDoubt.push({ release: path, why: problem.message });
      continue;
    }
    const manifests = new Map(
      chain.flatMap(({ document }) => (document === undefined ? [] : [[document.id, document]])),
    );
    const expired: string[] = [];
    const own = [...folders].filter(([folder]) => folder.startsWith(`points/${path}/`));
    const unnamed: string[] = [];
    for (const [folder, found] of own) {
      const id = folder.slice(folder.lastIndexOf('/') + 1);
      const manifest = manifests.get(id);
      if (isRemoved(tombstones, id)) expired.push(id);
      else if (manifest === undefined) {
        if (!isBeingWritten(found, now) && !mayBeLostPoint(folder, found, now)) unnamed.push(id);
      } else {
        const strange = comparePoint(manifest, found).strange.filter((each) => !isBeingWritten([each], now));
        if (strange.length === 0) continue;
        garbage.push(garbageOf(folder, 'of attempts that were repeated', strange));
        if (!of.dryRun) await deleteAll(store, strange, signal);
      }
    }
    const marked = of.dryRun ? [] : unnamed.filter((id) => !tombstones.uncommitted.has(id));
    if (marked.length > 0) {
      const points = marked.map((id) => ({ id, manifest: null }));
      await writeTombstone({
        store,
        kit,
        tombstone: { stage: 'removing', release, run: of.run, at: now.toISOString(), points },
      });
    }
    // Read after the tombstone: who holds has seen it or is seen here, and who committed and let go has left its manifest.
    const holds = await readHolds({ ...reading, now });
    const since = unnamed.length === 0 ? [] : await readChain(reading);
    const committed = new Set(since.flatMap(({ document }) => document?.id ?? []));
    const collectable = [...expired, ...unnamed.filter((id) => !committed.has(id))];
    for (const id of collectable.filter((each) => !holds.has(each))) {
      const folder = pointPrefix(release, id);
      const why = manifests.has(id) ? 'expired' : 'of a backup that was never committed';
      garbage.push(garbageOf(folder, why, folders.get(folder) ?? []));
      if (!of.dryRun) await removeObjects({ store, prefix: `${folder}/`, signal });
    }
    garbage.push(...(await collectUploads({ ...of, release, isHeld: (id) => holds.has(id) })));
    garbage.push(...(await collectHolds({ ...of, trustedKeys, release })));
  }
  return { garbage, inDoubt };
}

/** Takes back uploads that were begun more than a day ago: no list of objects shows them, and a bucket is paid for them. */
async function collectUploads(of: {
  store: Store;
  release: ReleaseName;
  isHeld: (point: string) => boolean;
  now: Date;
  dryRun: boolean;
}): Promise<Garbage[]> {
  const begunBefore = startOfWriting(of.now);
  const garbage: Garbage[] = [];
  for (const [id, count] of await countUploads(of.store, of.release, begunBefore)) {
    if (of.isHeld(id)) continue;
    const folder = pointPrefix(of.release, id);
    garbage.push({ subject: folder, why: 'uploads that did not end', objects: count, bytes: 0 });
    if (!of.dryRun) await of.store.abortOpenUploads(`${folder}/`, { begunBefore });
  }
  return garbage;
}

/** Removes holds that lapsed a day ago: one that lapses now may just be renewed. */
async function collectHolds(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
  now: Date;
  dryRun: boolean;
}): Promise<Garbage[]> {
  const found = await readHolds({ ...of, now: new Date(of.now.getTime() - lapsedMs) });
  const live = new Set([...found.values()].flat().map(({ key }) => key));
  const lapsed: ObjectInfo[] = [];
  for await (const object of of.store.list(`${holdFolder(of.release)}/`))
    if (!live.has(object.key)) lapsed.push(object);
  if (lapsed.length === 0) return [];
  if (!of.dryRun) await deleteAll(of.store, lapsed);
  return [garbageOf(holdFolder(of.release), 'holds that have lapsed', lapsed)];
}

/** Whether a folder has all that a point has but its manifest, and is not old. */
function mayBeLostPoint(folder: string, objects: readonly ObjectInfo[], now: Date): boolean {
  const guide = objects.find(({ key }) => key === `${folder}/RESTORE.md`);
  return guide !== undefined && now.getTime() - Date.parse(guide.modifiedAt) < lostPointMs;
}

function garbageOf(subject: string, why: string, objects: readonly ObjectInfo[]): Garbage {
  return { subject, why, objects: objects.length, bytes: sumSizes(objects) };
}

/** All that was found, in objects and bytes. */
export function sumGarbage(garbage: readonly Garbage[]): { objects: number; bytes: number } {
  return garbage.reduce((sum, { objects, bytes }) => ({ objects: sum.objects + objects, bytes: sum.bytes + bytes }), {
    objects: 0,
    bytes: 0,
  });
}
