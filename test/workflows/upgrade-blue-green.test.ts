import { beforeEach, describe, expect, it } from 'vitest';
import type { RunProgress } from '../../model/progress.ts';
import { writesUnproven } from '../../model/recovery-plan.ts';
import { plannedUpgradeOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';
import { approvalOf, runUpgrade, upgradeMutations } from './run-upgrade.ts';

useRunGround();

const release = 'shop/db';
const green = 'shop/db-green';
const steps = [
  ...upgradeMutations,
  'installGreen',
  'removeGreen',
  'cutOver',
  'cutBack',
  'carryBack',
  'compareAndKeep',
  'adoptVolumes',
  'compareWithKept',
] as const;

describe('upgradeRelease blue-green', () => {
  beforeEach(() => plan({ maxWriteGapMs: 600_000, soakMs: 1 }));

  it('moves clients to green, and then the volume of green into the release', async () => {
    const { status, result } = await runUpgrade(ground, release, {});

    expect(status).toBe('COMPLETED');
    const upgrade = result?.releases[0]?.upgrade;
    expect(Object.keys(upgrade?.gapsMs ?? {})).toEqual(['cutover', 'promotion']);
    expect(upgrade?.writeGapMs).toBe(Math.max(...Object.values(upgrade?.gapsMs ?? {})));
    expect(fakes.only(...steps)).toEqual([
      'installGreen shop/db',
      'restoreComponent data',
      'compareAndKeep data',
      'raiseFence shop/db',
      'restoreComponent data',
      'compareAndKeep data',
      'cutOver shop/db',
      'raiseFence shop/db-green',
      'stopRelease shop/db-green',
      'stopRelease shop/db',
      'setVolumesAside shop/db',
      'setVolumesAside shop/db-green',
      'adoptVolumes shop/db',
      'cutBack shop/db',
      'upgradeChart shop/db',
      'raiseFence shop/db',
      'startRelease shop/db',
      'compareWithKept data',
      'liftFence shop/db',
      'removeGreen shop/db',
    ]);
  });

  it('does not keep clients out where the forecast is longer than what is allowed', async () => {
    plan({ maxWriteGapMs: 0, soakMs: 1 });

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'WriteGapTooLong' } });
    expect(fakes.only('raiseFence', 'removeGreen')).toEqual(['removeGreen shop/db']);
  });

  it('does not cut over where something was written in spite of the fence', async () => {
    let reads = 0;
    fakes.on('readWritePosition', () => String((reads += 1)));

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'FenceFailed' } });
    expect(fakes.only('cutOver', 'liftFence', 'removeGreen')).toEqual(['liftFence shop/db', 'removeGreen shop/db']);
  });

  it('says that it proves no such thing where the plan cannot tell', async () => {
    fakes.on('readWritePosition', () => null);

    const { result } = await runUpgrade(ground, release, {});

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toContain(writesUnproven);
  });

  it.each([
    ['compareAndKeep', 'FactsDiffer'],
    ['installGreen', 'HelmFailed'],
  ] as const)('leaves the release as it was when %s says %s', async (activity, code) => {
    fakes.fail(activity, code);

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code } });
    expect(fakes.only('raiseFence', 'cutOver', 'removeGreen')).toEqual(['removeGreen shop/db']);
  });

  it('lets clients in again when the API server refuses the cutover', async () => {
    fakes.fail('cutOver', 'CutoverRefused');

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'CutoverRefused' } });
    expect(fakes.only('carryBack', 'cutBack', 'liftFence', 'removeGreen')).toEqual([
      'carryBack data',
      'cutBack shop/db',
      'liftFence shop/db',
      'liftFence shop/db',
      'removeGreen shop/db',
    ]);
  });

  it('leads clients back with what they wrote when green is not healthy', async () => {
    fakes.fail('runChecks', 'HealthFailed', {
      only: ({ release: of, kind }) => of === green && kind === 'health' && fakes.only('cutOver').length > 0,
    });

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'HealthFailed' } });
    expect(result?.releases[0]?.upgrade?.gapsMs?.rollback).toBeGreaterThanOrEqual(0);
    expect(fakes.only('carryBack', 'cutBack', 'removeGreen')).toEqual([
      'carryBack data',
      'cutBack shop/db',
      'removeGreen shop/db',
    ]);
  });

  it('keeps green serving, and names what would be lost, where going back would lose it', async () => {
    fakes.fail('runChecks', 'HealthFailed', {
      only: ({ release: of, kind }) => of === green && kind === 'health' && fakes.only('cutOver').length > 0,
    });
    fakes.fail('carryBack', 'RollbackRefused');

    const { result } = await runUpgrade(ground, release, {});

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'incomplete' });
    expect(result?.releases[0]?.leftBehind).toEqual([
      expect.stringMatching(/^lead clients back to shop\/db: carryBack/),
    ]);
    expect(fakes.only('cutOver', 'cutBack', 'removeGreen')).toEqual(['cutOver shop/db', 'cutOver shop/db']);
  });

  it('asks again where a rollback was refused, and promotes when somebody says so', async () => {
    fakes.fail('carryBack', 'RollbackRefused', { times: 1 });
    plan({ maxWriteGapMs: 600_000, soakMs: 600_000 });
    const handle = await ground.start('upgradeRelease', { release });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approvalOf(release)] });
    const asked = (pattern: RegExp) => (progress: RunProgress) => pattern.test(progress.questions[0]?.asks ?? '');
    await ground.until(handle, asked(/green serves since/));

    await expect(
      handle.executeUpdate('decide', { args: [{ action: 'skip', by: 'ann', reason: 'why not' }] }),
    ).rejects.toThrow();
    await handle.executeUpdate('decide', { args: [{ action: 'rollback', by: 'ann', reason: 'slow' }] });
    await ground.until(handle, asked(/serves on: carryBack/));
    await handle.executeUpdate('decide', {
      args: [{ action: 'promote', by: 'ann', reason: 'it is the data of today' }],
    });
    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
    expect(result?.notes).toContainEqual(expect.stringMatching(/ann wanted to roll back/));
    expect(result?.notes).toContain('promoted by ann: it is the data of today');
  });

  it.each(['adoptVolumes', 'upgradeChart', 'compareWithKept'] as const)(
    'goes all the way back when the promotion fails at %s',
    async (activity) => {
      fakes.fail(activity, activity === 'compareWithKept' ? 'FactsDiffer' : 'HelmFailed');

      const { result } = await runUpgrade(ground, release, {});

      expect(result).toMatchObject({ outcome: 'failed', compensation: 'done' });
      const calls = fakes.only(...steps);
      expect(calls.slice(calls.lastIndexOf('undoInstall shop/db') - 4)).toEqual([
        'stopRelease shop/db',
        'stopRelease shop/db-green',
        'giveVolumesBack shop/db',
        'giveVolumesBack shop/db-green',
        'undoInstall shop/db',
        'dropStuckPods shop/db',
        'raiseFence shop/db',
        'startRelease shop/db',
        'startRelease shop/db-green',
        'raiseFence shop/db-green',
        'carryBack data',
        'cutBack shop/db',
        'liftFence shop/db',
        'startRelease shop/db',
        'liftFence shop/db',
        'removeGreen shop/db',
      ]);
    },
  );

  function plan(blueGreen: { maxWriteGapMs: number; soakMs: number }): void {
    const { upgrade } = plannedUpgradeOf(release);
    fakes.on('planUpgrade', () =>
      plannedUpgradeOf(release, { upgrade: { ...upgrade, strategy: 'blue-green' }, blueGreen }),
    );
  }
});
