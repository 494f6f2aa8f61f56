import { marks } from '../../model/run-names.ts';
import { waitUntil } from '../run.ts';
import { type ClusterOfSandbox, kubectl } from './kubectl.ts';

type Volume = {
  metadata: { name: string; annotations?: Record<string, string> };
  spec: { claimRef?: { namespace: string }; persistentVolumeReclaimPolicy?: string };
};

const letGo = JSON.stringify({ spec: { persistentVolumeReclaimPolicy: 'Delete' } });

/**
 * Deletes namespaces with all that is in them, and waits until their volumes are gone too, those included that a run keeps for
 * what it replaced. Namespaces that are not there are a success.
 */
export async function deleteNamespaces(sandbox: ClusterOfSandbox, namespaces: readonly string[]): Promise<void> {
  if (namespaces.length === 0) return;
  await kubectl(
    sandbox,
    ['delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait=true', '--timeout=180s'],
    { timeoutMs: 200_000 },
  );
  const volumes = async (): Promise<Volume[]> => {
    const { items } = JSON.parse(await kubectl(sandbox, ['get', 'persistentvolumes', '-o', 'json'])) as {
      items: Volume[];
    };
    return items.filter(({ spec }) => namespaces.includes(spec.claimRef?.namespace ?? ''));
  };
  for (const { metadata } of await volumes())
    if (metadata.annotations?.[marks.kept] !== undefined)
      await kubectl(sandbox, ['patch', 'persistentvolume', metadata.name, '-p', letGo]);
  let left: string[] = [];
  const gone = async (): Promise<true | undefined> => {
    const ours = (await volumes()).filter(({ spec }) => spec.persistentVolumeReclaimPolicy === 'Delete');
    left = ours.map(({ metadata }) => metadata.name);
    return left.length === 0 ? true : undefined;
  };
  await waitUntil('delete the volumes', gone, {
    timeoutMs: 120_000,
    everyMs: 500,
    detail: () => `left: ${left.join(', ')}`,
  });
}
