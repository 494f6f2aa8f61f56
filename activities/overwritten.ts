import { type BoundPlan, claimNames } from '../model/bound-plan.ts';
import type { Manifest } from '../model/recovery-point.ts';
import { releasePath, releaseTitle } from '../model/release-name.ts';
import type { Backends } from './backends.ts';
import { readClaim } from './clients/claims.ts';
import { readRelease } from './clients/helm.ts';
import type { ConfigurationContext } from './recovery-document.ts';
import { listReplaced } from './replaced-configuration.ts';
import { restoreContext } from './restore-context.ts';
import type { RunDocument } from './run-record.ts';

/** Claims of the release's workloads that are there already. */
export async function existingClaims(
  backends: Backends,
  bound: BoundPlan,
): Promise<{ name: string; hasVolume: boolean }[]> {
  const found = await Promise.all(
    claimNames(bound).map(async (name) => {
      const claim = await readClaim(backends.kubernetes, { namespace: bound.release.namespace, name });
      return claim === undefined ? [] : [{ name, hasVolume: claim.volume !== undefined }];
    }),
  );
  return found.flat();
}

/** Databases in another release that runs, which a restore replaces. */
export type HostedData = { readonly host: string; readonly line: string };

/** What a release has in other ones that run, by host as a path. */
export async function hostedData(backends: Backends, bound: BoundPlan): Promise<HostedData[]> {
  const found: HostedData[] = [];
  for (const { release } of Object.values(bound.hosts)) {
    if ((await readRelease(backends.access, release.namespace, release.name)) === undefined) continue;
    const databases = bound.claims
      .filter((claim) => claim.by === releaseTitle(bound.release))
      .map((claim) => claim.database);
    found.push({ host: releasePath(release), line: `database ${databases.join(', ')} in ${releaseTitle(release)}` });
  }
  return found;
}

/** Secrets and ConfigMaps of the namespace that get what the point has under their names. @throws KeyMissing, Artifact* */
export async function replacedConfiguration(
  backends: Backends,
  document: RunDocument,
  manifest: Manifest,
): Promise<string[]> {
  const record = manifest.components.find(({ method }) => method === 'release-config');
  if (record?.artifacts.some(({ name }) => name === `${record.component}.objects`) !== true) return [];
  const context = await restoreContext(backends, document, manifest, record.component, manifest.id);
  const { namespace } = document.bound.release;
  return (await listReplaced(context as ConfigurationContext)).map(
    (object) => `${object.replace('/', ` ${namespace}/`)}, which is not as in the point`,
  );
}
