import type { BoundPlan, Claim } from '../../model/bound-plan.ts';
import { splitChart } from '../../model/chart-name.ts';
import { durationMs } from '../../model/duration.ts';
import { type FailureCode, failure, LifeboatFailure } from '../../model/failures.ts';
import { type PlatformRelease, platformReleases } from '../../model/platform.ts';
import { findRelease, type ReleaseName, releasePath, releaseTitle } from '../../model/release-name.ts';
import type { Backends } from '../backends.ts';
import { type ReleaseReader, releaseReader } from '../clients/helm.ts';
import type { LoadedPlan } from '../plan-catalogue.ts';
import { bindWorkload, listServices, readParameter, releaseBehind } from './live-release.ts';
import { requiredReleases } from './required-releases.ts';

/** A release of lifeboat.yaml by what somebody typed. @throws ReleaseUnknown */
export function resolveRelease(backends: Backends, text: string): ReleaseName {
  const found = findRelease(text, platformReleases(backends.platform));
  if (typeof found === 'string') throw failure('ReleaseUnknown', { message: `find release: ${found}` });
  return found;
}

/** The releases that are named, or every one of lifeboat.yaml. @throws ReleaseUnknown */
export function resolveReleases(backends: Backends, names: readonly string[] | null): ReleaseName[] {
  if (names === null) return platformReleases(backends.platform);
  return names.map((name) => resolveRelease(backends, name));
}

/** The entry of a release in lifeboat.yaml. */
export function platformEntry(backends: Backends, release: ReleaseName): PlatformRelease | undefined {
  return backends.platform.releases.find((entry) => entry.release === releaseTitle(release));
}

type Identified = {
  readonly release: ReleaseName;
  readonly chart: { name: string; version: string; appVersion: string };
  readonly revision: number;
  readonly loaded: LoadedPlan;
};

/** What Helm knows of a release, and the plan of its chart. @throws ReleaseNotFound, PlanNotFound */
async function identifyRelease(backends: Backends, release: ReleaseName, read: ReleaseReader): Promise<Identified> {
  const listed = await read(release.namespace, release.name);
  if (listed === undefined)
    throw failure('ReleaseNotFound', {
      message: `read release ${releaseTitle(release)}: Helm has none of that name in the cluster ${release.cluster}`,
    });
  const { name, version } = splitChart(listed.chart);
  return {
    release,
    chart: { name, version, appVersion: listed.app_version },
    revision: listed.revision,
    loaded: backends.plans.find(name),
  };
}

/**
 * Binds the plan of a release to what is live: workloads, parameters, hosts and claims are read from the cluster.
 * Changes nothing. @param read - shared by those who bind one release after the other: each asks about all the others
 * @throws ReleaseNotFound, PlanNotFound, BindingFailed, ClusterUnreachable, ClusterDenied
 */
export async function bindRelease(
  backends: Backends,
  release: ReleaseName,
  read: ReleaseReader = releaseReader(backends.access),
): Promise<BoundPlan> {
  const { kubernetes, platform } = backends;
  const { chart, revision, loaded } = await identifyRelease(backends, release, read);
  const { plan } = loaded;
  const entry = platformEntry(backends, release);
  const workloads = Object.fromEntries(
    await Promise.all(
      Object.entries(plan.workloads).map(
        async ([name, wanted]) => [name, await bindWorkload(kubernetes, release, wanted)] as const,
      ),
    ),
  );
  const parameters: Record<string, string> = {};
  for (const [name, parameter] of Object.entries(plan.parameters)) {
    const workload = workloads[parameter.workload];
    if (workload !== undefined) parameters[name] = await readParameter(kubernetes, release, workload, parameter);
  }
  const hosts: BoundPlan['hosts'] = {};
  for (const component of plan.components) {
    const address = component.host === undefined ? undefined : parameters[component.host];
    if (component.host === undefined || address === undefined) continue;
    hosts[component.host] = await bindHost(backends, release, address, read);
  }
  const claims = [...ownClaims(release, plan, hosts, parameters), ...(await foreignClaims(backends, release, read))];
  const listed = entry?.objectives;
  return {
    release,
    chart: { ...chart, reference: entry?.chart ?? null },
    revision,
    tier: entry?.tier ?? plan.tier,
    rpoMs: durationMs(listed?.rpo ?? plan.objectives.rpo),
    rtoMs: durationMs(listed?.rto ?? plan.objectives.rto),
    allowDowntimeMs: entry?.allowDowntime === undefined ? null : durationMs(entry.allowDowntime),
    plan,
    planDigest: loaded.digest,
    workloads,
    hosts,
    parameters,
    services: await listServices(kubernetes, release),
    claims,
    requires: await requiredReleases({ platform, read }, { release, plan, hosts }, entry),
  };
}

