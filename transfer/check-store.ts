import { artifactsOf, type Manifest } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { checkChain, type KnownHead } from './chain.ts';
import { readPlatformPoints } from './platform-points.ts';
import { pointPrefix } from './point-names.ts';
import { readChain } from './points.ts';
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

/** A folder that is younger than this without a manifest may be a backup that goes on. */
const writingMs = 24 * 60 * 60 * 1000;

/**
 * Compares a store with what its manifests say, without reading the data: every chain, also with the heads that platform
 * points know, every object that a manifest names by its size, and what no manifest names. Changes nothing. Releases that
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
  const platformPoints = await readPlatformPoints({ store, trustedKeys, platform: of.platform });
  for (const { message, subject } of checkChain(platformPoints))
    findings.push(damage(subject ?? `platforms/${of.platform}`, message));
  const heads = new Map<string, KnownHead>();
  for (const { document } of platformPoints)
    for (const { release, point } of document?.releases ?? [])
      if (point !== null && !heads.has(releasePath(release)))
        heads.set(releasePath(release), { sequence: point.sequence, sha256: point.manifestSha256 });
  const named = new Map(of.releases.map((release) => [releasePath(release), release]));
  const { folders, objects, storedBytes } = await takeInventory(store, named);
  const releases: StoredRelease[] = [];
  for (const [path, release] of [...named].sort(([one], [other]) => one.localeCompare(other))) {
    const chain = await readChain({ store, trustedKeys, release });
    for (const { message, subject } of checkChain(chain, heads.get(path)))
      findings.push(damage(subject ?? `manifests/${path}`, message));
    const manifests = chain.flatMap(({ document }) => document ?? []);
    for (const manifest of manifests) {
      const folder = pointPrefix(release, manifest.id);
      findings.push(...comparePoint(manifest, folder, folders.get(folder) ?? []));
      folders.delete(folder);
    }
    releases.push({
      release: path,
      points: manifests.length,
      storedBytes: manifests.reduce((sum, manifest) => sum + manifest.storedBytes, 0),
      newest: manifests[0]?.id ?? null,
    });
  }
  for (const [folder, found] of folders) {
    const newest = Math.max(...found.map(({ modifiedAt }) => Date.parse(modifiedAt)));
    if (of.now.getTime() - newest < writingMs) continue;
    findings.push(
      leftover(folder, 'no manifest names it: a backup that did not end, or a manifest that is gone', found),
    );
  }
  return { releases, findings, objects, storedBytes };
}

function damage(subject: string, message: string): StoreFinding {
  return { kind: 'damage', subject, message, bytes: 0 };
}

function leftover(subject: string, message: string, objects: readonly ObjectInfo[]): StoreFinding {
  const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { kind: 'leftover', subject, message, bytes };
}

/** Lists the store once: how much it holds, the objects of each point's folder, and releases that are named by their keys alone. */
async function takeInventory(
  store: Store,
  named: Map<string, ReleaseName>,
): Promise<{ folders: Map<string, ObjectInfo[]>; objects: number; storedBytes: number }> {
  const folders = new Map<string, ObjectInfo[]>();
  let objects = 0;
  let storedBytes = 0;
  for await (const object of store.list('')) {
    objects += 1;
    storedBytes += object.sizeBytes;
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
  return { folders, objects, storedBytes };
}

/** What a manifest names and the folder of the point has not, and the other way round. */
function comparePoint(manifest: Manifest, folder: string, found: readonly ObjectInfo[]): StoreFinding[] {
  const sizes = new Map(found.map(({ key, sizeBytes }) => [key, sizeBytes]));
  const findings: StoreFinding[] = [];
  const known = new Set<string>();
  const segments = artifactsOf(manifest).flatMap((artifact) => artifact.segments);
  for (const { key, storedBytes } of segments) {
    known.add(key);
    const size = sizes.get(key);
    if (size === undefined) findings.push(damage(key, `it is missing from ${manifest.id}`));
    else if (size !== storedBytes)
      findings.push(damage(key, `it has ${String(size)} of ${String(storedBytes)} bytes of ${manifest.id}`));
  }
  for (const key of [manifest.restoreGuide.key, `${manifest.restoreGuide.key}.sig`, `${folder}/SHA256SUMS`]) {
    known.add(key);
    if (!sizes.has(key))
      findings.push(damage(key, `it is missing from ${manifest.id}; the data can be restored by lifeboat`));
  }
  for (const { component } of manifest.components) known.add(`${folder}/${component}.component.json`);
  const strange = found.filter(({ key }) => !known.has(key));
  if (strange.length > 0)
    findings.push(
      leftover(
        strange.length === 1 ? (strange[0]?.key ?? folder) : folder,
        `${String(strange.length)} objects of an attempt that was repeated`,
        strange,
      ),
    );
  return findings;
}
