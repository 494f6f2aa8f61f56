import { failure, type LifeboatFailure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { type Artifact, artifactsOf, Manifest, type Proof, type Verification } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { safetyCopyTrigger } from '../model/run-names.ts';
import { type ChainEntry, type ChainKind, newestLinks, readLinks } from './chain.ts';
import { appendLink, previousOf } from './chain-append.ts';
import { manifestFolder, pointPrefix } from './point-names.ts';
import type { Store } from './store.ts';
import { isRemoved, readTombstones, removedPoints, type Tombstones } from './tombstones.ts';
import { readVerifications } from './verifications.ts';

/** What the author of a manifest knows; the rest is set by the commit. */
export type ManifestDraft = Omit<
  Manifest,
  | 'apiVersion'
  | 'kind'
  | 'formatVersion'
  | 'sequence'
  | 'previous'
  | 'committedAt'
  | 'suspect'
  | 'plainBytes'
  | 'storedBytes'
> & {
  /** A reason of the caller not to trust the point; the commit adds its own. */
  readonly suspect?: string | null | undefined;
};

/** A committed manifest and the SHA-256 of its stored bytes. */
export type CommittedManifest = { readonly manifest: Manifest; readonly sha256: string };

/** A point of a release's chain. */
export type ChainPoint = ChainEntry<Manifest>;

/** A point that can be used, with its verifications, newest first. */
export type FoundPoint = CommittedManifest & { readonly key: string; readonly verifications: readonly Verification[] };

/** A point, or the number of a manifest that cannot be read, which `latest-verified` does not take, and why. */
export type PassedOver = { readonly point: string; readonly why: string };

function manifestChain(release: ReleaseName): ChainKind<Manifest> {
  return {
    folder: manifestFolder(release),
    noun: 'manifest',
    schema: Manifest,
    belongs: (manifest) => releasePath(manifest.release) === releasePath(release),
  };
}

/**
 * Commits a recovery point by one conditional PUT on the next number of the chain. A point of less than half of the last
 * one that is not suspect becomes suspect itself.
 * Idempotent because: a manifest with the draft's id that is there already is the answer.
 * Throws: ObjectExists (ten other writers were faster), Store*.
 */
export async function commitManifest(of: {
  store: Store;
  kit: RecoveryKit;
  draft: ManifestDraft;
  now?: Date | undefined;
}): Promise<CommittedManifest> {
  const { store, kit, draft, now = new Date() } = of;
  const artifacts = artifactsOf(draft);
  const plainBytes = sumOf(artifacts, 'plainBytes');
  const storedBytes = sumOf(artifacts, 'storedBytes');
  const { document, sha256 } = await appendLink({ store, kit }, manifestChain(draft.release), draft.id, async (head) =>
    Manifest.parse({
      ...draft,
      apiVersion: 'lifeboat/v1',
      kind: 'RecoveryPoint',
      formatVersion: 1,
      sequence: (head?.sequence ?? 0) + 1,
      previous: previousOf(head),
      committedAt: now.toISOString(),
      suspect: draft.suspect ?? (await suspectSize({ store, kit, release: draft.release, storedBytes })),
      plainBytes,
      storedBytes,
    }),
  );
  return { manifest: document, sha256 };
}

/** The chain of a release, newest first; broken, missing and invalid links are entries with their failure. @throws Store* */
export function readChain(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
}): Promise<ChainPoint[]> {
  return readLinks(of, manifestChain(of.release));
}

/**
 * The newest point that can be read and fits. A chain of years costs no more than one of a day where the newest one fits.
 * @throws Store*
 */
export async function newestPoint(
  of: { store: Store; trustedKeys: readonly string[]; release: ReleaseName },
  fits: (manifest: Manifest) => boolean | Promise<boolean> = () => true,
): Promise<CommittedManifest | undefined> {
  for await (const { document, sha256 } of newestLinks(of, manifestChain(of.release)))
    if (document !== undefined && (await fits(document))) return { manifest: document, sha256 };
  return undefined;
}

