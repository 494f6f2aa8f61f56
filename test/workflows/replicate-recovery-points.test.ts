import { describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { planOf, untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const plan = planOf('the platform');
const members = [
  { release: 'shop/db', tier: 1 },
  { release: 'shop/web', tier: 2 },
];

describe('replicateRecoveryPoints', () => {
  it('copies each release, then the platform points', async () => {
    fakes.on('planReplication', () => ({ members, plan }));

    const { status, result } = await ground.run('replicateRecoveryPoints');

    expect(status).toBe('COMPLETED');
    expect(result?.releases).toMatchObject([
      { release: 'shop/db', outcome: 'complete', recoveryPoint: 'p', replication: { points: 1, objects: 3 } },
      { release: 'shop/web', outcome: 'complete' },
    ]);
    expect(fakes.only('replicatePlatform')).toHaveLength(1);
  });

  it('only shows the plan in a dry run', async () => {
    fakes.on('planReplication', () => ({ members, plan }));

    const { result } = await ground.run('replicateRecoveryPoints', { dryRun: true });

    expect(result?.plan?.digest).toBe(plan.digest);
    expect(fakes.only('replicateRelease')).toEqual([]);
  });

  it('is refused without a replica', async () => {
    fakes.on('planReplication', () => {
      throw failure('ConfigInvalid', { message: 'lifeboat.yaml has no replica' });
    });

    const { result } = await ground.run('replicateRecoveryPoints', {});

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ConfigInvalid' } });
  });

  it('is partial where a point could not be copied, and names it', async () => {
    fakes.on('planReplication', () => ({ members, plan }));
    fakes.on('replicateRelease', () => ({ points: 1, objects: 3, bytes: 9, newest: 'q', damaged: ['p: gone'] }));

    const { status, result } = await ground.run('replicateRecoveryPoints', {});

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases[0]).toMatchObject({
      outcome: 'partial',
      failure: { message: 'replicate shop/db: 1 of its points could not be copied: p: gone' },
    });
  });

  it('goes on after a release that fails, and is partial', async () => {
    fakes.on('planReplication', () => ({ members, plan }));
    fakes.fail('replicateRelease', 'ChainBroken', { only: (of) => of.release === 'shop/db' });

    const { result } = await ground.run('replicateRecoveryPoints', {});

    expect(result?.outcome).toBe('partial');
    expect(result?.releases).toMatchObject([
      { release: 'shop/db', outcome: 'failed', failure: { code: 'ChainBroken' } },
      { release: 'shop/web', outcome: 'complete' },
    ]);
  });

  it('is partial where only the platform points could not be copied', async () => {
    fakes.on('planReplication', () => ({ members, plan }));
    fakes.fail('replicatePlatform', 'StoreDenied');

    const { result } = await ground.run('replicateRecoveryPoints', {});

    expect(result).toMatchObject({ outcome: 'partial', failure: { code: 'StoreDenied' } });
  });

  it('closes as Canceled', async () => {
    fakes.on('planReplication', () => ({ members, plan }));
    fakes.on('replicateRelease', untilCancelled);
    const handle = await ground.start('replicateRecoveryPoints', {});
    await ground.until(handle, () => fakes.only('replicateRelease').length === 1);

    await handle.cancel();

    expect((await ground.closed(handle)).status).toBe('CANCELLED');
  });
});
