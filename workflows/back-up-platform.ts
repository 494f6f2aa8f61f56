import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { PlatformMember } from '../activities/platform.ts';
import { formatDuration } from '../model/duration.ts';
import { joinOutcomes, type ReleaseResult, type RunResult } from '../model/outcome.ts';
import { BackUpPlatformInput } from '../model/run-input.ts';
import type { backUpRelease } from './back-up-release.ts';
import { quick } from './run/activity-proxies.ts';
import { forEachBounded } from './run/bounded.ts';
import { conduct, type Run } from './run/conduct.ts';
import { childRelease, isCancelled } from './run/failure-view.ts';
import { unknownRelease } from './run/release-draft.ts';

const tiers = [1, 2, 3, 4] as const;

/**
 * Backs up the platform tier by tier, one child run each release, some at once. A release that fails hides nothing and
 * stops nobody: the result names it and the run is partial. Ends with a platform point that names the newest point of
 * each release. Changes: the store.
 */
export async function backUpPlatform(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'backUpPlatform',
    BackUpPlatformInput,
    raw,
    (input) => ({ title: 'Back up the platform', trigger: input.trigger }),
    async (run) => {
      const { input, console } = run;
      console.enter('listing releases');
      const listed = await quick.listPlatform({
        releases: input.releases ?? null,
        tier: input.tier ?? null,
        configDigest: input.configDigest ?? null,
      });
      console.attribute('cluster', listed.cluster);
      console.announce(listed.members.map((member) => member.release));
      if (input.dryRun) return { outcome: 'complete', plan: dryRunPlan(listed.members) };
      run.begin();
      const point = await quick.newPlatformPointId();
      for (const tier of tiers) {
        const members = listed.members.filter((member) => member.tier === tier);
        if (members.length === 0) continue;
        console.enter(`tier ${String(tier)}`);
        await forEachBounded(members, listed.parallelism, async (member) => {
          await console.holdWhilePaused();
          run.releases.push(await backUpMember(run, member));
        });
      }
      console.enter('committing the platform point');
      const outcome = joinOutcomes(run.releases.map((release) => release.outcome));
      const made = run.releases.flatMap((release) =>
        release.recoveryPoint === null ? [] : [{ release: release.release, point: release.recoveryPoint }],
      );
      if (made.length === 0) return { outcome: outcome === 'complete' ? 'failed' : outcome };
      const whole = outcome === 'complete' && input.releases === undefined && input.tier === undefined;
      const committed = await quick.commitPlatformPoint({ id: point, made, complete: whole });
      console.attribute('point', committed.id);
      run.notes.push(`skew between the releases: ${String(committed.skewSeconds)} s`);
      return { outcome, platformPoint: committed.id, notConfigured: listed.notConfigured ?? ['replicate', 'expire'] };
    },
  );
}

async function backUpMember(run: Run<BackUpPlatformInput>, member: PlatformMember): Promise<ReleaseResult> {
  const { console, ref, input } = run;
  const named = unknownRelease(member.release, member.tier, member.chart);
  if (member.failure !== null) {
    console.mark(member.release, 'failed', `${member.failure.code}: ${member.failure.message}`);
    return { ...named, failure: member.failure };
  }
  console.mark(member.release, 'running', 'backing up');
  try {
    const result = await executeChild<typeof backUpRelease>('backUpRelease', {
      workflowId: `${ref.workflowId}/${member.release}`,
      args: [
        {
          release: member.release,
          trigger: 'platform',
          ...(input.configDigest === undefined ? {} : { configDigest: input.configDigest }),
        },
      ],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `back up ${member.release}`,
    });
    const release = result.releases[0] ?? named;
    console.mark(member.release, 'done', `${release.recoveryPoint ?? ''} in ${formatDuration(release.durationMs)}`);
    return release;
  } catch (error) {
    if (isCancelled(error)) throw error;
    const release = childRelease(error, named);
    const reason =
      release.failure === undefined
        ? release.components.map((each) => each.reason).find((text) => text !== undefined)
        : `${release.failure.code}: ${release.failure.message}`;
    console.mark(member.release, 'failed', reason ?? release.outcome);
    return release;
  }
}

function dryRunPlan(members: readonly PlatformMember[]): NonNullable<RunResult['plan']> {
  const sorted = [...members].sort((a, b) => a.tier - b.tier || a.release.localeCompare(b.release));
  return {
    digest: '',
    lines: sorted.map(
      (member) => `tier ${String(member.tier)}: back up ${member.release} (${member.chart || 'cannot be bound'})`,
    ),
    findings: sorted.flatMap((member) =>
      member.failure === null ? [] : [`${member.release}: ${member.failure.code}: ${member.failure.message}`],
    ),
    overwrites: [],
    objects: sorted.length,
    bytes: 0,
    order: sorted.map((member) => ({ release: member.release, tier: member.tier, why: `tier ${String(member.tier)}` })),
  };
}
