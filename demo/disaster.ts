import { leaseName } from '../activities/clients/leases.ts';
import { releasePath } from '../model/release-name.ts';
import { ownNamespace } from '../model/run-names.ts';
import { deleteNamespaces } from '../sandbox/platform/delete-namespaces.ts';
import { kubectl } from '../sandbox/platform/kubectl.ts';
import type { SandboxRelease } from '../sandbox/platform/release.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { clusterName } from './setting.ts';

/** What the disaster left of the platform: nothing, or the demo proves nothing. */
export type Destroyed = {
  readonly namespaces: readonly string[];
  readonly volumes: number;
  readonly volumesLeft: number;
};

/**
 * Destroys the namespaces with their volumes, and what Lifeboat keeps of them in its own namespace: all of that, unless the Lifeboat
 * of another platform of this cluster has its locks or its worker there.
 */
export async function destroyPlatform(sandbox: Sandbox, releases: readonly SandboxRelease[]): Promise<Destroyed> {
  const locks = releases.map((release) => leaseName(releasePath({ ...release, cluster: clusterName })));
  await kubectl(sandbox, ['delete', 'leases', '-n', ownNamespace, '--ignore-not-found', ...locks]);
  const othersThere = (await kubectl(sandbox, ['get', 'leases,pods', '-n', ownNamespace, '-o', 'name'])).trim() !== '';
  const namespaces = [
    ...new Set([...releases.map((release) => release.namespace), ...(othersThere ? [] : [ownNamespace])]),
  ];
  const before = await countVolumes(sandbox, namespaces);
  await deleteNamespaces(sandbox, namespaces);
  return { namespaces, volumes: before, volumesLeft: await countVolumes(sandbox, namespaces) };
}

async function countVolumes(sandbox: Sandbox, namespaces: readonly string[]): Promise<number> {
  const listed = JSON.parse(await kubectl(sandbox, ['get', 'persistentvolumes', '-o', 'json'])) as {
    items: { spec?: { claimRef?: { namespace?: string } } }[];
  };
  return listed.items.filter((volume) => namespaces.includes(volume.spec?.claimRef?.namespace ?? '')).length;
}
