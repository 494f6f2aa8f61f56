import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { RecoveryMember } from '../../activities/platform.ts';
import { describeTotals } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { ReleaseResult } from '../../model/outcome.ts';
import type { RecoverReleaseInput } from '../../model/run-input.ts';
import type { recoverRelease } from '../recover-release.ts';
import { forEachBounded } from './bounded.ts';
import type { Run } from './conduct.ts';
import { childRelease, isCancelled } from './failure-view.ts';
import { unknownRelease } from './release-draft.ts';

type WavesRun = Pick<Run<unknown>, 'console' | 'ref' | 'releases'>;

/**
 * Recovers releases in waves, each by a run of its own; those of one wave do not need each other. What became of each is
 * added to the releases of the run: one that fails keeps back only those that need it.
 */
export async function recoverWaves(
  run: WavesRun,
  members: readonly RecoveryMember[],
  of: {
    parallelism: number;
    inputOf: (member: RecoveryMember) => Partial<RecoverReleaseInput>;
    afterEach?: () => void;
    /** How the result of a release is to be read in this run. */
    result?: (release: ReleaseResult, member: RecoveryMember) => ReleaseResult;
  },
): Promise<void> {
  const { console } = run;
  for (const wave of [...new Set(members.map((member) => member.wave))].sort((a, b) => a - b)) {
    await forEachBounded(
      members.filter((member) => member.wave === wave),
      of.parallelism,
      async (member) => {
        await console.holdWhilePaused();
        console.mark(member.release, 'running', 'recovering');
        const recovered = await recoverMember(run, member, of.inputOf(member));
        const release = of.result?.(recovered, member) ?? recovered;
        run.releases.push(release);
        if (release.outcome === 'complete')
          console.mark(member.release, 'done', `${describeTotals(release.facts.before, 2)} ≡`);
        else console.mark(member.release, 'failed', [release.outcome, release.failure?.code ?? ''].join(' ').trim());
        of.afterEach?.();
      },
    );
  }
}

async function recoverMember(
  run: WavesRun,
  member: RecoveryMember,
  input: Partial<RecoverReleaseInput>,
): Promise<ReleaseResult> {
  const named = { ...unknownRelease(member.release, member.tier), recoveryPoint: member.point };
  const lacking = member.requires.filter((required) =>
    run.releases.some(
      (release) => release.release === required && release.outcome !== 'complete' && release.outcome !== 'partial',
    ),
  );
  if (lacking.length > 0) {
    const view = failure('DependencyFailed', {
      message: `recover ${member.release}: it needs ${lacking.join(', ')}`,
    }).view();
    return { ...named, outcome: 'refused', failure: view };
  }
  try {
    const result = await executeChild<typeof recoverRelease>('recoverRelease', {
      workflowId: `${run.ref.workflowId}/${member.release}`,
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `recover ${member.release} from ${member.point}`,
    });
    return result.releases[0] ?? named;
  } catch (error) {
    if (isCancelled(error)) throw error;
    return childRelease(error, named);
  }
}
