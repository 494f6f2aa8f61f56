import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { orderReleases, type Place } from '../model/dependency-order.ts';
import { type FailureCode, type FailureView, failure, LifeboatFailure } from '../model/failures.ts';
import type { RunResult } from '../model/outcome.ts';
import { notConfigured, platformReleases } from '../model/platform.ts';
import type { PlatformPoint } from '../model/recovery-point.ts';
import { type ReleaseName, releasePath, releaseTitle, titleOfPath } from '../model/release-name.ts';
import { commitPlatformPoint, readPlatformPoints } from '../transfer/platform-points.ts';
import { newPointId } from '../transfer/point-names.ts';
import { findPoint, isSafetyCopy, newestPoint } from '../transfer/points.ts';
import { runKey, writeSigned } from '../transfer/run-documents.ts';
import { writeBytes } from '../transfer/write-artifact.ts';
import type { Backends } from './backends.ts';
import { bindRelease, platformEntry, resolveReleases } from './binding/bind-release.ts';
import { releaseReader } from './clients/helm.ts';
import { currentRun } from './current-run.ts';
import { passedOverFindings } from './plan-recovery.ts';
import { endHoldsOfRun } from './point-holds.ts';
import { requireConfig } from './require-config.ts';

/** A release of the platform as a backup orders it; one that cannot be bound says why. */
export type PlatformMember = {
  readonly release: string;
  readonly tier: number;
  readonly chart: string;
  readonly failure: FailureView | null;
};

/** A release of the platform as a recovery orders it. */
export type RecoveryMember = Place & { readonly point: string; readonly requires: readonly string[] };

/** What says that a release has no point to recover from. */
const withoutPoint: ReadonlySet<FailureCode> = new Set(['PointUnknown', 'PointNotVerified', 'ManifestMissing']);

