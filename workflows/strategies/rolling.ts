import type { PlannedUpgrade } from '../../activities/plan-upgrade.ts';
import type { ComponentSummary } from '../../model/bound-plan.ts';
import { formatDuration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import type { UpgradeReleaseInput } from '../../model/run-input.ts';
import { upgradeTrigger } from '../../model/run-names.ts';
import { patient, quick, transfer, undo } from '../run/activity-proxies.ts';
import type { Ending, Run } from '../run/conduct.ts';
import type { RunConsole } from '../run/console.ts';
import { isCancelled, viewFailure } from '../run/failure-view.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import { type ReleaseDraft, timed } from '../run/release-draft.ts';
import { backUpAsPart } from '../run/safety-copy.ts';

/** What the steps of an upgrade work with. */
type UpgradeContext = {
  readonly run: Run<UpgradeReleaseInput>;
  readonly draft: ReleaseDraft;
  readonly planned: PlannedUpgrade;
  readonly release: string;
  /** Since when clients are kept out; null where they are not. */
  keptOutSince: number | null;
};

const lines = {
  fence: 'fence',
  point: 'recovery point',
  upgrade: 'upgrade',
  ready: 'wait for the pods',
  compare: 'compare facts',
  check: 'log in and check health',
} as const;

/** Orders the checklist of a rolling upgrade. */
export function announceRolling(console: RunConsole, { compared }: PlannedUpgrade): void {
  const { fence, point, upgrade, ready, compare, check } = lines;
  const held = compared.length > 0;
  console.announce([...(held ? [fence] : []), point, upgrade, ready, ...(held ? [compare] : []), check]);
}

/**
 * Replaces the pods of a release in place. Where there is data to compare, clients are kept out from before the recovery
 * point until the facts were found equal, so that going back loses nothing that was acknowledged.
 */
export async function upgradeRolling(context: UpgradeContext): Promise<Ending> {
  const { run, draft, planned, release } = context;
  const { console } = run;
  const held = planned.compared.length > 0;
  if (held) await keepClientsOut(context);
  await takePoint(context);
  run.begin();

  console.enter('upgrading');
  if (held) run.undo.push(`compare ${release} with its point`, () => compareAfterwards(context));
  run.undo.push(`go back to revision ${String(planned.upgrade.from.revision)} of ${release}`, () => goBack(context));
  await marked(context, lines.upgrade, async () => {
    // The old pods are gone before Helm's writing lets clients through for a moment.
    if (held) await patient.stopRelease({ release, deadlineMs: fenceDeadlineMs });
    const { revision } = await patient.upgradeChart.executeWithOptions(
      { summary: `upgrade ${release} to ${planned.upgrade.to.chart}` },
      [{ release }],
    );
    if (held) await raiseFence(context);
    return `${planned.upgrade.to.chart}, revision ${String(revision)}`;
  });
  console.enter('waiting for the pods');
  await marked(context, lines.ready, async () => {
    if (held) await patient.startRelease({ release });
    await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${release} runs the new version` }, [
      { release },
    ]);
  });
  if (held) {
    console.enter('comparing facts');
    await marked(context, lines.compare, async () => {
      for (const component of comparedOf(planned)) await compare(context, component);
      return `${String(draft.facts.compared)} ≡`;
    });
  }
  console.enter('serving');
  if (held)
    run.undo.push(`keep the clients of ${release} out`, () =>
      undo.raiseFence({ release, deadlineMs: fenceDeadlineMs, kind: 'plan', mayLack: true }),
    );
  await marked(context, lines.check, async () => {
    if (held) await letClientsIn(context);
    await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${release} serves` }, [{ release }]);
    const logins = await patient.runChecks({ release, kind: 'login' });
    const health = await patient.runChecks({ release, kind: 'health' });
    return `${String(logins)} logins, ${String(health)} checks`;
  });
  run.undo.clear();
  draft.notes = [
    ...draft.notes,
    ...planned.notCompared.map(({ component, reason }) => `${component} was not compared: ${reason}`),
  ];
  return { outcome: 'complete' };
}

