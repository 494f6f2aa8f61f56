import { Context } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import { component, config, planOf, summaryOf, untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const bindTo = (of: Parameters<typeof summaryOf>[1]): void => {
  fakes.on('bindForBackup', ({ release }) => ({
    summary: summaryOf(release, of),
    point: `new point of ${release}`,
    plan: planOf(release),
  }));
};
const backUp = () => ground.run('backUpRelease', { release: 'shop/db' });

describe('backUpRelease', () => {
  it('closes as Completed with the new point, and gives the lock back', async () => {
    const { status, result, outcomeAttribute } = await backUp();

    expect({ status, outcomeAttribute }).toEqual({ status: 'COMPLETED', outcomeAttribute: 'complete' });
    expect(result).toMatchObject({
      outcome: 'complete',
      compensation: 'none',
      releases: [{ recoveryPoint: 'new point of shop/db' }],
    });
    expect(fakes.calls).toEqual([
      'bindForBackup shop/db',
      'acquireLock shop/db',
      'captureComponent config',
      'captureComponent data',
      'verifyCapture shop/db',
      'commitPoint shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('has a history that does not grow with heartbeats, and by two events at most with each attempt (experiment 31)', async () => {
    const attempts = 5;
    fakes
      .first('captureComponent', () => {
        for (let beat = 0; beat < 10_000; beat += 1) Context.current().heartbeat({ bytes: beat });
      })
      .fail('captureComponent', 'DumpFailed', { times: attempts - 1 });

    const handle = await ground.start('backUpRelease', { release: 'shop/db' });
    const { status } = await ground.closed(handle);
    const { events = [] } = await handle.fetchHistory();

    expect(status).toBe('COMPLETED');
    expect(fakes.only('captureComponent')).toHaveLength(attempts + 1);
    expect(events?.length).toBeLessThanOrEqual(60 + 2 * (attempts - 1));
  });

  it('refuses an unknown key, does nothing, and lists the keys that are allowed', async () => {
    const { status, result, outcomeAttribute } = await ground.run('backUpRelease', { release: 'shop/db', releas: 'x' });

    expect({ status, outcomeAttribute }).toEqual({ status: 'FAILED', outcomeAttribute: 'refused' });
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      failure: { code: 'InputInvalid', changed: 'no' },
    });
    expect(result?.failure?.message).toContain('releas');
    for (const key of ['release', 'trigger', 'dryRun', 'configDigest'])
      expect(result?.failure?.message).toMatch(new RegExp(`\\b${key}\\b`));
    expect(fakes.calls).toEqual([]);
  });

  it('deletes the objects of the point and gives the lock back when a capture fails', async () => {
    fakes.fail('captureComponent', 'DumpFailed', { only: (of) => of.component === 'data' });

    const { status, result, outcomeAttribute } = await backUp();

    expect({ status, outcomeAttribute }).toEqual({ status: 'FAILED', outcomeAttribute: 'failed' });
    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code: 'DumpFailed' },
      releases: [{ release: 'shop/db', outcome: 'failed', recoveryPoint: null }],
    });
    expect(fakes.only('captureComponent', 'discardPoint', 'releaseLock', 'commitPoint')).toEqual([
      'captureComponent config',
      ...Array<string>(5).fill('captureComponent data'),
      'discardPoint shop/db',
      'releaseLock shop/db',
    ]);
  });

  it('captures what it can and says what would have stopped the service', async () => {
    bindTo({ components: [config, component('files', { captureWhile: 'stopped' })] });

    const { status, result } = await backUp();

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases[0]?.recoveryPoint).toBe('new point of shop/db');
    expect(result?.releases[0]?.components).toContainEqual({
      component: 'files',
      method: 'pg-dump',
      outcome: 'not captured',
      reason: 'would stop the service; set allowDowntime in lifeboat.yaml',
    });
    expect(fakes.only('stopRelease', 'raiseFence')).toEqual([]);
  });

  it('lets writers go on as soon as the group is captured', async () => {
    bindTo({
      quiesceDeadlineMs: 60_000,
      components: [component('tables', { group: 'app' }), component('files', { group: 'app' }), config],
    });

    await backUp();

    expect(fakes.only('quiesce', 'releaseQuiesce', 'captureComponent')).toEqual([
      'quiesce shop/db',
      'captureComponent tables',
      'captureComponent files',
      'releaseQuiesce shop/db',
      'captureComponent config',
    ]);
  });

  it('lets writers go on before anything else when a capture fails', async () => {
    bindTo({ quiesceDeadlineMs: 60_000, components: [component('tables', { group: 'app' })] });
    fakes.fail('captureComponent', 'DiskFull');

    const { result } = await backUp();

    expect(result).toMatchObject({ outcome: 'failed', failure: { code: 'DiskFull' } });
    expect(fakes.calls.slice(2)).toEqual([
      'quiesce shop/db',
      'captureComponent tables',
      'releaseQuiesce shop/db',
      'discardPoint shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('lets writers go on at the deadline, whatever the capture does', async () => {
    bindTo({ quiesceDeadlineMs: 600, components: [component('tables', { group: 'app' })] });
    fakes.on('captureComponent', untilCancelled);

    const { result } = await backUp();

    expect(result).toMatchObject({
      outcome: 'failed',
      failure: { code: 'QuiesceFailed', message: expect.stringMatching(/not done within the/) as string },
    });
    expect(fakes.calls.slice(2)).toEqual([
      'quiesce shop/db',
      'captureComponent tables',
      'releaseQuiesce shop/db',
      'discardPoint shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('starts the service again when it may be stopped no longer', async () => {
    bindTo({ allowDowntimeMs: 600, components: [component('files', { captureWhile: 'stopped' })] });
    fakes.on('captureComponent', untilCancelled);

    const { result } = await backUp();

    expect(result).toMatchObject({ outcome: 'failed', failure: { code: 'DowntimeExceeded' } });
    expect(fakes.calls.slice(2)).toEqual([
      'raiseFence shop/db',
      'stopRelease shop/db',
      'captureComponent files',
      'startRelease shop/db',
      'waitUntilServing shop/db',
      'liftFence shop/db',
      'discardPoint shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('misses an objective where the service comes back later than it may: the point is proven all the same', async () => {
    bindTo({ allowDowntimeMs: 2_000, components: [component('files', { captureWhile: 'stopped' })] });
    fakes.on('waitUntilServing', async () => {
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    });

    const { status, result } = await backUp();

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', objectivesMet: false });
    const downtime = result?.releases[0]?.downtime;
    expect(downtime).toMatchObject({ objectiveSeconds: 2, met: false });
    expect(downtime?.achievedSeconds).toBeGreaterThan(2);
  });

  it('closes as Canceled after its compensation, and keeps no lock', async () => {
    fakes.on('captureComponent', untilCancelled);
    const handle = await ground.start('backUpRelease', { release: 'shop/db' });
    await ground.until(
      handle,
      (progress) => progress.phase === 'capturing' && fakes.calls.includes('captureComponent config'),
    );

    await handle.cancel();
    const { status, outcomeAttribute } = await ground.closed(handle);

    expect({ status, outcomeAttribute }).toEqual({ status: 'CANCELLED', outcomeAttribute: 'cancelled' });
    expect(fakes.only('discardPoint', 'releaseLock', 'writeReport')).toEqual([
      'discardPoint shop/db',
      'releaseLock shop/db',
      'writeReport',
    ]);
  });

  it('names the holder of a busy release and changes nothing', async () => {
    fakes.fail('acquireLock', 'ReleaseBusy');

    const { status, result } = await backUp();

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ReleaseBusy' } });
    expect(fakes.only('captureComponent', 'discardPoint')).toEqual([]);
  });

  it('says what it left behind when the compensation fails', async () => {
    fakes.fail('verifyCapture', 'ArtifactDigestMismatch').fail('discardPoint', 'StoreDenied');

    const { result } = await backUp();

    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'incomplete',
      failure: { code: 'ArtifactDigestMismatch' },
    });
    expect(result?.releases[0]?.leftBehind).toEqual([
      'delete the objects of the point new point of shop/db: discardPoint: broken by the test',
    ]);
  });
});
