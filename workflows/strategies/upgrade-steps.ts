import { CancellationScope } from '@temporalio/workflow';
import type { PlannedUpgrade } from '../../activities/plan-upgrade.ts';
import type { LiveVolume } from '../../activities/volumes.ts';
import type { ComponentSummary } from '../../model/bound-plan.ts';
import { formatDuration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import type { ReleaseResult } from '../../model/outcome.ts';
import { writesUnproven } from '../../model/recovery-plan.ts';
import type { UpgradeReleaseInput } from '../../model/run-input.ts';
import { upgradeTrigger } from '../../model/run-names.ts';
import { patient, quick, transfer, undo } from '../run/activity-proxies.ts';
import type { Run } from '../run/conduct.ts';
import { isCancelled, viewFailure } from '../run/failure-view.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import { type ReleaseDraft, timed } from '../run/release-draft.ts';
import { backUpAsPart } from '../run/safety-copy.ts';
import { logInAndCheck } from '../run/serving.ts';

/** What the steps of an upgrade work with. */
export type UpgradeContext = {
  readonly run: Run<UpgradeReleaseInput>;
  readonly draft: ReleaseDraft;
  readonly planned: PlannedUpgrade;
  readonly release: string;
  /** Since when clients are kept out; null where they are not. */
  keptOutSince: number | null;
};

/** The lines of the checklist. */
export const lines = {
  fence: 'fence',
  point: 'recovery point',
  upgrade: 'upgrade',
  ready: 'wait for the pods',
  restore: 'restore',
  compare: 'compare facts',
  check: 'log in and check health',
} as const;

/** Keeps clients out, and registers that they are let in again whatever happens. */
export async function keepClientsOut(context: UpgradeContext): Promise<void> {
  const { run, release } = context;
  run.console.enter('fencing');
  run.undo.push(`let the clients of ${release} in`, async () => {
    await undo.startRelease({ release });
    await letClientsIn(context);
    await undo.waitUntilServing({ release });
  });
  context.keptOutSince = Date.now();
  await marked(context, lines.fence, () => raiseFence(context));
}

/** Keeps clients out again where Helm wrote over the fence. */
export async function raiseFence({ release }: Pick<UpgradeContext, 'release'>): Promise<void> {
  await patient.raiseFence.executeWithOptions({ summary: `fence ${release}` }, [
    { release, deadlineMs: fenceDeadlineMs, kind: 'plan' },
  ]);
}

async function letClientsIn({ draft, planned, release, keptOutSince }: UpgradeContext): Promise<void> {
  await undo.liftFence({ release });
  if (keptOutSince !== null) draft.upgrade = { ...planned.upgrade, writeGapMs: Date.now() - keptOutSince };
}

/**
 * Takes a recovery point that the run compares with and goes back to. Without a proven one of everything that is live
 * nothing is upgraded.
 */
export async function takePoint(
  context: UpgradeContext,
  of: { readonly line: string; readonly name: string } = { line: lines.point, name: `point-${context.release}` },
): Promise<void> {
  const { run, draft, release } = context;
  run.console.enter(of.line);
  await marked(context, of.line, async () => {
    const backup = await backUp(context, of.name);
    const { recoveryPoint: point, capturedAt, storedBytes, facts, notes } = backup;
    Object.assign(draft, { recoveryPoint: point, capturedAt, storedBytes });
    draft.facts = { ...draft.facts, before: facts.before };
    draft.notes = [...draft.notes, ...notes];
    run.console.attribute('point', point);
    await quick.bindUpgradePoint({ release, point });
    return point;
  });
}

async function backUp(
  { run, release }: UpgradeContext,
  name: string,
): Promise<ReleaseResult & { recoveryPoint: string }> {
  const refuse = (why: string): Error =>
    failure('UpgradeRefused', { message: `upgrade ${release}: no proven recovery point of it: ${why}` });
  try {
    const { releases } = await backUpAsPart(run, {
      release,
      name,
      trigger: upgradeTrigger,
      summary: `recovery point of ${release} before its upgrade`,
    });
    const [backup] = releases;
    if (backup === undefined || backup.recoveryPoint === null) throw refuse('its backup made none');
    return { ...backup, recoveryPoint: backup.recoveryPoint };
  } catch (error) {
    if (isCancelled(error)) throw error;
    const { code, message } = viewFailure(error);
    throw code === 'UpgradeRefused' ? error : refuse(`${code}: ${message}`);
  }
}

/** Where writing stands behind the fence; a plan that cannot tell is noted in the result. @throws FenceFailed */
export async function readWritePosition({ draft, release }: UpgradeContext): Promise<string | null> {
  const position = await quick.readWritePosition({ release });
  if (position === null) draft.notes = [...draft.notes, writesUnproven];
  return position;
}

/** Refuses to go on where something was written since the position was read. @throws FenceFailed */
export async function requireNothingWritten(
  { release }: UpgradeContext,
  since: string | null,
  doing: string,
): Promise<void> {
  if ((await quick.readWritePosition({ release })) !== since)
    throw failure('FenceFailed', {
      message: `${doing} ${release}: something was written in spite of the fence; it was not moved`,
    });
}

/** The components whose data are compared. */
export function comparedOf({ planned }: UpgradeContext): ComponentSummary[] {
  return planned.summary.components.filter(({ name }) => planned.compared.includes(name));
}

/** Lets Helm upgrade the release. */
export async function upgradeChart({ planned, release }: UpgradeContext): Promise<string> {
  const { chart } = planned.upgrade.to;
  const { revision } = await patient.upgradeChart.executeWithOptions({ summary: `upgrade ${release} to ${chart}` }, [
    { release },
  ]);
  return `${chart}, revision ${String(revision)}`;
}

/** Waits until the new pods are ready, clients being out or not. */
export async function waitForPods(context: UpgradeContext): Promise<void> {
  const { run, release, keptOutSince } = context;
  run.console.enter('waiting for the pods');
  await marked(context, lines.ready, async () => {
    if (keptOutSince !== null) await patient.startRelease({ release });
    await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${release} runs the new version` }, [
      { release },
    ]);
  });
}

/** Restores the point of the run into the release, or into the one beside it. */
export async function restoreData(context: UpgradeContext, release: string): Promise<void> {
  for (const { name: component, method } of comparedOf(context))
    await timed(context.draft, `restore ${component}`, () =>
      transfer.restoreComponent.executeWithOptions({ summary: `restore ${release} ${component} (${method})` }, [
        { release, component },
      ]),
    );
}

/** Says in the result that the volumes from before are there, and how to let them go. */
export function noteKeptVolumes(draft: ReleaseDraft, volumes: readonly LiveVolume[]): void {
  draft.notes = [
    ...draft.notes,
    ...volumes.map(({ volume }) => `the volume from before is kept: ${volume}; lifeboat copies says until when`),
  ];
}

/** Compares the data with the point of the run. */
export async function compareData(context: UpgradeContext): Promise<void> {
  const { run, draft, release } = context;
  run.console.enter('comparing facts');
  await marked(context, lines.compare, async () => {
    for (const component of comparedOf(context)) {
      const found = await transfer.compareComponent.executeWithOptions(
        { summary: `compare the facts of ${release} ${component.name}` },
        [{ release, component: component.name }],
      );
      draft.components = [
        ...draft.components,
        { component: component.name, method: component.method, outcome: 'complete', totals: found.totals },
      ];
      addFacts(draft, found);
    }
    return `${String(draft.facts.compared)} ≡`;
  });
}

type Found = Pick<Awaited<ReturnType<typeof transfer.compareComponent>>, 'compared' | 'totals' | 'exceptions'>;

/** Adds what a comparison found to the result. */
export function addFacts(draft: ReleaseDraft, found: Found): void {
  draft.facts = {
    ...draft.facts,
    after: { ...draft.facts.after, ...found.totals },
    equal: true,
    compared: draft.facts.compared + found.compared,
    exceptions: [...draft.facts.exceptions, ...found.exceptions],
  };
}

/**
 * Logins and health, then clients. What is checked before they come can still be taken back without losing what they
 * write; after that nothing is taken back any more.
 */
export async function checkAndServe(context: UpgradeContext): Promise<void> {
  const { run, release } = context;
  run.console.enter('serving');
  await marked(context, lines.check, async () => {
    const checked = await logInAndCheck(release);
    if (context.keptOutSince !== null) await CancellationScope.nonCancellable(() => letClientsIn(context));
    run.undo.clear();
    return checked;
  });
  noteNotCompared(context);
}

/** Says in the result what was not compared, and why. */
export function noteNotCompared({ draft, planned }: UpgradeContext): void {
  const notes = planned.notCompared.map(({ component, reason }) => `${component} was not compared: ${reason}`);
  draft.notes = [...draft.notes.filter((note) => !notes.includes(note)), ...notes];
}

/** Registers the way back: what was there, its data compared with the point, newest first. */
export function registerWayBack(context: UpgradeContext, bringBack: () => Promise<unknown>): void {
  const { run, planned, release, keptOutSince } = context;
  const held = keptOutSince !== null;
  if (held) run.undo.push(`compare ${release} with its point`, () => compareAfterwards(context));
  run.undo.push(`go back to revision ${String(planned.upgrade.from.revision)} of ${release}`, async () => {
    if (held) await undo.stopRelease({ release, deadlineMs: fenceDeadlineMs });
    // Before Helm starts the pods that need what comes back.
    await bringBack();
    await undo.undoInstall({ release });
    await undo.dropStuckPods({ release });
    if (held) {
      await undo.raiseFence({ release, deadlineMs: fenceDeadlineMs, kind: 'plan', mayLack: true });
      await undo.startRelease({ release });
    }
    await undo.waitUntilServing({ release });
  });
}

/** Data that the failed version changed comes back from the point, which is as old as the fence. */
async function compareAfterwards(context: UpgradeContext): Promise<void> {
  const { draft, planned, release } = context;
  const config = planned.summary.components.filter(({ method }) => method === 'release-config');
  draft.components = [];
  draft.facts = { ...draft.facts, after: null, equal: false, compared: 0, exceptions: [] };
  const all: Found[] = [];
  for (const { name: component } of [...config, ...comparedOf(context)]) {
    try {
      all.push(await transfer.compareComponent({ release, component }));
    } catch (error) {
      if (viewFailure(error).code !== 'FactsDiffer' || config.some(({ name }) => name === component)) throw error;
      await transfer.restoreComponent.executeWithOptions({ summary: `restore ${release} ${component}` }, [
        { release, component },
      ]);
      all.push(await transfer.compareComponent({ release, component }));
      draft.notes = [...draft.notes, `${component} was restored from the point of the run`];
    }
  }
  for (const found of all) addFacts(draft, found);
}

/** Runs a step with its line of the checklist; what it returns stands beside it. */
export async function marked<T>({ run, draft }: UpgradeContext, line: string, work: () => Promise<T>): Promise<void> {
  const { console } = run;
  console.mark(line, 'running');
  try {
    const said = await timed(draft, line, work);
    console.mark(line, 'done', typeof said === 'string' ? said : formatDuration(draft.steps[line] ?? 0));
  } catch (error) {
    if (!isCancelled(error)) {
      const view = viewFailure(error);
      if (view.code === 'FactsDiffer') draft.facts = { ...draft.facts, equal: false };
      console.mark(line, 'failed', `${view.code}: ${view.message}`);
    }
    throw error;
  }
}