/** As `readChain`, without the points whose removal has begun: as many reads as there are points. @throws Store* */
export async function readLivePoints(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
}): Promise<{ chain: ChainPoint[]; tombstones: Tombstones }> {
  const tombstones = await readTombstones(of);
  return { chain: await readLinks(of, manifestChain(of.release), removedLinks(tombstones)), tombstones };
}

/** The links of points whose removal has begun, by their number. */
function removedLinks(tombstones: Tombstones): Map<number, string> {
  return new Map(removedPoints(tombstones).map(({ manifest }) => [manifest.sequence, manifest.sha256]));
}

/** Which point of which release is asked for. */
export type PointQuestion = {
  readonly store: Store;
  readonly trustedKeys: readonly string[];
  readonly release: ReleaseName;
  /** `latest`, `latest-verified`, or an id. */
  readonly point: string;
  readonly to?: string | undefined;
};

/**
 * Finds a point: `latest` is the newest one, `latest-verified` the newest that is not suspect, reached `read-back` and
 * whose newest verification is not `damaged`; or the one with this id. `to` leaves out points captured after it.
 * A safety copy is found by its id alone: it holds what somebody wanted to be rid of.
 * @returns the point, and the newer ones that `latest-verified` passed over, newest first
 * @throws PointUnknown, PointExpired, PointNotVerified, ManifestMissing, Store*, and what is wrong with the point that was asked for
 */
export async function findPoint(
  of: PointQuestion,
): Promise<FoundPoint & { readonly passedOver: readonly PassedOver[] }> {
  const { point, to } = of;
  const tombstones = await readTombstones(of);
  if (isRemoved(tombstones, point))
    throw failure('PointExpired', {
      message: `find point ${point} of ${releasePath(of.release)}: its objects are being removed or are gone`,
      subject: point,
    });
  const isById = point !== 'latest' && point !== 'latest-verified';
  const isInTime = ({ document }: ChainPoint): boolean =>
    to === undefined || document === undefined || Date.parse(document.capturedAt) <= Date.parse(to);
  const isAsked = ({ document }: ChainPoint): boolean =>
    isById ? document?.id === point : document === undefined || !isSafetyCopy(document);
  const [chain, removed] = [manifestChain(of.release), removedLinks(tombstones)];
  const passedOver: PassedOver[] = [];
  for await (const entry of newestLinks(of, chain, removed)) {
    if (!isInTime(entry) || !isAsked(entry)) continue;
    if (entry.document === undefined) {
      if (point !== 'latest-verified') throw entry.failure;
      passedOver.push({ point: `number ${String(entry.sequence)}`, why: entry.failure.message });
      continue;
    }
    const found = await withVerifications(of, entry, entry.document);
    if (point !== 'latest-verified' || isVerified(found)) return { ...found, passedOver };
    passedOver.push({ point: entry.document.id, why: doubtOf(found) ?? 'it has not passed verification' });
  }
  // None: what is wrong with the others is worth reading them all.
  const inTime = (await readLinks(of, chain, removed)).filter(isInTime);
  if (point === 'latest-verified') throw await noneVerified(of, inTime.filter(isAsked));
  throw await missingPoint({ ...of, chain: inTime });
}

/** Why no point can be used: what is wrong with the newest one says more than that there is none. */
async function noneVerified(of: PointQuestion, inTime: readonly ChainPoint[]): Promise<LifeboatFailure> {
  const [newest] = inTime;
  if (newest === undefined)
    return await missingPoint({ ...of, point: 'latest', chain: inTime, code: 'PointNotVerified' });
  if (newest.document === undefined && inTime.every(({ document }) => document === undefined)) return newest.failure;
  const why =
    newest.document === undefined
      ? newest.failure.message
      : (doubtOf(await withVerifications(of, newest, newest.document)) ?? newest.failure?.message);
  const said =
    why === undefined ? '' : `; the newest${newest.document === undefined ? '' : `, ${newest.document.id}`}: ${why}`;
  const subject = releasePath(of.release);
  return failure('PointNotVerified', {
    message: `find point of ${subject}: none of ${String(inTime.length)} has passed verification${before(of.to)}${said}`,
    subject,
  });
}

