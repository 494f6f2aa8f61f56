import { z } from 'zod';
import { Duration } from './duration.ts';

/** Name of a backup method, as `activities/methods` registers it; loading a plan refuses one that is not there. */
export const MethodName = z.string().regex(/^[a-z][a-z0-9-]*$/, 'the name of a method, such as pg-dump');
export type MethodName = z.infer<typeof MethodName>;

/** Criticality of a release, 1 the most critical. */
export const Tier = z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]);

/**
 * How a method reaches the data: a container of the workload, a pod of ours that mounts the volume, the product's own
 * HTTP API through the API server's proxy, or a pod of ours beside the data that moves it to the store itself (`mover` in
 * lifeboat.yaml).
 */
export const Executor = z.enum(['exec', 'helper-pod', 'http', 'mover']);
export type Executor = z.infer<typeof Executor>;

const Name = z
  .string()
  .regex(/^[a-z][a-zA-Z0-9-]*$/, 'a name begins with a lowercase letter; letters, digits and - follow');

/** A workload of the release, found by its labels `app.kubernetes.io/{name,instance}` and kind, never by its name. */
export const PlanWorkload = z.strictObject({
  kind: z.enum(['StatefulSet', 'Deployment']),
  /** The container that holds the data and the tools. */
  container: z.string().min(1),
});
export type PlanWorkload = z.infer<typeof PlanWorkload>;

/** Where the value of a parameter is found on the live release. */
export const Parameter = z.strictObject({
  /** An environment variable of the workload's container, resolved through valueFrom where it is one. */
  env: z.string().min(1),
  workload: Name,
  /** Taken where the container has no such variable. */
  default: z.string().optional(),
});
export type Parameter = z.infer<typeof Parameter>;

/** A command run in the container of a workload; argument arrays, no templates. Exit 0 means it holds. */
export const PlanCommand = z.strictObject({
  name: Name,
  workload: Name,
  command: z.array(z.string()).min(1),
  /** How long it is tried again until it holds. */
  within: Duration.default('60s'),
});
export type PlanCommand = z.infer<typeof PlanCommand>;

/** A part of a release that has its own data or configuration. Listed in restore order. */
export const PlanComponent = z.strictObject({
  name: Name,
  method: MethodName,
  /** The workload that holds the data. Left out: the whole release (`release-config`). */
  workload: Name.optional(),
  /** The data lives in another release: a parameter that holds `host` or `host:port` of its Service. */
  host: Name.optional(),
  executor: Executor.default('exec'),
  /** Whether the workload runs or is stopped while the component is captured. Stopped needs `allowDowntime`. */
  captureWhile: z.enum(['running', 'stopped']).default('running'),
  /** Whether the workload runs or is stopped while the component is restored. */
  restoreWhile: z.enum(['running', 'stopped']).default('running'),
  /** Components of one consistency group are captured between one quiesce and its release. */
  group: Name.optional(),
  /** Options of the method; its own schema reads them when the plan is loaded. */
  options: z.record(z.string(), z.unknown()).default({}),
});
export type PlanComponent = z.infer<typeof PlanComponent>;

/** How facts are compared after a restore. `facts` is a path of facts where `*` stands for one segment and `**` for any. */
export const CompareRule = z.discriminatedUnion('as', [
  z.strictObject({ facts: z.string().min(1), as: z.literal('equal') }),
  z.strictObject({ facts: z.string().min(1), as: z.literal('atLeast') }),
  z.strictObject({
    facts: z.string().min(1),
    as: z.literal('equalExcept'),
    reason: z.string().min(10),
    /** How many facts may differ. */
    bound: z.number().int().min(0),
  }),
]);
export type CompareRule = z.infer<typeof CompareRule>;

/** Stops writers: the Services lead nowhere (a selector that nobody carries), or the workload is scaled to nothing. */
export const Fence = z.discriminatedUnion('by', [
  z.strictObject({
    by: z.literal('services'),
    /** Ends the sessions that are open in spite of it; repeated until it exits 0, which says: no foreign session. */
    endSessions: PlanCommand.optional(),
  }),
  z.strictObject({ by: z.literal('scale'), workload: Name }),
]);
export type Fence = z.infer<typeof Fence>;

