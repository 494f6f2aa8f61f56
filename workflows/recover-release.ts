import { patched } from '@temporalio/workflow';
import type { PlannedRecovery } from '../activities/plan-recovery.ts';
import { formatBytes, formatDuration } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import { measureObjective, type RunResult } from '../model/outcome.ts';
import { RecoverReleaseInput } from '../model/run-input.ts';
import { patient, quick, transfer, undo } from './run/activity-proxies.ts';
import { conduct, type Ending, type Run } from './run/conduct.ts';
import { isCancelled, viewFailure } from './run/failure-view.ts';
import { safetyCopyStep, step } from './run/recovery-step.ts';
import {
  compareRest,
  fenceDeadlineMs,
  install,
  type RecoveryContext,
  raiseFence,
  restore,
  setAsideStep,
  setClaimsAside,
} from './run/recovery-steps.ts';
import { draftRelease, timed } from './run/release-draft.ts';
import { copyHost, takeSafetyCopy } from './run/safety-copy.ts';
import { logInAndCheck } from './run/serving.ts';
import { requireTimeFor } from './run/time-limit.ts';

/**
 * Recovers one release from a recovery point: captured Secrets, chart, data, then the facts compared while clients are
 * still fenced off; only then are they let in, a real login made and the health checked.
 * Over live data it waits for an approval, takes a safety copy and puts everything back when a step fails.
 */
export async function recoverRelease(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'recoverRelease',
    RecoverReleaseInput,
    raw,
    (input) => ({ title: `Recover ${input.release}`, release: input.release, trigger: input.trigger, pausable: false }),
    async (run) => {
      const { input, console } = run;
      const request = {
        release: input.release,
        point: input.point,
        to: input.to ?? null,
        into: input.into ?? null,
        scope: input.scope,
        configDigest: input.configDigest ?? null,
        ...(run.isChild && input.partOf?.moved !== undefined ? { moved: input.partOf.moved } : {}),
      };
      console.enter('planning');
      const planned = await quick.planRelease(request);
      const draft = draftRelease(planned.summary);
      run.draft = draft;
      draft.recoveryPoint = planned.point.id;
      draft.capturedAt = planned.point.capturedAt;
      draft.storedBytes = planned.point.storedBytes;
      draft.facts = { ...draft.facts, before: planned.point.totals };
      console.attribute('cluster', planned.summary.release.cluster);
      console.attribute('release', draft.release);
      console.attribute('point', planned.point.id);
      const problems = await findProblems(run, planned);
      if (input.dryRun) {
        const findings = [...planned.plan.findings, ...problems];
        return { outcome: 'complete', plan: { ...planned.plan, findings } };
      }
      run.notes.push(...(planned.passedOver ?? []));
      if (problems.length > 0)
        throw failure('PrerequisitesMissing', { message: `check prerequisites: ${problems.join('; ')}` });
      const captured = planned.summary.components.filter((component) =>
        planned.point.components.includes(component.name),
      );
      const context: RecoveryContext = {
        run,
        draft,
        planned,
        release: draft.release,
        components: captured,
        config: captured.find((each) => each.method === 'release-config'),
        safetyCopy: null,
        hasSetAside: false,
        keptIn: run.isChild ? (input.partOf?.keptIn ?? []) : [],
      };
      announce(context);
      requireTimeFor(planned);
      await consent(context);
      if (!run.isChild) requirePlanUnchanged(context, await quick.planRelease(request));
      if (!(run.isChild && input.partOf?.lockHeld === true)) {
        run.atEnd.push(`release the lock of ${draft.release}`, () => undo.releaseLock({ release: draft.release }));
        await quick.acquireLock({ release: draft.release });
      }
      if (!(run.isChild && input.partOf?.verified === true)) {
        console.enter('verifying the point');
        console.mark('verify the point', 'running');
        const read = await timed(draft, 'verify', () =>
          transfer.verifyPoint.executeWithOptions({ summary: `read back ${planned.point.id}` }, [
            { release: input.release, point: planned.point.id },
          ]),
        );
        console.mark('verify the point', 'done', `${formatBytes(read.plainBytes)} read back`);
      }
      requireTimeFor(planned);
      run.begin();
      return await recover(context);
    },
  );
}

