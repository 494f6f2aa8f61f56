import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { RunResult } from '../../model/outcome.ts';
import { titleOfPath } from '../../model/release-name.ts';
import { safetyCopyTrigger } from '../../model/run-names.ts';
import type { backUpRelease } from '../back-up-release.ts';
import type { Run } from './conduct.ts';
import { childResult } from './failure-view.ts';

/**
 * Backs up a release by a run of its own. `name` is the last part of its workflow id; `lockHeld` says that this run holds
 * the lock of that release.
 */
export async function backUpAsPart(
  run: Run<{ configDigest?: string | undefined }>,
  of: { readonly release: string; readonly name: string; readonly trigger: string; readonly summary: string },
  lockHeld = true,
): Promise<RunResult> {
  return await executeChild<typeof backUpRelease>('backUpRelease', {
    workflowId: `${run.ref.workflowId}/${of.name}`,
    args: [
      {
        release: of.release,
        trigger: of.trigger,
        partOf: { lockHeld, verified: false },
        ...(run.input.configDigest === undefined ? {} : { configDigest: run.input.configDigest }),
      },
    ],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: of.summary,
  });
}

/**
 * Backs up what is live before a recovery overwrites it: the release that is recovered under the recovery's own lock,
 * one that holds data of it under a lock of its own. @returns the id of the point
 */
export async function takeSafetyCopy(
  run: Run<{ configDigest?: string | undefined }>,
  release: string,
  lockHeld = true,
): Promise<string> {
  try {
    const named = { name: `safety-copy-${release}`, summary: `safety copy of ${release}` };
    const result = await backUpAsPart(run, { release, ...named, trigger: safetyCopyTrigger }, lockHeld);
    return result.releases[0]?.recoveryPoint ?? '';
  } catch (error) {
    // A partial copy holds all that a running service can give.
    const result = childResult(error);
    const point = result?.releases[0]?.recoveryPoint;
    if (result?.outcome === 'partial' && typeof point === 'string') return point;
    throw error;
  }
}

/** Backs up a release that holds data of one that is gone; `host` is its path. @returns its title and the point */
export async function copyHost(run: Run<{ configDigest?: string | undefined }>, host: string): Promise<string> {
  const title = titleOfPath(host);
  return `${title}: ${await takeSafetyCopy(run, title, false)}`;
}
