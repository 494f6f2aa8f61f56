import { z } from 'zod';
import type { DrillReport } from './drill.ts';
import type { FactsComparison, FactTotals } from './facts.ts';
import type { FailureView } from './failures.ts';
import type { UpgradeStrategy } from './recovery-plan.ts';

/** How a run ended. Only `complete` closes a workflow as Completed. */
export const Outcome = z.enum(['complete', 'partial', 'failed', 'refused', 'cancelled']);
export type Outcome = z.infer<typeof Outcome>;

/** What became of the undo of the steps that had run. */
export const Compensation = z.enum(['none', 'done', 'incomplete']);
export type Compensation = z.infer<typeof Compensation>;

/** The exit code of the command line for each outcome; 2 is for what was wrong before any contact. */
export const exitCodes = { complete: 0, failed: 1, partial: 3, refused: 4, cancelled: 5 } as const satisfies Record<
  Outcome,
  number
>;

/** An objective and what the run reached, both in seconds; `met` is null where nothing was measured. */
export type Objective = {
  readonly objectiveSeconds: number;
  readonly achievedSeconds: number | null;
  readonly met: boolean | null;
};

/** A component in a result. */
export type ComponentResult = {
  readonly component: string;
  readonly method: string;
  readonly outcome: 'complete' | 'failed' | 'not captured' | 'not restored';
  readonly sizeBytes?: number;
  readonly storedBytes?: number;
  readonly durationMs?: number;
  readonly totals?: FactTotals;
  readonly reason?: string;
  readonly failure?: FailureView;
};

/** What an upgrade changed, or would have changed. */
export type UpgradeResult = {
  readonly strategy: UpgradeStrategy;
  /** Chart with version, and Helm's revision, before. */
  readonly from: { readonly chart: string; readonly revision: number };
  readonly to: { readonly chart: string };
  /** How long clients were kept out, measured; null where they never were. */
  readonly writeGapMs: number | null;
  /** Of blue-green: what the gap of the cutover was forecast to be, and each gap as it was measured. */
  readonly forecastMs?: number;
  readonly gapsMs?: { readonly cutover?: number; readonly promotion?: number; readonly rollback?: number };
};

/** What an expiry made of a release's points. */
export type ExpiryReport = {
  readonly kept: number;
  readonly expired: readonly string[];
  readonly keptAgain: readonly string[];
  readonly removed: readonly string[];
  readonly removedBytes: number;
  /** Expired points whose data is still there: in their grace, or held. */
  readonly waiting: number;
};

/** What a replication brought over. */
export type ReplicationReport = {
  /** Points of which something was copied. */
  readonly points: number;
  readonly objects: number;
  readonly bytes: number;
  /** The newest point that the replica holds whole; null where it holds none. */
  readonly newest: string | null;
  /** Points that could not be copied, with the reason. */
  readonly damaged: readonly string[];
};

/** One release in the result of any run. */
export type ReleaseResult = {
  readonly release: string;
  readonly chart: string;
  readonly tier: number;
  readonly outcome: Outcome;
  readonly compensation: Compensation;
  /** What was left behind when the compensation is incomplete. */
  readonly leftBehind: readonly string[];
  readonly recoveryPoint: string | null;
  readonly capturedAt: string | null;
  readonly storedBytes: number;
  readonly facts: {
    readonly before: FactTotals;
    readonly after: FactTotals | null;
    readonly equal: boolean | null;
    readonly compared: number;
    readonly exceptions: FactsComparison['exceptions'];
  };
  readonly rpo: Objective;
  readonly rto: Objective;
  /** Of a capture that stops the service: how long clients were without it, against `allowDowntime`. */
  readonly downtime?: Objective;
  readonly durationMs: number;
  /** Milliseconds of the steps that a report shows. */
  readonly steps: Readonly<Record<string, number>>;
  readonly components: readonly ComponentResult[];
  readonly notes: readonly string[];
  readonly upgrade?: UpgradeResult;
  readonly expiry?: ExpiryReport;
  readonly replication?: ReplicationReport;
  readonly failure?: FailureView;
};

/** The result of any run; what a type adds is in its own fields. */
export type RunResult = {
  readonly type: string;
  readonly outcome: Outcome;
  readonly compensation: Compensation;
  readonly objectivesMet: boolean | null;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly releases: readonly ReleaseResult[];
  /** Steps that are not configured say so: `{ replicate: 'not configured' }`. */
  readonly notConfigured: readonly string[];
  readonly platformPoint?: string;
  readonly waitedForPeopleMs?: number;
  readonly plan?: RunPlan;
  readonly failure?: FailureView;
  readonly notes?: readonly string[];
  /** Of a drill: where it ran, and whether it was kept apart from what is live. */
  readonly drill?: DrillReport;
};

/** What a run is about to do: shown by a dry run, approved by its digest. */
export type RunPlan = {
  readonly digest: string;
  readonly lines: readonly string[];
  readonly findings: readonly string[];
  readonly overwrites: readonly string[];
  readonly objects: number;
  /** What the objects are; default: components. */
  readonly noun?: string;
  readonly bytes: number;
  readonly order: readonly { release: string; tier: number; why: string }[];
};

/**
 * The outcome of a run from those of its releases: complete only where each is, partial only where something came of it.
 * Never cancelled: a run is that only where somebody cancelled it itself.
 */
export function joinOutcomes(outcomes: readonly Outcome[]): Outcome {
  // Nothing done is not a success.
  if (outcomes.length === 0) return 'failed';
  if (outcomes.every((outcome) => outcome === 'complete')) return 'complete';
  if (outcomes.every((outcome) => outcome === 'refused')) return 'refused';
  return outcomes.some((outcome) => outcome === 'complete' || outcome === 'partial') ? 'partial' : 'failed';
}

/** The compensation of a run from those of its releases: the worst one. */
export function joinCompensations(all: readonly Compensation[]): Compensation {
  if (all.includes('incomplete')) return 'incomplete';
  return all.includes('done') ? 'done' : 'none';
}

/**
 * Whether every measured objective of the releases was met; null where none was measured. What failed met nothing,
 * however good the figures of its neighbours are.
 */
export function objectivesMet(
  releases: readonly Pick<ReleaseResult, 'outcome' | 'rpo' | 'rto' | 'downtime'>[],
): boolean | null {
  const measured = releases
    .flatMap(({ rpo, rto, downtime }) => [rpo.met, rto.met, downtime?.met ?? null])
    .filter((met) => met !== null);
  if (measured.length === 0) return null;
  return measured.every(Boolean) && releases.every(({ outcome }) => outcome === 'complete' || outcome === 'partial');
}

/** An objective against a measured figure. */
export function measureObjective(objectiveMs: number, achievedMs: number | null): Objective {
  return {
    objectiveSeconds: Math.round(objectiveMs / 1_000),
    achievedSeconds: achievedMs === null ? null : Math.round(achievedMs / 100) / 10,
    met: achievedMs === null ? null : achievedMs <= objectiveMs,
  };
}
