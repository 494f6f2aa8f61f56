import { failure } from './failures.ts';

/** A release as the order needs it: its name, tier and the names it requires. */
export type OrderedRelease = { readonly release: string; readonly tier: number; readonly requires: readonly string[] };

/** A release in its place: the tier that it is worked on with, and why. */
export type Place = { readonly release: string; readonly tier: number; readonly wave: number; readonly why: string };

/**
 * Puts releases in recovery order: by tier, but what a release requires comes before it and is pulled forward into
 * its tier where it belongs to a later one. Releases of one wave do not need each other.
 * @throws DependencyCycle
 */
export function orderReleases(releases: readonly OrderedRelease[]): Place[] {
  const byName = new Map(releases.map((release) => [release.release, release]));
  const tierOf = new Map<string, { tier: number; why: string }>();
  for (const { release, tier } of [...releases].sort((a, b) => a.tier - b.tier)) {
    pullForward(release, tier, byName, tierOf, []);
  }
  const waves = new Map<string, number>();
  const waveOf = (name: string): number => {
    const known = waves.get(name);
    if (known !== undefined) return known;
    const own = tierOf.get(name)?.tier ?? 0;
    const before = (byName.get(name)?.requires ?? []).filter((required) => tierOf.get(required)?.tier === own);
    const wave = before.length === 0 ? 0 : Math.max(...before.map(waveOf)) + 1;
    waves.set(name, wave);
    return wave;
  };
  return releases
    .map(({ release }) => ({ release, wave: waveOf(release), ...(tierOf.get(release) ?? { tier: 0, why: '' }) }))
    .sort((a, b) => a.tier - b.tier || a.wave - b.wave || a.release.localeCompare(b.release));
}

function pullForward(
  name: string,
  tier: number,
  byName: ReadonlyMap<string, OrderedRelease>,
  tierOf: Map<string, { tier: number; why: string }>,
  path: readonly string[],
): void {
  if (path.includes(name)) {
    throw failure('DependencyCycle', { message: `order releases: ${[...path, name].join(' needs ')}` });
  }
  const release = byName.get(name);
  if (release === undefined) return;
  const known = tierOf.get(name);
  if (known === undefined || known.tier > tier) {
    const needer = path.at(-1);
    const why =
      needer === undefined || release.tier <= tier
        ? `tier ${String(release.tier)}`
        : `tier ${String(release.tier)}, pulled forward: ${needer} needs it`;
    tierOf.set(name, { tier: Math.min(tier, release.tier), why });
  }
  for (const required of release.requires)
    pullForward(required, Math.min(tier, release.tier), byName, tierOf, [...path, name]);
}
