import type { PlannedExpiry } from '../activities/expiry.ts';
import { formatBytes } from '../model/duration.ts';
import { type ExpiryReport, joinOutcomes, type ReleaseResult, type RunResult } from '../model/outcome.ts';
import { ExpireRecoveryPointsInput } from '../model/run-input.ts';
import { patient, transfer } from './run/activity-proxies.ts';
import { attempt, problemOf } from './run/attempt.ts';
import { conduct, type Run } from './run/conduct.ts';
import { unknownRelease } from './run/release-draft.ts';

/**
 * Expires recovery points by `retention` of lifeboat.yaml, removes those whose grace is over, and collects what was never
 * committed. A release whose chain is in doubt keeps everything and is named. Nothing is asked: the file says what is kept,
 * and an expired point can be held until its grace is over. Changes: the store.
 */
export async function expireRecoveryPoints(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'expireRecoveryPoints',
    ExpireRecoveryPointsInput,
    raw,
    (input) => ({ title: 'Expire recovery points', trigger: input.trigger }),
    async (run) => {
      const { input, console } = run;
      console.enter('judging points');
      const { members, plan } = await patient.planExpiry.executeWithOptions({ summary: 'judge every point' }, [
        { releases: input.releases ?? null, configDigest: input.configDigest ?? null },
      ]);
      console.announce(members.map(({ release }) => release));
      if (input.dryRun) return { outcome: 'complete', plan };
      run.begin();
      console.enter('expiring');
      for (const member of members) {
        await console.holdWhilePaused();
        run.releases.push(await expire(run, member));
      }
      const outcome = joinOutcomes(run.releases.map((release) => release.outcome));
      console.enter('collecting garbage');
      const problem = await problemOf(async () => {
        const { objects, bytes, inDoubt } = await transfer.collectStoreGarbage.executeWithOptions(
          { summary: 'remove what was never committed' },
          [],
        );
        run.notes.push(
          objects === 0 ? 'no garbage' : `garbage removed: ${String(objects)} objects, ${formatBytes(bytes)}`,
          ...inDoubt.map(({ release, why }) => `garbage of ${release} is left, its chain is in doubt: ${why}`),
        );
      });
      if (problem === undefined) return { outcome };
      return { outcome: outcome === 'complete' ? 'partial' : outcome, failure: problem };
    },
  );
}

async function expire({ console }: Run<ExpireRecoveryPointsInput>, member: PlannedExpiry): Promise<ReleaseResult> {
  const { release, tier } = member;
  const draft = unknownRelease(release, tier);
  if (member.failure !== null) {
    console.mark(release, 'failed', `${member.failure.code}: ${member.failure.message}`);
    return { ...draft, failure: member.failure };
  }
  return await attempt(console, { line: release, draft }, async () => {
    const expiry = await transfer.expireRelease.executeWithOptions({ summary: `expire points of ${release}` }, [
      { release, tier },
    ]);
    return { result: { expiry }, said: describe(expiry) };
  });
}

function describe({ kept, expired, removed, removedBytes, waiting }: ExpiryReport): string {
  return [
    `${String(kept)} kept`,
    ...(expired.length > 0 ? [`${String(expired.length)} expired`] : []),
    ...(removed.length > 0 ? [`${String(removed.length)} removed, ${formatBytes(removedBytes)}`] : []),
    ...(waiting > 0 ? [`${String(waiting)} wait`] : []),
  ].join(', ');
}
