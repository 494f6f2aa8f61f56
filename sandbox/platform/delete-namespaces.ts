import { waitUntil } from '../run.ts';
import { type ClusterOfSandbox, kubectl } from './kubectl.ts';

type Volume = {
  metadata: { name: string };
  spec: { claimRef?: { namespace: string }; persistentVolumeReclaimPolicy?: string };
};

/** Deletes namespaces with all that is in them, and waits until their volumes are gone too. Those that are not there are a success. */
export async function deleteNamespaces(sandbox: ClusterOfSandbox, namespaces: readonly string[]): Promise<void> {
  if (namespaces.length === 0) return;
  await kubectl(
    sandbox,
    ['delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait=true', '--timeout=180s'],
    { timeoutMs: 200_000 },
  );
  let left: string[] = [];
  const gone = async (): Promise<true | undefined> => {
    const { items } = JSON.parse(await kubectl(sandbox, ['get', 'persistentvolumes', '-o', 'json'])) as {
      items: Volume[];
    };
    const ours = items.filter(
      ({ spec }) =>
        namespaces.includes(spec.claimRef?.namespace ?? '') && spec.persistentVolumeReclaimPolicy === 'Delete',
    );
    left = ours.map(({ metadata }) => metadata.name);
    return left.length === 0 ? true : undefined;
  };
  await waitUntil('delete the volumes', gone, {
    timeoutMs: 120_000,
    everyMs: 500,
    detail: () => `left: ${left.join(', ')}`,
  });
}
