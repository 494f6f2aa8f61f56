import { patient } from '../run/activity-proxies.ts';
import type { Ending } from '../run/conduct.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import {
  checkAndServe,
  compareData,
  keepClientsOut,
  lines,
  marked,
  raiseFence,
  registerWayBack,
  takePoint,
  type UpgradeContext,
  upgradeChart,
  waitForPods,
} from './upgrade-steps.ts';

/**
 * Replaces the pods of a release, which get its volumes. Where there is data to compare, clients are kept out from before
 * the recovery point until the facts were found equal, so that going back loses nothing that was acknowledged.
 */
export async function upgradeRolling(context: UpgradeContext): Promise<Ending> {
  const { run, planned, release } = context;
  const held = planned.compared.length > 0;
  const { fence, point, upgrade, ready, compare, check } = lines;
  run.console.announce([...(held ? [fence] : []), point, upgrade, ready, ...(held ? [compare] : []), check]);
  if (held) await keepClientsOut(context);
  await takePoint(context);
  run.begin();
  run.console.enter('upgrading');
  registerWayBack(context, () => Promise.resolve());
  await marked(context, upgrade, async () => {
    // The old pods are gone before Helm's writing lets clients through for a moment.
    if (held) await patient.stopRelease({ release, deadlineMs: fenceDeadlineMs });
    const said = await upgradeChart(context);
    if (held) await raiseFence(context);
    return said;
  });
  await waitForPods(context);
  if (held) await compareData(context);
  await checkAndServe(context);
  return { outcome: 'complete' };
}