/** The server behind an address: its release, and the workload that its own plan names first. */
async function bindHost(
  backends: Backends,
  from: ReleaseName,
  address: string,
  read: ReleaseReader,
): Promise<BoundPlan['hosts'][string]> {
  const release = await releaseBehind(backends.kubernetes, from.cluster, from.namespace, address);
  const { loaded } = await identifyRelease(backends, release, read);
  const [wanted] = Object.values(loaded.plan.workloads);
  if (wanted === undefined)
    throw failure('BindingFailed', {
      message: `bind ${releaseTitle(from)}: the plan of ${releaseTitle(release)} has no workload`,
    });
  return { release, workload: await bindWorkload(backends.kubernetes, release, wanted) };
}

/** Databases that this release has in another one. */
function ownClaims(
  release: ReleaseName,
  plan: BoundPlan['plan'],
  hosts: BoundPlan['hosts'],
  parameters: BoundPlan['parameters'],
): Claim[] {
  return plan.components.flatMap((component) => {
    const host = component.host === undefined ? undefined : hosts[component.host];
    const named = component.options['database'];
    const database = typeof named === 'string' ? parameters[named] : undefined;
    return host === undefined || database === undefined
      ? []
      : [{ host: releasePath(host.release), database, by: releaseTitle(release) }];
  });
}

/**
 * Databases of this release that plans of other releases claim. A release that is not there, or that cannot be bound,
 * claims nothing: its database stays with its host, and its own backup says what is wrong with it.
 */
async function foreignClaims(backends: Backends, release: ReleaseName, read: ReleaseReader): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const other of platformReleases(backends.platform)) {
    if (releasePath(other) === releasePath(release)) continue;
    try {
      claims.push(...(await claimsOf(backends, other, release, read)));
    } catch (error) {
      if (!(error instanceof LifeboatFailure && isOfTheOther.has(error.code))) throw error;
    }
  }
  return claims;
}

/** What keeps another release from being bound: no fault of the one that is. */
const isOfTheOther: ReadonlySet<FailureCode> = new Set(['PlanNotFound', 'BindingFailed', 'ReleaseNotFound']);

async function claimsOf(
  backends: Backends,
  other: ReleaseName,
  release: ReleaseName,
  read: ReleaseReader,
): Promise<Claim[]> {
  const listed = await read(other.namespace, other.name);
  if (listed === undefined) return [];
  const { plan } = backends.plans.find(splitChart(listed.chart).name);
  const claims: Claim[] = [];
  for (const component of plan.components) {
    const named = component.options['database'];
    const hostParameter = component.host === undefined ? undefined : plan.parameters[component.host];
    const databaseParameter = typeof named === 'string' ? plan.parameters[named] : undefined;
    if (hostParameter === undefined || databaseParameter === undefined) continue;
    const workload = plan.workloads[hostParameter.workload];
    if (workload === undefined) continue;
    const bound = await bindWorkload(backends.kubernetes, other, workload);
    const address = await readParameter(backends.kubernetes, other, bound, hostParameter);
    const host = await releaseBehind(backends.kubernetes, other.cluster, other.namespace, address);
    if (releasePath(host) !== releasePath(release)) continue;
    claims.push({
      host: releasePath(host),
      database: await readParameter(backends.kubernetes, other, bound, databaseParameter),
      by: releaseTitle(other),
    });
  }
  return claims;
}
