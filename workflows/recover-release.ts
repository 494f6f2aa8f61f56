import { patched } from '@temporalio/workflow';
import type { PlannedRecovery } from '../activities/plan-recovery.ts';
import { formatBytes, formatDuration } from '../model/duration.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { measureObjective, type RunResult } from '../model/outcome.ts';
import { RecoverReleaseInput } from '../model/run-input.ts';
import { patient, quick, transfer, undo } from './run/activity-proxies.ts';
import { conduct, type Ending, type Run } from './run/conduct.ts';
import { isCancelled, viewFailure } from './run/failure-view.ts';
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
import { takeSafetyCopy } from './run/safety-copy.ts';
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
    [{ releases: [{ release: input.release, point: planned.point.id }] }],
  );
  return problems;
}

function announce({ run, components, planned, config }: RecoveryContext): void {
  const { input, console } = run;
  const data = components.filter((component) => component !== config);
  console.announce([
    ...(input.partOf?.verified === true ? [] : ['verify the point']),
    ...(planned.live ? ['fence', 'safety copy'] : []),
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
    lines: planned.plan.lines,
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
  else if ((planned.leftClaims ?? []).length > 0) await step(context, setAsideStep, () => setClaimsAside(context));
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

const safetyCopyStep = 'safety copy';
const withoutCopy =
  'retry takes it again; skip goes on without one: what is live is then lost for good; abort changes nothing.';

/** Fences a live release and takes the copy that a failed restore goes back to. */
async function holdLiveRelease(context: RecoveryContext): Promise<void> {
  const { run, draft, planned, release } = context;
  const { console } = run;
  const safety = async (): Promise<void> => {
    console.enter('safety copy');
    console.mark('safety copy', 'running');
    await step(context, safetyCopyStep, async () => {
      const point = await takeSafetyCopy(run, release);
      context.safetyCopy = point;
      console.mark('safety copy', 'done', point);
      draft.notes = [...draft.notes, `safety copy of what was live: ${point}`];
    });
  };
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

/**
 * Runs a step; one that failed asks, where somebody can be asked. `retry` runs it again, `skip` gives this release up
 * and `abort` puts everything back. Of a safety copy that cannot be taken, `skip` goes on without it: the release may be
 * too broken to be copied, and a person says so.
 */
async function step(context: RecoveryContext, name: string, work: () => Promise<unknown>): Promise<void> {
  const { run, release, draft } = context;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (isCancelled(error)) throw error;
      const view = viewFailure(error);
      if (view.code === 'FactsDiffer') draft.facts = { ...draft.facts, equal: false };
      run.console.mark(name, 'failed', `${view.code}: ${view.message}`);
      if (run.input.onFailure === 'abort') throw error;
      const decision =
        run.input.onFailure === 'skip'
          ? { action: 'skip' as const, by: 'onFailure', reason: 'skip' }
          : await run.console.ask(release, name, name === safetyCopyStep ? { ...view, hint: withoutCopy } : view);
      draft.notes = [
        ...draft.notes,
        `${name}: ${view.code}; ${decision.by} decided to ${decision.action}: ${decision.reason}`,
      ];
      if (decision.action === 'abort') throw error;
      if (decision.action === 'skip' && name === safetyCopyStep && run.input.onFailure === 'ask') {
        run.console.mark(name, 'skipped', `${decision.by}: ${decision.reason}`);
        return;
      }
      if (decision.action === 'skip') {
        throw new LifeboatFailure(
          'ComponentSkipped',
          `recover ${release}: ${decision.by} skipped it at ${name} (${view.code}: ${view.message})`,
          'yes',
          release,
          error,
        );
      }
      run.console.mark(name, 'running', 'again');
    }
  }
}
