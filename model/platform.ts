import { z } from 'zod';
import { ByteSize } from './byte-size.ts';
import { Duration, durationMs } from './duration.ts';
import { failure } from './failures.ts';
import { Tier } from './recovery-plan.ts';
import { label, type ReleaseName } from './release-name.ts';
import { Retention } from './retention.ts';
import { PlatformSchedule } from './schedules.ts';

const Label = z.string().regex(label);

/** Where recovery points live: a directory (`file:///…`) or a bucket (`s3://bucket/prefix`). Credentials are never here. */
export const StoreConfig = z.strictObject({
  url: z.string().regex(/^(file:\/\/\/|s3:\/\/[a-z0-9][a-z0-9.-]+)/, 'file:///directory or s3://bucket/prefix'),
  /** Of an S3-compatible server other than AWS. */
  endpoint: z.url().optional(),
  region: z.string().default('us-east-1'),
});
export type StoreConfig = z.infer<typeof StoreConfig>;

const shortestSessionMs = 900_000;

/** Pods of ours that move big data between a volume or a database and the store, without the API server. */
export const MoverConfig = z.strictObject({
  /** An image of Lifeboat that the nodes can pull. */
  image: z.string().min(1),
  /** The store as pods reach it; default: its `endpoint`. */
  endpoint: z.url().optional(),
  /** A component whose newest point, or whose stored stream, is as large as this is moved whatever its plan says: `10GiB`. */
  from: ByteSize.optional(),
  /**
   * ARN of a role: a mover gets credentials of it that expire, for the folder of its point alone, instead of those that ask for
   * them. Of AWS, or of a server with an STS of its own, as Ceph and MinIO.
   */
  role: z.string().regex(/^arn:/, 'arn:aws:iam::ACCOUNT:role/NAME').optional(),
  /** Address of STS; default: the store's `endpoint`, or AWS. */
  sts: z.url().optional(),
  /** How long the credentials of the role are good: at least as long as the largest component takes, and as the role allows. */
  session: Duration.default('1h').refine(
    (text) => durationMs(text) >= shortestSessionMs,
    'at least 15m, as STS wants it',
  ),
});
export type MoverConfig = z.infer<typeof MoverConfig>;

/** One release of the platform. */
export const PlatformRelease = z.strictObject({
  /** `namespace/name`. */
  release: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, 'namespace/name'),
  /** Chart reference: a directory, an archive, `oci://…` or `repo/chart`. With it the point carries the whole chart. */
  chart: z.string().optional(),
  /** Criticality, 1 to 4; default: the plan's. */
  tier: Tier.optional(),
  objectives: z.strictObject({ rpo: Duration.optional(), rto: Duration.optional() }).optional(),
  /** How long a capture may stop the service. Without it components that need a stop are not captured. */
  allowDowntime: Duration.optional(),
  /** Releases of this file that must serve before it, as `namespace/name`; added to what the plan requires. */
  requires: z.array(z.string()).default([]),
});
export type PlatformRelease = z.infer<typeof PlatformRelease>;

/** `lifeboat.yaml`: one platform, kept in Git; docs/reference/lifeboat-yaml.md is generated from it. */
export const Platform = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  platform: Label,
  cluster: z.strictObject({
    name: Label,
    /** Context of the kubeconfig; default: the current one. */
    context: z.string().optional(),
    /** Path of the kubeconfig; default: KUBECONFIG, then ~/.kube/config, then the pod's own account. */
    kubeconfig: z.string().optional(),
  }),
  temporal: z
    .strictObject({ address: z.string().default('127.0.0.1:7233'), namespace: z.string().default('default') })
    .prefault({}),
  store: StoreConfig,
  /** A second store, which `replicate` makes hold every point. Its credentials: LIFEBOAT_REPLICA_ACCESS_KEY_ID and …_SECRET_ACCESS_KEY. */
  replica: StoreConfig.optional(),
  /** Who can open the points: age recipients, at least two (operations, escrow). */
  recipients: z.array(z.string().startsWith('age1')).min(2),
  /** Directory with plans of your own, `<chart>/recovery.yaml`; looked up before the built-in catalogue. */
  plans: z.string().optional(),
  /** Image of the pods that mount a stopped workload's volume; it has sh, tar and sleep. Default: the workload's own image. */
  helperImage: z.string().optional(),
  /**
   * Image of movers, for components whose plan says `executor: mover` and for big ones. Their credentials:
   * LIFEBOAT_MOVER_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY and …_SESSION_TOKEN, else those that the worker has at that moment.
   */
  mover: MoverConfig.optional(),
  /** How many releases of a tier are worked on at once. */
  parallelism: z.number().int().min(1).max(32).default(2),
  /** RTO objective of the whole platform. */
  objectives: z.strictObject({ rto: Duration }).prefault({ rto: '4h' }),
  /** How long what a restore or an upgrade replaced is kept in the cluster: databases and volumes. `lifeboat copies` shows it. */
  keepFor: Duration.default('7d'),
  /** Which recovery points are kept; without it none expires. A schedule that runs `expire` goes by it. */
  retention: Retention.optional(),
  releases: z.array(PlatformRelease).min(1),
  /** What runs by itself: `lifeboat schedules apply` makes Temporal Schedules of it. */
  schedules: z.array(PlatformSchedule).default([]),
});
export type Platform = z.infer<typeof Platform>;

/** Until when what is replaced now is kept at least, ISO-8601. */
export function keptUntil({ keepFor }: Pick<Platform, 'keepFor'>, now: Date): string {
  return new Date(now.getTime() + durationMs(keepFor)).toISOString();
}

/** The rules by which points expire. @throws ConfigInvalid where lifeboat.yaml has none */
export function requireRetention({ retention }: Pick<Platform, 'retention'>): Retention {
  if (retention !== undefined) return retention;
  throw failure('ConfigInvalid', {
    message: 'expire recovery points: lifeboat.yaml has no `retention`, so every point is kept',
  });
}

/** Where the second store is. @throws ConfigInvalid where lifeboat.yaml has none */
export function requireReplica({ replica }: Pick<Platform, 'replica'>): StoreConfig {
  if (replica !== undefined) return replica;
  throw failure('ConfigInvalid', {
    message: 'replicate recovery points: lifeboat.yaml has no `replica`, a second store',
  });
}

/** Steps that follow a backup and that a platform does not ask for: its reports say so. Each needs its key and a schedule. */
export function notConfigured({
  retention,
  replica,
  schedules,
}: Pick<Platform, 'retention' | 'replica' | 'schedules'>): string[] {
  const expires = retention !== undefined && schedules.some(({ run }) => run === 'expire');
  const replicates = replica !== undefined && schedules.some(({ run }) => run === 'replicate');
  return [...(replicates ? [] : ['replicate']), ...(expires ? [] : ['expire'])];
}

/** The releases of a platform, as names. */
export function platformReleases(platform: Platform): ReleaseName[] {
  return platform.releases.map((entry) => {
    const [namespace = '', name = ''] = entry.release.split('/');
    return { cluster: platform.cluster.name, namespace, name };
  });
}
