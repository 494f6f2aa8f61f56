import { createHash } from 'node:crypto';
import { orderReleases } from '../model/dependency-order.ts';
import { type DrillChoice, type Moves, scratchNamespace } from '../model/drill.ts';
import { formatBytes } from '../model/duration.ts';
import { type FailureCode, type FailureView, failure, LifeboatFailure } from '../model/failures.ts';
import type { RunPlan } from '../model/outcome.ts';
import { platformReleases } from '../model/platform.ts';
import { type ReleaseName, releasePath, releaseTitle, titleOfPath } from '../model/release-name.ts';
import { readPlatformPoints } from '../transfer/platform-points.ts';
import { readLastRestored } from '../transfer/verifications.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { platformEntry, resolveRelease } from './binding/bind-release.ts';
import { moveIntoDrill } from './binding/move-plan.ts';
import { currentRun } from './current-run.ts';
import { type DrillCandidate, requireContained } from './drill-endpoints.ts';
import { planLongestNotDrilled } from './longest-not-drilled.ts';
import { capturedPlan, locatePoint, passedOverFindings } from './plan-recovery.ts';
import type { RecoveryMember } from './platform.ts';
import { requireConfig } from './require-config.ts';

/** What a drill is going to do. */
export type PlannedDrill = {
  readonly platform: string;
  readonly cluster: string;
  /** Short name of the drill, in the names of its namespaces. */
  readonly drill: string;
  readonly rto: string;
  readonly parallelism: number;
  readonly moves: Moves;
  readonly members: readonly RecoveryMember[];
  /** Releases that cannot be drilled, and why. */
  readonly refused: readonly { release: string; tier: number; failure: FailureView }[];
  readonly plan: RunPlan;
  /** Newer points of the members that were passed over, and why; they are among the findings too. */
  readonly passedOver?: readonly string[];
  /** Where the drill was asked to choose its release. */
  readonly chosen?: DrillChoice;
};

/** Which releases are drilled, and from what. */
export type DrillRequest = {
  readonly releases: readonly string[] | null;
  readonly tier: number | null;
  readonly point: string;
  readonly acceptNotIsolated: string | null;
  readonly configDigest: string | null;
  /** Only the one of them of which a point was restored longest ago. */
  readonly longestNotDrilled?: boolean;
};

type Candidate = DrillCandidate & {
  readonly tier: number;
  readonly bytes: number;
  readonly requires: string[];
  readonly passedOver: readonly string[];
};

/** Failures of one release, which keep it out of the drill and not the others. */
const ofOneRelease: ReadonlySet<FailureCode> = new Set([
  ...(['PointUnknown', 'PointNotVerified', 'ManifestMissing', 'ReleaseUnknown', 'NamespaceMismatch'] as const),
  ...(['EndpointUnmapped', 'DrillNotContained'] as const),
]);

