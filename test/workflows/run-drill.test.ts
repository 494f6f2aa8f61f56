import { describe, expect, it } from 'vitest';
import type { PlannedDrill } from '../../activities/plan-drill.ts';
import type { RecoveryRequest } from '../../activities/plan-recovery.ts';
import type { RecoveryMember } from '../../activities/platform.ts';
import { failure } from '../../model/failures.ts';
import { plannedDrillOf, plannedOf, untilCancelled } from './fake-activities.ts';
import { fakes, ground, useRunGround } from './run-ground.ts';

useRunGround();

const member = (release: string, tier = 1, requires: string[] = [], wave = 0): RecoveryMember => ({
  release,
  tier,
  wave,
  why: `tier ${String(tier)}`,
  point: `point of ${release}`,
  requires,
});
const drillOf = (members: RecoveryMember[], of: Partial<PlannedDrill> = {}): void => {
  fakes.on('planDrill', () => plannedDrillOf(members, of));
};
const starting = ['openScratchNamespaces', 'isolateScratch', 'installRelease', 'restoreComponent'] as const;

describe('runDrill', () => {
  it('proves the isolation before anything is installed, recovers, checks and removes its namespaces', async () => {
    drillOf([member('shop/db'), member('shop/web', 2, ['shop/db'])]);
    const planned: unknown[] = [];
    const recovered: RecoveryRequest[] = [];
    fakes.on('planRelease', (of) => {
      recovered.push(of);
      return plannedOf(of.release);
    });
    fakes.on('checkRecovered', (of) => {
      planned.push(of);
      return 2;
    });

    const { status, result } = await ground.run('runDrill');

    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({
      type: 'runDrill',
      outcome: 'complete',
      compensation: 'none',
      objectivesMet: true,
      drill: { isolated: 'enforced', namespaces: { shop: 'shop-drill-1' } },
    });
    expect(result?.releases.map(({ release, outcome }) => `${release} ${outcome}`)).toEqual([
      'shop/db complete',
      'shop/web complete',
    ]);
    expect(result?.releases[0]?.rto.achievedSeconds).not.toBeNull();
    // The fakes captured their points a minute before they are asked.
    expect(result?.releases[0]?.rpo.achievedSeconds).toBeGreaterThan(30);
    expect(fakes.only(...starting).slice(0, 3)).toEqual([
      'openScratchNamespaces',
      'isolateScratch',
      'installRelease config',
    ]);
    expect(recovered).toHaveLength(2);
    for (const request of recovered)
      expect(request).toMatchObject({ into: 'shop-drill-1', moved: { shop: 'shop-drill-1' }, scope: 'all' });
    expect(planned).toContainEqual({
      release: 'shop/db',
      point: 'point of shop/db',
      into: 'shop-drill-1',
      moved: { shop: 'shop-drill-1' },
    });
    expect(fakes.calls.indexOf('closeScratchNamespaces')).toBeGreaterThan(
      fakes.calls.lastIndexOf('checkRecovered shop/web'),
    );
    expect(fakes.only('closeScratchNamespaces')).toHaveLength(1);
    expect(fakes.only('markRestored')).toHaveLength(2);
    // Nothing live is locked, fenced by approval or copied.
    expect(fakes.only('acquireLock', 'bindForBackup')).toEqual([]);
  });

  it('says which newer points of its releases were passed over', async () => {
    const passedOver = ['newer point x of shop/db passed over: it is odd'];
    drillOf([member('shop/db')], { passedOver });

    const { result } = await ground.run('runDrill');

    expect(result).toMatchObject({ outcome: 'complete', notes: expect.arrayContaining(passedOver) as string[] });
  });

  it('is refused where the network does not isolate, and removes what it made', async () => {
    drillOf([member('shop/db')]);
    fakes.on('isolateScratch', () => ({
      enforced: false,
      probes: ['shop-drill-1 → pod shop/db-0: open before the policy, then open'],
    }));

    const { status, result } = await ground.run('runDrill');

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({
      outcome: 'refused',
      compensation: 'done',
      drill: { isolated: 'not isolated' },
      failure: { code: 'NotIsolated' },
    });
    expect(result?.failure?.message).toContain('pod shop/db-0');
    expect(fakes.only('installRelease')).toEqual([]);
    expect(fakes.only('closeScratchNamespaces')).toHaveLength(1);
  });

  it('says not isolated where the input accepts the cluster by name', async () => {
    drillOf([member('shop/db')]);
    const accepted: unknown[] = [];
    fakes.on('planDrill', (of) => {
      accepted.push(of.acceptNotIsolated);
      return plannedDrillOf([member('shop/db')]);
    });
    fakes.on('isolateScratch', () => ({
      enforced: false,
      probes: ['shop-drill-1 → pod shop/db-0: open before the policy, then open'],
    }));

    const { status, result } = await ground.run('runDrill', { acceptNotIsolated: 'test' });

    expect(accepted).toEqual(['test']);
    expect(status).toBe('COMPLETED');
    expect(result).toMatchObject({ outcome: 'complete', drill: { isolated: 'not isolated' } });
    expect(result?.notes?.join('\n')).toContain('not isolated: accepted by name for the cluster test');
  });

  it('is refused when the probe cannot do its work, or a namespace of its name is there', async () => {
    drillOf([member('shop/db')]);
    fakes.fail('isolateScratch', 'ProbeFailed');
    const probed = await ground.run('runDrill');
    expect(probed.result).toMatchObject({
      outcome: 'refused',
      compensation: 'done',
      drill: { isolated: null },
      failure: { code: 'ProbeFailed' },
    });

    fakes.fail('openScratchNamespaces', 'DrillNamespaceExists');
    const taken = await ground.run('runDrill');
    expect(taken.result).toMatchObject({ outcome: 'refused', failure: { code: 'DrillNamespaceExists' } });
    expect(fakes.only('installRelease')).toEqual([]);
  });

  it('refuses a release whose address cannot be mapped, and what needs it, before anything starts', async () => {
    const view = failure('EndpointUnmapped', { message: 'move shop/db into the drill: no' }).view();
    drillOf([member('shop/cache'), member('shop/web', 2, ['shop/db'])], {
      refused: [{ release: 'shop/db', tier: 1, failure: view }],
    });

    const { result } = await ground.run('runDrill');

    expect(result).toMatchObject({ outcome: 'partial' });
    expect(result?.releases.map(({ release, outcome, failure: why }) => [release, outcome, why?.code])).toEqual([
      ['shop/db', 'refused', 'EndpointUnmapped'],
      ['shop/cache', 'complete', undefined],
      ['shop/web', 'refused', 'DependencyFailed'],
    ]);

    drillOf([], { refused: [{ release: 'shop/db', tier: 1, failure: view }] });
    const alone = await ground.run('runDrill', { release: 'shop/db' });
    expect(alone.result).toMatchObject({ outcome: 'refused', compensation: 'none' });
    expect(fakes.only('openScratchNamespaces')).toHaveLength(1);
  });

  it('reports a release whose facts differ, and still removes its namespaces', async () => {
    drillOf([member('shop/db'), member('shop/cache')]);
    fakes.fail('compareComponent', 'FactsDiffer', { only: (of) => of.release === 'shop/db' });

    const { result } = await ground.run('runDrill');

    expect(result).toMatchObject({ outcome: 'partial', objectivesMet: false });
    const failed = result?.releases.find(({ release }) => release === 'shop/db');
    expect(failed).toMatchObject({ outcome: 'failed', facts: { equal: false }, failure: { code: 'FactsDiffer' } });
    expect(fakes.only('markRestored')).toHaveLength(1);
    expect(fakes.only('closeScratchNamespaces')).toHaveLength(1);
  });

  it('removes its namespaces after a cancellation', async () => {
    drillOf([member('shop/db')]);
    fakes.on('restoreComponent', untilCancelled);
    const handle = await ground.start('runDrill');
    await ground.until(handle, ({ lines }) =>
      lines.some(({ title, state }) => title === 'shop/db' && state === 'running'),
    );
    while (!fakes.calls.some((call) => call.startsWith('restoreComponent')))
      await new Promise((resolve) => setTimeout(resolve, 20));

    await handle.cancel();
    const { status } = await ground.closed(handle);

    expect(status).toBe('CANCELLED');
    expect(fakes.only('closeScratchNamespaces')).toHaveLength(1);
    expect(fakes.only('markRestored')).toEqual([]);
  });

  it('is no complete drill when it cannot remove its namespaces', async () => {
    drillOf([member('shop/db')]);
    fakes.fail('closeScratchNamespaces', 'ClusterDenied');

    const { status, result } = await ground.run('runDrill');

    expect(status).toBe('FAILED');
    expect(result).toMatchObject({
      outcome: 'failed',
      compensation: 'incomplete',
      failure: { code: 'ClusterDenied' },
    });
    expect(result?.notes?.join('\n')).toContain('left behind: remove scratch namespaces');
  });

  it('shows its plan without starting anything', async () => {
    drillOf([member('shop/db')]);

    const { result } = await ground.run('runDrill', { dryRun: true });

    expect(result).toMatchObject({ outcome: 'complete', plan: { lines: ['recover the drill'] } });
    expect(fakes.only(...starting)).toEqual([]);
  });

  it('says which release it chose and why, and is not complete where it passed one over', async () => {
    const chosen = { release: 'shop/db', restoredAt: null, why: 'the longest not drilled of 3 releases' };
    const asked: unknown[] = [];
    const drill = (of: Partial<PlannedDrill>): void => {
      fakes.on('planDrill', (request) => {
        asked.push(request.longestNotDrilled);
        return plannedDrillOf([member('shop/db')], { chosen, ...of });
      });
    };
    drill({});
    const { result } = await ground.run('runDrill', { longestNotDrilled: true });
    expect(asked).toEqual([true]);
    expect(result).toMatchObject({ outcome: 'complete', drill: { isolated: 'enforced', chosen } });
    expect(result?.notes).toEqual(['drilled shop/db: the longest not drilled of 3 releases']);

    const view = failure('PointNotVerified', { message: 'find point of shop/cache: none' }).view();
    drill({ refused: [{ release: 'shop/cache', tier: 2, failure: view }] });
    const passing = await ground.run('runDrill', { longestNotDrilled: true });
    expect(passing.status).toBe('FAILED');
    expect(passing.result).toMatchObject({ outcome: 'partial', drill: { chosen } });

    const pointed = await ground.run('runDrill', { longestNotDrilled: true, point: 'p' });
    expect(pointed.result).toMatchObject({ outcome: 'refused', failure: { code: 'InputInvalid' } });
  });

  it('refuses two selections at once', async () => {
    const { result } = await ground.run('runDrill', { release: 'shop/db', tier: 1 });
    expect(result).toMatchObject({ outcome: 'refused', failure: { code: 'InputInvalid' } });
  });
});