/**
 * What the cluster lacks for this recovery, before anybody is asked and anything is changed. The run of a platform has
 * looked at all of its releases at once, and data alone goes into what is there.
 */
async function findProblems(run: Run<RecoverReleaseInput>, planned: PlannedRecovery): Promise<readonly string[]> {
  const { input, isChild } = run;
  if (isChild || input.scope === 'data' || !patched('prerequisites of one release')) return [];
  run.console.enter('prerequisites');
  const { problems } = await patient.checkPrerequisites.executeWithOptions(
    { summary: `check the prerequisites of ${input.release}` },
    [{ releases: [{ release: input.release, point: planned.point.id }], into: input.into }],
  );
  return problems;
}

function announce(context: RecoveryContext): void {
  const { run, components, planned, config } = context;
  const { input, console } = run;
  const data = components.filter((component) => component !== config);
  console.announce([
    ...(input.partOf?.verified === true ? [] : ['verify the point']),
    ...(planned.live ? ['fence', safetyCopyStep] : []),
    ...(hostsToCopy(context).length === 0 ? [] : [safetyCopyStep]),
    ...((planned.leftClaims ?? []).length > 0 ? [setAsideStep] : []),
    ...(input.scope === 'all' ? ['install the chart'] : []),
    ...data.map((component) => `restore ${component.name}`),
    'compare facts',
    'log in and check health',
  ]);
}

/** Overwriting live data needs a person: here, or in the run that this one is a part of. */
async function consent({ run, planned }: RecoveryContext): Promise<void> {
  const { input, console } = run;
  if (planned.plan.overwrites.length === 0) return;
  const approved = run.isChild ? input.partOf?.approvedDigest : undefined;
  if (approved !== undefined) {
    if (approved !== planned.plan.digest)
      throw failure('BindingChanged', {
        message: `recover ${input.release}: the plan ${planned.plan.digest.slice(0, 12)} is not the approved ${approved.slice(0, 12)}`,
      });
    return;
  }
  const approval = await console.approve({
    planDigest: planned.plan.digest,
    lines: [...(planned.passedOver ?? []), ...planned.plan.lines],
    overwrites: planned.plan.overwrites,
  });
  run.notes.push(`approved by ${approval.by}: ${approval.reason}`);
}

function requirePlanUnchanged({ planned, release }: RecoveryContext, again: PlannedRecovery): void {
  if (again.plan.digest === planned.plan.digest) return;
  const message = `recover ${release}: it changed since the plan ${planned.plan.digest.slice(0, 12)} was made`;
  throw failure('BindingChanged', { message });
}

