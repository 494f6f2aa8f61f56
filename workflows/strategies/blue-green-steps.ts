import { transfer, undo } from '../run/activity-proxies.ts';
import { viewFailure } from '../run/failure-view.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import { comparedOf, type UpgradeContext } from './upgrade-steps.ts';

/** What the steps of a blue-green upgrade work with. */
export type BlueGreen = UpgradeContext & {
  /** The release beside the one that is upgraded, `namespace/name-green`. */
  readonly green: string;
  readonly limits: NonNullable<UpgradeContext['planned']['blueGreen']>;
  /** Since the cutover: what stops the run leads clients back with what they wrote. */
  serving: 'blue' | 'green';
};

/** Lines of the checklist beside those of every upgrade. */
export const blueGreenLines = {
  green: 'install green',
  rehearse: 'rehearse the move',
  move: 'move what was written since',
  login: 'log in to green',
  cutover: 'cut over',
  soak: 'soak',
  promote: 'promote',
  rollBack: 'roll back',
} as const;

/** Adds what was measured to the result of the upgrade; the gap of the whole is the longest one. */
export function setUpgrade(
  { draft, planned }: BlueGreen,
  of: { forecastMs?: number; gap?: { name: 'cutover' | 'promotion' | 'rollback'; sinceMs: number } },
): void {
  const before = draft.upgrade ?? { ...planned.upgrade, writeGapMs: null };
  const gapsMs = { ...before.gapsMs, ...(of.gap === undefined ? {} : { [of.gap.name]: Date.now() - of.gap.sinceMs }) };
  const longest = Math.max(...Object.values(gapsMs));
  draft.upgrade = {
    ...before,
    ...(of.forecastMs === undefined ? {} : { forecastMs: of.forecastMs }),
    ...(of.gap === undefined ? {} : { gapsMs, writeGapMs: longest }),
  };
}

/**
 * Leads clients back to the release with what they wrote in green since. Refused where something of that would be lost:
 * then green serves on, and what has to be done is told.
 */
export async function rollBack(context: BlueGreen): Promise<void> {
  const { run, release, green } = context;
  if (context.serving === 'blue') return;
  const since = Date.now();
  run.console.mark(blueGreenLines.rollBack, 'running');
  try {
    await undo.raiseFence({ release: green, deadlineMs: fenceDeadlineMs, kind: 'plan' });
    for (const { name: component } of comparedOf(context)) await transfer.carryBack({ release, green, component });
    await undo.cutBack({ release });
    context.serving = 'blue';
    await undo.liftFence({ release });
    setUpgrade(context, { gap: { name: 'rollback', sinceMs: since } });
    run.console.mark(blueGreenLines.rollBack, 'done', 'with what was written since');
  } catch (error) {
    const { code, message } = viewFailure(error);
    run.console.mark(blueGreenLines.rollBack, 'failed', `${code}: ${message}`);
    await undo.cutOver({ release });
    throw error;
  }
}
