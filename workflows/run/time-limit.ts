import { patched, workflowInfo } from '@temporalio/workflow';
import type { PlannedRecovery } from '../../activities/plan-recovery.ts';
import { formatDuration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import { estimateRecoveryMs, type RecoverySize } from '../../model/recovery-estimate.ts';
import { releaseTitle } from '../../model/release-name.ts';

/**
 * Refuses a recovery that whoever started it gave less time than it may need: a timeout ends a run where it stands, with
 * nothing put back. Called before anybody is asked, and again before the first change, for people take their time. What
 * another run starts has no timeout of its own.
 * @throws TimeoutTooShort
 */
export function requireTime(what: string, size: RecoverySize): void {
  const { executionTimeoutMs = 0, runTimeoutMs = 0, startTime, runStartTime, parent } = workflowInfo();
  const ends = [
    ...(executionTimeoutMs > 0 ? [startTime.getTime() + executionTimeoutMs] : []),
    ...(runTimeoutMs > 0 ? [runStartTime.getTime() + runTimeoutMs] : []),
  ];
  if (parent !== undefined || ends.length === 0 || !patched('time limit of a recovery')) return;
  const leftMs = Math.max(0, Math.min(...ends) - Date.now());
  const neededMs = estimateRecoveryMs(size);
  if (leftMs >= neededMs) return;
  throw failure('TimeoutTooShort', {
    message: `${what}: its timeout leaves ${formatDuration(leftMs)}, and it may need ${formatDuration(neededMs)}`,
  });
}

/** `requireTime` of the recovery of one release. */
export function requireTimeFor({ summary, point, plan }: PlannedRecovery): void {
  requireTime(`recover ${releaseTitle(summary.release)}`, {
    rtoMs: summary.rtoMs,
    plainBytes: point.plainBytes,
    live: plan.overwrites.length > 0,
  });
}
