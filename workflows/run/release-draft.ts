import type { BoundSummary } from '../../model/bound-plan.ts';
import type { FailureView } from '../../model/failures.ts';
import { type Compensation, measureObjective, type Outcome, type ReleaseResult } from '../../model/outcome.ts';
import { releaseTitle } from '../../model/release-name.ts';

/** A release's result while the run goes on. */
export type ReleaseDraft = { -readonly [Key in keyof ReleaseResult]: ReleaseResult[Key] };

/** The result of a release of which nothing is known yet but its name. */
export function unknownRelease(release: string, tier = 0, chart = ''): ReleaseDraft {
  return {
    release,
    chart,
    tier,
    outcome: 'failed',
    compensation: 'none',
    leftBehind: [],
    recoveryPoint: null,
    capturedAt: null,
    storedBytes: 0,
    facts: { before: {}, after: null, equal: null, compared: 0, exceptions: [] },
    rpo: measureObjective(0, null),
    rto: measureObjective(0, null),
    durationMs: 0,
    steps: {},
    components: [],
    notes: [],
  };
}

/** The draft of a bound release. */
export function draftRelease(summary: BoundSummary): ReleaseDraft {
  return {
    ...unknownRelease(releaseTitle(summary.release), summary.tier, summary.chart),
    rpo: measureObjective(summary.rpoMs, null),
    rto: measureObjective(summary.rtoMs, null),
  };
}

/** Runs a step and adds its milliseconds to the draft's. */
export async function timed<T>(draft: ReleaseDraft, step: string, work: () => Promise<T>): Promise<T> {
  const since = Date.now();
  try {
    return await work();
  } finally {
    draft.steps = { ...draft.steps, [step]: (draft.steps[step] ?? 0) + Date.now() - since };
  }
}

/** The draft as it ended. */
export function closeDraft(
  draft: ReleaseDraft,
  ending: {
    outcome: Outcome;
    compensation: Compensation;
    leftBehind: readonly string[];
    failure?: FailureView;
    startedAt: Date;
  },
): ReleaseResult {
  return {
    ...draft,
    outcome: ending.outcome,
    compensation: ending.compensation,
    leftBehind: ending.leftBehind,
    durationMs: Date.now() - ending.startedAt.getTime(),
    ...(ending.failure === undefined ? {} : { failure: ending.failure }),
  };
}
