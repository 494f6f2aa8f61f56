import { describe, expect, it } from 'vitest';
import type { PlatformMember } from '../../activities/platform.ts';
import { failure } from '../../model/failures.ts';
import { untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const member = (release: string, tier: number, of: Partial<PlatformMember> = {}): PlatformMember => ({
  release,
  tier,
  chart: 'c 1',
  failure: null,
  ...of,
});
const platform = (members: PlatformMember[], parallelism = 1): void => {
  fakes.on('listPlatform', () => ({ platform: 'test', cluster: 'test', parallelism, members }));
};

describe('backUpPlatform', () => {
  it('backs up tier by tier, with no input at all, and names each point in one platform point', async () => {
    platform([member('shop/web', 2), member('shop/db', 1)]);
    let made: unknown;
    fakes.on('commitPlatformPoint', (of) => {
      made = of;
      return { id: of.id, skewSeconds: 1 };
    });

    const { status, result } = await ground.run('backUpPlatform');

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', platformPoint: 'platform point' });
    expect(fakes.only('bindForBackup')).toEqual(['bindForBackup shop/db', 'bindForBackup shop/web']);
    expect(made).toEqual({
      id: 'platform point',
      complete: true,
      made: [
        { release: 'shop/db', point: 'new point of shop/db' },
        { release: 'shop/web', point: 'new point of shop/web' },
      ],
    });
  });

  it('names the release that failed, backs the others up and is partial', async () => {
    platform([
      member('shop/db', 1),
      member('shop/lost', 1, { failure: failure('ReleaseNotFound', { message: 'read shop/lost: gone' }).view() }),
      member('shop/web', 2),
    ]);
    fakes.fail('verifyCapture', 'ArtifactDigestMismatch', { only: (of) => of.release === 'shop/db' });
    let complete: boolean | undefined;
    fakes.on('commitPlatformPoint', (of) => {
      complete = of.complete;
      return { id: of.id, skewSeconds: 1 };
    });

    const { status, result, outcomeAttribute } = await ground.run('backUpPlatform', {});

    expect({ status, outcomeAttribute }).toEqual({ status: 'FAILED', outcomeAttribute: 'partial' });
    expect(result?.releases.map((each) => [each.release, each.outcome, each.failure?.code])).toEqual([
      ['shop/db', 'failed', 'ArtifactDigestMismatch'],
      ['shop/lost', 'failed', 'ReleaseNotFound'],
      ['shop/web', 'complete', undefined],
    ]);
    expect(complete).toBe(false);
  });

  it('makes no platform point where no release has a new one', async () => {
    platform([member('shop/db', 1), member('shop/web', 2)]);
    fakes
      .fail('captureComponent', 'DiskFull', { only: (of) => of.release === 'shop/db' })
      .fail('acquireLock', 'ReleaseBusy', { only: (of) => of.release === 'shop/web' });

    const { result } = await ground.run('backUpPlatform', {});

    expect(result?.outcome).toBe('failed');
    expect(fakes.only('commitPlatformPoint')).toEqual([]);
  });

  it('goes on with the others when somebody cancels the run of one release', async () => {
    platform([member('shop/db', 1), member('shop/web', 2)]);
    fakes.on('captureComponent', (of) =>
      of.release === 'shop/db'
        ? untilCancelled()
        : {
            component: of.component,
            totals: {},
            facts: 0,
            plainBytes: 1,
            storedBytes: 1,
            durationMs: 1,
            notes: [],
            missing: [],
          },
    );
    const handle = await ground.start('backUpPlatform', {});
    await ground.until(handle, () => fakes.calls.includes('captureComponent config'));

    await ground.handle(`${handle.workflowId}/shop/db`).cancel();
    const { status, result } = await ground.closed(handle);

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases.map((each) => [each.release, each.outcome])).toEqual([
      ['shop/db', 'cancelled'],
      ['shop/web', 'complete'],
    ]);
  });

  it('cancels the runs of its releases with itself, and each compensates', async () => {
    platform([member('shop/db', 1), member('shop/web', 1)], 2);
    fakes.on('captureComponent', untilCancelled);
    const handle = await ground.start('backUpPlatform', {});
    await ground.until(handle, () => fakes.only('captureComponent').length === 2);

    await handle.cancel();
    const { status } = await ground.closed(handle);

    expect(status).toBe('CANCELLED');
    expect(fakes.only('releaseLock').sort()).toEqual(['releaseLock shop/db', 'releaseLock shop/web']);
    expect(fakes.only('discardPoint').sort()).toEqual(['discardPoint shop/db', 'discardPoint shop/web']);
    expect(fakes.only('commitPlatformPoint')).toEqual([]);
  });

  it('holds before the next release while it is paused, and goes on after `resume`', async () => {
    platform([member('shop/db', 1), member('shop/web', 2)]);
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    fakes.on('verifyCapture', async () => {
      await gate;
      return { plainBytes: 1, storedBytes: 1 };
    });
    const handle = await ground.start('backUpPlatform', {});
    await ground.until(handle, () => fakes.only('verifyCapture').length === 1);
    await handle.executeUpdate('pause', { args: [{ by: 'ann', reason: 'a release is going on' }] });

    go();
    const { paused } = await ground.until(handle, (progress) => progress.phase === 'tier 2');

    expect(paused).toMatchObject({ by: 'ann', reason: 'a release is going on' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fakes.only('bindForBackup')).toEqual(['bindForBackup shop/db']);
    await handle.executeUpdate('resume', { args: [{ by: 'ann', reason: 'done' }] });
    const { result } = await ground.closed(handle);
    expect(result?.outcome).toBe('complete');
    expect(result?.waitedForPeopleMs).toBeGreaterThan(0);
    expect(fakes.only('bindForBackup')).toEqual(['bindForBackup shop/db', 'bindForBackup shop/web']);
  });
});
