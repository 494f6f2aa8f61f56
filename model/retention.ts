import { z } from 'zod';
import { Duration, durationMs } from './duration.ts';
import { ReleaseName } from './release-name.ts';

const Instant = z.iso.datetime({ offset: true });
const Count = z.number().int().min(0);

/** Which points are kept. A point is kept where any line keeps it; only usable points fill the places of `last` to `yearly`. */
export const Keep = z.strictObject({
  /** Every point that is younger. */
  all: Duration.default('2d'),
  /** The newest usable ones, however old; at least one. */
  last: z.number().int().min(1).default(3),
  /** The newest usable point of each of the last so many hours that have one; UTC. */
  hourly: Count.default(0),
  daily: Count.default(0),
  /** Weeks begin on Monday. */
  weekly: Count.default(0),
  monthly: Count.default(0),
  yearly: Count.default(0),
});
export type Keep = z.infer<typeof Keep>;

/** `retention` of lifeboat.yaml: which points are kept, and how what is not kept is removed. */
export const Retention = z.strictObject({
  ...Keep.shape,
  /** How long points are kept that are not usable: suspect, damaged or unverified ones, and safety copies. */
  others: Duration.default('14d'),
  /** An expired point keeps its data for so long; until then `lifeboat points hold` brings it back. */
  grace: Duration.default('1d'),
  /** In place of the lines above, for the releases of a tier. */
  tiers: z.partialRecord(z.enum(['1', '2', '3', '4']), Keep).default({}),
});
export type Retention = z.infer<typeof Retention>;

/** A point as retention judges it. */
export type JudgedPoint = {
  readonly id: string;
  readonly sequence: number;
  readonly capturedAt: string;
  /** It passed verification, is not suspect, and is no safety copy. */
  readonly usable: boolean;
  /** It was restored once, and its facts were equal. */
  readonly restored: boolean;
  /** How many streams and components it lacks. */
  readonly lacks: number;
  /** Who holds it: a run that reads it, or a person; null for nobody. */
  readonly heldBy: string | null;
};

/** What becomes of a point; `keep` tells every line that keeps it, and is empty where it expires. */
export type Verdict = { readonly id: string; readonly keep: readonly string[] };

const periods = {
  hourly: (instant: string) => instant.slice(0, 13),
  daily: (instant: string) => instant.slice(0, 10),
  weekly: mondayOf,
  monthly: (instant: string) => instant.slice(0, 7),
  yearly: (instant: string) => instant.slice(0, 4),
} as const;

/** The lines for the releases of a tier. */
export function keepOf(retention: Retention, tier: number): Keep {
  const { others: _others, grace: _grace, tiers, ...keep } = retention;
  return tiers[String(tier) as keyof typeof tiers] ?? keep;
}

/**
 * Judges the points of one release. Never expires: the newest usable point, the newest usable one that lacks nothing, and the newest of
 * those that were restored; a point that is held; and, where no point is usable, any point at all. Of a period whose newest usable point lacks something, the newest that lacks nothing is kept
 * as well. Points newer than the newest usable one are kept: they may pass their verification yet.
 * @returns a verdict for each point, in the order given
 */
