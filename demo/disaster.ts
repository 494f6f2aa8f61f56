import { deleteNamespaces } from '../sandbox/platform/delete-namespaces.ts';
import { kubectl } from '../sandbox/platform/kubectl.ts';
import type { SandboxRelease } from '../sandbox/platform/release.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** What the disaster left of the platform: nothing, or the demo proves nothing. */
export type Destroyed = {
  readonly namespaces: readonly string[];
  readonly volumes: number;
  readonly volumesLeft: number;
};

/** Destroys the namespaces with their volumes, and Lifeboat's own namespace. */
export async function destroyPlatform(sandbox: Sandbox, releases: readonly SandboxRelease[]): Promise<Destroyed> {
  const namespaces = [...new Set([...releases.map((release) => release.namespace), 'lifeboat'])];
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
