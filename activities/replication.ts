import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { formatBytes } from '../model/duration.ts';
import type { ReplicationReport, RunPlan } from '../model/outcome.ts';
import { releaseTitle } from '../model/release-name.ts';
import { canonicalBytes } from '../transfer/keys.ts';
import {
  planReplication,
  type ReplicationOf,
  replicatePlatformPoints,
  replicateRelease,
} from '../transfer/replicate.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { platformEntry, resolveRelease, resolveReleases } from './binding/bind-release.ts';
import { assertConditional, openReplica } from './open-store.ts';
import { holdForRun } from './point-holds.ts';
import { requireConfig } from './require-config.ts';

/** The activities of `replicateRecoveryPoints`. */
export function createReplicationActivities(backends: Backends) {
  const { kit, platform, store } = backends;

  async function between(what: string): Promise<ReplicationOf> {
    return {
      from: store,
      to: await openReplica(platform),
      trustedKeys: [kit.signing.publicKey],
      signal: Context.current().cancellationSignal,
      onProgress: (bytes) => {
        reportProgress(`replicate ${what}`, bytes);
      },
    };
  }

  return {
    /**
     * Lists what the replica lacks. Changes nothing.
     * @throws ConfigInvalid where lifeboat.yaml has no `replica`, StoreNotConditional, Store*
     */
    async planReplication(of: {
      releases: readonly string[] | null;
      configDigest: string | null;
    }): Promise<{ members: { release: string; tier: number }[]; plan: RunPlan }> {
      requireConfig(backends, of.configDigest);
      const stores = await between('nothing');
      await assertConditional(stores.to);
      const planned: { release: string; tier: number; points: number; bytes: number }[] = [];
      for (const release of resolveReleases(backends, of.releases)) {
        const tier = platformEntry(backends, release)?.tier ?? 1;
        planned.push({ release: releaseTitle(release), tier, ...(await planReplication({ ...stores, release })) });
      }
      const members = planned.map(({ release, tier }) => ({ release, tier }));
      const sum = (key: 'points' | 'bytes'): number => planned.reduce((all, each) => all + each[key], 0);
      const plan: RunPlan = {
        digest: createHash('sha256')
          .update(canonicalBytes({ to: stores.to.address, planned }))
          .digest('hex'),
        lines: planned.map(
          ({ release, points, bytes }) =>
            `copy ${String(points)} points of ${release}, ${formatBytes(bytes)}, to ${stores.to.address}`,
        ),
        findings: [],
        overwrites: [],
        objects: sum('points'),
        noun: 'points',
        bytes: sum('bytes'),
        order: members.map(({ release, tier }) => ({ release, tier, why: `tier ${String(tier)}` })),
      };
      return { members, plan };
    },

    /** Copies the points of a release that the replica lacks, each read back there. Idempotent: what is there stays. */
    async replicateRelease(of: { release: string }): Promise<ReplicationReport> {
      const release = resolveRelease(backends, of.release);
      const stores = await between(of.release);
      return await replicateRelease({
        ...stores,
        release,
        hold: async (point) => {
          await holdForRun(backends, release, point);
        },
      });
    },

    /** Copies the platform points that the replica lacks. Idempotent as `replicateRelease`. */
    async replicatePlatform(): Promise<ReplicationReport> {
      return await replicatePlatformPoints({ ...(await between('platform points')), platform: platform.platform });
    },
  };
}
