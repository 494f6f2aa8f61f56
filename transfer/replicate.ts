import { createHash } from 'node:crypto';
import { failure, LifeboatFailure } from '../model/failures.ts';
import type { ReplicationReport } from '../model/outcome.ts';
import { artifactsOf, type Manifest, type Segment } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { type ChainEntry, checkChain, linkKey, listSequences, sha256Of } from './chain.ts';
import { readPlatformPoints } from './platform-points.ts';
import { manifestFolder, platformFolder, tombstoneFolder } from './point-names.ts';
import { readChain } from './points.ts';
import type { Store } from './store.ts';
import { keysBeside } from './store-inventory.ts';
import { isRemoved, readTombstones } from './tombstones.ts';

/** Two stores, and what is asked of the copy. */
export type ReplicationOf = {
  readonly from: Store;
  readonly to: Store;
  readonly trustedKeys: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
};

/** An object to copy; `sha256` where a manifest names it. */
type Wanted = { readonly key: string; readonly sizeBytes: number | undefined; readonly sha256: string | undefined };

/** What a release lacks in the replica. */
export type ReplicationPlan = { readonly points: number; readonly bytes: number };

/** Copies, and counts what it copied. */
class Copier {
  readonly #of: ReplicationOf;
  objects = 0;
  bytes = 0;

  constructor(of: ReplicationOf) {
    this.#of = of;
  }

  /**
   * Brings an object over that is not there in its size, and reads it back from the replica: its SHA-256 must be that of the
   * manifest. With `prove` one that is there is read as well: an earlier copy may have ended before it was. One that the replica
   * does not give back as it was given is emptied there: by its size everybody sees that it is not what it should be.
   */
  async bring(wanted: Wanted, there: ReadonlyMap<string, number>, prove: boolean): Promise<void> {
    const { from, to, signal } = this.#of;
    signal?.throwIfAborted();
    const isThere = isIn(there, wanted);
    if (isThere && !prove) return;
    if (isThere && (await this.#digest(to, wanted.key)) === wanted.sha256) return;
    await this.#copy(wanted);
    const copied = await this.#digest(to, wanted.key);
    const expected = wanted.sha256 ?? (await this.#digest(from, wanted.key));
    if (copied === expected) return;
    await to.put(wanted.key, Buffer.alloc(0));
    throw failure('ArtifactDigestMismatch', {
      message: `replicate ${wanted.key}: what ${to.address} has of it is not what was written`,
      subject: wanted.key,
    });
  }

  /** Copies a document once; a document of its name that is there is the same one. */
  async bringDocument(key: string): Promise<void> {
    const { from, to } = this.#of;
    const bytes = await from.get(key);
    try {
      await to.put(key, bytes, { ifAbsent: true });
      this.objects += 1;
      this.bytes += bytes.byteLength;
    } catch (error) {
      if (!(error instanceof LifeboatFailure) || error.code !== 'ObjectExists') throw error;
    }
  }

  async #copy({ key, sha256 }: Wanted): Promise<void> {
    const { from, to, signal, onProgress } = this.#of;
    const writer = to.openWriter(key);
    const hash = createHash('sha256');
    let copied = 0;
    try {
      for await (const chunk of from.read(key)) {
        signal?.throwIfAborted();
        hash.update(chunk);
        copied += chunk.byteLength;
        await writer.write(chunk);
        onProgress?.(this.bytes + copied);
      }
      if (sha256 !== undefined && hash.digest('hex') !== sha256)
        throw failure('ArtifactDigestMismatch', {
          message: `replicate ${key}: ${from.address} does not have what was written`,
          subject: key,
        });
      await writer.commit();
    } catch (error) {
      await writer.abort().catch(() => undefined);
      throw error;
    }
    this.objects += 1;
    this.bytes += copied;
  }

  async #digest(store: Store, key: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of store.read(key)) {
      this.#of.signal?.throwIfAborted();
      hash.update(chunk);
    }
    return hash.digest('hex');
  }
}

/** What a release lacks in the replica: points without a manifest or an object there. Changes nothing. @throws Store* */
export async function planReplication(of: ReplicationOf & { release: ReleaseName }): Promise<ReplicationPlan> {
  const { release } = of;
  const folder = `points/${releasePath(release)}/`;
  const [chain, tombstones, known, home, there] = await Promise.all([
    readChain({ store: of.from, trustedKeys: of.trustedKeys, release }),
    readTombstones({ store: of.from, trustedKeys: of.trustedKeys, release }),
    listSequences(of.to, manifestFolder(release)).then((sequences) => new Set(sequences)),
    sizesOf(of.from, folder),
    sizesOf(of.to, folder),
  ]);
  let [points, bytes] = [0, 0];
  for (const { sequence, document } of chain) {
    if (document === undefined || isRemoved(tombstones, document.id)) continue;
    const missing = objectsOf(document, home).filter((wanted) => !isIn(there, wanted));
    if (known.has(sequence) && missing.length === 0) continue;
    points += 1;
    bytes += missing.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  }
  return { points, bytes };
}

/**
 * Makes a second store hold every point of a release that the first one has: objects first, each read back there, then the
 * manifest, oldest first. What is there already stays; objects that were lost there come again. Nothing is ever removed from the
 * replica. A point whose objects are damaged at home is named, and the others go on.
 * Idempotent because: what is there in its size is not copied again, and a manifest is written once.
 * @param of.hold - is called before a point is read, so that no expiry takes it meanwhile
 * @throws the first problem of the chain; ChainBroken where the replica is of another chain; Store*
 */
