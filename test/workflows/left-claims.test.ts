import { describe, expect, it } from 'vitest';
import { plannedOf, planOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';
const approval = { by: 'ann', reason: 'it is gone', planDigest: `digest of ${release}` };

describe('recoverRelease of a release whose volumes outlived it', () => {
  it('sets volumes that outlived the release aside, and gives them back when the facts differ', async () => {
    const left = plannedOf(release);
    fakes.on('planRelease', () => ({
      ...left,
      plan: planOf(release, { overwrites: ['volume claim shop/data-db-0'] }),
      leftClaims: ['data-db-0'],
    }));
    const recover = async () => {
      const handle = await ground.start('recoverRelease', { release, onFailure: 'abort' });
      await ground.until(handle, (progress) => progress.approval !== null);
      await handle.executeUpdate('approve', { args: [approval] });
      return await ground.closed(handle);
    };
    const steps = ['setVolumesAside', 'installRelease', 'undoRestore', 'undoInstall', 'giveVolumesBack'] as const;

    const { result } = await recover();

    expect(result?.outcome).toBe('complete');
    expect(fakes.only(...steps)).toEqual(['setVolumesAside shop/db', 'installRelease config']);
    expect(result?.releases[0]?.notes.join()).toContain('volume pv-of-db is kept');

    fakes.calls.length = 0;
    fakes.fail('compareComponent', 'FactsDiffer');
    const failed = await recover();

    expect(failed.result).toMatchObject({ outcome: 'failed', compensation: 'done' });
    // What was restored into the new volumes goes with them: nothing is put back into these.
    expect(fakes.only(...steps)).toEqual([
      'setVolumesAside shop/db',
      'installRelease config',
      'undoInstall shop/db',
      'giveVolumesBack shop/db',
    ]);
  });
});
