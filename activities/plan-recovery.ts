import { createHash } from 'node:crypto';
import { BoundPlan, type BoundSummary, summarizeBoundPlan } from '../model/bound-plan.ts';
import type { Moves } from '../model/drill.ts';
import { formatBytes, formatDuration } from '../model/duration.ts';
import type { FactTotals } from '../model/facts.ts';
import { failure } from '../model/failures.ts';
import type { RunPlan } from '../model/outcome.ts';
import type { Manifest } from '../model/recovery-point.ts';
import { type ReleaseName, releaseTitle, titleOfPath } from '../model/release-name.ts';
import { canonicalBytes } from '../transfer/keys.ts';
import { type FoundPoint, findPoint, type PassedOver } from '../transfer/points.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import type { Backends } from './backends.ts';
import { bindRelease, resolveRelease } from './binding/bind-release.ts';
import { moveInto, moveIntoDrill } from './binding/move-plan.ts';
import { listConfigurationNames } from './clients/configuration-objects.ts';
import { readRelease } from './clients/helm.ts';
import { namespaceExists } from './clients/kubernetes.ts';
import { requireScratch } from './clients/scratch-namespaces.ts';
import { currentRun } from './current-run.ts';
import { existingClaims, hostedData, replacedConfiguration } from './overwritten.ts';
import { holdForRun } from './point-holds.ts';
import { requireConfig } from './require-config.ts';
import { type RunDocument, writeRunDocument } from './run-record.ts';

/** What a recovery of one release is going to do. */
export type PlannedRecovery = {
  readonly summary: BoundSummary;
  readonly point: {
    readonly id: string;
    readonly capturedAt: string;
    readonly plainBytes: number;
    readonly storedBytes: number;
    readonly totals: FactTotals;
    /** Components of the point, in restore order. */
    readonly components: readonly string[];
    readonly notCaptured: readonly { component: string; reason: string }[];
  };
  readonly plan: RunPlan;
  /** Whether Helm has the release now. */
  readonly live: boolean;
  /** Newer points that were passed over, and why; they are among the findings too. */
  readonly passedOver?: readonly string[];
  /** Claims that outlived the release: their volumes are set aside before new ones are filled. */
  readonly leftClaims?: readonly string[];
  /**
   * Of a release that is gone: the releases that run and hold data of it, as paths. They are backed up before that data
   * is replaced. Undefined in histories from before that.
   */
  readonly replacedHosts?: readonly string[];
};

/** What a recovery is asked for. */
export type RecoveryRequest = {
  release: string;
  point: string;
  to: string | null;
  into: string | null;
  scope: 'all' | 'data';
  configDigest: string | null;
  /** Of a drill: the scratch namespace of each source namespace. */
  moved?: Moves | undefined;
};

/** The newest good point of a release, or the one that is named, held until this run ends. @throws PointExpired, and as `findPoint` */
export async function locatePoint(
  backends: Backends,
  release: ReleaseName,
  point: string,
  to: string | null,
): ReturnType<typeof findPoint> {
  const found = await findPoint({
    store: backends.store,
    trustedKeys: [backends.kit.signing.publicKey],
    release,
    point,
    to: to ?? undefined,
  });
  await holdForRun(backends, release, found.manifest.id);
  return found;
}

/** Newer points that `latest-verified` passed over, as findings; of many the newest. */
export function passedOverFindings(release: ReleaseName, passedOver: readonly PassedOver[]): string[] {
  const title = releaseTitle(release);
  const shown = passedOver.slice(0, 5);
  const more = passedOver.length - shown.length;
  return [
    ...shown.map(({ point, why }) => `newer point ${point} of ${title} passed over: ${why}`),
    ...(more === 0 ? [] : [`${String(more)} more newer points of ${title} passed over`]),
  ];
}

/** The bound plan that a point was captured by. @throws KeyMissing, Artifact* */
export async function capturedPlan(backends: Backends, { manifest }: FoundPoint): Promise<BoundPlan> {
  const bytes = await readBytes({ store: backends.store, artifact: manifest.plan, identity: backends.kit.identity });
  return BoundPlan.parse(JSON.parse(bytes.toString('utf8')));
}

/** The plan that a point was captured by, in the namespaces that it was recovered into. */
export async function planOfPoint(
  backends: Backends,
  of: { release: string; point: string; into: string | null; moved?: Moves | undefined },
): Promise<BoundPlan> {
  const release = resolveRelease(backends, of.release);
  return targetPlan(await capturedPlan(backends, await locatePoint(backends, release, of.point, null)), of);
}

/** A captured plan where the release is recovered: as it was, in another namespace, or in those of a drill. */
function targetPlan(
  captured: BoundPlan,
  { into, moved }: { into: string | null; moved?: Moves | undefined },
): BoundPlan {
  if (moved !== undefined) return moveIntoDrill(captured, moved);
  return into === null || into === captured.release.namespace ? captured : moveInto(captured, into);
}