export function judgeRetention(
  points: readonly JudgedPoint[],
  of: { keep: Keep; others: Duration; now: Date },
): Verdict[] {
  const reasons: { readonly id: string; readonly reason: string }[] = [];
  const keep = ({ id }: JudgedPoint, reason: string): void => {
    reasons.push({ id, reason });
  };
  const bySequence = points.filter(({ usable }) => usable).sort((one, other) => other.sequence - one.sequence);
  const [newest] = bySequence;
  for (const point of points) {
    const ageMs = of.now.getTime() - Date.parse(point.capturedAt);
    if (point.heldBy !== null) keep(point, `held by ${point.heldBy}`);
    if (ageMs < durationMs(of.keep.all)) keep(point, `younger than ${of.keep.all}`);
    if (newest === undefined) keep(point, 'no point of its release is usable');
    else if (point.sequence > newest.sequence) keep(point, 'newer than the newest usable one');
    if (!point.usable && ageMs < durationMs(of.others)) keep(point, `not usable, younger than ${of.others}`);
  }
  if (newest !== undefined) keep(newest, 'newest usable');
  const whole = bySequence.find(({ lacks }) => lacks === 0);
  if (whole !== undefined && whole !== newest) keep(whole, 'newest that lacks nothing');
  const proven = bySequence.find(({ restored }) => restored);
  if (proven !== undefined) keep(proven, 'newest that was restored');
  for (const point of bySequence.slice(0, of.keep.last)) keep(point, `last ${String(of.keep.last)}`);
  const byTime = [...bySequence].sort((one, other) => Date.parse(other.capturedAt) - Date.parse(one.capturedAt));
  for (const [name, periodOf] of Object.entries(periods))
    for (const { point, period } of newestOfPeriods(byTime, periodOf, of.keep[name as keyof typeof periods]))
      keep(point, `${name} ${period}`);
  const reasonsOf = Map.groupBy(reasons, ({ id }) => id);
  return points.map(({ id }) => ({ id, keep: reasonsOf.get(id)?.map(({ reason }) => reason) ?? [] }));
}

/** The newest point of each of the newest `count` periods that have one, and the newest whole one where that lacks something. */
function newestOfPeriods(
  newestFirst: readonly JudgedPoint[],
  periodOf: (instant: string) => string,
  count: number,
): { point: JudgedPoint; period: string }[] {
  const found = new Map<string, { newest: JudgedPoint; whole: JudgedPoint | undefined }>();
  for (const point of newestFirst) {
    const period = periodOf(new Date(point.capturedAt).toISOString());
    const known = found.get(period);
    const whole = point.lacks === 0 ? point : undefined;
    if (known !== undefined) known.whole ??= whole;
    else if (found.size < count) found.set(period, { newest: point, whole });
  }
  return [...found].flatMap(([period, { newest, whole }]) =>
    whole === undefined || whole === newest
      ? [{ point: newest, period }]
      : [newest, whole].map((point) => ({ point, period })),
  );
}

function mondayOf(instant: string): string {
  const day = new Date(`${instant.slice(0, 10)}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return `week of ${day.toISOString().slice(0, 10)}`;
}

/** Something that keeps a point from being removed, written beside it: a run that reads it, or a person. */
export const Hold = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('Hold'),
  point: z.string(),
  release: ReleaseName,
  /** Of a run its workflow id. */
  by: z.string(),
  /** Of a run that writes or reads the point; null for a person's hold. */
  run: z.string().nullable(),
  reason: z.string(),
  at: Instant,
  /** It counts for nothing from then on; null for a hold that a person ends. */
  until: Instant.nullable(),
});
export type Hold = z.infer<typeof Hold>;

/**
 * What an expiry decided, written beside the chain, whose manifests stay. `expired`: the points will be removed when their
 * grace is over. `kept`: they will not, because somebody holds them or the rules keep them by now. `removing`: their objects
 * are being removed or are gone; only the run that said so takes it back, by `kept`, before it has removed anything.
 */
export const Tombstone = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('Tombstone'),
  stage: z.enum(['expired', 'kept', 'removing']),
  release: ReleaseName,
  at: Instant,
  run: z.strictObject({ workflowId: z.string(), runId: z.string() }),
  /** `manifest` says which link of the chain it is; null for objects that never had one. */
  points: z
    .array(
      z.strictObject({
        id: z.string(),
        manifest: z.strictObject({ sequence: z.number().int().min(1), sha256: z.string() }).nullable(),
      }),
    )
    .min(1),
});
export type Tombstone = z.infer<typeof Tombstone>;

/** Whether a hold still counts. */
export function isHeld({ until }: Pick<Hold, 'until'>, now: Date): boolean {
  return until === null || Date.parse(until) > now.getTime();
}
