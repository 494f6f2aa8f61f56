import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { RunResult } from '../../model/outcome.ts';
import { safetyCopyTrigger } from '../../model/run-names.ts';
import type { backUpRelease } from '../back-up-release.ts';
import type { Run } from './conduct.ts';
import { childResult } from './failure-view.ts';

/** Backs up a release by a run of its own, under the lock of this one. `name` is the last part of its workflow id. */
export async function backUpAsPart(
  run: Run<{ configDigest?: string | undefined }>,
  of: { readonly release: string; readonly name: string; readonly trigger: string; readonly summary: string },
): Promise<RunResult> {
  return await executeChild<typeof backUpRelease>('backUpRelease', {
    workflowId: `${run.ref.workflowId}/${of.name}`,
    args: [
      {
        release: of.release,
        trigger: of.trigger,
        partOf: { lockHeld: true, verified: false },
        ...(run.input.configDigest === undefined ? {} : { configDigest: run.input.configDigest }),
      },
    ],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: of.summary,
  });
}

/** Backs up what is live before a recovery overwrites it, under the recovery's own lock. @returns the id of the point */
export async function takeSafetyCopy(
  run: Run<{ configDigest?: string | undefined }>,
  release: string,
): Promise<string> {
  try {
    const result = await backUpAsPart(run, {
      release,
      name: `safety-copy-${release}`,
      trigger: safetyCopyTrigger,
      summary: `safety copy of ${release}`,
    });
    return result.releases[0]?.recoveryPoint ?? '';
  } catch (error) {
    // A partial copy holds all that a running service can give.
    const result = childResult(error);
    const point = result?.releases[0]?.recoveryPoint;
    if (result?.outcome === 'partial' && typeof point === 'string') return point;
    throw error;
  }
}
