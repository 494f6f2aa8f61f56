import { beforeEach, describe, expect, it } from 'vitest';
import { type PlannedRecovery, passedOverFindings, planRecovery } from '../../activities/plan-recovery.ts';
import type { ComponentRecord } from '../../model/recovery-point.ts';
import { describedComponent } from '../transfer/test-points.ts';
import { cache, commitPoint, inActivity, type PlanningGround, planningGround } from './planning-ground.ts';

let ground: PlanningGround;

beforeEach(async () => {
  ground = await planningGround();
});

const plan = async (scope: 'all' | 'data' = 'all', point = 'latest-verified'): Promise<PlannedRecovery> => {
  const request = { release: 'cache', point, to: null, into: null, scope, configDigest: null };
  return await inActivity(async () => await planRecovery(ground.backends, request, 'run'));
};

describe('planRecovery', () => {
  it('finds nothing to say of the newest point', async () => {
    const { manifest } = await commitPoint(ground, 0);

    expect(await plan()).toMatchObject({
      live: true,
      passedOver: [],
      point: { id: manifest.id },
      plan: { findings: [] },
    });
  });

  it('names each newer point that it passes over, and why', async () => {
    const { manifest: good } = await commitPoint(ground, 0);
    const { manifest: odd } = await commitPoint(ground, 1, { suspect: 'it is odd' });
    const passedOver = [`newer point ${odd.id} of shop/cache passed over: it is odd`];

    expect(await plan()).toMatchObject({ passedOver, point: { id: good.id }, plan: { findings: passedOver } });
    expect(await plan('all', odd.id)).toMatchObject({ passedOver: [], point: { id: odd.id } });
  });
});

describe('planRecovery of a point without the release itself', () => {
  it('says that only its data can be recovered', async () => {
    await commitPoint(ground, 0, {
      components: [{ ...describedComponent('points', 10), component: 'data', method: 'redis-rdb' as const }],
    });

    expect((await plan()).plan.findings).toEqual([
      'the point does not hold the release itself: only its data can be recovered, into one that runs (--data)',
    ]);
    expect((await plan('data')).plan.findings).toEqual([]);
  });
});

describe('planRecovery of data alone', () => {
  const component = (name: string, method: ComponentRecord['method']): ComponentRecord => ({
    ...describedComponent('points', 10),
    ...{ component: name, method },
  });
  const commit = async (...components: ComponentRecord[]): Promise<string> =>
    (await commitPoint(ground, 0, { components })).manifest.id;

  it('goes by the present plan, which need not name the configuration of the point', async () => {
    await commit(component('settings', 'release-config'), component('data', 'redis-rdb'));

    expect((await plan('data')).plan.lines.slice(1)).toEqual(['restore data by redis-rdb, then compare its facts']);
  });

  it('is refused where the present plan does not name a component of the point, or by another method', async () => {
    const id = await commit(component('data', 'volume-archive'), component('users', 'exec-stream'));

    await expect(plan('data')).rejects.toMatchObject({
      code: 'PrerequisitesMissing',
      message: `recover the data of shop/cache: point ${id} has data by volume-archive, users by exec-stream, which the present plan does not name; recover all of it, or name it in the plan`,
    });
    expect((await plan('all')).point.components).toEqual(['data', 'users']);
  });
});

describe('passedOverFindings', () => {
  it('counts those behind the fifth', () => {
    const many = Array.from({ length: 7 }, (_, index) => ({ point: String(index), why: 'x' }));
    expect(passedOverFindings(cache, many).slice(4)).toEqual([
      'newer point 4 of shop/cache passed over: x',
      '2 more newer points of shop/cache passed over',
    ]);
  });
});
