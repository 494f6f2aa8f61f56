import { CancellationScope } from '@temporalio/workflow';
import type { LiveVolume } from '../../activities/volumes.ts';
import { formatDuration } from '../../model/duration.ts';
import { patient, quick, transfer, undo } from '../run/activity-proxies.ts';
import { fenceDeadlineMs } from '../run/recovery-steps.ts';
import { logInAndCheck } from '../run/serving.ts';
import { type BlueGreen, blueGreenLines, setUpgrade } from './blue-green-steps.ts';
import { comparedOf, lines, marked, noteKeptVolumes, raiseFence, upgradeChart, waitForPods } from './upgrade-steps.ts';

type Volumes = { own: readonly LiveVolume[]; green: readonly LiveVolume[] };

/**
 * Makes the release itself the new version: clients are kept out, it gets the volume of green with the new chart and
 * values, its facts are compared with those that green had, and green goes. Its old volume is kept. What fails puts both
 * releases back as they were before.
 */
export async function promote(context: BlueGreen): Promise<void> {
  const { run, draft, release, green } = context;
  run.console.enter('promoting');
  const volumes: Volumes = { own: [], green: [] };
  const since = Date.now();
  context.keptOutSince = since;
  run.undo.push(`take the promotion of ${release} back`, () => takeBack(context, volumes));
  await marked(context, blueGreenLines.promote, async () => {
    await raiseFence({ release: green });
    for (const { name: component } of comparedOf(context))
      await transfer.keepLiveFacts.executeWithOptions({ summary: `read the facts of ${green} ${component}` }, [
        { release: green, component, as: 'promotion' },
      ]);
    for (const each of [green, release]) await patient.stopRelease({ release: each, deadlineMs: fenceDeadlineMs });
    volumes.own = await quick.listVolumes({ release });
    volumes.green = await quick.listVolumes({ release: green });
    for (const [each, own] of [
      [release, volumes.own],
      [green, volumes.green],
    ] as const)
      await patient.setVolumesAside.executeWithOptions({ summary: `set the volumes of ${each} aside` }, [
        { release: each, volumes: own },
      ]);
    await patient.adoptVolumes.executeWithOptions({ summary: `give ${release} the volumes of ${green}` }, [
      { release, green, volumes },
    ]);
    await quick.cutBack({ release });
    const said = await upgradeChart(context);
    await raiseFence(context);
    return said;
  });
  await waitForPods(context);
  run.console.enter('serving');
  await marked(context, lines.check, async () => {
    let compared = 0;
    for (const { name: component } of comparedOf(context))
      compared += await transfer.compareWithKept.executeWithOptions(
        { summary: `compare the facts of ${release} ${component} with those of ${green}` },
        [{ release, component, as: 'promotion' }],
      );
    await logInAndCheck(release);
    await CancellationScope.nonCancellable(async () => {
      await undo.liftFence({ release });
      context.serving = 'blue';
      setUpgrade(context, { gap: { name: 'promotion', sinceMs: since } });
      run.undo.clear();
      // What is left to do loses nothing: where it fails it is named.
      run.atEnd.push(`remove ${green}`, async () => {
        await undo.removeGreen({ release });
        await undo.settleVolumes({ release, volumes: volumes.green });
      });
    });
    return `${String(compared)} ≡, clients were kept out for ${formatDuration(draft.upgrade?.gapsMs?.promotion ?? 0)}`;
  });
  noteKeptVolumes(draft, volumes.own);
}

/** Both releases as they were before the promotion, clients kept out. */
async function takeBack({ release, green }: BlueGreen, volumes: Volumes): Promise<void> {
  for (const each of [release, green]) await undo.stopRelease({ release: each, deadlineMs: fenceDeadlineMs });
  await undo.giveVolumesBack({ release, volumes: volumes.own });
  await undo.giveVolumesBack({ release: green, volumes: volumes.green });
  await undo.undoInstall({ release });
  await undo.dropStuckPods({ release });
  await undo.raiseFence({ release, deadlineMs: fenceDeadlineMs, kind: 'plan', mayLack: true });
  for (const each of [release, green]) {
    await undo.startRelease({ release: each });
    await undo.waitUntilServing({ release: each });
  }
}
