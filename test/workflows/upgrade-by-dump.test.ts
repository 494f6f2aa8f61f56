import { beforeEach, describe, expect, it } from 'vitest';
import { writesUnproven } from '../../model/recovery-plan.ts';
import { plannedUpgradeOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';
import { runUpgrade, upgradeMutations } from './run-upgrade.ts';

useRunGround();

const release = 'shop/db';

describe('upgradeRelease by dump-restore', () => {
  beforeEach(() => {
    const { upgrade } = plannedUpgradeOf(release);
    fakes.on('planUpgrade', () => plannedUpgradeOf(release, { upgrade: { ...upgrade, strategy: 'dump-restore' } }));
  });

  it('restores the point into new volumes and keeps the old ones', async () => {
    const { status, result } = await runUpgrade(ground, release, { strategy: 'dump-restore' });

    expect(status).toBe('COMPLETED');
    expect(result?.releases[0]?.notes).toContainEqual(expect.stringMatching(/pv-of-db/));
    expect(fakes.only(...upgradeMutations, 'compareComponent', 'runChecks')).toEqual([
      'raiseFence shop/db',
      'stopRelease shop/db',
      'setVolumesAside shop/db',
      'upgradeChart shop/db',
      'raiseFence shop/db',
      'startRelease shop/db',
      'restoreComponent data',
      'compareComponent data',
      'runChecks shop/db',
      'runChecks shop/db',
      'liftFence shop/db',
    ]);
  });

  it('stops nothing where something was written in spite of the fence', async () => {
    let reads = 0;
    fakes.on('readWritePosition', () => String((reads += 1)));

    const { result } = await runUpgrade(ground, release, { strategy: 'dump-restore' });

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'FenceFailed' } });
    expect(fakes.only('readWritePosition', 'captureComponent', ...upgradeMutations)).toEqual([
      'raiseFence shop/db',
      'readWritePosition shop/db',
      'captureComponent config',
      'captureComponent data',
      'readWritePosition shop/db',
      'startRelease shop/db',
      'liftFence shop/db',
    ]);
  });

  it('says that it proves no such thing where the plan cannot tell', async () => {
    fakes.on('readWritePosition', () => null);

    const { status, result } = await runUpgrade(ground, release, { strategy: 'dump-restore' });

    expect(status).toBe('COMPLETED');
    expect(result?.releases[0]?.notes).toContain(writesUnproven);
  });

  it.each([
    ['upgradeChart', 'HelmFailed'],
    ['restoreComponent', 'RestoreFailed'],
    ['compareComponent', 'FactsDiffer'],
    ['runChecks', 'CredentialMismatch'],
  ] as const)('gives the old volumes back when %s says %s, before the old pods start', async (activity, code) => {
    fakes.fail(activity, code, { times: 1 });
    const given: unknown[] = [];
    fakes.on('giveVolumesBack', ({ volumes }) => void given.push(volumes.map(({ volume }) => volume)));

    const { result } = await runUpgrade(ground, release, { strategy: 'dump-restore' });

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code } });
    expect(given).toEqual([['pv-of-db']]);
    expect(fakes.only(...upgradeMutations).slice(-8)).toEqual([
      'stopRelease shop/db',
      'giveVolumesBack shop/db',
      'undoInstall shop/db',
      'dropStuckPods shop/db',
      'raiseFence shop/db',
      'startRelease shop/db',
      'startRelease shop/db',
      'liftFence shop/db',
    ]);
  });
});
