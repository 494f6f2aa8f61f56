import { patched } from '@temporalio/workflow';
import type { LiveVolume } from '../../activities/volumes.ts';
import { patient, quick, undo } from '../run/activity-proxies.ts';
import type { Ending } from '../run/conduct.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import {
  checkAndServe,
  compareData,
  keepClientsOut,
  lines,
  marked,
  noteKeptVolumes,
  raiseFence,
  readWritePosition,
  registerWayBack,
  requireNothingWritten,
  restoreData,
  takePoint,
  type UpgradeContext,
  upgradeChart,
  waitForPods,
} from './upgrade-steps.ts';

/**
 * Gives a release new volumes and restores its point into them, for versions that cannot read the files of the one before.
 * Clients are kept out from before the point until the facts were found equal, and nothing is stopped where something was
 * written in spite of that. The volumes that were there are kept:
 * going back binds them again, untouched by the new version.
 */
export async function upgradeByDump(context: UpgradeContext): Promise<Ending> {
  const { run, draft, release } = context;
  const { fence, point, upgrade, ready, restore, compare, check } = lines;
  run.console.announce([fence, point, upgrade, ready, restore, compare, check]);
  await keepClientsOut(context);
  const proves = patched('nothing written in spite of the fence');
  const position = proves ? await readWritePosition(context) : null;
  await takePoint(context);
  run.begin();
  run.console.enter('upgrading');
  // Before the way back is registered: that one brings the data of the point, and what was written would be lost.
  if (proves) await requireNothingWritten(context, position, 'upgrade');
  let volumes: readonly LiveVolume[] = [];
  registerWayBack(context, () => undo.giveVolumesBack({ release, volumes }));
  await marked(context, upgrade, async () => {
    await patient.stopRelease({ release, deadlineMs: fenceDeadlineMs });
    volumes = await quick.listVolumes({ release });
    await patient.setVolumesAside.executeWithOptions({ summary: `set the volumes of ${release} aside` }, [
      { release, volumes },
    ]);
    const said = await upgradeChart(context);
    await raiseFence(context);
    return said;
  });
  await waitForPods(context);
  run.console.enter('restoring');
  await marked(context, restore, () => restoreData(context, release));
  await compareData(context);
  await checkAndServe(context);
  noteKeptVolumes(draft, volumes);
  return { outcome: 'complete' };
}
