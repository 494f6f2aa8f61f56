import { durationMs } from '../model/duration.ts';
import type { LifeboatFailure } from '../model/failures.ts';
import type { ExpiryReport } from '../model/outcome.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { lacksOf, type Manifest } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { type JudgedPoint, judgeRetention, keepOf, type Retention, type Tombstone } from '../model/retention.ts';
import { checkChain, type KnownHead } from './chain.ts';
import { type FoundHold, readHolds } from './holds.ts';
import { pointPrefix } from './point-names.ts';
import { isDefaultPoint, readChain } from './points.ts';
import { removeObjects } from './remove-objects.ts';
import type { Store } from './store.ts';
import { type Expired, isRemoved, readTombstones, removedPoints, writeTombstone } from './tombstones.ts';
import { readVerificationsOf } from './verifications.ts';

/** A point of a release with what retention makes of it. */
export type RetainedPoint = {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
  /** Every line that keeps it; empty where none does. */
  readonly keep: readonly string[];
  /** Since when it is expired; null where it is not. */
  readonly expiredAt: string | null;
  /** From when on its objects may be removed, where it is expired and nothing keeps it. */
  readonly removableFrom: string | null;
  /** What an expiry makes of it now. */
  readonly fate: 'kept' | 'expiring' | 'in its grace' | 'removable';
};

/** How an expiry is asked for. */
export type ExpiryOf = {
  readonly store: Store;
  readonly kit: RecoveryKit;
  readonly release: ReleaseName;
  /** Default: that of the newest point. */
  readonly tier?: number | undefined;
  readonly retention: Retention;
  /** The newest manifest that is known from outside the chain, which alone cannot show that its newest links are gone. */
  readonly known?: KnownHead | undefined;
  readonly now: Date;
};

/**
 * Judges every point of a release whose removal has not begun, newest first. Where the chain itself is in doubt nothing may
 * expire: `problems` says why. Changes nothing. @throws Store*
 */
export async function judgePoints(
  of: ExpiryOf,
): Promise<{ tier: number; points: RetainedPoint[]; removing: readonly string[]; problems: LifeboatFailure[] }> {
  const { store, kit, release, retention, now } = of;
  const reading = { store, release, trustedKeys: [kit.signing.publicKey] };
  const [chain, tombstones, holds] = await Promise.all([
    readChain(reading),
    readTombstones(reading),
    readHolds({ ...reading, now }),
  ]);
  const found = chain.flatMap(({ document, sha256 }) => (document === undefined ? [] : [{ document, sha256 }]));
  const alive = found.filter(({ document }) => !isRemoved(tombstones, document.id));
  const verificationsOf = await readVerificationsOf({ ...reading, points: alive.map(({ document }) => document.id) });
  const judged = alive.map(({ document: manifest }): JudgedPoint => {
    const verifications = verificationsOf(manifest.id);
    return {
      id: manifest.id,
      sequence: manifest.sequence,
      capturedAt: manifest.capturedAt,
      usable: isDefaultPoint({ manifest, verifications }),
      restored: verifications.some(({ proof, outcome }) => proof === 'restored' && outcome === 'usable'),
      lacks: lacksOf(manifest).length,
      heldBy: holderOf(holds.get(manifest.id)),
    };
  });
  const tier = of.tier ?? alive[0]?.document.tier ?? 1;
  const verdicts = judgeRetention(judged, { keep: keepOf(retention, tier), others: retention.others, now });
  const points = alive.map(({ document: manifest, sha256 }, index) => {
    const keep = verdicts[index]?.keep ?? ['not judged'];
    const expired = tombstones.expired.get(manifest.id);
    const from = expired === undefined || keep.length > 0 ? null : removableFrom(expired, retention);
    return {
      manifest,
      manifestSha256: sha256,
      keep,
      expiredAt: expired?.at ?? null,
      removableFrom: from,
      fate: keep.length > 0 ? 'kept' : fateOf(from, now),
    } as const;
  });
  return {
    tier,
    points,
    removing: removedPoints(tombstones).map(({ id }) => id),
    problems: checkChain(chain, of.known),
  };
}