/** Plans the recovery of one release: its point, its target, and what would be overwritten. Changes nothing but the store. */
export async function planRecovery(
  backends: Backends,
  request: RecoveryRequest,
  runId: string,
): Promise<PlannedRecovery> {
  requireConfig(backends, request.configDigest);
  const release = resolveRelease(backends, request.release);
  const found = await locatePoint(backends, release, request.point, request.to);
  const { manifest } = found;
  const passedOver = passedOverFindings(release, found.passedOver);
  const captured = await capturedPlan(backends, found);
  const target = targetPlan(captured, request);
  if (request.moved !== undefined) await requireScratch(backends.kubernetes, Object.values(request.moved));
  const { namespace, name } = target.release;
  const live = await readRelease(backends.access, namespace, name);
  if (request.scope === 'data' && live === undefined) {
    throw failure('ReleaseNotFound', {
      message: `recover the data of ${namespace}/${name}: Helm has no such release; recover all of it`,
    });
  }
  const bound = request.scope === 'data' && request.into === null ? await bindRelease(backends, release) : target;
  if (request.scope === 'data') requireComponents(bound, manifest);
  const namespaceExisted = await namespaceExists(backends.kubernetes, namespace);
  const existing = namespaceExisted ? await existingClaims(backends, bound) : [];
  const claims = existing.map(({ name: claim }) => claim);
  // A release that runs is copied by a backup; of one that is gone nobody can say what its volumes hold.
  const leftClaims = live === undefined ? existing.flatMap((each) => (each.hasVolume ? [each.name] : [])) : [];
  // What a drill finds in its own scratch namespaces is its own work.
  const hosted = request.moved === undefined ? await hostedData(backends, bound) : [];
  const replacedHosts = live === undefined ? hosted.map(({ host }) => host) : [];
  const components = manifest.components.map((record) => record.component);
  const plain = {
    release: releaseTitle(bound.release),
    point: manifest.id,
    manifest: found.sha256,
    scope: request.scope,
    revision: live?.revision ?? null,
    claims,
    plan: bound.planDigest,
  };
  const digest = createHash('sha256').update(canonicalBytes(plain)).digest('hex');
  const age = Date.now() - Date.parse(manifest.capturedAt);
  const lines = [
    `${releaseTitle(bound.release)} from point ${manifest.id} (${formatDuration(age)} old, ${formatBytes(manifest.storedBytes)})`,
    ...(request.scope === 'all'
      ? [
          `install ${manifest.chart.name} ${manifest.chart.version} into ${namespace}${namespaceExisted ? '' : ' (new)'}`,
        ]
      : []),
    ...replacedHosts.map(
      (host) => `back up ${titleOfPath(host)} first: the safety copy of what it holds of this release`,
    ),
    ...leftClaims.map((claim) => `set the volume of claim ${claim} aside: it stays as the safety copy`),
    ...manifest.components
      .filter((record) => record.method !== 'release-config')
      .map((record) => `restore ${record.component} by ${record.method}, then compare its facts`),
  ];
  const document: RunDocument = {
    bound,
    recovery: {
      point: manifest.id,
      manifestSha256: found.sha256,
      from: release.namespace,
      scope: request.scope,
      liveRevision: live?.revision ?? null,
      namespaceExisted,
      claims,
      ...(leftClaims.length === 0 ? {} : { leftClaims }),
      configuration: namespaceExisted ? await listConfigurationNames(backends.kubernetes, namespace) : [],
      digest,
    },
  };
  await writeRunDocument(backends, runId, document);
  const overwrites = [
    ...(live === undefined ? [] : [`release ${namespace}/${name}, revision ${String(live.revision)}`]),
    ...claims.map((claim) => `volume claim ${namespace}/${claim}`),
    ...hosted.map(({ line }) => line),
    ...(namespaceExisted && request.scope === 'all' && request.moved === undefined
      ? await replacedConfiguration(backends, document, manifest)
      : []),
  ];
  return {
    summary: summarizeBoundPlan(bound),
    point: {
      id: manifest.id,
      capturedAt: manifest.capturedAt,
      plainBytes: manifest.plainBytes,
      storedBytes: manifest.storedBytes,
      totals: manifest.components.reduce<FactTotals>((all, record) => ({ ...all, ...record.totals }), {}),
      components,
      notCaptured: manifest.notCaptured,
    },
    plan: {
      digest,
      lines,
      findings: [
        ...passedOver,
        ...(request.scope === 'all' && !manifest.components.some(({ method }) => method === 'release-config')
          ? ['the point does not hold the release itself: only its data can be recovered, into one that runs (--data)']
          : []),
        ...manifest.notCaptured.map(({ component, reason }) => `${component} is not in the point: ${reason}`),
      ],
      overwrites,
      objects: components.length,
      bytes: manifest.plainBytes,
      order: [{ release: releaseTitle(bound.release), tier: bound.tier, why: `tier ${String(bound.tier)}` }],
    },
    live: live !== undefined,
    passedOver,
    ...(leftClaims.length === 0 ? {} : { leftClaims }),
    replacedHosts,
  };
}

/** Data alone goes by the plan of now: what that does not name would be neither restored nor compared. @throws PrerequisitesMissing */
function requireComponents({ release, plan }: BoundPlan, { id, components }: Manifest): void {
  const missing = components
    .filter(({ method }) => method !== 'release-config')
    .filter(
      ({ component, method }) => !plan.components.some((each) => each.name === component && each.method === method),
    )
    .map(({ component, method }) => `${component} by ${method}`);
  if (missing.length === 0) return;
  throw failure('PrerequisitesMissing', {
    message: `recover the data of ${releaseTitle(release)}: point ${id} has ${missing.join(', ')}, which the present plan does not name; recover all of it, or name it in the plan`,
  });
}

/** Activities that look before a recovery leaps. */
export function createPlanActivities(backends: Backends) {
  return {
    /**
     * Plans the recovery of a release and writes `plan.json` of the run.
     * @throws PointUnknown, PointNotVerified, KeyMissing, ReleaseUnknown; of data alone PrerequisitesMissing
     */
    async planRelease(request: RecoveryRequest): Promise<PlannedRecovery> {
      return await planRecovery(backends, request, currentRun().runId);
    },

    /** SHA-256 over lines: the digest of a plan made of plans. */
    digestOf(lines: readonly string[]): Promise<string> {
      return Promise.resolve(createHash('sha256').update(lines.join('\n')).digest('hex'));
    },
  };
}
