import { beforeEach, describe, expect, it } from 'vitest';
import { plannedUpgradeOf, untilCancelled } from './fake-activities.ts';
import { type Closed, fakes, ground, useRunGround } from './run-ground.ts';
import { approvalOf, runUpgrade, upgradeMutations } from './run-upgrade.ts';

useRunGround();

const release = 'shop/db';
const approval = approvalOf(release);
const upgrade = (input: object = {}): Promise<Closed> => runUpgrade(ground, release, input);

describe('upgradeRelease', () => {
  it('takes a proven point under the fence, upgrades, and lets clients in after the facts were equal and the checks held', async () => {
    const { status, result } = await upgrade();

    expect(status).toBe('COMPLETED');
    expect(result?.releases[0]).toMatchObject({
      recoveryPoint: `new point of ${release}`,
      facts: { equal: true, compared: 5 },
      upgrade: { strategy: 'rolling', to: { chart: 'postgresql 1.1.0' } },
    });
    expect(result?.releases[0]?.upgrade?.writeGapMs).toEqual(expect.any(Number));
    expect(result?.notes).toContain('approved by ann: it is old');
    expect(
      fakes.only(
        ...upgradeMutations,
        'acquireLock',
        'confirmUpgrade',
        'commitPoint',
        'compareComponent',
        'runChecks',
        'releaseLock',
      ),
    ).toEqual([
      'acquireLock shop/db',
      'confirmUpgrade shop/db',
      'raiseFence shop/db',
      'commitPoint shop/db',
      'stopRelease shop/db',
      'upgradeChart shop/db',
      'raiseFence shop/db',
      'startRelease shop/db',
      'compareComponent data',
      'runChecks shop/db',
      'runChecks shop/db',
      'liftFence shop/db',
      'releaseLock shop/db',
    ]);
  });

  it('keeps nobody out where there is nothing to compare', async () => {
    fakes.on('planUpgrade', () => plannedUpgradeOf(release, { compared: [] }));

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'complete', releases: [{ upgrade: { writeGapMs: null } }] });
    expect(fakes.only(...upgradeMutations)).toEqual(['upgradeChart shop/db']);
  });

  it('shows in a dry run what it would do and what speaks against it, and changes nothing', async () => {
    fakes.on('planUpgrade', () =>
      plannedUpgradeOf(release, { problems: [{ code: 'ImmutableField', message: 'spec.serviceName: a → b' }] }),
    );

    const { status, result } = await ground.run('upgradeRelease', { release, dryRun: true });

    expect(status).toBe('COMPLETED');
    expect(result?.plan?.findings).toEqual(['ImmutableField: spec.serviceName: a → b']);
    expect(fakes.only(...upgradeMutations, 'acquireLock', 'bindForBackup')).toEqual([]);
  });

  it('refuses what the API server would refuse before anybody is asked', async () => {
    fakes.on('planUpgrade', () =>
      plannedUpgradeOf(release, { problems: [{ code: 'ImmutableField', message: 'spec.serviceName: a → b' }] }),
    );

    const { result, outcomeAttribute } = await ground.run('upgradeRelease', { release });

    expect(outcomeAttribute).toBe('refused');
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      failure: { code: 'ImmutableField', message: 'spec.serviceName: a → b' },
      waitedForPeopleMs: 0,
    });
    expect(fakes.only(...upgradeMutations, 'acquireLock')).toEqual([]);
  });

  it('refuses without a proven point and lets clients in again', async () => {
    fakes.fail('verifyCapture', 'ArtifactDigestMismatch');

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'refused', compensation: 'done', failure: { code: 'UpgradeRefused' } });
    expect(result?.failure?.message).toMatch(/no proven recovery point.*ArtifactDigestMismatch/);
    expect(fakes.only(...upgradeMutations)).toEqual([
      'raiseFence shop/db',
      'startRelease shop/db',
      'liftFence shop/db',
    ]);
  });

  it('refuses a point that lacks something', async () => {
    fakes.on('captureComponent', ({ component }) => ({
      component,
      totals: {},
      facts: 1,
      plainBytes: 1,
      storedBytes: 1,
      durationMs: 1,
      notes: [],
      missing: [{ stream: 'chart', reason: 'not there' }],
    }));

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'UpgradeRefused' } });
    expect(fakes.only('upgradeChart', 'stopRelease')).toEqual([]);
  });

  it('refuses when the release changed after the plan was shown', async () => {
    fakes.fail('confirmUpgrade', 'BindingChanged');

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'BindingChanged' } });
    expect(fakes.only(...upgradeMutations)).toEqual([]);
    expect(fakes.only('releaseLock')).toEqual(['releaseLock shop/db']);
  });

  const goingBack = [
    'stopRelease shop/db',
    'undoInstall shop/db',
    'dropStuckPods shop/db',
    'raiseFence shop/db',
    'startRelease shop/db',
  ];

  it.each([
    ['upgradeChart', 'HelmFailed'],
    ['compareComponent', 'FactsDiffer'],
    ['runChecks', 'HealthFailed'],
  ] as const)('goes back when %s says %s, and compares again', async (activity, code) => {
    fakes.fail(activity, code, { times: 1 });

    const { result } = await upgrade();

    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code },
      releases: [{ facts: { equal: true } }],
    });
    const calls = fakes.only(...upgradeMutations);
    expect(calls.slice(-7, -2)).toEqual(goingBack);
    expect(calls.slice(-2)).toEqual(['startRelease shop/db', 'liftFence shop/db']);
    expect(fakes.only('compareComponent').slice(-2)).toEqual(['compareComponent config', 'compareComponent data']);
  });

  it('goes back when the new pods are never ready', async () => {
    fakes.fail('waitUntilServing', 'PodNeverReady', { times: 1 });

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'PodNeverReady' } });
    expect(fakes.only('undoInstall')).toEqual(['undoInstall shop/db']);
  });

  it('brings data back that the failed version changed', async () => {
    fakes.fail('waitUntilServing', 'PodNeverReady', { times: 1 });
    fakes.fail('compareComponent', 'FactsDiffer', { times: 1, only: ({ component }) => component === 'data' });

    const { result } = await upgrade();

    expect(result).toMatchObject({ outcome: 'failed', compensation: 'done', releases: [{ facts: { equal: true } }] });
    expect(fakes.only('restoreComponent')).toEqual(['restoreComponent data']);
    expect(result?.releases[0]?.notes).toContain('data was restored from the point of the run');
  });

  it('says what it could not bring back', async () => {
    fakes.fail('waitUntilServing', 'PodNeverReady', { times: 1 });
    fakes.fail('compareComponent', 'FactsDiffer');

    const { result } = await upgrade();

    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'incomplete',
      releases: [{ facts: { equal: false }, leftBehind: [expect.stringMatching(/^compare shop\/db with its point/)] }],
    });
    expect(fakes.only('liftFence')).toEqual(['liftFence shop/db']);
  });

  describe.each(['captureComponent', 'stopRelease', 'upgradeChart', 'waitUntilServing', 'compareComponent'] as const)(
    'cancelled in %s',
    (activity) => {
      let first = true;
      beforeEach(() => {
        first = true;
      });

      it('leaves the old version serving', async () => {
        const before = { stopRelease: () => undefined, waitUntilServing: () => undefined };
        fakes.on(activity, (async () => {
          if (!first)
            return Object.hasOwn(before, activity)
              ? undefined
              : { compared: 5, equal: true, totals: {}, exceptions: [] };
          first = false;
          return await untilCancelled();
        }) as never);
        const handle = await ground.start('upgradeRelease', { release });
        await ground.until(handle, (progress) => progress.approval !== null);
        await handle.executeUpdate('approve', { args: [approval] });
        await expect.poll(() => fakes.only(activity).length, { timeout: 20_000 }).toBe(1);

        await handle.cancel();
        const { status, outcomeAttribute } = await ground.closed(handle);

        expect({ status, outcomeAttribute }).toEqual({ status: 'CANCELLED', outcomeAttribute: 'cancelled' });
        expect(fakes.only(...upgradeMutations).slice(-2)).toEqual(['startRelease shop/db', 'liftFence shop/db']);
        expect(fakes.only('undoInstall')).toEqual(activity === 'captureComponent' ? [] : ['undoInstall shop/db']);
        expect(fakes.only('releaseLock')).toEqual(['releaseLock shop/db']);
      });
    },
  );

  it('takes no secret by its input', async () => {
    const { result } = await ground.run('upgradeRelease', { release, values: { auth: { rootPassword: 'hunter2' } } });

    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'InputInvalid' } });
    expect(result?.failure?.message).toContain('auth.rootPassword');
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});
