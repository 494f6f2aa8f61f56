import { failure, type LifeboatFailure } from '../model/failures.ts';
import { type Artifact, artifactsOf, type Manifest, type PlatformPoint } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { checkChain, type KnownHead } from './chain.ts';
import { readPlatformPoints } from './platform-points.ts';
import { pointPrefix } from './point-names.ts';
import type { ObjectInfo, Store } from './store.ts';

/** Something that is wrong with a store. */
export type StoreFinding = {
  /** `damage`: a link or an object of a point is missing or is not what was written; `leftover`: bytes of no point. */
  readonly kind: 'damage' | 'leftover';
  /** The key of an object, or a folder. */
  readonly subject: string;
  readonly message: string;
  /** Bytes that are stored there for nothing; 0 for damage. */
  readonly bytes: number;
};

/** A folder without a manifest that is younger than this may be a backup that goes on. */
const writingMs = 24 * 60 * 60 * 1000;

/** Everything that a store holds, by what it is of. */
export type Inventory = {
  /** Releases that are asked for, and those that only the keys name; by path. */
  readonly releases: ReadonlyMap<string, ReleaseName>;
  /** The objects of each point's folder. */
  readonly folders: Map<string, ObjectInfo[]>;
  /** Sizes of the objects of platform points, by key. */
  readonly ofPlatforms: ReadonlyMap<string, number>;
  readonly objects: number;
  readonly storedBytes: number;
};

/** Lists the store once. @throws Store* */
export async function takeInventory(store: Store, releases: readonly ReleaseName[]): Promise<Inventory> {
  const named = new Map(releases.map((release) => [releasePath(release), release]));
  const folders = new Map<string, ObjectInfo[]>();
  const ofPlatforms = new Map<string, number>();
  let objects = 0;
  let storedBytes = 0;
  for await (const object of store.list('')) {
    objects += 1;
    storedBytes += object.sizeBytes;
    if (object.key.startsWith('platforms/')) ofPlatforms.set(object.key, object.sizeBytes);
    const [kind, cluster, namespace, name, last] = object.key.split('/');
    if (cluster === undefined || namespace === undefined || name === undefined || last === undefined) continue;
    if (kind !== 'points' && kind !== 'manifests') continue;
    const release = { cluster, namespace, name };
    named.set(releasePath(release), release);
    if (kind !== 'points') continue;
    const folder = pointPrefix(release, last);
    const objectsOfIt = folders.get(folder);
    if (objectsOfIt === undefined) folders.set(folder, [object]);
    else objectsOfIt.push(object);
  }
  return { releases: named, folders, ofPlatforms, objects, storedBytes };
}

/** The newest manifest of each release that platform points know, by the release's path, what is wrong with their chain, and themselves. */
export async function readKnownHeads(of: {
  store: Store;
  trustedKeys: readonly string[];
  platform: string;
}): Promise<{ heads: ReadonlyMap<string, KnownHead>; problems: LifeboatFailure[]; points: PlatformPoint[] }> {
  const platformPoints = await readPlatformPoints(of);
  const heads = new Map<string, KnownHead>();
  for (const { document } of platformPoints)
    for (const { release, point } of document?.releases ?? [])
      if (point !== null && !heads.has(releasePath(release)))
        heads.set(releasePath(release), { sequence: point.sequence, sha256: point.manifestSha256 });
  const points = platformPoints.flatMap(({ document }) => document ?? []);
  return { heads, problems: checkChain(platformPoints), points };
}

/** Whether the newest of these objects is so young that more of them may come. */
export function isBeingWritten(objects: readonly ObjectInfo[], now: Date): boolean {
  return Math.max(...objects.map(({ modifiedAt }) => Date.parse(modifiedAt))) > startOfWriting(now).getTime();
}

/** What is older than this is not written any more. */
export function startOfWriting(now: Date): Date {
  return new Date(now.getTime() - writingMs);
}

/** How many uploads of each point of a release were begun before an instant and have not ended. */
export async function countUploads(
  store: Store,
  release: ReleaseName,
  begunBefore: Date,
): Promise<ReadonlyMap<string, number>> {
  const prefix = `points/${releasePath(release)}/`;
  const counts = new Map<string, number>();
  for (const key of await store.listOpenUploads(prefix, { begunBefore })) {
    const id = key.slice(prefix.length).replace(/\/.*$/s, '');
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** What a manifest names and the folder of the point has not, and the other way round. */
export function comparePoint(
  manifest: Manifest,
  found: readonly ObjectInfo[],
): { missing: StoreFinding[]; strange: ObjectInfo[] } {
  const sizes = new Map(found.map(({ key, sizeBytes }) => [key, sizeBytes]));
  const artifacts = artifactsOf(manifest);
  const missing = compareSegments(artifacts, sizes, manifest.id);
  const known = new Set(artifacts.flatMap(({ segments }) => segments.map(({ key }) => key)));
  const { guide, records } = keysBeside(manifest);
  for (const key of guide)
    if (!sizes.has(key))
      missing.push(damage(key, `it is missing from ${manifest.id}; the data can be restored by lifeboat`));
  for (const key of [...guide, ...records]) known.add(key);
  return { missing, strange: found.filter(({ key }) => !known.has(key)) };
}

/** Objects of a point beside its segments: those by which stock tools restore it, RESTORE.md first, and what its captures left. */
export function keysBeside({ release, id, restoreGuide, components }: Manifest): {
  guide: string[];
  records: string[];
} {
  const folder = pointPrefix(release, id);
  return {
    guide: [restoreGuide.key, `${restoreGuide.key}.sig`, `${folder}/SHA256SUMS`],
    records: components.map(({ component }) => `${folder}/${component}.component.json`),
  };
}

/** Segments that are not there in their size. */
export function compareSegments(
  artifacts: readonly Artifact[],
  sizes: ReadonlyMap<string, number>,
  point: string,
): StoreFinding[] {
  return artifacts.flatMap(({ segments }) =>
    segments.flatMap(({ key, storedBytes }) => {
      const size = sizes.get(key);
      if (size === storedBytes) return [];
      if (size === undefined) return [damage(key, `it is missing from ${point}`)];
      return [damage(key, `it has ${String(size)} of ${String(storedBytes)} bytes of ${point}`)];
    }),
  );
}

/**
 * Looks once more, just before a commit, whether every object of a point is there in its size: a run may have waited for days
 * since it read them back. @throws ObjectNotFound naming the first that is not; Store*
 */
export async function requireStored(of: {
  store: Store;
  prefix: string;
  point: string;
  artifacts: readonly Artifact[];
}): Promise<void> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of of.store.list(`${of.prefix}/`)) sizes.set(key, sizeBytes);
  const [first] = compareSegments(of.artifacts, sizes, of.point);
  if (first !== undefined)
    throw failure('ObjectNotFound', { message: `commit point ${of.point}: ${first.subject}: ${first.message}` });
}

/** A finding of something that is missing or is not what was written. */
export function damage(subject: string, message: string): StoreFinding {
  return { kind: 'damage', subject, message, bytes: 0 };
}
