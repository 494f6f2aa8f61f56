import { describe, expect, it } from 'vitest';
import type { RecoveryMember } from '../../activities/platform.ts';
import { component, config, plannedOf } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const member = (release: string, tier: number, requires: string[] = [], wave = 0): RecoveryMember => ({
  release,
  tier,
  wave,
  why: `tier ${String(tier)}`,
  point: `point of ${release}`,
  requires,
});
const platform = (members: RecoveryMember[], without: string[] = [], passedOver: string[] = []): void => {
  fakes.on('locatePlatformPoint', () => ({
    platform: 'test',
    cluster: 'test',
    id: 'platform point',
    committedAt: '2026-11-24T00:00:00Z',
    skewSeconds: 1,
    complete: true,
    rto: '4h',
    parallelism: 2,
    members,
    without,
    passedOver,
  }));
};
const changing = ['acquireLock', 'raiseFence', 'restoreConfiguration', 'installRelease', 'restoreComponent'] as const;

describe('recoverPlatform', () => {
  it('recovers tier by tier and wave by wave after every point was read back', async () => {
    platform([member('shop/db', 1), member('shop/app', 1, ['shop/db'], 1), member('shop/web', 3, ['shop/app'])]);

    const { status, result } = await ground.run('recoverPlatform');

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', platformPoint: 'platform point', objectivesMet: true });
    expect(fakes.only('verifyPoint')).toHaveLength(3);
    expect(
      fakes
        .only('restoreConfiguration', 'verifyPoint')
        .slice(0, 3)
        .every((call) => call.startsWith('verifyPoint')),
    ).toBe(true);
    expect(result?.releases.map((each) => each.release)).toEqual(['shop/db', 'shop/app', 'shop/web']);
    expect(fakes.only('checkRecovered')).toHaveLength(3);
  });

  it('refuses with every problem before anything is changed when a prerequisite is missing', async () => {
    platform([member('shop/db', 1)]);
    fakes.on('checkPrerequisites', () => ({
      checks: 9,
      problems: ['helm: too old', 'nodes: none is ready'],
      found: [],
    }));

    const { status, result } = await ground.run('recoverPlatform');

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      failure: { code: 'PrerequisitesMissing', message: 'check prerequisites: helm: too old; nodes: none is ready' },
    });
    expect(fakes.only('planRelease', 'verifyPoint', ...changing)).toEqual([]);
  });

  it('refuses before anything is changed when a point is damaged', async () => {
    platform([member('shop/db', 1), member('shop/web', 2)]);
    fakes.fail('verifyPoint', 'ArtifactDigestMismatch', { only: (of) => of.release === 'shop/web' });

    const { result } = await ground.run('recoverPlatform');

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'ArtifactDigestMismatch' } });
    expect(fakes.only(...changing)).toEqual([]);
  });

  describe('where a release is gone whose data is in others that run', () => {
    const approved = async () => {
      platform([member('shop/db', 1), member('shop/site', 2)]);
      const components = [config, component('data', { host: 'test/other/db' })];
      fakes.on('planRelease', ({ release }) =>
        release === 'shop/db'
          ? plannedOf(release, { live: true })
          : plannedOf(release, { summary: { components }, replacedHosts: ['test/shop/db', 'test/other/db'] }),
      );
      const handle = await ground.start('recoverPlatform', { onFailure: 'abort' });
      const { approval } = await ground.until(handle, (progress) => progress.approval !== null);
      await handle.executeUpdate('approve', {
        args: [{ by: 'ann', reason: 'it is gone', planDigest: approval?.planDigest }],
      });
      return await ground.closed(handle);
    };

    it('backs those up first, but one that takes its own safety copy', async () => {
      const { result } = await approved();

      expect(result?.outcome).toBe('complete');
      expect(result?.notes).toContain('safety copy of what was in other/db: new point of other/db');
      expect(fakes.only('commitPoint', 'restoreConfiguration')).toEqual([
        'commitPoint other/db',
        'commitPoint shop/db',
        'restoreConfiguration config',
        'restoreConfiguration config',
      ]);
    });

    it('tells the run of the release where what was there is', async () => {
      let asked: unknown;
      fakes
        .fail('restoreComponent', 'RestoreFailed', { only: (of) => of.release === 'shop/site' })
        .on('undoRestore', (of) => {
          asked = of;
        });

      const { result } = await approved();

      expect(result?.outcome).toBe('partial');
      expect(asked).toMatchObject({ release: 'shop/site', keptIn: ['other/db: new point of other/db'] });
    });
  });

  it('refuses what needs a failed release, recovers the rest and is partial', async () => {
    platform([
      member('shop/db', 1),
      member('shop/cache', 1),
      member('shop/app', 2, ['shop/db']),
      member('shop/web', 3, ['shop/app']),
    ]);
    fakes.fail('installRelease', 'HelmFailed', { only: (of) => of.release === 'shop/db' });

    const { status, result } = await ground.run('recoverPlatform', { onFailure: 'abort' });

    expect(status).toBe('FAILED');
    expect(result?.outcome).toBe('partial');
    expect(
      Object.fromEntries(
        result?.releases.map((each) => [each.release, [each.outcome, each.compensation, each.failure?.code]]) ?? [],
      ),
    ).toEqual({
      'shop/db': ['failed', 'done', 'HelmFailed'],
      'shop/cache': ['complete', 'none', undefined],
      'shop/app': ['refused', 'none', 'DependencyFailed'],
      'shop/web': ['refused', 'none', 'DependencyFailed'],
    });
  });

  it('is failed where nothing came back', async () => {
    platform([member('shop/db', 1), member('shop/app', 2, ['shop/db'])]);
    fakes.fail('installRelease', 'HelmFailed');

    const { result } = await ground.run('recoverPlatform', { onFailure: 'abort' });

    expect(result?.outcome).toBe('failed');
  });

  it('is partial where a release has no recovery point, and says which', async () => {
    platform([member('shop/db', 1)], ['shop/new']);

    const { result } = await ground.run('recoverPlatform');

    expect(result?.outcome).toBe('partial');
    expect(result?.notes).toContain('shop/new has no recovery point');
  });

  it('asks for one approval of the whole over live data', async () => {
    platform([member('shop/db', 1), member('shop/web', 2)]);
    fakes.on('planRelease', ({ release }) => plannedOf(release, { live: release === 'shop/db' }));
    const handle = await ground.start('recoverPlatform');
    const { approval } = await ground.until(handle, (progress) => progress.approval !== null);
    expect(approval).toMatchObject({
      planDigest: 'shop/db digest of shop/db\nshop/web digest of shop/web',
      overwrites: ['release shop/db, revision 1'],
    });
    expect(fakes.only(...changing)).toEqual([]);

    await handle.executeUpdate('approve', { args: [{ by: 'ann', reason: 'drill', planDigest: approval?.planDigest }] });
    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
  });

  it('says which newer points it passed over, in a dry run, to whoever approves and in its result', async () => {
    const passedOver = ['newer point x of shop/db passed over: it is odd'];
    platform([member('shop/db', 1)], [], passedOver);
    fakes.on('planRelease', ({ release }) => plannedOf(release, { live: true }));
    const tried = await ground.run('recoverPlatform', { dryRun: true });
    expect(tried.result?.plan?.findings).toEqual(passedOver);

    const handle = await ground.start('recoverPlatform');
    const { approval } = await ground.until(handle, (progress) => progress.approval !== null);
    expect(approval?.lines).toEqual([...passedOver, 'recover shop/db']);
    await handle.executeUpdate('approve', { args: [{ by: 'ann', reason: 'drill', planDigest: approval?.planDigest }] });
    const { result } = await ground.closed(handle);

    expect(result?.notes).toContain(passedOver[0]);
  });

  it('shows the question of a release and passes the answer on to it', async () => {
    platform([member('shop/db', 1)]);
    fakes.fail('restoreComponent', 'RestoreFailed', { times: 1 });
    const handle = await ground.start('recoverPlatform');
    const { questions } = await ground.until(handle, (progress) => progress.questions.length === 1);
    expect(questions[0]).toMatchObject({
      release: 'shop/db',
      step: 'restore data',
      workflowId: `${handle.workflowId}/shop/db`,
    });

    await handle.executeUpdate('decide', {
      args: [{ question: questions[0]?.id, action: 'retry', by: 'ann', reason: 'again' }],
    });
    const { result } = await ground.closed(handle);

    expect(result?.outcome).toBe('complete');
    expect(result?.releases[0]?.notes).toEqual(['restore data: RestoreFailed; ann decided to retry: again']);
  });
});