/** Holds writers briefly during a capture and lets them go again; `release` must be idempotent. */
export const Quiesce = z.strictObject({
  workload: Name,
  hold: z.array(z.string()).min(1),
  release: z.array(z.string()).min(1),
  /** After this long it is released by whoever finds it (`lifeboat repair`). */
  deadline: Duration.default('10m'),
});
export type Quiesce = z.infer<typeof Quiesce>;

/** How a release is upgraded. */
export const UpgradeStrategy = z.enum(['rolling', 'dump-restore', 'blue-green']);
export type UpgradeStrategy = z.infer<typeof UpgradeStrategy>;

/** What is said where a plan has no `writePosition`. */
export const writesUnproven =
  'that nothing was written in spite of the fence is not proven: the recovery plan has no upgrade.writePosition';

/** How releases of the chart are upgraded. */
export const PlanUpgrade = z.strictObject({
  /**
   * Taken where the run names none: `rolling` gives the volumes of the release to new pods; `dump-restore` gives these
   * new volumes and restores the data, for versions that cannot read the files of the one before; `blue-green` does that
   * in a second release beside it, so that clients wait only for the last move.
   */
  strategy: UpgradeStrategy.default('rolling'),
  /** Of blue-green: longer than this no client may be kept from writing; a longer forecast stops the run before it. */
  maxWriteGap: Duration.default('60s'),
  /** Of blue-green: how long the new version serves, watched, before it is promoted. */
  soak: Duration.default('5m'),
  /**
   * Of blue-green and dump-restore: prints where the server's writing stands. The same text before the point that moves
   * the data and after it proves that nothing was written meanwhile; without it nothing does, and the plan of the run says so.
   */
  writePosition: PlanCommand.optional(),
  /** Over `compare` of the plan where another version shows the same data in another way. */
  compare: z.array(CompareRule).default([]),
  /** Components whose facts an upgrade changes by right, such as the settings of a server: they are not compared. */
  notCompared: z.array(z.strictObject({ component: Name, reason: z.string().min(10) })).default([]),
});

/**
 * A recovery plan: how the releases of a chart are captured, verified, restored and checked.
 * Read from `charts/<chart>/recovery.yaml`; docs/reference/recovery-plan.md is generated from this schema.
 */
export const RecoveryPlan = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  /** The charts it fits, by the name in their Chart.yaml. */
  charts: z.array(z.string().min(1)).min(1),
  /** Criticality only, 1 to 4; order comes from `requires`. */
  tier: Tier,
  objectives: z.strictObject({ rpo: Duration, rto: Duration }),
  /**
   * Charts that must serve before this one recovers: every release of them in lifeboat.yaml; of a chart that a component
   * is hosted by only the host.
   */
  requires: z.array(z.string()).default([]),
  workloads: z.record(Name, PlanWorkload),
  parameters: z.record(Name, Parameter).default({}),
  components: z.array(PlanComponent).min(1),
  fence: Fence,
  quiesce: Quiesce.optional(),
  checks: z.strictObject({
    /** A login over TCP with the credentials of the Secret, as a client would. */
    login: z.array(PlanCommand).default([]),
    health: z.array(PlanCommand).min(1),
  }),
  compare: z.array(CompareRule).default([]),
  /**
   * How live data is replaced, after a recovery point of it was taken as the safety copy: `swap` restores beside it and
   * exchanges the two, which only methods can say that keep what was there; `in-place` writes over it.
   */
  overLiveData: z.enum(['swap', 'in-place']).default('in-place'),
  upgrade: PlanUpgrade.optional(),
  /** Rights that the service needs for this chart, for the generated Role: `pods/exec:create`. */
  rbac: z.array(z.string().regex(/^[a-z./]+:[a-z,]+$/)).default([]),
});
export type RecoveryPlan = z.infer<typeof RecoveryPlan>;
