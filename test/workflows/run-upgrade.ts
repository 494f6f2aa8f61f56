import type { Approval } from '../../model/run-input.ts';
import type { ActivityName } from './fake-activities.ts';
import type { Closed, RunGround } from './run-ground.ts';

/** What changes the release or brings it back, in its order. */
export const upgradeMutations = [
  'raiseFence',
  'stopRelease',
  'upgradeChart',
  'startRelease',
  'liftFence',
  'undoInstall',
  'dropStuckPods',
  'restoreComponent',
  'setVolumesAside',
  'giveVolumesBack',
] as const satisfies readonly ActivityName[];

/** What approves the plan that the fakes make of a release. */
export function approvalOf(release: string): Approval {
  return { by: 'ann', reason: 'it is old', planDigest: `digest of ${release}` };
}

/** Runs an upgrade that is approved when it asks. */
export async function runUpgrade(ground: RunGround, release: string, input: object): Promise<Closed> {
  const handle = await ground.start('upgradeRelease', { release, ...input });
  await ground.until(handle, (progress) => progress.approval !== null);
  await handle.executeUpdate('approve', { args: [approvalOf(release)] });
  return await ground.closed(handle);
}