async function recover(context: RecoveryContext): Promise<Ending> {
  const { run, draft, planned, release, components, config } = context;
  const { input, console } = run;
  const data = components.filter((component) => component !== config);
  if (planned.live) await holdLiveRelease(context);
  else await keepWhatOutlived(context);
  if (input.scope === 'all') {
    console.mark('install the chart', 'running');
    await step(context, 'install the chart', () => install(context));
    console.mark('install the chart', 'done', planned.summary.chart);
  }
  for (const component of data) {
    const line = `restore ${component.name}`;
    console.mark(line, 'running');
    await step(context, line, () => restore(context, component));
    console.mark(line, 'done', formatDuration(draft.steps[line] ?? 0));
  }
  console.enter('comparing facts');
  console.mark('compare facts', 'running');
  await step(context, 'compare facts', () => compareRest(context, data));
  console.mark('compare facts', 'done', `${String(draft.facts.compared)} ≡`);
  console.enter('serving');
  console.mark('log in and check health', 'running');
  // What is put back must not be written to meanwhile: clients are kept out again first.
  run.undo.push(`keep the clients of ${release} out`, () =>
    undo.raiseFence({ release, deadlineMs: fenceDeadlineMs, kind: 'plan' }),
  );
  await step(context, 'log in and check health', async () => {
    await undo.liftFence({ release });
    await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${release} serves` }, [{ release }]);
    console.mark('log in and check health', 'done', await logInAndCheck(release));
  });
  run.undo.clear();
  const now = Date.now();
  const incidentAt = input.incidentAt === undefined ? console.startedAt.getTime() : Date.parse(input.incidentAt);
  draft.rpo = measureObjective(planned.summary.rpoMs, incidentAt - Date.parse(planned.point.capturedAt));
  draft.rto = measureObjective(planned.summary.rtoMs, now - incidentAt);
  try {
    await quick.markRestored({ release });
  } catch (error) {
    if (isCancelled(error)) throw error;
    draft.notes = [...draft.notes, `the point was not marked restored: ${viewFailure(error).message}`];
  }
  const missing = planned.point.notCaptured;
  draft.components = [
    ...draft.components,
    ...missing.map(({ component, reason }) => ({
      component,
      method: planned.summary.components.find((each) => each.name === component)?.method ?? '',
      outcome: 'not restored' as const,
      reason: `not in the point: ${reason}`,
    })),
  ];
  return { outcome: missing.length === 0 ? 'complete' : 'partial' };
}

/**
 * What a release that is gone left behind stays: what another release holds of it as a recovery point of that one, its
 * volumes as they are.
 */
async function keepWhatOutlived(context: RecoveryContext): Promise<void> {
  const { run, planned } = context;
  const hosts = hostsToCopy(context);
  if (hosts.length > 0)
    await safetyStep(context, async () => {
      const points: string[] = [];
      for (const host of hosts) points.push(await copyHost(run, host));
      context.keptIn = points;
      return { points, notes: points.map((point) => `safety copy of what was in ${point}`) };
    });
  if ((planned.leftClaims ?? []).length > 0) await step(context, setAsideStep, () => setClaimsAside(context));
}

/** The run of a platform has copied the hosts before its first release. */
function hostsToCopy({ run, planned }: RecoveryContext): readonly string[] {
  return run.isChild ? [] : (planned.replacedHosts ?? []);
}

async function safetyStep(
  context: RecoveryContext,
  take: () => Promise<{ points: readonly string[]; notes: readonly string[] }>,
): Promise<void> {
  const { draft } = context;
  const { console } = context.run;
  console.enter(safetyCopyStep);
  console.mark(safetyCopyStep, 'running');
  await step(context, safetyCopyStep, async () => {
    const { points, notes } = await take();
    console.mark(safetyCopyStep, 'done', points.join(', '));
    draft.notes = [...draft.notes, ...notes];
  });
}

/** Fences a live release and takes the copy that a failed restore goes back to. */
async function holdLiveRelease(context: RecoveryContext): Promise<void> {
  const { run, planned, release } = context;
  const { console } = run;
  const safety = async (): Promise<void> =>
    await safetyStep(context, async () => {
      const point = await takeSafetyCopy(run, release);
      context.safetyCopy = point;
      return { points: [point], notes: [`safety copy of what was live: ${point}`] };
    });
  const fence = async (): Promise<void> => {
    console.enter('fencing');
    console.mark('fence', 'running');
    run.undo.push(`lift the fence of ${release}`, async () => {
      await undo.startRelease({ release });
      await undo.liftFence({ release });
      await undo.waitUntilServing({ release });
    });
    await step(context, 'fence', () => raiseFence(context, run.input.scope === 'all'));
    console.mark('fence', 'done');
  };
  // A fence that scales to nothing leaves no pod to copy from: the copy goes first there.
  if (planned.summary.fence === 'scale') {
    await safety();
    await fence();
  } else {
    await fence();
    await safety();
  }
}
