import { z } from 'zod';
import { Moves } from './drill.ts';
import { durationMs } from './duration.ts';
import { RecoveryPlan } from './recovery-plan.ts';
import { ReleaseName, releasePath } from './release-name.ts';

/** A container that a component reads or writes, as found on the live cluster. */
export const BoundWorkload = z.strictObject({
  namespace: z.string(),
  kind: z.enum(['StatefulSet', 'Deployment']),
  name: z.string(),
  container: z.string(),
  image: z.string(),
  /** Replicas that the workload is meant to have. */
  replicas: z.number().int(),
  /** Labels that select its pods. */
  selector: z.record(z.string(), z.string()),
  /** Claims of its pods by mount path in the container. */
  claims: z.array(z.strictObject({ claim: z.string(), mountPath: z.string() })),
  uid: z.number().int().nullable(),
  gid: z.number().int().nullable(),
});
export type BoundWorkload = z.infer<typeof BoundWorkload>;

/** The component of another release's server that a plan claims, so that the host release leaves it out. */
export const Claim = z.strictObject({ host: z.string(), database: z.string(), by: z.string() });
export type Claim = z.infer<typeof Claim>;

/**
 * A recovery plan bound to a live release: names, containers, images, claims and parameters read from the cluster.
 * Written to `runs/<runId>/plan.json` before a run does anything; each later step uses that. Secret parameters are
 * never in it.
 */
export const BoundPlan = z.strictObject({
  release: ReleaseName,
  chart: z.strictObject({
    name: z.string(),
    version: z.string(),
    appVersion: z.string(),
    reference: z.string().nullable(),
  }),
  revision: z.number().int(),
  tier: z.number().int(),
  rpoMs: z.number(),
  rtoMs: z.number(),
  allowDowntimeMs: z.number().nullable(),
  plan: RecoveryPlan,
  planDigest: z.string(),
  workloads: z.record(z.string(), BoundWorkload),
  /** Workloads of other releases, by the parameter (`host`) that names their Service. */
  hosts: z.record(z.string(), z.strictObject({ release: ReleaseName, workload: BoundWorkload })),
  parameters: z.record(z.string(), z.string()),
  /** Services of the release, for the fence. */
  services: z.array(z.string()),
  /** Databases of this release that belong to another one, or that this one has in another. */
  claims: z.array(Claim),
  /** Releases that must serve before this one, as paths. */
  requires: z.array(z.string()),
  /** Of a plan that a drill moved: the scratch namespace of each source namespace. */
  moved: Moves.optional(),
});
export type BoundPlan = z.infer<typeof BoundPlan>;

/** Volume claims of the release's workloads, each once: a container may mount several folders of one. */
export function claimNames({ workloads }: Pick<BoundPlan, 'workloads'>): string[] {
  return [...new Set(Object.values(workloads).flatMap(({ claims }) => claims.map(({ claim }) => claim)))];
}

/** What a workflow needs to know of a bound plan to order its steps; small, so that it may stand in a history. */
export type BoundSummary = {
  readonly release: ReleaseName;
  readonly chart: string;
  readonly tier: number;
  readonly rpoMs: number;
  readonly rtoMs: number;
  readonly allowDowntimeMs: number | null;
  readonly components: readonly ComponentSummary[];
  readonly fence: 'services' | 'scale';
  /** Milliseconds after which a forgotten quiesce is undone; null where the plan has none. */
  readonly quiesceDeadlineMs: number | null;
  readonly requires: readonly string[];
};

/** One component in a BoundSummary. */
export type ComponentSummary = {
  readonly name: string;
  readonly method: string;
  readonly group: string | null;
  readonly captureWhile: 'running' | 'stopped';
  readonly restoreWhile: 'running' | 'stopped';
  /** Data in another release, as a path. */
  readonly host: string | null;
};

/** The summary of a bound plan. */
export function summarizeBoundPlan(bound: BoundPlan): BoundSummary {
  const { plan } = bound;
  return {
    release: bound.release,
    chart: `${bound.chart.name} ${bound.chart.version}`,
    tier: bound.tier,
    rpoMs: bound.rpoMs,
    rtoMs: bound.rtoMs,
    allowDowntimeMs: bound.allowDowntimeMs,
    components: plan.components.map((component) => ({
      name: component.name,
      method: component.method,
      group: component.group ?? null,
      captureWhile: component.captureWhile,
      restoreWhile: component.restoreWhile,
      host: component.host === undefined ? null : releasePath(bound.hosts[component.host]?.release ?? bound.release),
    })),
    fence: plan.fence.by,
    quiesceDeadlineMs: plan.quiesce === undefined ? null : durationMs(plan.quiesce.deadline),
    requires: bound.requires,
  };
}
