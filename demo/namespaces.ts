import { deleteNamespaces } from '../sandbox/platform/delete-namespaces.ts';
import { applyObjects, kubectl } from '../sandbox/platform/kubectl.ts';
import type { SandboxRelease } from '../sandbox/platform/release.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** On every namespace that the demo made: it destroys no other. */
const mark = 'lifeboat.dev/demo';

/**
 * Makes the namespaces of the demo anew. What an earlier demo left is deleted; a namespace of somebody else's stops it.
 */
export async function takeNamespaces(
  sandbox: Sandbox,
  releases: readonly SandboxRelease[],
  progress: (line: string) => void,
): Promise<void> {
  const names = [...new Set(releases.map((release) => release.namespace))];
  const listed = JSON.parse(await kubectl(sandbox, ['get', 'namespaces', '-o', 'json'])) as {
    items: { metadata: { name: string; annotations?: Record<string, string> } }[];
  };
  const there = listed.items.filter(({ metadata }) => names.includes(metadata.name));
  const strange = there
    .filter(({ metadata }) => metadata.annotations?.[mark] === undefined)
    .map(({ metadata }) => metadata.name);
  if (strange.length > 0) {
    throw new Error(
      `the namespaces ${strange.join(', ')} exist and are not the demo's; it would destroy them. Rename or delete them, or use another cluster.`,
    );
  }
  if (there.length > 0) {
    progress(`delete what the last demo left: ${there.map(({ metadata }) => metadata.name).join(', ')}`);
    await deleteNamespaces(
      sandbox,
      there.map(({ metadata }) => metadata.name),
    );
  }
  await applyObjects(
    sandbox,
    names.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  );
  // Not by the apply: the next one, of an installation that knows nothing of the mark, would take it away.
  await kubectl(sandbox, ['annotate', 'namespace', ...names, '--overwrite', `${mark}=true`]);
}
