import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OrderedRelease, orderReleases } from '../../model/dependency-order.ts';

const release = (name: string, tier: number, ...requires: string[]): OrderedRelease => ({
  release: name,
  tier,
  requires,
});

describe('orderReleases', () => {
  it('puts lower tiers first and names of one tier in their order', () => {
    expect(orderReleases([release('c', 2), release('b', 1), release('a', 1)])).toEqual([
      { release: 'a', tier: 1, wave: 0, why: 'tier 1' },
      { release: 'b', tier: 1, wave: 0, why: 'tier 1' },
      { release: 'c', tier: 2, wave: 0, why: 'tier 2' },
    ]);
  });

  it('gives what needs a release of its own tier a later wave', () => {
    const waves = orderReleases([
      release('web', 1, 'app'),
      release('app', 1, 'db'),
      release('db', 1),
      release('mail', 1),
    ]);

    expect(waves.map((each) => [each.release, each.wave])).toEqual([
      ['db', 0],
      ['mail', 0],
      ['app', 1],
      ['web', 2],
    ]);
  });

  it('pulls what is needed forward through every step, and says who needs it', () => {
    expect(
      orderReleases([release('web', 1, 'db'), release('db', 3, 'disk'), release('disk', 4), release('other', 2)]),
    ).toEqual([
      { release: 'disk', tier: 1, wave: 0, why: 'tier 4, pulled forward: db needs it' },
      { release: 'db', tier: 1, wave: 1, why: 'tier 3, pulled forward: web needs it' },
      { release: 'web', tier: 1, wave: 2, why: 'tier 1' },
      { release: 'other', tier: 2, wave: 0, why: 'tier 2' },
    ]);
  });

  it('leaves alone what is needed by a later tier only', () => {
    expect(orderReleases([release('web', 3, 'db'), release('db', 1)])).toMatchObject([
      { release: 'db', tier: 1, wave: 0, why: 'tier 1' },
      { release: 'web', tier: 3, wave: 0, why: 'tier 3' },
    ]);
  });

  it('ignores what is needed and not there', () => {
    expect(orderReleases([release('web', 1, 'gone')])).toMatchObject([{ release: 'web', wave: 0 }]);
  });

  it.each([
    ['a needs a', [release('a', 1, 'a')]],
    ['a needs b needs c needs a', [release('a', 1, 'b'), release('b', 2, 'c'), release('c', 3, 'a')]],
  ])('refuses a cycle and shows it: %s', (cycle, releases) => {
    expect(() => orderReleases(releases)).toThrow(
      expect.objectContaining({ code: 'DependencyCycle', message: `order releases: ${cycle}` }),
    );
  });

  /** Releases that need only those with a smaller number: no cycle, any tiers. */
  const graphs = fc
    .array(fc.record({ tier: fc.integer({ min: 1, max: 4 }), needs: fc.array(fc.nat(20), { maxLength: 3 }) }), {
      minLength: 1,
      maxLength: 14,
    })
    .chain((rows) => {
      const releases = rows.map(({ tier, needs }, at) =>
        release(`r${String(at)}`, tier, ...(at === 0 ? [] : needs.map((each) => `r${String(each % at)}`))),
      );
      return fc.shuffledSubarray(releases, { minLength: releases.length });
    });

  it('places everything once, and everything required before what needs it', () => {
    fc.assert(
      fc.property(graphs, (releases) => {
        const places = orderReleases(releases);
        const at = new Map(places.map((place) => [place.release, place]));
        expect([...at.keys()].sort()).toEqual(releases.map((each) => each.release).sort());
        for (const { release: name, tier, requires } of releases) {
          const own = at.get(name);
          expect(own?.tier).toBeLessThanOrEqual(tier);
          for (const required of requires) {
            const before = at.get(required);
            const [first, second] = [before, own].map((place) => (place?.tier ?? 0) * 100 + (place?.wave ?? 0));
            expect(first).toBeLessThan(second ?? 0);
            expect(places.findIndex((place) => place.release === required)).toBeLessThan(
              places.findIndex((place) => place.release === name),
            );
          }
        }
      }),
    );
  });

  it('does not depend on the order in which releases are given', () => {
    fc.assert(
      fc.property(graphs, (releases) => {
        const order = (list: readonly OrderedRelease[]) =>
          orderReleases(list).map(({ release: name, tier, wave }) => ({ name, tier, wave }));
        expect(order([...releases].reverse())).toEqual(order(releases));
      }),
    );
  });
});
