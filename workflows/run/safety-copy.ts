import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import { safetyCopyTrigger } from '../../model/run-names.ts';
import type { backUpRelease } from '../back-up-release.ts';
import type { Run } from './conduct.ts';
import { childResult } from './failure-view.ts';

/** Backs up what is live before a recovery overwrites it, under the recovery's own lock. @returns the id of the point */
export async function takeSafetyCopy(
  run: Run<{ configDigest?: string | undefined }>,
  release: string,
): Promise<string> {
  const { input } = run;
  try {
    const result = await executeChild<typeof backUpRelease>('backUpRelease', {
      workflowId: `${run.ref.workflowId}/safety-copy-${release}`,
      args: [
        {
          release,
          trigger: safetyCopyTrigger,
          partOf: { lockHeld: true, verified: false },
          ...(input.configDigest === undefined ? {} : { configDigest: input.configDigest }),
        },
      ],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `safety copy of ${release}`,
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
