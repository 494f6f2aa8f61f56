import type { PlannedUpgrade } from '../activities/plan-upgrade.ts';
import { failure } from '../model/failures.ts';
import type { RunResult } from '../model/outcome.ts';
import { UpgradeReleaseInput } from '../model/run-input.ts';
import { patient, quick, undo } from './run/activity-proxies.ts';
import { conduct, type Run } from './run/conduct.ts';
import { draftRelease } from './run/release-draft.ts';
import { upgradeBlueGreen } from './strategies/blue-green.ts';
import { upgradeByDump } from './strategies/dump-restore.ts';
import { upgradeRolling } from './strategies/rolling.ts';

const strategies = {
  rolling: upgradeRolling,
  'dump-restore': upgradeByDump,
  'blue-green': upgradeBlueGreen,
} as const;

/**
 * Upgrades one release to another chart or other values. The plan is tried against the API server first, approved by a
 * person, and preceded by a recovery point of the run; the facts of the data must be the same before and after. A step
 * that fails, or a cancel, brings back what was there. Changes: the release.
 */
export async function upgradeRelease(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'upgradeRelease',
    UpgradeReleaseInput,
    raw,
    (input) => ({ title: `Upgrade ${input.release}`, release: input.release, trigger: input.trigger, pausable: false }),
    async (run) => {
      const { input, console } = run;
      console.enter('planning');
      const planned = await patient.planUpgrade.executeWithOptions(
        { summary: `plan the upgrade of ${input.release}` },
        [
          {
            release: input.release,
            strategy: input.strategy ?? null,
            chart: input.chart ?? null,
            version: input.version ?? null,
            values: input.values,
            maxWriteGap: input.maxWriteGap,
            soak: input.soak,
            configDigest: input.configDigest ?? null,
          },
        ],
      );
      const draft = draftRelease(planned.summary);
      run.draft = draft;
      draft.upgrade = { ...planned.upgrade, writeGapMs: null };
      console.attribute('cluster', planned.summary.release.cluster);
      console.attribute('release', draft.release);
      if (input.dryRun) {
        const problems = planned.problems.map(({ code, message }) => `${code}: ${message}`);
        return { outcome: 'complete', plan: { ...planned.plan, findings: [...planned.plan.findings, ...problems] } };
      }
      const [problem] = planned.problems;
      if (problem !== undefined)
        throw failure(problem.code, { message: planned.problems.map(({ message }) => message).join('; ') });
      await consent(run, planned);
      run.atEnd.push(`release the lock of ${draft.release}`, () => undo.releaseLock({ release: draft.release }));
      await quick.acquireLock({ release: draft.release });
      await quick.confirmUpgrade({ release: draft.release });
      const context = { run, draft, planned, release: draft.release, keptOutSince: null };
      return await strategies[planned.upgrade.strategy](context);
    },
  );
}

/** A release that serves is never replaced without a person who says so. */
async function consent(run: Run<UpgradeReleaseInput>, { plan }: PlannedUpgrade): Promise<void> {
  const approval = await run.console.approve({
    planDigest: plan.digest,
    lines: plan.lines,
    overwrites: plan.overwrites,
  });
  run.notes.push(`approved by ${approval.by}: ${approval.reason}`);
}
