import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  isCancellation,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type FailureCode, type FailureView, failures, isFailureCode, LifeboatFailure } from '../../model/failures.ts';
import type { ReleaseResult, RunResult } from '../../model/outcome.ts';

/** What an expected failure says of itself; a defect is thrown on, so that it stays loud. */
export function viewFailure(error: unknown): FailureView {
  if (error instanceof LifeboatFailure) return error.view();
  const cause = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    const view = cause.details?.[0] as Partial<FailureView> | undefined;
    return {
      code: cause.type,
      message: cause.message,
      hint: failures[cause.type].hint,
      changed: view?.changed ?? 'unknown',
      ...(view?.subject === undefined ? {} : { subject: view.subject }),
    };
  }
  if (cause instanceof TimeoutFailure) return timeoutView(error, cause);
  if (cause instanceof TemporalFailure) {
    return { code: 'Defect', message: cause.message.slice(0, 400), hint: failures.Defect.hint, changed: 'unknown' };
  }
  throw error;
}

function timeoutView(error: unknown, cause: TimeoutFailure): FailureView {
  const step = error instanceof ActivityFailure ? error.activityType : 'a step';
  // The last attempt's own failure says more than that time ran out.
  const last = cause.cause instanceof ApplicationFailure && isFailureCode(cause.cause.type) ? cause.cause : undefined;
  const code: FailureCode = last !== undefined && isFailureCode(last.type) ? last.type : 'StepTimedOut';
  return {
    code,
    message: last?.message ?? `${step}: no end within its bound`,
    hint: failures[code].hint,
    changed: 'unknown',
  };
}

/** The result that a failed child run carries, or undefined where it died of something else. */
export function childResult(error: unknown): RunResult | undefined {
  if (!(error instanceof ChildWorkflowFailure)) return undefined;
  const cause = error.cause;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const result = cause.details?.[0] as Partial<RunResult> | undefined;
  return result?.outcome !== undefined && result.releases !== undefined ? (result as RunResult) : undefined;
}

/** What became of a release whose own run did not complete; one that somebody cancelled is no failure of ours. */
export function childRelease(error: unknown, named: ReleaseResult): ReleaseResult {
  if (isCancellation(error)) return { ...named, outcome: 'cancelled' };
  const result = childResult(error);
  const [release] = result?.releases ?? [];
  return release ?? { ...named, outcome: result?.outcome ?? 'failed', failure: result?.failure ?? viewFailure(error) };
}

/** Whether the run itself is being cancelled; a step that somebody else cancelled is a failure of that step. */
export function isCancelled(error: unknown): boolean {
  return isCancellation(error) && CancellationScope.current().consideredCancelled;
}