export async function replicateRelease(
  of: ReplicationOf & { release: ReleaseName; hold: (point: string) => Promise<void> },
): Promise<ReplicationReport> {
  const { from, to, trustedKeys, release } = of;
  const reading = { store: from, trustedKeys, release };
  const [chain, tombstones] = await Promise.all([readChain(reading), readTombstones(reading)]);
  await assertSameChain(of, manifestFolder(release), chain);
  const known = new Set(await listSequences(to, manifestFolder(release)));
  const there = await sizesOf(to, `points/${releasePath(release)}/`);
  const home = await sizesOf(from, `points/${releasePath(release)}/`);
  const copier = new Copier(of);
  const damaged: string[] = [];
  let points = 0;
  let newest: string | null = null;
  for (const { key, sequence, document } of [...chain].reverse()) {
    if (document === undefined) continue;
    if (!isRemoved(tombstones, document.id)) {
      const before = copier.objects;
      try {
        await of.hold(document.id);
        for (const wanted of objectsOf(document, home)) await copier.bring(wanted, there, !known.has(sequence));
        newest = document.id;
      } catch (error) {
        if (!(error instanceof LifeboatFailure) || !isOfThePoint(error)) throw error;
        // What expires meanwhile is not missed.
        if (error.code !== 'PointExpired') damaged.push(`${document.id}: ${error.code}: ${error.message}`);
      }
      if (copier.objects > before || !known.has(sequence)) points += 1;
    }
    if (!known.has(sequence)) await copier.bringDocument(key);
  }
  for await (const { key } of from.list(`${tombstoneFolder(release)}/`))
    if ((await to.head(key)) === undefined) await copier.bringDocument(key);
  return { points, objects: copier.objects, bytes: copier.bytes, newest, damaged };
}

/** As `replicateRelease`, of the platform points: what a recovery of everything begins with. */
export async function replicatePlatformPoints(of: ReplicationOf & { platform: string }): Promise<ReplicationReport> {
  const folder = platformFolder(of.platform);
  const chain = await readPlatformPoints({ store: of.from, trustedKeys: of.trustedKeys, platform: of.platform });
  await assertSameChain(of, folder, chain);
  const known = new Set(await listSequences(of.to, folder));
  const there = await sizesOf(of.to, `${folder}/`);
  const copier = new Copier(of);
  let points = 0;
  let newest: string | null = null;
  for (const { key, sequence, document } of [...chain].reverse()) {
    if (document === undefined) continue;
    newest = document.id;
    for (const segment of document.config.segments)
      await copier.bring(wantedSegment(segment), there, !known.has(sequence));
    if (known.has(sequence)) continue;
    await copier.bringDocument(key);
    points += 1;
  }
  return { points, objects: copier.objects, bytes: copier.bytes, newest, damaged: [] };
}

/** Refuses a chain in doubt, and a replica that holds another one: a link more than is at home, or its newest with other bytes. */
async function assertSameChain(
  of: ReplicationOf,
  folder: string,
  chain: readonly ChainEntry<unknown>[],
): Promise<void> {
  const [problem] = checkChain(chain);
  if (problem !== undefined) throw problem;
  const newest = (await listSequences(of.to, folder)).at(-1);
  if (newest === undefined) return;
  const key = linkKey(folder, newest);
  const own = chain.find(({ sequence }) => sequence === newest);
  if (own !== undefined && own.sha256 === sha256Of(await of.to.get(key))) return;
  const why = own === undefined ? 'has a link that is not at home' : 'has another link';
  throw failure('ChainBroken', { message: `replicate ${key}: ${of.to.address} ${why}`, subject: key });
}

function isIn(there: ReadonlyMap<string, number>, { key, sizeBytes }: Wanted): boolean {
  const size = there.get(key);
  return size !== undefined && (sizeBytes === undefined || size === sizeBytes);
}

function wantedSegment({ key, storedBytes, storedSha256 }: Segment): Wanted {
  return { key, sizeBytes: storedBytes, sha256: storedSha256 };
}

/** What a point is made of: the objects that its manifest names, and those that stand beside them. */
function objectsOf(manifest: Manifest, home: ReadonlyMap<string, number>): Wanted[] {
  const segments = artifactsOf(manifest).flatMap((artifact) => artifact.segments);
  const { key: guide, sha256 } = manifest.restoreGuide;
  const { guide: forTools, records } = keysBeside(manifest);
  const beside = [...forTools, ...records].filter((key) => key !== guide && home.has(key));
  return [
    ...segments.map(wantedSegment),
    { key: guide, sizeBytes: home.get(guide), sha256 },
    ...beside.map((key) => ({ key, sizeBytes: home.get(key), sha256: undefined })),
  ];
}

async function sizesOf(store: Store, prefix: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of store.list(prefix)) sizes.set(key, sizeBytes);
  return sizes;
}

/** Whether a failure says something of one point, and not of a store. */
function isOfThePoint({ code }: LifeboatFailure): boolean {
  return ['ObjectNotFound', 'ArtifactDigestMismatch', 'ArtifactTruncated', 'PointExpired'].includes(code);
}
