import { describe, expect, it } from 'vitest';
import { plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';
const approval = { by: 'ann', reason: 'it is gone', planDigest: `digest of ${release}` };
const overLiveData = (): void => {
  fakes.on('planRelease', () => plannedOf(release, { live: true }));
};

describe('the prerequisites of one release', () => {
  it('names everything that the cluster lacks before it asks anybody', async () => {
    overLiveData();
    const problems = ['no storage class fast', 'helm: 3.0.0 is too old'];
    fakes.on('checkPrerequisites', () => ({ checks: 9, problems, found: [] }));

    const { result } = await ground.run('recoverRelease', { release });

    expect(result).toMatchObject({
      outcome: 'refused',
      waitedForPeopleMs: 0,
      failure: { code: 'PrerequisitesMissing', message: `check prerequisites: ${problems.join('; ')}` },
    });
    expect(fakes.only('acquireLock', 'raiseFence')).toEqual([]);
  });

  it('does not ask for the prerequisites of an installation where it brings data alone', async () => {
    overLiveData();
    fakes.on('checkPrerequisites', () => ({ checks: 9, problems: ['no storage class fast'], found: [] }));
    const handle = await ground.start('recoverRelease', { release, scope: 'data' });
    await ground.until(handle, (progress) => progress.approval !== null);
    await handle.executeUpdate('approve', { args: [approval] });

    expect((await ground.closed(handle)).result).toMatchObject({ outcome: 'complete' });
  });
});
