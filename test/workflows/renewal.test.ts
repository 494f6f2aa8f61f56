import { describe, expect, it } from 'vitest';
import type { FreshClaim } from '../../activities/renewal.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const release = 'shop/db';

describe('recoverRelease of a chart that makes up its passwords', () => {
  it('lets its pods and new volumes begin anew, before data is restored', async () => {
    const claim = { uid: '1', claim: { kind: 'PersistentVolumeClaim' } } as FreshClaim;
    fakes.on('findRenewal', () => ({ secrets: ['Secret/db'], claims: [claim] }));

    const { result } = await ground.run('recoverRelease', { release });

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toContain('started anew with the captured Secret/db');
    expect(
      fakes.only(
        'installRelease',
        'findRenewal',
        'restoreSecrets',
        'raiseFence',
        'stopRelease',
        'renewClaims',
        'startRelease',
        'restoreComponent',
      ),
    ).toEqual([
      'installRelease config',
      'findRenewal config',
      'restoreSecrets config',
      'raiseFence shop/db',
      'stopRelease shop/db',
      'renewClaims shop/db',
      'startRelease shop/db',
      'raiseFence shop/db',
      'startRelease shop/db',
      'restoreComponent data',
      'startRelease shop/db',
    ]);
  });
});
