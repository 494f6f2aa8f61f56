import { describe, expect, it } from 'vitest';
import { type DrillTurn, orderTurns, planLongestNotDrilled } from '../../activities/longest-not-drilled.ts';
import type { PlannedDrill } from '../../activities/plan-drill.ts';
import { failure } from '../../model/failures.ts';
import { releaseTitle } from '../../model/release-name.ts';
import { plannedDrillOf } from '../workflows/fake-activities.ts';

const turn = (name: string, restoredAt: string | null): DrillTurn => ({
  release: { cluster: 'test', namespace: 'shop', name },
  restoredAt,
});
const member = (release: string, requires: string[] = []) => ({
  release,
  tier: 2,
  wave: 0,
  why: 'tier 2',
  point: `point of ${release}`,
  requires,
});
const refusal = (release: string) => ({
  release,
  tier: 1,
  failure: failure('PointNotVerified', { message: `find point of ${release}: none` }).view(),
});
const turns = [
  turn('db', '2026-11-20T04:00:00.000Z'),
  turn('web', null),
  turn('cache', '2026-11-20T06:00:00.000+03:00'),
  turn('queue', null),
];

describe('orderTurns', () => {
  it('puts what was never restored first, as it is listed, then what was restored longest ago', () => {
    expect(orderTurns(turns).map(({ release }) => release.name)).toEqual(['web', 'queue', 'cache', 'db']);
  });
});

describe('planLongestNotDrilled', () => {
  it('takes the first in the order, and says why in the plan', async () => {
    const planned = await planLongestNotDrilled(turns.slice(2, 3), (release) =>
      Promise.resolve(plannedDrillOf([member(releaseTitle(release))])),
    );

    expect(planned.chosen).toEqual({
      release: 'shop/cache',
      restoredAt: '2026-11-20T06:00:00.000+03:00',
      why: 'the only release: last restored 2026-11-20T06:00:00.000+03:00',
    });
    expect(planned.plan.lines[0]).toMatch(/^choose shop\/cache, the only release: last restored /);
    expect(planned.refused).toEqual([]);
  });

  it('keeps among the findings which newer points were passed over', async () => {
    const passedOver = ['newer point x of shop/cache passed over: it is odd'];
    const planned = await planLongestNotDrilled(turns.slice(2, 3), (release) =>
      Promise.resolve(plannedDrillOf([member(releaseTitle(release))], { passedOver })),
    );

    expect(planned.plan.findings).toEqual(passedOver);
  });

  it('passes over what cannot be drilled, by name, and chooses the next', async () => {
    const plans: Record<string, PlannedDrill> = {
      web: plannedDrillOf([member('shop/web', ['shop/mysql'])], { refused: [refusal('shop/mysql')] }),
      queue: plannedDrillOf([], { refused: [refusal('shop/queue')] }),
      cache: plannedDrillOf([member('shop/cache'), member('shop/mysql')]),
    };
    const planned = await planLongestNotDrilled(turns, ({ name }) =>
      Promise.resolve(plans[name] ?? plannedDrillOf([])),
    );

    expect(planned.chosen?.release).toBe('shop/cache');
    expect(planned.chosen?.why).toMatch(/^the longest not drilled of 4 releases: last restored /);
    // What could not be drilled with another release, and is drilled now, is not passed over.
    expect(planned.refused.map(({ release, failure: { code } }) => `${release} ${code}`)).toEqual([
      'shop/web DependencyFailed',
      'shop/queue PointNotVerified',
    ]);
    expect(planned.refused[0]?.failure.message).toBe('drill shop/web: it requires shop/mysql, which cannot be drilled');
    expect(planned.plan.findings).toHaveLength(2);
  });

  it('is refused as a whole where no release can be drilled', async () => {
    const planned = await planLongestNotDrilled(turns, (release) =>
      Promise.resolve(plannedDrillOf([], { refused: [refusal(releaseTitle(release))] })),
    );

    expect(planned).toMatchObject({ members: [], moves: {} });
    expect(planned.chosen).toBeUndefined();
    expect(planned.refused).toHaveLength(4);
  });
});
