import { waitUntil } from '../run.ts';
import { type ClusterOfSandbox, kubectl } from './kubectl.ts';
import { releaseLabel, type SandboxRelease } from './release.ts';

/** The pod of a release and the container that serves. */
export type MainPod = { readonly namespace: string; readonly pod: string; readonly container: string };

type ListedPod = {
  metadata: { name: string; deletionTimestamp?: string };
  spec: { containers: { name: string }[] };
  status: { conditions?: { type: string; status: string }[] };
};

/** The pod of a release that is Ready now; undefined when there is none. */
export async function findMainPod(
  sandbox: ClusterOfSandbox,
  release: Pick<SandboxRelease, 'namespace' | 'name'>,
): Promise<MainPod | undefined> {
  const { namespace, name } = release;
  const listed = await kubectl(
    sandbox,
    ['get', 'pods', '-n', namespace, '-l', `app.kubernetes.io/instance=${name}`, '-o', 'json'],
    { timeoutMs: 20_000 },
  );
  for (const { metadata, spec, status } of (JSON.parse(listed) as { items: ListedPod[] }).items) {
    const ready = status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
    const container = spec.containers[0]?.name;
    if (ready && metadata.deletionTimestamp === undefined && container !== undefined)
      return { namespace, pod: metadata.name, container };
  }
  return undefined;
}

/** The pod of a release, waited for. */
export async function mainPod(
  sandbox: ClusterOfSandbox,
  release: Pick<SandboxRelease, 'namespace' | 'name'>,
): Promise<MainPod> {
  return await waitUntil(`wait for a Ready pod of ${releaseLabel(release)}`, () => findMainPod(sandbox, release), {
    timeoutMs: 120_000,
    everyMs: 500,
  });
}

/** Arguments of `kubectl exec` in a pod's container. */
export function execArgs(
  { namespace, pod, container }: MainPod,
  command: readonly string[],
  withInput: boolean,
): string[] {
  return ['exec', ...(withInput ? ['-i'] : []), '-n', namespace, pod, '-c', container, '--', ...command];
}
