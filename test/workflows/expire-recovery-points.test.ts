import { describe, expect, it } from 'vitest';
import type { PlannedExpiry } from '../../activities/expiry.ts';
import { failure } from '../../model/failures.ts';
import { planOf, untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const member = (release: string, of: Partial<PlannedExpiry> = {}): PlannedExpiry => ({
  release,
  tier: 1,
  kept: 2,
  expiring: 1,
  removable: 1,
  removableBytes: 10,
  failure: null,
  ...of,
});

const plan = planOf('the platform');

describe('expireRecoveryPoints', () => {
  it('expires each release as it was planned, then collects what was never committed', async () => {
    fakes.on('planExpiry', () => ({ members: [member('shop/db'), member('shop/web')], plan }));
    fakes.on('expireRelease', () => ({
      kept: 2,
      expired: ['b'],
      keptAgain: [],
      removed: ['a'],
      removedBytes: 2048,
      waiting: 1,
    }));
    fakes.on('collectStoreGarbage', () => ({ objects: 3, bytes: 1024, inDoubt: [] }));

    const { status, result } = await ground.run('expireRecoveryPoints');

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', notes: ['garbage removed: 3 objects, 1.0 KiB'] });
    expect(result?.releases.map(({ release, expiry }) => [release, expiry?.removed])).toEqual([
      ['shop/db', ['a']],
      ['shop/web', ['a']],
    ]);
  });

  it('only shows the plan in a dry run', async () => {
    fakes.on('planExpiry', () => ({ members: [member('shop/db')], plan }));

    const { result } = await ground.run('expireRecoveryPoints', { dryRun: true });

    expect(result?.plan?.digest).toBe(plan.digest);
    expect(fakes.only('expireRelease')).toEqual([]);
    expect(fakes.only('collectStoreGarbage')).toEqual([]);
  });

  it('is refused without rules, and where the clock is wrong', async () => {
    fakes.on('planExpiry', () => {
      throw failure('ClockSkew', { message: 'the clocks differ by 10m' });
    });

    const { status, result } = await ground.run('expireRecoveryPoints', {});

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ClockSkew' } });
    expect(fakes.only('expireRelease')).toEqual([]);
  });

  it('expires nothing of a release whose chain is in doubt, names it and is partial', async () => {
    const doubt = failure('ChainBroken', { message: 'number 3 is missing' }).view();
    fakes.on('planExpiry', () => ({ members: [member('shop/db', { failure: doubt }), member('shop/web')], plan }));

    const { status, result } = await ground.run('expireRecoveryPoints', {});

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases).toMatchObject([
      { release: 'shop/db', outcome: 'failed', failure: { code: 'ChainBroken' } },
      { release: 'shop/web', outcome: 'complete' },
    ]);
    expect(fakes.only('expireRelease')).toEqual(['expireRelease shop/web']);
  });

  it('is partial where the store lets nothing be removed', async () => {
    fakes.on('planExpiry', () => ({ members: [member('shop/db'), member('shop/web')], plan }));
    fakes.fail('expireRelease', 'StoreDenied', { only: (of) => of.release === 'shop/db' });
    fakes.fail('collectStoreGarbage', 'StoreDenied');

    const { result } = await ground.run('expireRecoveryPoints', {});

    expect(result).toMatchObject({ outcome: 'partial', failure: { code: 'StoreDenied' } });
    expect(result?.releases[0]).toMatchObject({ outcome: 'failed', failure: { code: 'StoreDenied' } });
  });

  it('is partial where only the garbage cannot be collected', async () => {
    fakes.on('planExpiry', () => ({ members: [member('shop/db')], plan }));
    fakes.fail('collectStoreGarbage', 'StoreDenied');

    const { result } = await ground.run('expireRecoveryPoints', {});

    expect(result).toMatchObject({ outcome: 'partial', failure: { code: 'StoreDenied' } });
  });

  it('closes as Canceled', async () => {
    fakes.on('planExpiry', () => ({ members: [member('shop/db')], plan }));
    fakes.on('expireRelease', untilCancelled);
    const handle = await ground.start('expireRecoveryPoints', {});
    await ground.until(handle, () => fakes.only('expireRelease').length === 1);

    await handle.cancel();

    expect((await ground.closed(handle)).status).toBe('CANCELLED');
  });
});
