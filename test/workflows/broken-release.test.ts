import { beforeEach, describe, expect, it } from 'vitest';
import { plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

beforeEach(() => {
  fakes.on('planRelease', () => plannedOf(release, { live: true }));
  fakes.fail('captureComponent', 'DumpFailed');
});

const release = 'shop/db';
const approval = { by: 'ann', reason: 'its files are corrupt', planDigest: `digest of ${release}` };

describe('recoverRelease over a release that is too broken to be copied', () => {
  it('asks, and goes on without a safety copy when a person says so', async () => {
    const handle = await ground.start('recoverRelease', { release });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });
    const { questions } = await ground.until(handle, (progress) => progress.questions.length === 1);
    expect(questions[0]).toMatchObject({ step: 'safety copy', failure: { code: 'DumpFailed' } });
    expect(questions[0]?.failure?.hint).toContain('skip goes on without one');

    await handle.executeUpdate('decide', { args: [{ action: 'skip', by: 'ann', reason: 'nothing to copy' }] });
    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toContain('safety copy: DumpFailed; ann decided to skip: nothing to copy');
  });

  it('never goes on without one by itself', async () => {
    const handle = await ground.start('recoverRelease', { release, onFailure: 'skip' });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });

    const { result } = await ground.closed(handle);

    expect(result).toMatchObject({ outcome: 'failed', failure: { code: 'ComponentSkipped' } });
    expect(fakes.only('installRelease', 'restoreComponent')).toEqual([]);
  });
});
