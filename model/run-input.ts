import { z } from 'zod';
import { Moves } from './drill.ts';
import { Duration } from './duration.ts';
import { Percent } from './percent.ts';
import { UpgradeStrategy } from './recovery-plan.ts';

const Instant = z.iso.datetime({ offset: true });
const OnFailure = z.enum(['ask', 'skip', 'abort']);

/**
 * What a platform run tells the runs that it starts for single releases. It counts only where the run really is a
 * child: an input that somebody copied approves nothing and holds no lock.
 */
export const PartOf = z.strictObject({
  /** The caller holds the lock of this release already. */
  lockHeld: z.boolean().default(false),
  /** The plan's digest that was approved as part of the whole. */
  approvedDigest: z.string().optional(),
  /** The point's bytes were verified by the caller. */
  verified: z.boolean().default(false),
  /** Of a drill: the scratch namespace of each source namespace. */
  moved: Moves.optional(),
  /** Points that the caller made of other releases, which hold data of this one: `namespace/name: id`. */
  keptIn: z.array(z.string()).optional(),
});
export type PartOf = z.infer<typeof PartOf>;

/** Input of `backUpRelease`. */
export const BackUpReleaseInput = z.strictObject({
  release: z.string().min(1),
  /** Who or what started it: `person`, `schedule`, `platform`, `safety copy`. */
  trigger: z.string().default('person'),
  dryRun: z.boolean().default(false),
  configDigest: z.string().optional(),
  partOf: PartOf.optional(),
});
export type BackUpReleaseInput = z.infer<typeof BackUpReleaseInput>;

/** Input of `backUpPlatform`; `{}` backs up every release of every tier. */
export const BackUpPlatformInput = z
  .strictObject({
    releases: z.array(z.string()).optional(),
    tier: z.number().int().min(1).max(4).optional(),
    trigger: z.string().default('person'),
    dryRun: z.boolean().default(false),
    configDigest: z.string().optional(),
  })
  .prefault({});
export type BackUpPlatformInput = z.infer<typeof BackUpPlatformInput>;

/** Input of `verifyRecoveryPoint`; without a release every release's newest point. */
export const VerifyRecoveryPointInput = z
  .strictObject({
    release: z.string().optional(),
    point: z.string().default('latest'),
    all: z.boolean().default(false),
    /** Only so many of the frames, chosen at random, `5%`; default: every byte. */
    sample: Percent.optional(),
    configDigest: z.string().optional(),
  })
  .prefault({});
export type VerifyRecoveryPointInput = z.infer<typeof VerifyRecoveryPointInput>;

/** What a run over the points of a store is given; `{}` is for every release. */
const PointsInput = z
  .strictObject({
    releases: z.array(z.string()).min(1).optional(),
    dryRun: z.boolean().default(false),
    trigger: z.string().default('person'),
    configDigest: z.string().optional(),
  })
  .prefault({});

/** Input of `expireRecoveryPoints`, which goes by `retention` of lifeboat.yaml. */
export const ExpireRecoveryPointsInput = PointsInput;
export type ExpireRecoveryPointsInput = z.infer<typeof ExpireRecoveryPointsInput>;

/** Input of `replicateRecoveryPoints`, which copies to the `replica` of lifeboat.yaml. */
export const ReplicateRecoveryPointsInput = PointsInput;
export type ReplicateRecoveryPointsInput = z.infer<typeof ReplicateRecoveryPointsInput>;

/** Input of `recoverRelease`. */
export const RecoverReleaseInput = z.strictObject({
  release: z.string().min(1),
  /** `latest-verified`, or the id of a point. */
  point: z.string().default('latest-verified'),
  /** The newest point captured at or before this instant. */
  to: Instant.optional(),
  /** Another namespace to recover into. */
  into: z.string().optional(),
  /** `all`: Secrets, chart and data; `data`: only data, into the release that runs. */
  scope: z.enum(['all', 'data']).default('all'),
  dryRun: z.boolean().default(false),
  /** When the disaster happened; default: the start of the run. */
  incidentAt: Instant.optional(),
  onFailure: OnFailure.default('ask'),
  trigger: z.string().default('person'),
  configDigest: z.string().optional(),
  partOf: PartOf.optional(),
});
export type RecoverReleaseInput = z.infer<typeof RecoverReleaseInput>;