/** What speaks against a point that can be read. */
function doubtOf({ manifest, verifications: [newest] }: FoundPoint): string | undefined {
  return newest?.failure ? `${newest.failure.code}, ${newest.failure.message}` : (manifest.suspect ?? undefined);
}

/**
 * Why a point is not there: its objects may be left without their manifest.
 * @param of.point - an id, or `latest` for any
 */
export async function missingPoint(
  of: PointQuestion & { chain: readonly ChainPoint[]; code?: 'PointUnknown' | 'PointNotVerified' | undefined },
): Promise<LifeboatFailure> {
  const { store, release, point, chain, to, code = 'PointUnknown' } = of;
  const subject = releasePath(release);
  const isAny = point === 'latest';
  const orphan = await pointWithoutManifest(store, release, isAny ? undefined : point);
  const gap = isAny ? undefined : chain.flatMap((entry) => (entry.document === undefined ? [entry.failure] : []))[0];
  const said = gap === undefined ? '' : `; ${gap.message}`;
  if (orphan !== undefined && to === undefined) {
    return failure('ManifestMissing', {
      message: `find point of ${subject}: ${orphan} has objects and no manifest${said}`,
      subject,
    });
  }
  const known = chain.flatMap(({ document }) => document?.id ?? []).slice(0, 5);
  const has = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
  return failure(code, {
    message: `find point of ${subject}: ${isAny ? has : `no ${point}, ${has}`}${before(to)}${said}`,
    subject,
  });
}

/** The newest point of which objects are stored, or this one; to be asked where no manifest is known. */
async function pointWithoutManifest(
  store: Store,
  release: ReleaseName,
  id: string | undefined,
): Promise<string | undefined> {
  const folder = id === undefined ? `points/${releasePath(release)}/` : `${pointPrefix(release, id)}/`;
  let newest: string | undefined;
  for await (const { key } of store.list(folder)) {
    if (id !== undefined) return id;
    newest = key.slice(folder.length).split('/')[0];
  }
  return newest;
}

function before(to: string | undefined): string {
  return to === undefined ? '' : ` up to ${to}`;
}

/** A point whose manifest can be trusted. A replaced predecessor says nothing against the point itself. */
async function withVerifications(
  of: { store: Store; trustedKeys: readonly string[]; release: ReleaseName },
  { key, sha256 }: ChainPoint,
  manifest: Manifest,
): Promise<FoundPoint> {
  return { key, sha256, manifest, verifications: await readVerifications({ ...of, point: manifest.id }) };
}

/** Whether a point was made of what was live before a recovery replaced it. */
export function isSafetyCopy({ run }: Manifest): boolean {
  return run.trigger === safetyCopyTrigger;
}

/** Whether a recovery takes a point without being told its id: `latest-verified` is the newest of these. */
export function isDefaultPoint(found: Pick<FoundPoint, 'manifest' | 'verifications'>): boolean {
  return !isSafetyCopy(found.manifest) && isVerified(found);
}

function isVerified({ manifest, verifications }: Pick<FoundPoint, 'manifest' | 'verifications'>): boolean {
  const [newest] = verifications;
  if (manifest.suspect !== null || newest?.outcome === 'damaged') return false;
  return isReadBack(manifest.proof) || (newest !== undefined && isReadBack(newest.proof));
}

function isReadBack(proof: Proof): boolean {
  return proof !== 'acknowledged';
}

/** Why a size is suspect: it is under half of that of the last point that is not. */
async function suspectSize(of: {
  store: Store;
  kit: RecoveryKit;
  release: ReleaseName;
  storedBytes: number;
}): Promise<string | null> {
  const before = await newestPoint(
    { ...of, trustedKeys: [of.kit.signing.publicKey] },
    (manifest) => manifest.suspect === null && !isSafetyCopy(manifest),
  );
  if (before === undefined || of.storedBytes * 2 >= before.manifest.storedBytes) return null;
  const { storedBytes, id } = before.manifest;
  return `stored ${String(of.storedBytes)} bytes, under half of the ${String(storedBytes)} of ${id}`;
}

function sumOf(artifacts: readonly Artifact[], field: 'plainBytes' | 'storedBytes'): number {
  return artifacts.reduce((sum, artifact) => sum + artifact[field], 0);
}
