import { formatBytes } from '../model/duration.ts';
import { failures } from '../model/failures.ts';
import { joinOutcomes, type ReleaseResult, type ReplicationReport, type RunResult } from '../model/outcome.ts';
import { ReplicateRecoveryPointsInput } from '../model/run-input.ts';
import { patient, transfer } from './run/activity-proxies.ts';
import { attempt, problemOf } from './run/attempt.ts';
import { conduct, type Run } from './run/conduct.ts';
import { unknownRelease } from './run/release-draft.ts';

const platformLine = 'platform points';

/**
 * Makes the replica hold every point: objects, each read back there, then manifests, then the platform points, so that a recovery
 * can begin from it alone. A release whose chain is in doubt, and a point that is damaged at home, are named; the others go on.
 * Changes: the replica, from which nothing is removed.
 */
export async function replicateRecoveryPoints(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'replicateRecoveryPoints',
    ReplicateRecoveryPointsInput,
    raw,
    (input) => ({ title: 'Replicate recovery points', trigger: input.trigger }),
    async (run) => {
      const { input, console } = run;
      console.enter('comparing the stores');
      const { members, plan } = await patient.planReplication.executeWithOptions({ summary: 'compare the stores' }, [
        { releases: input.releases ?? null, configDigest: input.configDigest ?? null },
      ]);
      console.announce([...members.map(({ release }) => release), platformLine]);
      if (input.dryRun) return { outcome: 'complete', plan };
      run.begin();
      console.enter('copying');
      for (const { release, tier } of members) {
        await console.holdWhilePaused();
        run.releases.push(await replicate(run, release, tier));
      }
      const outcome = joinOutcomes(run.releases.map((release) => release.outcome));
      const problem = await problemOf(async () => {
        const copied = await transfer.replicatePlatform.executeWithOptions({ summary: 'copy the platform points' }, []);
        console.mark(platformLine, 'done', describe(copied));
      });
      if (problem === undefined) return { outcome };
      console.mark(platformLine, 'failed', `${problem.code}: ${problem.message}`);
      return { outcome: outcome === 'complete' ? 'partial' : outcome, failure: problem };
    },
  );
}

async function replicate(
  { console }: Run<ReplicateRecoveryPointsInput>,
  release: string,
  tier: number,
): Promise<ReleaseResult> {
  return await attempt(console, { line: release, draft: unknownRelease(release, tier) }, async () => {
    const replication = await transfer.replicateRelease.executeWithOptions({ summary: `replicate ${release}` }, [
      { release },
    ]);
    const result = { recoveryPoint: replication.newest, replication };
    const [damaged] = replication.damaged;
    if (damaged === undefined) return { result, said: describe(replication) };
    const count = String(replication.damaged.length);
    const message = `replicate ${release}: ${count} of its points could not be copied: ${damaged}`;
    const { hint } = failures.ArtifactUnreadable;
    const failure = { code: 'ArtifactUnreadable', message, hint, changed: 'yes' } as const;
    return { result: { ...result, outcome: 'partial', failure }, said: message };
  });
}

function describe({ points, bytes }: ReplicationReport): string {
  return points === 0 ? 'nothing to copy' : `${String(points)} points, ${formatBytes(bytes)}`;
}
