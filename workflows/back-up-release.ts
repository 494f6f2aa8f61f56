import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { BoundSummary, ComponentSummary } from '../model/bound-plan.ts';
import { formatDuration } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import { measureObjective, type RunResult } from '../model/outcome.ts';
import { BackUpReleaseInput } from '../model/run-input.ts';
import { patient, quick, transfer, undo } from './run/activity-proxies.ts';
import { conduct, type Run } from './run/conduct.ts';
import { draftRelease, type ReleaseDraft, timed } from './run/release-draft.ts';

type Context = {
  run: Run<BackUpReleaseInput>;
  draft: ReleaseDraft;
  summary: BoundSummary;
  point: string;
  captured: string[];
  notCaptured: { component: string; reason: string }[];
};

/**
 * Backs up one release: bind, capture each component (of one consistency group between one quiesce and its release),
 * read every stored byte back, then commit the manifest, which is what makes it a recovery point.
 * Idempotent because: objects are named by the point, the manifest is one conditional PUT. Changes: the store; a
 * component that asks for it stops the service for as long as lifeboat.yaml allows.
 */
export async function backUpRelease(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'backUpRelease',
    BackUpReleaseInput,
    raw,
    (input) => ({ title: `Back up ${input.release}`, release: input.release, trigger: input.trigger, pausable: false }),
    async (run) => {
      const { input, console } = run;
      console.announce(['bind the plan', 'capture', 'verify', 'commit the recovery point']);
      console.enter('binding');
      console.mark('bind the plan', 'running');
      const bound = await quick.bindForBackup({ release: input.release, configDigest: input.configDigest ?? null });
      const { summary, point } = bound;
      const draft = draftRelease(summary);
      run.draft = draft;
      console.attribute('cluster', summary.release.cluster);
      console.attribute('release', draft.release);
      console.mark('bind the plan', 'done', `${summary.chart}, ${String(summary.components.length)} components`);
      if (input.dryRun) return { outcome: 'complete', plan: bound.plan };
      if (!(run.isChild && input.partOf?.lockHeld === true)) {
        run.atEnd.push(`release the lock of ${draft.release}`, () => undo.releaseLock({ release: draft.release }));
        await quick.acquireLock({ release: draft.release });
      }
      run.begin();
      const context: Context = { run, draft, summary, point, captured: [], notCaptured: [] };
      const keepObjects = run.undo.push(`delete the objects of the point ${point}`, () =>
        undo.discardPoint({ release: draft.release, point }),
      );

      console.enter('capturing');
      console.mark('capture', 'running');
      await timed(draft, 'capture', async () => {
        for (const unit of captureUnits(summary.components)) await captureUnit(context, unit);
      });
      console.mark('capture', 'done', context.captured.join(', '));

      console.enter('verifying');
      console.mark('verify', 'running');
      const proof = await timed(draft, 'verify', () =>
        transfer.verifyCapture.executeWithOptions({ summary: `read back ${draft.release}` }, [
          { release: draft.release, point, components: context.captured },
        ]),
      );
      console.mark('verify', 'done', `${String(proof.plainBytes)} bytes read back`);

      console.enter('committing');
      console.mark('commit the recovery point', 'running');
      const committed = await quick.commitPoint({
        release: draft.release,
        point,
        components: context.captured,
        notCaptured: context.notCaptured,
        trigger: input.trigger,
      });
      keepObjects();
      draft.recoveryPoint = committed.id;
      draft.capturedAt = committed.capturedAt;
      draft.storedBytes = committed.storedBytes;
      draft.rpo = measureObjective(
        summary.rpoMs,
        committed.previousCapturedAt === null
          ? null
          : Date.parse(committed.capturedAt) - Date.parse(committed.previousCapturedAt),
      );
      if (committed.suspect !== null) draft.notes = [...draft.notes, `suspect: ${committed.suspect}`];
      console.attribute('point', committed.id);
      console.mark('commit the recovery point', 'done', committed.id);
      const missing = context.notCaptured.length > 0 || committed.suspect !== null;
      return {
        outcome: missing ? 'partial' : 'complete',
        notConfigured: bound.notConfigured ?? ['replicate', 'expire'],
      };
    },
  );
}

/** Components that are captured together: neighbours of one group, or one alone. */
function captureUnits(components: readonly ComponentSummary[]): ComponentSummary[][] {
  const units: ComponentSummary[][] = [];
  for (const component of components) {
    const last = units.at(-1);
    if (component.group !== null && last?.[0]?.group === component.group) last.push(component);
    else units.push([component]);
  }
  return units;
}

async function captureUnit(context: Context, unit: readonly ComponentSummary[]): Promise<void> {
  const { summary, draft } = context;
  if (unit.some((component) => component.captureWhile === 'stopped')) {
    if (summary.allowDowntimeMs === null) {
      for (const component of unit) {
        const reason = 'would stop the service; set allowDowntime in lifeboat.yaml';
        context.notCaptured.push({ component: component.name, reason });
        draft.components = [
          ...draft.components,
          { component: component.name, method: component.method, outcome: 'not captured', reason },
        ];
      }
      return;
    }
    await captureWithDowntime(context, unit, summary.allowDowntimeMs);
    return;
  }
  if (unit[0]?.group !== null && summary.quiesceDeadlineMs !== null) {
    await captureQuiesced(context, unit, summary.quiesceDeadlineMs);
    return;
  }
  for (const component of unit) await capture(context, component);
}

