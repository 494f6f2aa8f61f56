import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { formatBytes } from '../model/duration.ts';
import type { FailureView } from '../model/failures.ts';
import type { ExpiryReport, RunPlan } from '../model/outcome.ts';
import { platformReleases, requireRetention } from '../model/platform.ts';
import { releasePath, releaseTitle } from '../model/release-name.ts';
import type { Retention } from '../model/retention.ts';
import { collectGarbage, type GarbageCollection, sumGarbage } from '../transfer/collect-garbage.ts';
import { expirePoints, judgePoints, type RetainedPoint } from '../transfer/expire-points.ts';
import { canonicalBytes } from '../transfer/keys.ts';
import { readSigned, writeSigned } from '../transfer/run-documents.ts';
import { requireClock } from '../transfer/store-clock.ts';
import { readKnownHeads } from '../transfer/store-inventory.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { platformEntry, resolveRelease, resolveReleases } from './binding/bind-release.ts';
import { currentRun } from './current-run.ts';
import { requireConfig } from './require-config.ts';

/** A release as its expiry was planned. */
export type PlannedExpiry = {
  readonly release: string;
  readonly tier: number;
  readonly kept: number;
  /** Points that expire, and points whose grace is over. */
  readonly expiring: number;
  readonly removable: number;
  readonly removableBytes: number;
  /** Why nothing of it may expire. */
  readonly failure: FailureView | null;
};

/** What was planned for all releases, written to `runs/<runId>/expiry.json`: nothing else is expired or removed by the run. */
const ExpiryDocument = z.strictObject({
  releases: z.record(z.string(), z.array(z.string())),
});

/** Points of one release that a plan lists by name, at most. */
const listedPoints = 60;

/** The activities of `expireRecoveryPoints`. */
export function createExpiryActivities(backends: Backends) {
  const { store, kit, platform } = backends;

  return {
    /**
     * Judges every point of the releases and writes down what may expire and be removed. Changes nothing else.
     * @throws ConfigInvalid where lifeboat.yaml has no `retention`, ClockSkew, Store*
     */
    async planExpiry(of: {
      releases: readonly string[] | null;
      configDigest: string | null;
    }): Promise<{ members: PlannedExpiry[]; plan: RunPlan }> {
      requireConfig(backends, of.configDigest);
      const rules = requireRetention(platform);
      const members: PlannedExpiry[] = [];
      const lines: string[] = [];
      const findings: string[] = [];
      const named: Record<string, string[]> = {};
      const trustedKeys = [kit.signing.publicKey];
      const { heads } = await readKnownHeads({ store, trustedKeys, platform: platform.platform });
      for (const release of resolveReleases(backends, of.releases)) {
        const title = releaseTitle(release);
        // No cluster is asked for the tier: it may be gone.
        const stated = platformEntry(backends, release)?.tier;
        const known = heads.get(releasePath(release));
        const judging = { store, kit, release, tier: stated, retention: rules, known, now: new Date() };
        const { tier, points, problems } = await judgePoints(judging);
        const [problem] = problems;
        const expiring = points.filter(({ fate }) => fate === 'expiring');
        const removable = points.filter(({ fate }) => fate === 'removable');
        if (problem === undefined) named[title] = [...expiring, ...removable].map(({ manifest }) => manifest.id);
        else findings.push(`${title}: nothing expires, its chain is in doubt: ${problem.message}`);
        members.push({
          release: title,
          tier,
          kept: points.filter(({ fate }) => fate === 'kept').length,
          expiring: expiring.length,
          removable: removable.length,
          removableBytes: storedBytes(removable),
          failure: problem?.view() ?? null,
        });
        lines.push(...describePoints(title, points, rules));
      }
      await writeSigned(backends, documentKey(), { releases: named });
      await requireClock({ store, key: documentKey(), now: new Date() });
      return {
        members,
        plan: {
          digest: createHash('sha256')
            .update(canonicalBytes({ releases: named }))
            .digest('hex'),
          lines,
          findings,
          overwrites: [],
          objects: members.reduce((sum, { expiring, removable }) => sum + expiring + removable, 0),
          noun: 'points',
          bytes: members.reduce((sum, { removableBytes }) => sum + removableBytes, 0),
          order: members.map(({ release, tier }) => ({ release, tier, why: `tier ${String(tier)}` })),
        },
      };
    },

    /** Expires and removes what was planned for a release, as far as nothing keeps it by now. Idempotent by its tombstones. */
    async expireRelease(of: { release: string; tier: number }): Promise<ExpiryReport> {
      const release = resolveRelease(backends, of.release);
      const planned = ExpiryDocument.parse(await readSigned(backends, documentKey())).releases[of.release] ?? [];
      return await expirePoints({
        store,
        kit,
        release,
        tier: of.tier,
        retention: requireRetention(platform),
        now: new Date(),
        run: currentRun(),
        only: new Set(planned),
        signal: Context.current().cancellationSignal,
        onRemoved: (bytes) => {
          reportProgress(`remove expired points of ${of.release}`, bytes);
        },
      });
    },

    /** Removes what no manifest names and nobody writes any more. Idempotent: what is gone is not found again. */
    async collectStoreGarbage(): Promise<{ objects: number; bytes: number } & Pick<GarbageCollection, 'inDoubt'>> {
      const { garbage, inDoubt } = await collectGarbage({
        store,
        kit,
        platform: platform.platform,
        releases: platformReleases(platform),
        run: currentRun(),
        now: new Date(),
        dryRun: false,
        signal: Context.current().cancellationSignal,
      });
      return { ...sumGarbage(garbage), inDoubt };
    },
  };

  function documentKey(): string {
    return `runs/${currentRun().runId}/expiry.json`;
  }
}

function storedBytes(points: readonly RetainedPoint[]): number {
  return points.reduce((sum, { manifest }) => sum + manifest.storedBytes, 0);
}

/** One line for each point of a release, newest first: what becomes of it, and why. */
function describePoints(title: string, points: readonly RetainedPoint[], { grace }: Retention): string[] {
  const lines = points.map(({ manifest, keep, removableFrom, fate }) => {
    const what = `${title} ${manifest.id}, ${formatBytes(manifest.storedBytes)}`;
    switch (fate) {
      case 'kept':
        return `keep   ${what}: ${keep.join(', ')}`;
      case 'expiring':
        return `expire ${what}: no line keeps it; removed after ${grace}`;
      case 'removable':
        return `remove ${what}: it expired, and its grace is over`;
      case 'in its grace':
        return `wait   ${what}: it expired, removed from ${(removableFrom ?? '').slice(0, 16).replace('T', ' ')} UTC on`;
    }
  });
  const more = lines.length - listedPoints;
  return more > 0 ? [...lines.slice(0, listedPoints), `… and ${String(more)} more points of ${title}`] : lines;
}