/**
 * Expires what no line keeps, and removes the objects of what has been expired for the time of grace and is not held. Each
 * step is written down before it is done, so that a run that was cut off is finished by the next one.
 * Idempotent because: what is expired stays so since the first time, and what is removed is gone.
 * @throws the first problem of a chain in doubt; StoreDenied where the store lets nothing be removed; Store*
 */
export async function expirePoints(
  of: ExpiryOf & {
    run: Tombstone['run'];
    /** Points that may expire or be removed by this run; default: all. */
    only?: ReadonlySet<string> | undefined;
    signal?: AbortSignal | undefined;
    onRemoved?: ((bytes: number) => void) | undefined;
  },
): Promise<ExpiryReport> {
  const { store, kit, release, run, now } = of;
  const { points, removing, problems } = await judgePoints(of);
  if (problems[0] !== undefined) throw problems[0];
  const write = async (stage: Tombstone['stage'], chosen: readonly RetainedPoint[], at = now): Promise<void> => {
    if (chosen.length === 0) return;
    const named = chosen.map(({ manifest: { id, sequence }, manifestSha256: sha256 }) => ({
      id,
      manifest: { sequence, sha256 },
    }));
    await writeTombstone({ store, kit, tombstone: { stage, release, run, at: at.toISOString(), points: named } });
  };
  const mayGo = (id: string): boolean => of.only === undefined || of.only.has(id);
  const expired = points.filter(({ manifest, fate }) => fate === 'expiring' && mayGo(manifest.id));
  const keptAgain = points.filter(({ fate, expiredAt }) => fate === 'kept' && expiredAt !== null);
  await write('kept', keptAgain);
  await write('expired', expired);
  const due = points.filter(({ manifest, fate }) => fate === 'removable' && mayGo(manifest.id));
  await write('removing', due);
  // Whoever began to hold a point meanwhile has seen no tombstone: this run takes back what it said of it.
  const holds = await readHolds({ store, release, trustedKeys: [kit.signing.publicKey], now });
  const heldNow = due.filter(({ manifest }) => holds.has(manifest.id));
  await write('kept', heldNow, new Date(now.getTime() + 1));
  const present = await storedPoints(store, release);
  const announced = [...removing, ...due.map(({ manifest }) => manifest.id)].filter((id) => present.has(id));
  const removed: string[] = [];
  let removedBytes = 0;
  const [held, free] = [announced.filter((id) => holds.has(id)), announced.filter((id) => !holds.has(id))];
  for (const id of free) {
    of.signal?.throwIfAborted();
    removedBytes += await removeObjects({ store, prefix: `${pointPrefix(release, id)}/`, signal: of.signal });
    removed.push(id);
    of.onRemoved?.(removedBytes);
  }
  const kept = points.filter(({ fate }) => fate === 'kept').length;
  return {
    kept,
    expired: expired.map(({ manifest }) => manifest.id),
    keptAgain: keptAgain.map(({ manifest }) => manifest.id),
    removed,
    removedBytes,
    waiting: points.length - kept - due.length + held.length,
  };
}

/** Ids of which objects are stored. */
async function storedPoints(store: Store, release: ReleaseName): Promise<Set<string>> {
  const folder = `points/${releasePath(release)}/`;
  const ids = new Set<string>();
  for await (const { key } of store.list(folder)) ids.add(key.slice(folder.length).split('/')[0] ?? '');
  return ids;
}

function removableFrom({ at }: Expired, { grace }: Retention): string {
  return new Date(Date.parse(at) + durationMs(grace)).toISOString();
}

/** What becomes of a point that nothing keeps; null where it is not expired yet. */
function fateOf(removable: string | null, now: Date): RetainedPoint['fate'] {
  if (removable === null) return 'expiring';
  return Date.parse(removable) <= now.getTime() ? 'removable' : 'in its grace';
}

function holderOf(holds: readonly FoundHold[] | undefined): string | null {
  return holds === undefined || holds.length === 0 ? null : holds.map(({ by }) => by).join(', ');
}
