import { describe, expect, it } from 'vitest';
import { plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';
const changes = ['acquireLock', 'raiseFence', 'installRelease', 'restoreComponent'] as const;

describe('a recovery that was started with a timeout', () => {
  it.each([
    ['execution', { workflowExecutionTimeout: '60s' }],
    ['run', { workflowRunTimeout: '60s' }],
  ] as const)('is refused where the %s timeout is below its estimate, before anybody is asked', async (_, timeout) => {
    fakes.on('planRelease', () => plannedOf(release, { live: true }));

    const { status, result } = await ground.run('recoverRelease', { release }, timeout);

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      failure: { code: 'TimeoutTooShort', changed: 'no' },
      releases: [{ release, outcome: 'refused' }],
    });
    expect(result?.failure?.message).toMatch(/^recover shop\/db: its timeout leaves (59 s|1m), and it may need 1h$/);
    expect(result?.failure?.hint).toContain('without an execution or run timeout');
    expect(fakes.only(...changes)).toEqual([]);
  });

  it('is refused after an approval that left too little of it', async () => {
    fakes.on('planRelease', () => plannedOf(release, { live: true }));
    const handle = await ground.start('recoverRelease', { release }, { workflowExecutionTimeout: '2h' });
    await ground.until(handle, (progress) => progress.approval !== null);
    await ground.sleep('90m');
    await handle.executeUpdate('approve', {
      args: [{ by: 'ann', reason: 'it is gone', planDigest: `digest of ${release}` }],
    });

    const { result } = await ground.closed(handle);

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'TimeoutTooShort' } });
    expect(fakes.only('raiseFence', 'installRelease', 'restoreComponent')).toEqual([]);
    expect(fakes.only('releaseLock')).toEqual([`releaseLock ${release}`]);
  });

  it('goes on where the timeout is above its estimate', async () => {
    const { result } = await ground.run('recoverRelease', { release }, { workflowExecutionTimeout: '7d' });

    expect(result).toMatchObject({ outcome: 'complete' });
  });

  it('of a platform is refused in the same way', async () => {
    const { result } = await ground.run('recoverPlatform', {}, { workflowExecutionTimeout: '60s' });

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'TimeoutTooShort' } });
    expect(result?.failure?.message).toMatch(/^recover the platform: its timeout leaves/);
    expect(fakes.only(...changes)).toEqual([]);
  });
});
