import { describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const point = (release: string) => ({
  release,
  tier: 1,
  point: `point of ${release}`,
  capturedAt: new Date(0).toISOString(),
});

describe('verifyRecoveryPoint', () => {
  it('reads back each point and names the proof that it has', async () => {
    fakes.on('listPointsToVerify', () => ({ points: [point('shop/db'), point('shop/web')], broken: [] }));

    const { status, result } = await ground.run('verifyRecoveryPoint', { all: true });

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', compensation: 'none' });
    expect(result?.releases.map(({ recoveryPoint, notes }) => [recoveryPoint, notes])).toEqual([
      ['point of shop/db', ['proof: read-back']],
      ['point of shop/web', ['proof: read-back']],
    ]);
    expect(fakes.only('verifyPoint')).toEqual(['verifyPoint shop/db', 'verifyPoint shop/web']);
  });

  it('samples where it is asked to, and calls that no proof', async () => {
    fakes.on('listPointsToVerify', () => ({ points: [point('shop/db')], broken: [] }));
    let share: number | undefined;
    fakes.on('verifyPoint', (of) => {
      ({ share } = of);
      return { plainBytes: 0, storedBytes: 2048, proof: 'read-back', sample: { frames: 3, ofFrames: 60 } };
    });

    const { result } = await ground.run('verifyRecoveryPoint', { sample: '5%' });

    expect(share).toBe(0.05);
    expect(result?.releases[0]).toMatchObject({
      outcome: 'complete',
      notes: ['sampled 3 of 60 frames, 2.0 KiB: no proof of the rest'],
    });
  });

  it.each(['0%', '101%', '5', 'half'])('refuses the sample %s', async (sample) => {
    const { result } = await ground.run('verifyRecoveryPoint', { sample });

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'InputInvalid' } });
  });

  it('goes on after a damaged point, is partial and says which one and why', async () => {
    fakes.on('listPointsToVerify', () => ({ points: [point('shop/db'), point('shop/web')], broken: [] }));
    fakes.fail('verifyPoint', 'ArtifactDigestMismatch', { only: (of) => of.release === 'shop/db' });

    const { status, result } = await ground.run('verifyRecoveryPoint', { all: true });

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(result?.releases).toMatchObject([
      { release: 'shop/db', outcome: 'failed', failure: { code: 'ArtifactDigestMismatch' } },
      { release: 'shop/web', outcome: 'complete' },
    ]);
  });

  it('fails where a chain cannot even be listed, though every point that was listed is whole', async () => {
    fakes.on('listPointsToVerify', () => ({
      points: [point('shop/db')],
      broken: [{ release: 'shop/web', code: 'ChainBroken', message: 'list points of shop/web: 3 is missing' }],
    }));

    const { status, result } = await ground.run('verifyRecoveryPoint', {});

    expect(status).toBe('FAILED');
    expect(result?.releases[0]).toMatchObject({ release: 'shop/web', failure: { code: 'ChainBroken' } });
  });

  it('does not call it a success that there is nothing to verify', async () => {
    const { status, result } = await ground.run('verifyRecoveryPoint', { release: 'shop/db' });

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'PointUnknown' } });
  });

  it('closes as Canceled', async () => {
    fakes.on('listPointsToVerify', () => ({ points: [point('shop/db')], broken: [] }));
    fakes.on('verifyPoint', untilCancelled);
    const handle = await ground.start('verifyRecoveryPoint', {});
    await ground.until(handle, () => fakes.only('verifyPoint').length === 1);

    await handle.cancel();

    expect((await ground.closed(handle)).status).toBe('CANCELLED');
  });
});

describe('selfTest', () => {
  it('is complete with no input, and says what fits', async () => {
    const { status, result } = await ground.run('selfTest');

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', notes: ['helm: fits'] });
  });

  it('is refused with every problem in one message', async () => {
    fakes.on('selfTestChecks', () => ({ checks: 3, problems: ['no bucket', 'no key'], found: ['helm'] }));

    const { status, result } = await ground.run('selfTest', {});

    expect(status).toBe('FAILED');
    expect(result?.failure).toMatchObject({
      code: 'PrerequisitesMissing',
      message: 'self test: 2 of 3 checks failed: no bucket; no key',
    });
  });

  it('is refused when the cluster does not answer', async () => {
    fakes.on('selfTestChecks', () => {
      throw failure('ClusterDenied', { message: 'list pods: forbidden' });
    });

    const { result } = await ground.run('selfTest', {});

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ClusterDenied' } });
  });
});
