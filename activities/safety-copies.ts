import { platformReleases } from '../model/platform.ts';
import { releaseTitle } from '../model/release-name.ts';
import type { Backends } from './backends.ts';
import { bindRelease } from './binding/bind-release.ts';
import { listKeptVolumes, settleVolume } from './clients/claims.ts';
import { releaseReader } from './clients/helm.ts';
import { methodContext, methodOf } from './method-context.ts';

/** Data that a run replaced and that is kept in the cluster for a while: a volume, or a database in its server. */
export type SafetyCopy = {
  /** The release whose data it was, `namespace/name`; of a volume its claim, `namespace/name`. */
  readonly of: string;
  readonly what: 'volume' | 'database';
  readonly name: string;
  /** The instant until which it is kept at least, ISO-8601; null where a version that did not write it made it. */
  readonly until: string | null;
  readonly due: boolean;
};

/** A safety copy, and what deletes it for good. */
type RemovableCopy = SafetyCopy & { readonly remove: () => Promise<void> };

/** The safety copies of a platform, and the releases that could not be asked. */
export type FoundCopies = {
  readonly copies: readonly RemovableCopy[];
  readonly problems: readonly { readonly release: string; readonly why: string }[];
};

const askWithinMs = 60_000;

/**
 * Finds what restores and upgrades of this platform's releases have replaced and kept. Changes nothing; `remove` of a copy
 * deletes it for good. A copy is due once its time has passed.
 */
export async function findCopies(backends: Backends, now: Date): Promise<FoundCopies> {
  const { kubernetes, platform } = backends;
  const releases = platformReleases(platform);
  const isDue = (until: string | null): boolean => until !== null && Date.parse(until) <= now.getTime();
  const namespaces = new Set(releases.map(({ namespace }) => namespace));
  const volumes = (await listKeptVolumes(kubernetes)).filter(({ claim }) => namespaces.has(claim.namespace));
  const copies: RemovableCopy[] = volumes.map(({ name, claim, until, policy }) => ({
    of: `${claim.namespace}/${claim.name}`,
    what: 'volume',
    name,
    until,
    due: isDue(until),
    remove: async () => {
      if (policy !== 'Delete')
        throw new Error(`its class keeps volumes: delete PersistentVolume ${name} and its storage yourself`);
      await settleVolume(kubernetes, name, policy);
    },
  }));
  const problems: { release: string; why: string }[] = [];
  const read = releaseReader(backends.access);
  for (const release of releases) {
    const title = releaseTitle(release);
    try {
      const bound = await bindRelease(backends, release, read);
      for (const component of bound.plan.components) {
        const { replaced } = methodOf(component);
        if (replaced === undefined) continue;
        const signal = AbortSignal.timeout(askWithinMs);
        const context = methodContext(backends, bound, component, 'copies', { signal, progress: () => undefined });
        for (const { name, until } of await replaced.list(context))
          copies.push({
            of: title,
            what: 'database',
            name,
            until,
            due: isDue(until),
            remove: async () => {
              await replaced.drop({ ...context, signal: AbortSignal.timeout(askWithinMs) }, name);
            },
          });
      }
    } catch (error) {
      problems.push({ release: title, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { copies, problems };
}
