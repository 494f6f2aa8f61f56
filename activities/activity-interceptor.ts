import { ApplicationFailure, CancelledFailure, CompleteAsyncError, Context } from '@temporalio/activity';
import type { Next } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { type FailureCode, LifeboatFailure } from '../model/failures.ts';

/** How often an activity says that it lives; the heartbeat timeouts are several times this. */
const beatEveryMs = 4_000;

/**
 * Between the attempts where the pod or the API server went away: a successor is often there at once, and takes a minute where a
 * volume has to move or a control plane starts. After that, and for every other failure, as the proxy of the activity says.
 */
const successorAfterMs = [1_000, 4_000, 15_000, 40_000] as const;
const awaitsSuccessor: ReadonlySet<FailureCode> = new Set(['PodGone', 'ClusterUnreachable']);

const doing = new WeakMap<Context, { doing: string; bytes: number | null }>();

/** Says what the running activity is at; shown in the Temporal UI as its heartbeat. */
export function reportProgress(what: string, bytes?: number): void {
  doing.set(Context.current(), { doing: what, bytes: bytes ?? null });
}

/**
 * What every activity shares: a heartbeat from a timer, so that a dead worker is noticed and a cancellation arrives;
 * and expected failures as ApplicationFailure of type `code`, so that workflows and people read the same words.
 */
export class ActivityInterceptor implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat(doing.get(context) ?? null);
    }, beatEveryMs);
    try {
      return await next(input);
    } catch (error) {
      if (error instanceof CompleteAsyncError || error instanceof CancelledFailure) throw error;
      if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
      if (error instanceof LifeboatFailure) {
        const nextRetryDelay = awaitsSuccessor.has(error.code) ? successorAfterMs[context.info.attempt - 1] : undefined;
        throw ApplicationFailure.create({
          type: error.code,
          message: error.message,
          nonRetryable: !error.retryable,
          details: [error.view()],
          ...(nextRetryDelay === undefined ? {} : { nextRetryDelay }),
        });
      }
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}
