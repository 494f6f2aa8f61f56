import type { PlannedDrill } from '../activities/plan-drill.ts';
import type { DrillReport, Isolation } from '../model/drill.ts';
import { durationMs, formatDuration } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import { joinOutcomes, measureObjective, type ReleaseResult, type RunResult } from '../model/outcome.ts';
import { RunDrillInput } from '../model/run-input.ts';
import { patient, quick, undo } from './run/activity-proxies.ts';
import { conduct, type Ending, type Run } from './run/conduct.ts';
import { isCancelled, viewFailure } from './run/failure-view.ts';
import { recoverWaves } from './run/recover-waves.ts';
import { unknownRelease } from './run/release-draft.ts';

type DrillRun = Run<RunDrillInput>;

const planning = 'plan the drill';
const prerequisites = 'check prerequisites';
const opening = 'make scratch namespaces';
const isolating = 'prove the isolation';
const checking = 'check all of them once more';
const closing = 'remove scratch namespaces';

/**
 * Proves that releases can be recovered: brings each from its point into a scratch namespace by `recoverRelease`,
 * unchanged, compares its facts with the captured ones, logs in, checks its health, and measures RTO and RPO. Nothing
 * live is touched: the scratch namespaces are cut off first, that is measured from inside, and where the network does
 * not enforce it the drill is refused unless the input accepts the cluster by its name. They are removed again however
 * the run ends; a point that passed is marked restored.
 */
export async function runDrill(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'runDrill',
    RunDrillInput,
    raw,
    (input) => ({
      title: `Drill ${titleOf(input)}`,
      ...(input.release === undefined ? {} : { release: input.release }),
      trigger: input.trigger,
    }),
    async (run) => {
      const { input, console } = run;
      requireOneSelection(input);
      const planned = await plan(run);
      run.drill = drillReport(planned, null, []);
      if (planned.chosen !== undefined) run.notes.push(`drilled ${planned.chosen.release}: ${planned.chosen.why}`);
      if (input.dryRun) return { outcome: 'complete', plan: planned.plan };
      run.notes.push(...(planned.passedOver ?? []));
      for (const each of planned.refused) {
        run.releases.push({ ...unknownRelease(each.release, each.tier), outcome: 'refused', failure: each.failure });
        console.mark(each.release, 'failed', `refused ${each.failure.code}`);
      }
      if (planned.members.length === 0) return { outcome: 'refused' };
      await checkPrerequisites(run, planned);
      const forget = run.undo.push(closing, () => undo.closeScratchNamespaces());
      await open(run, planned);
      await isolate(run, planned);
      run.begin();
      await recover(run, planned);
      await checkOnceMore(run, planned);
      const ending = conclude(run, planned);
      await close(run);
      forget();
      return ending;
    },
  );
}

function requireOneSelection(input: RunDrillInput): void {
  const { release, releases, tier, platform, longestNotDrilled, point } = input;
  if ([release, releases, tier, platform, longestNotDrilled].filter((each) => each !== undefined).length > 1)
    throw failure('InputInvalid', {
      message:
        'start runDrill: one of release, releases, tier, platform and longestNotDrilled; none of them means the platform',
    });
  if (longestNotDrilled !== undefined && point !== 'latest-verified')
    throw failure('InputInvalid', {
      message: `start runDrill: longestNotDrilled takes the newest verified point of the release that it chooses, not ${point}`,
    });
}

function drillReport({ moves, chosen }: PlannedDrill, isolated: Isolation, probes: DrillReport['probes']): DrillReport {
  return { isolated, namespaces: moves, probes, ...(chosen === undefined ? {} : { chosen }) };
}

function titleOf({ release, releases, tier, longestNotDrilled }: RunDrillInput): string {
  if (longestNotDrilled !== undefined) return 'the release longest not drilled';
  if (release !== undefined) return release;
  if (releases !== undefined) return releases.join(', ');
  return tier === undefined ? 'the platform' : `tier ${String(tier)}`;
}

async function plan({ input, console }: DrillRun): Promise<PlannedDrill> {
  console.announce([planning, prerequisites, opening, isolating]);
  console.enter('planning');
  console.mark(planning, 'running');
  const planned = await patient.planDrill.executeWithOptions({ summary: `plan the drill of ${titleOf(input)}` }, [
    {
      releases: input.releases ?? (input.release === undefined ? null : [input.release]),
      tier: input.tier ?? null,
      point: input.point,
      acceptNotIsolated: input.acceptNotIsolated ?? null,
      ...(input.longestNotDrilled === undefined ? {} : { longestNotDrilled: true }),
      configDigest: input.configDigest ?? null,
    },
  ]);
  console.attribute('cluster', planned.cluster);
  const { members, refused } = planned;
  console.announce([
    ...[planning, prerequisites, opening, isolating],
    ...members.map(({ release }) => release),
    ...refused.map(({ release }) => release),
    ...[checking, closing],
  ]);
  console.mark(planning, 'done', `${String(members.length)} releases, ${String(refused.length)} refused`);
  return planned;
}