/** The activities that work on the platform as a whole. */
export function createPlatformActivities(backends: Backends) {
  const { store, kit, platform } = backends;
  const trustedKeys = [kit.signing.publicKey];

  return {
    /** The releases to back up, with their tiers. A release that is not there, or has no plan, is named, never left out. */
    async listPlatform(of: {
      releases: readonly string[] | null;
      tier: number | null;
      configDigest: string | null;
    }): Promise<{
      platform: string;
      cluster: string;
      parallelism: number;
      members: PlatformMember[];
      /** Steps after a backup that lifeboat.yaml does not ask for. */
      notConfigured?: readonly string[];
    }> {
      requireConfig(backends, of.configDigest);
      const members: PlatformMember[] = [];
      const read = releaseReader(backends.access);
      for (const release of resolveReleases(backends, of.releases)) {
        const title = releaseTitle(release);
        try {
          const bound = await bindRelease(backends, release, read);
          if (of.tier === null || bound.tier === of.tier)
            members.push({
              release: title,
              tier: bound.tier,
              chart: `${bound.chart.name} ${bound.chart.version}`,
              failure: null,
            });
        } catch (error) {
          if (
            !(error instanceof LifeboatFailure) ||
            error.code === 'ClusterUnreachable' ||
            error.code === 'ClusterDenied'
          )
            throw error;
          const tier = platformEntry(backends, release)?.tier ?? 1;
          members.push({ release: title, tier, chart: '', failure: error.view() });
        }
      }
      return {
        platform: platform.platform,
        cluster: platform.cluster.name,
        parallelism: platform.parallelism,
        members,
        notConfigured: notConfigured(platform),
      };
    },

    /** Commits the platform point: the heads of all releases with the skew between them, and lifeboat.yaml. */
    async commitPlatformPoint(of: {
      id: string;
      made: readonly { release: string; point: string }[];
      complete: boolean;
    }): Promise<{ id: string; skewSeconds: number }> {
      const releases: PlatformPoint['releases'] = [];
      const read = releaseReader(backends.access);
      for (const release of platformReleases(platform)) {
        const title = releaseTitle(release);
        const wanted = of.made.find((each) => each.release === title)?.point;
        const newest = await newestPoint({ store, trustedKeys, release }, (manifest) =>
          wanted === undefined ? !isSafetyCopy(manifest) : manifest.id === wanted,
        );
        const tier = newest?.manifest.tier ?? platformEntry(backends, release)?.tier ?? 1;
        const requires = await bindRelease(backends, release, read).then(
          (bound) => bound.requires.map(titleOfPath),
          () => platformEntry(backends, release)?.requires ?? [],
        );
        const point =
          newest === undefined
            ? null
            : {
                id: newest.manifest.id,
                sequence: newest.manifest.sequence,
                manifestSha256: newest.sha256,
                capturedAt: newest.manifest.capturedAt,
              };
        releases.push({ release, tier, point, requires });
      }
      const instants = releases.flatMap((each) => (each.point === null ? [] : [Date.parse(each.point.capturedAt)]));
      const skewSeconds =
        instants.length === 0 ? 0 : Math.round((Math.max(...instants) - Math.min(...instants)) / 100) / 10;
      const text = Buffer.from(backends.platformText);
      const configSha256 = createHash('sha256').update(text).digest('hex');
      const config = await writeBytes({
        store,
        prefix: `platforms/${platform.platform}/objects/${of.id}-${String(Context.current().info.attempt)}`,
        name: 'lifeboat.yaml',
        bytes: text,
        recipients: platform.recipients,
        restoreCommand: 'cat >lifeboat.yaml',
      });
      const { platformPoint } = await commitPlatformPoint({
        store,
        kit,
        draft: {
          id: of.id,
          platform: platform.platform,
          skewSeconds,
          complete: of.complete,
          releases,
          config,
          configSha256,
        },
      });
      return { id: platformPoint.id, skewSeconds: platformPoint.skewSeconds };
    },

    /** A new id for a platform point. */
    newPlatformPointId(): Promise<string> {
      return Promise.resolve(newPointId());
    },

    /**
     * The releases to recover, in recovery order, each with its point: of a platform point that is named those that it
     * names, else the newest verified one of each release. A release without any is named in `without`.
     * @throws PointUnknown where there is no platform point, or no point of any release
     */
    async locatePlatformPoint(of: {
      point: string;
      releases: readonly string[] | null;
      configDigest: string | null;
    }): Promise<{
      platform: string;
      cluster: string;
      id: string;
      committedAt: string;
      skewSeconds: number;
      complete: boolean;
      rto: string;
      parallelism: number;
      members: RecoveryMember[];
      without: string[];
      /** Newer points that were passed over, and why. */
      passedOver?: readonly string[];
    }> {
      requireConfig(backends, of.configDigest);
      const chain = await readPlatformPoints({ store, trustedKeys, platform: platform.platform });
      const good = chain.flatMap((entry) => entry.document ?? []);
      const isNewest = of.point === 'latest-verified';
      const found = isNewest ? good[0] : good.find((each) => each.id === of.point);
      if (found === undefined) {
        const known = good
          .map((each) => each.id)
          .slice(0, 5)
          .join(', ');
        throw failure('PointUnknown', {
          message: `find platform point ${of.point} of ${platform.platform} in ${store.address}: ${known === '' ? 'there is none' : `there are ${known}`}`,
        });
      }
      const asked = resolveReleases(backends, of.releases);
      const wanted = await Promise.all(
        asked.map(async (release) => {
          const entry = found.releases.find((each) => releasePath(each.release) === releasePath(release));
          const newest = isNewest ? await newestVerified(release) : null;
          return {
            title: releaseTitle(release),
            tier: entry?.tier ?? platformEntry(backends, release)?.tier ?? 1,
            requires: entry?.requires ?? platformEntry(backends, release)?.requires ?? [],
            point: isNewest ? (newest?.manifest ?? null) : (entry?.point ?? null),
            passedOver: passedOverFindings(release, newest?.passedOver ?? []),
          };
        }),
      );
      const there = wanted.flatMap((each) => (each.point === null ? [] : [{ ...each, point: each.point }]));
      if (there.length === 0)
        throw failure('PointUnknown', {
          message: `find points of ${wanted.map(({ title }) => title).join(', ')} in ${store.address}: none has one that passed verification`,
        });
      const places = orderReleases(there.map(({ title, tier, requires }) => ({ release: title, tier, requires })));
      const members = places.flatMap((place) => {
        const entry = there.find(({ title }) => title === place.release);
        return entry === undefined ? [] : [{ ...place, point: entry.point.id, requires: entry.requires }];
      });
      const instants = there.map(({ point }) => Date.parse(point.capturedAt));
      return {
        platform: found.platform,
        cluster: platform.cluster.name,
        id: found.id,
        committedAt: found.committedAt,
        skewSeconds: (Math.max(...instants) - Math.min(...instants)) / 1_000,
        complete: found.complete,
        rto: platform.objectives.rto,
        parallelism: platform.parallelism,
        members,
        without: wanted.flatMap(({ title, point }) => (point === null ? [title] : [])),
        passedOver: wanted.flatMap((each) => each.passedOver),
      };
    },

    /** Writes the signed report of a run, and lets its points go. A second write of the same run replaces the first. */
    async writeReport(result: RunResult): Promise<void> {
      const { workflowId, runId } = currentRun();
      await writeSigned(backends, runKey(runId, 'report'), { workflowId, runId, ...result });
      await letPointsGo();
    },

    /** Lets the points of a dry run go, which leaves no report. Idempotent because: what is not held is let go of. */
    async endHolds(): Promise<void> {
      await letPointsGo();
    },
  };

  /** A hold that stays lapses by itself: a store that lets nothing be deleted is no failure of the run. */
  async function letPointsGo(): Promise<void> {
    await endHoldsOfRun(backends).catch((error: unknown) => {
      if (!(error instanceof LifeboatFailure)) throw error;
    });
  }

  /** The newest verified point of a release; null where none has passed. What keeps the store from answering is thrown. */
  async function newestVerified(release: ReleaseName): Promise<Awaited<ReturnType<typeof findPoint>> | null> {
    try {
      return await findPoint({ store, trustedKeys, release, point: 'latest-verified' });
    } catch (error) {
      if (error instanceof LifeboatFailure && withoutPoint.has(error.code)) return null;
      throw error;
    }
  }
}