/** The activity that looks before a drill starts anything. */
export function createDrillPlanActivities(backends: Backends) {
  const { platform, store, kit } = backends;
  const trustedKeys = [kit.signing.publicKey];

  return {
    /**
     * Plans a drill: the chosen releases and all that they require, each with its point, the scratch namespace of each
     * namespace, the order, and why a release cannot be drilled. The release longest not drilled is the first that can
     * be drilled; those before it are named as refused, so that none of them keeps the others from their drill, and no
     * drill that passes one over ends complete. Changes nothing.
     * @throws InputInvalid where another cluster than this one is accepted as not isolated; ReleaseUnknown, PointUnknown
     */
    async planDrill(of: DrillRequest): Promise<PlannedDrill> {
      requireConfig(backends, of.configDigest);
      if (of.acceptNotIsolated !== null && of.acceptNotIsolated !== platform.cluster.name)
        throw failure('InputInvalid', {
          message: `accept not isolated: this is the cluster ${platform.cluster.name}, not ${of.acceptNotIsolated}`,
        });
      const asked = of.releases?.map((text) => resolveRelease(backends, text)) ?? platformReleases(platform);
      const named = await namedPoints(of.point, asked);
      if (of.longestNotDrilled !== true) return await planFor(asked, named, of.tier);
      const turns = await Promise.all(
        asked.map(async (release) => ({ release, restoredAt: await lastRestored(release) })),
      );
      return await planLongestNotDrilled(turns, (release) => planFor([release], named, null));
    },
  };

  function lastRestored(release: ReleaseName): Promise<string | null> {
    return readLastRestored({ store, trustedKeys, release });
  }

  async function planFor(
    asked: readonly ReleaseName[],
    named: ReadonlyMap<string, string>,
    tier: number | null,
  ): Promise<PlannedDrill> {
    const refused = new Map<string, { tier: number; failure: FailureView }>();
    const candidates = new Map<string, Candidate>();
    const refuse = (release: string, tier: number, error: unknown): void => {
      if (!(error instanceof LifeboatFailure) || !ofOneRelease.has(error.code)) throw error;
      refused.set(release, { tier, failure: error.view() });
    };
    const queue = [...asked];
    for (let release = queue.shift(); release !== undefined; release = queue.shift()) {
      const title = releaseTitle(release);
      if (candidates.has(title) || refused.has(title)) continue;
      try {
        const candidate = await describe(release, named.get(releasePath(release)) ?? 'latest-verified');
        if (tier !== null && candidate.tier !== tier && asked.includes(release)) continue;
        candidates.set(title, candidate);
        // What it requires is drilled with it, whichever tier that is of.
        queue.push(...candidate.requires.map((each) => resolveRelease(backends, each)));
      } catch (error) {
        refuse(title, platformEntry(backends, release)?.tier ?? 1, error);
      }
    }
    const drill = createHash('sha256').update(currentRun().workflowId).digest('hex').slice(0, 6);
    const all = [...candidates.values()];
    // One that is refused takes its Services out of the drill, which may refuse another.
    for (let before = -1; before !== refused.size; ) {
      before = refused.size;
      const rest = all.filter(({ release }) => !refused.has(release));
      const moves = movesOf(rest, drill);
      const services = servicesOf(rest);
      for (const candidate of rest) {
        reportProgress(`look for the addresses of ${candidate.release}`);
        try {
          moveIntoDrill(candidate.bound, moves);
          await requireContained(backends, candidate, { moves, services });
        } catch (error) {
          refuse(candidate.release, candidate.tier, error);
        }
      }
    }
    const rest = all.filter(({ release }) => !refused.has(release));
    const moves = movesOf(rest, drill);
    const members = orderReleases(rest).flatMap((place) => {
      const found = rest.find(({ release }) => release === place.release);
      return found === undefined ? [] : [{ ...place, point: found.point, requires: found.requires }];
    });
    const listed = [...refused].map(([release, why]) => ({ release, ...why }));
    return {
      platform: platform.platform,
      cluster: platform.cluster.name,
      drill,
      rto: platform.objectives.rto,
      parallelism: platform.parallelism,
      moves,
      members,
      refused: listed,
      plan: planOf(members, rest, moves, listed),
      passedOver: passedOverOf(rest),
    };
  }

  /** The point of each release that the input names; those that it does not name take their newest verified one. */
  async function namedPoints(point: string, asked: readonly ReleaseName[]): Promise<Map<string, string>> {
    const [only] = asked;
    if (point === 'latest-verified') return new Map();
    const chain = await readPlatformPoints({ store, trustedKeys, platform: platform.platform });
    const found = chain.flatMap(({ document }) => document ?? []).find(({ id }) => id === point);
    if (found !== undefined)
      return new Map(
        found.releases.flatMap((each) => (each.point === null ? [] : [[releasePath(each.release), each.point.id]])),
      );
    if (asked.length === 1 && only !== undefined) return new Map([[releasePath(only), point]]);
    throw failure('PointUnknown', {
      message: `find platform point ${point} of ${platform.platform} in ${store.address}: there is none of that name`,
    });
  }

  async function describe(release: ReleaseName, point: string): Promise<Candidate> {
    const found = await locatePoint(backends, release, point, null);
    const bound = await capturedPlan(backends, found);
    return {
      release: releaseTitle(release),
      point: found.manifest.id,
      bound,
      tier: bound.tier,
      bytes: found.manifest.plainBytes,
      requires: bound.requires.map(titleOfPath),
      passedOver: passedOverFindings(release, found.passedOver),
    };
  }
}

function movesOf(candidates: readonly Candidate[], drill: string): Moves {
  return Object.fromEntries(
    candidates.map(({ bound: { release } }) => [release.namespace, scratchNamespace(release.namespace, drill)]),
  );
}

/** The Services of the drilled releases, by their source namespace. */
function servicesOf(candidates: readonly Candidate[]): Map<string, Set<string>> {
  const services = new Map<string, Set<string>>();
  for (const { bound } of candidates) {
    const { namespace } = bound.release;
    services.set(namespace, new Set([...(services.get(namespace) ?? []), ...bound.services]));
  }
  return services;
}

function passedOverOf(candidates: readonly Candidate[]): string[] {
  return candidates.flatMap(({ passedOver }) => passedOver);
}

function planOf(
  members: readonly RecoveryMember[],
  candidates: readonly Candidate[],
  moves: Moves,
  refused: PlannedDrill['refused'],
): RunPlan {
  const lines = [
    ...Object.entries(moves).map(([source, scratch]) => `make namespace ${scratch} for ${source}, isolated`),
    ...members.map(({ release, point }) => {
      const bytes = candidates.find((each) => each.release === release)?.bytes ?? 0;
      return `drill ${release} from point ${point} (${formatBytes(bytes)}), then compare its facts`;
    }),
    ...(members.length === 0 ? [] : ['remove the namespaces with all that is in them']),
  ];
  return {
    digest: createHash('sha256').update(lines.join('\n')).digest('hex'),
    lines,
    findings: [
      ...passedOverOf(candidates),
      ...refused.map(({ release, failure: view }) => `${release} is not drilled: ${view.code}: ${view.message}`),
    ],
    overwrites: [],
    objects: candidates.reduce((sum, { bound }) => sum + bound.plan.components.length, 0),
    bytes: candidates.reduce((sum, { bytes }) => sum + bytes, 0),
    order: members.map(({ release, tier, why }) => ({ release, tier, why })),
  };
}