/** Writers are held for the captures of one group, and let go at the plan's deadline whatever the captures do. */
async function captureQuiesced(context: Context, unit: readonly ComponentSummary[], deadlineMs: number): Promise<void> {
  const { release } = context.draft;
  const lift = context.run.undo.push(`release the quiesce of ${release}`, () => undo.releaseQuiesce({ release }));
  const since = Date.now();
  try {
    await CancellationScope.withTimeout(deadlineMs, async () => {
      await quick.quiesce({ release });
      for (const component of unit) await capture(context, component);
    });
  } catch (error) {
    if (!isCancellation(error) || Date.now() - since < deadlineMs) throw error;
    throw failure('QuiesceFailed', {
      message: `capture ${release}: not done within the ${formatDuration(deadlineMs)} that its writers may be held`,
    });
  } finally {
    await CancellationScope.nonCancellable(() => undo.releaseQuiesce({ release }));
    lift();
  }
}

/**
 * Clients are fenced off, what needs the running service is captured, then the service is stopped, the rest captured,
 * and everything started again: always, and within the time that lifeboat.yaml allows. The safety copy of a recovery
 * leaves the fence to it, which stays up until the data is back.
 */
async function captureWithDowntime(
  context: Context,
  unit: readonly ComponentSummary[],
  allowedMs: number,
): Promise<void> {
  const { run, draft, summary } = context;
  const release = draft.release;
  const fencedByCaller = run.isChild && run.input.partOf?.lockHeld === true && summary.fence === 'services';
  const serveAgain = async (): Promise<void> => {
    await undo.startRelease({ release });
    await undo.waitUntilServing.executeWithOptions({ summary: `wait until ${release} serves` }, [{ release }]);
    if (!fencedByCaller) await undo.liftFence({ release });
  };
  const forget = run.undo.push(`start ${release} again`, serveAgain);
  const since = Date.now();
  try {
    await CancellationScope.withTimeout(allowedMs, async () => {
      if (!fencedByCaller) await patient.raiseFence({ release, deadlineMs: allowedMs * 2, kind: 'services' });
      for (const component of unit.filter((each) => each.captureWhile === 'running')) await capture(context, component);
      await patient.stopRelease({ release, deadlineMs: allowedMs * 2 });
      for (const component of unit.filter((each) => each.captureWhile === 'stopped')) await capture(context, component);
    });
  } catch (error) {
    if (isCancellation(error) && Date.now() - since >= allowedMs) {
      throw failure('DowntimeExceeded', {
        message: `capture ${release}: not done within the ${formatDuration(allowedMs)} that it may be stopped`,
      });
    }
    throw error;
  } finally {
    await CancellationScope.nonCancellable(serveAgain);
    forget();
    const stoppedMs = Date.now() - since;
    // A restart that takes long is no failure of the capture: its bytes are proven. The objective is missed.
    const downtime = measureObjective(allowedMs, stoppedMs);
    if ((draft.downtime?.achievedSeconds ?? 0) <= stoppedMs / 1_000) draft.downtime = downtime;
    draft.notes = [
      ...draft.notes,
      `stopped for ${formatDuration(stoppedMs)} of the ${formatDuration(allowedMs)} allowed`,
    ];
  }
}

async function capture(context: Context, component: ComponentSummary): Promise<void> {
  const { draft, point, run } = context;
  run.console.mark('capture', 'running', component.name);
  const captured = await timed(draft, `capture ${component.name}`, () =>
    transfer.captureComponent.executeWithOptions(
      { summary: `capture ${draft.release} ${component.name} (${component.method})` },
      [{ release: draft.release, component: component.name, point }],
    ),
  );
  context.captured.push(component.name);
  const missing = captured.missing ?? [];
  for (const { stream, reason } of missing)
    context.notCaptured.push({ component: `${component.name}.${stream}`, reason });
  const prefixed = Object.fromEntries(
    Object.entries(captured.totals).map(([name, value]) => [name, (draft.facts.before[name] ?? 0) + value]),
  );
  draft.facts = {
    ...draft.facts,
    before: { ...draft.facts.before, ...prefixed },
    compared: draft.facts.compared + captured.facts,
  };
  draft.notes = [...draft.notes, ...captured.notes];
  draft.components = [
    ...draft.components,
    {
      component: component.name,
      method: component.method,
      outcome: 'complete',
      sizeBytes: captured.plainBytes,
      storedBytes: captured.storedBytes,
      durationMs: captured.durationMs,
      totals: captured.totals,
    },
    ...missing.map(({ stream, reason }) => ({
      component: `${component.name}.${stream}`,
      method: component.method,
      outcome: 'not captured' as const,
      reason,
    })),
  ];
}