async function checkPrerequisites({ console }: DrillRun, { members }: PlannedDrill): Promise<void> {
  console.enter('prerequisites');
  console.mark(prerequisites, 'running');
  const { checks, problems } = await patient.checkPrerequisites.executeWithOptions(
    { summary: `check the prerequisites of ${String(members.length)} releases` },
    [{ releases: members.map(({ release, point }) => ({ release, point })) }],
  );
  if (problems.length > 0)
    throw failure('PrerequisitesMissing', { message: `check prerequisites: ${problems.join('; ')}` });
  console.mark(prerequisites, 'done', `${String(checks)} checks`);
}

async function open({ console }: DrillRun, { drill, moves, members }: PlannedDrill): Promise<void> {
  const names = Object.values(moves).join(', ');
  console.enter('opening');
  console.mark(opening, 'running');
  await quick.openScratchNamespaces.executeWithOptions({ summary: `make ${names}` }, [
    { drill, moves, members: members.map(({ release, point }) => ({ release, point })) },
  ]);
  console.mark(opening, 'done', names);
}

/** Before any pod of an application starts: what is live must be out of reach, and that is measured. */
async function isolate(run: DrillRun, planned: PlannedDrill): Promise<void> {
  const { drill, moves, members, cluster } = planned;
  const { console, input } = run;
  console.enter('isolating');
  console.mark(isolating, 'running');
  const { enforced, probes } = await patient.isolateScratch.executeWithOptions(
    { summary: 'cut the scratch namespaces off, and probe it' },
    [{ drill, moves, members: members.map(({ release, point }) => ({ release, point })) }],
  );
  run.drill = drillReport(planned, enforced ? 'enforced' : 'not isolated', probes);
  if (enforced) {
    console.mark(isolating, 'done', `enforced: ${String(probes.length)} probes`);
    return;
  }
  const open = probes.filter((probe) => probe.endsWith('open'));
  if (input.acceptNotIsolated === undefined)
    throw failure('NotIsolated', {
      message: `isolate the drill in cluster ${cluster}: what is live can be reached from it: ${open.join('; ')}`,
    });
  console.mark(isolating, 'failed', `not isolated, accepted for ${input.acceptNotIsolated}`);
  run.notes.push(`not isolated: accepted by name for the cluster ${cluster}; ${open.join('; ')}`);
}

async function recover(run: DrillRun, planned: PlannedDrill): Promise<void> {
  const { console, input } = run;
  const { moves } = planned;
  console.enter('recovering');
  for (const tier of [1, 2, 3, 4]) {
    await recoverWaves(
      run,
      planned.members.filter((member) => member.tier === tier),
      {
        parallelism: planned.parallelism,
        inputOf: ({ release, point }) => ({
          release,
          point,
          onFailure: 'abort',
          trigger: 'drill',
          // Nobody else works in a scratch namespace.
          partOf: { lockHeld: true, verified: false, moved: moves },
          into: scratchOf(moves, release),
          incidentAt: console.startedAt.toISOString(),
          ...(input.configDigest === undefined ? {} : { configDigest: input.configDigest }),
        }),
        result: (result, { release }) => ({
          ...result,
          release,
          notes: [...result.notes, `drilled in ${scratchOf(moves, release)}`],
        }),
      },
    );
  }
}

function scratchOf(moves: PlannedDrill['moves'], release: string): string {
  const [namespace = ''] = release.split('/');
  return moves[namespace] ?? '';
}

/** Each release that came back is asked once more, now that all of them run beside each other. */
async function checkOnceMore(run: DrillRun, { moves }: PlannedDrill): Promise<void> {
  const { console } = run;
  console.enter('verifying');
  console.mark(checking, 'running');
  let checks = 0;
  let failed = 0;
  const recovered = run.releases.filter(({ outcome }) => outcome === 'complete' || outcome === 'partial');
  for (const release of recovered) {
    try {
      checks += await patient.checkRecovered.executeWithOptions({ summary: `check ${release.release} once more` }, [
        {
          release: release.release,
          into: scratchOf(moves, release.release),
          point: release.recoveryPoint ?? '',
          moved: moves,
        },
      ]);
    } catch (error) {
      if (isCancelled(error)) throw error;
      failed += 1;
      run.releases[run.releases.indexOf(release)] = failedCheck(release, error);
    }
  }
  console.mark(checking, failed === 0 ? 'done' : 'failed', `${String(checks)} checks`);
}

function failedCheck(release: ReleaseResult, error: unknown): ReleaseResult {
  return { ...release, outcome: 'failed', failure: viewFailure(error) };
}

/** A drill that leaves something behind is no complete one: that it cannot clean up fails the run. */
async function close({ console }: DrillRun): Promise<void> {
  console.enter('cleaning up');
  console.mark(closing, 'running');
  await undo.closeScratchNamespaces.executeWithOptions({ summary: closing }, []);
  console.mark(closing, 'done');
}

function conclude(run: DrillRun, planned: PlannedDrill): Ending {
  const outcome = joinOutcomes(run.releases.map((release) => release.outcome));
  const elapsedMs = Date.now() - run.console.startedAt.getTime();
  const { input } = run;
  const { release, releases, tier, longestNotDrilled } = input;
  if ([release, releases, tier, longestNotDrilled].every((each) => each === undefined)) {
    const { met } = measureObjective(durationMs(planned.rto), elapsedMs);
    run.notes.push(`platform RTO ${formatDuration(elapsedMs)} of ${planned.rto}: ${met === true ? 'met' : 'missed'}`);
  }
  return { outcome };
}