async function keepClientsOut(context: UpgradeContext): Promise<void> {
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

async function letClientsIn({ draft, planned, release, keptOutSince }: UpgradeContext): Promise<void> {
  await undo.liftFence({ release });
  if (keptOutSince !== null) draft.upgrade = { ...planned.upgrade, writeGapMs: Date.now() - keptOutSince };
}

async function raiseFence({ release }: UpgradeContext): Promise<void> {
  await patient.raiseFence.executeWithOptions({ summary: `fence ${release}` }, [
    { release, deadlineMs: fenceDeadlineMs, kind: 'plan' },
  ]);
}

/** Without a proven point of everything that is live nothing is upgraded. */
async function takePoint(context: UpgradeContext): Promise<void> {
  const { run, draft, release } = context;
  run.console.enter('recovery point');
  await marked(context, lines.point, async () => {
    const point = await backUp(context);
    draft.recoveryPoint = point.id;
    draft.capturedAt = point.capturedAt;
    draft.storedBytes = point.storedBytes;
    draft.facts = { ...draft.facts, before: point.totals };
    run.console.attribute('point', point.id);
    await quick.bindUpgradePoint({ release, point: point.id });
    return point.id;
  });
}

async function backUp({ run, release }: UpgradeContext): Promise<{
  id: string;
  capturedAt: string | null;
  storedBytes: number;
  totals: ReleaseDraft['facts']['before'];
}> {
  const refuse = (why: string): Error =>
    failure('UpgradeRefused', { message: `upgrade ${release}: no proven recovery point of it: ${why}` });
  try {
    const result = await backUpAsPart(run, {
      release,
      name: `point-${release}`,
      trigger: upgradeTrigger,
      summary: `recovery point of ${release} before its upgrade`,
    });
    const [backup] = result.releases;
    if (backup?.recoveryPoint === undefined || backup.recoveryPoint === null) throw refuse('its backup made none');
    const { recoveryPoint: id, capturedAt, storedBytes, facts } = backup;
    return { id, capturedAt, storedBytes, totals: facts.before };
  } catch (error) {
    if (isCancelled(error)) throw error;
    const { code, message } = viewFailure(error);
    throw code === 'UpgradeRefused' ? error : refuse(`${code}: ${message}`);
  }
}

function comparedOf({ summary, compared }: PlannedUpgrade): ComponentSummary[] {
  return summary.components.filter(({ name }) => compared.includes(name));
}

async function compare({ draft, release }: UpgradeContext, component: ComponentSummary): Promise<void> {
  const found = await transfer.compareComponent.executeWithOptions(
    { summary: `compare the facts of ${release} ${component.name}` },
    [{ release, component: component.name }],
  );
  draft.components = [
    ...draft.components,
    { component: component.name, method: component.method, outcome: 'complete', totals: found.totals },
  ];
  draft.facts = {
    ...draft.facts,
    after: { ...draft.facts.after, ...found.totals },
    equal: true,
    compared: draft.facts.compared + found.compared,
    exceptions: [...draft.facts.exceptions, ...found.exceptions],
  };
}

/** The chart that was there, and its pods; clients stay out until the data was compared. */
async function goBack(context: UpgradeContext): Promise<void> {
  const { planned, release } = context;
  const held = planned.compared.length > 0;
  if (held) await undo.stopRelease({ release, deadlineMs: fenceDeadlineMs });
  await undo.undoInstall({ release });
  await undo.dropStuckPods({ release });
  if (held) {
    await undo.raiseFence({ release, deadlineMs: fenceDeadlineMs, kind: 'plan', mayLack: true });
    await undo.startRelease({ release });
  }
  await undo.waitUntilServing({ release });
}

/** Data that the failed version changed comes back from the point, which is as old as the fence. */
async function compareAfterwards({ draft, planned, release }: UpgradeContext): Promise<void> {
  const config = planned.summary.components.filter(({ method }) => method === 'release-config');
  const found: { compared: number; totals: ReleaseDraft['facts']['before'] }[] = [];
  for (const { name: component } of [...config, ...comparedOf(planned)]) {
    try {
      found.push(await transfer.compareComponent({ release, component }));
    } catch (error) {
      draft.facts = { ...draft.facts, equal: false };
      if (viewFailure(error).code !== 'FactsDiffer' || config.some(({ name }) => name === component)) throw error;
      await transfer.restoreComponent.executeWithOptions({ summary: `restore ${release} ${component}` }, [
        { release, component },
      ]);
      found.push(await transfer.compareComponent({ release, component }));
      draft.notes = [...draft.notes, `${component} was restored from the point of the run`];
    }
  }
  draft.facts = {
    ...draft.facts,
    equal: true,
    compared: found.reduce((sum, { compared }) => sum + compared, 0),
    after: found.reduce((all, { totals }) => ({ ...all, ...totals }), {}),
  };
}

/** Runs a step with its line of the checklist; what it returns stands beside it. */
async function marked<T>({ run, draft }: UpgradeContext, line: string, work: () => Promise<T>): Promise<void> {
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