/** Input of `recoverPlatform`. */
export const RecoverPlatformInput = z
  .strictObject({
    /** `latest-verified`, or the id of a platform point. */
    point: z.string().default('latest-verified'),
    releases: z.array(z.string()).optional(),
    into: z.string().optional(),
    dryRun: z.boolean().default(false),
    incidentAt: Instant.optional(),
    onFailure: OnFailure.default('ask'),
    trigger: z.string().default('person'),
    configDigest: z.string().optional(),
  })
  .prefault({});
export type RecoverPlatformInput = z.infer<typeof RecoverPlatformInput>;

/**
 * Input of `runDrill`; `{}` drills every release. One of `release`, `releases`, `tier`, `platform` and
 * `longestNotDrilled` chooses them, and what a chosen release requires is drilled with it.
 */
export const RunDrillInput = z
  .strictObject({
    release: z.string().min(1).optional(),
    releases: z.array(z.string()).min(1).optional(),
    platform: z.literal(true).optional(),
    tier: z.number().int().min(1).max(4).optional(),
    /** The one release of which a point was restored longest ago, or never. */
    longestNotDrilled: z.literal(true).optional(),
    /** `latest-verified`, the id of a platform point, or of a point of the one release. */
    point: z.string().default('latest-verified'),
    /** Name of the cluster whose network does not isolate: the drill runs all the same, and says so. */
    acceptNotIsolated: z.string().optional(),
    dryRun: z.boolean().default(false),
    trigger: z.string().default('person'),
    configDigest: z.string().optional(),
  })
  .prefault({});
export type RunDrillInput = z.infer<typeof RunDrillInput>;
const secretKey = /(password|passwd|token|private-?key)$/i;

/** Paths of texts that a key names a password or the like: what is in an input can be read in the history of the run. */
function secretPaths(values: unknown, path: string): string[] {
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values).flatMap(([key, value]) => {
    const own = path === '' ? key : `${path}.${key}`;
    return typeof value === 'string' && value !== '' && secretKey.test(key) ? [own] : secretPaths(value, own);
  });
}

/** Input of `upgradeRelease`. */
export const UpgradeReleaseInput = z.strictObject({
  release: z.string().min(1),
  /** How; default: what the plan says, else `rolling`. */
  strategy: UpgradeStrategy.optional(),
  /** Of blue-green: how long clients may be kept from writing at most, `90s`; default: what the plan says. */
  maxWriteGap: Duration.optional(),
  /** Of blue-green: how long the new version serves before it is promoted; default: what the plan says. */
  soak: Duration.optional(),
  /** Of blue-green, when the soak is over: `auto` promotes, `ask` waits for a person who decides. */
  promote: z.enum(['auto', 'ask']).default('auto'),
  /** The chart to upgrade to: a directory, an archive, `oci://…` or `repo/chart`; default: that of lifeboat.yaml. */
  chart: z.string().min(1).optional(),
  /** Version of a chart that is pulled; default: the installed one. */
  version: z.string().min(1).optional(),
  /** Values over those that the release has. No secrets: name a Secret. */
  values: z
    .record(z.string(), z.unknown())
    .default({})
    .superRefine((values, context) => {
      const named = secretPaths(values, '');
      if (named.length > 0)
        context.addIssue({
          code: 'custom',
          message: `${named.join(', ')}: an input can be read by everybody who sees the run; keep it in a Secret and name that`,
        });
    }),
  dryRun: z.boolean().default(false),
  trigger: z.string().default('person'),
  configDigest: z.string().optional(),
});
export type UpgradeReleaseInput = z.infer<typeof UpgradeReleaseInput>;

/** Input of `selfTest`. */
export const SelfTestInput = z.strictObject({ configDigest: z.string().optional() }).prefault({});
export type SelfTestInput = z.infer<typeof SelfTestInput>;

/** Input of `approve`, as update and as signal. */
export const Approval = z.strictObject({
  by: z.string().min(1),
  reason: z.string().min(1),
  /** The digest that the run shows. */
  planDigest: z.string().min(1),
});
export type Approval = z.infer<typeof Approval>;

/** Input of `decide`, as update and as signal. `question` may be left out where one is open. */
export const Decision = z.strictObject({
  question: z.string().optional(),
  /** Of a failed step `retry`, `skip` or `abort`; of a soak `promote` or `rollback`. */
  action: z.enum(['retry', 'skip', 'abort', 'promote', 'rollback']),
  by: z.string().min(1),
  reason: z.string().min(1),
});
export type Decision = z.infer<typeof Decision>;

/** Input of `pause` and `resume`. */
export const PauseRequest = z.strictObject({ by: z.string().min(1), reason: z.string().min(1) });
export type PauseRequest = z.infer<typeof PauseRequest>;
