import type { BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import { marks } from '../../model/run-names.ts';
import {
  isReady,
  type Kubernetes,
  listPods,
  mergePatch,
  optional,
  readWorkload,
  request,
  type WorkloadKind,
} from './kubernetes.ts';

/** What a mark says: which run left it, what was there before, and until when that may stand. ISO-8601 UTC. */
export type Mark = { readonly run: string; readonly previous: unknown; readonly deadline: string };

/** A mark that was found in the cluster. */
export type FoundMark = Mark & {
  readonly kind: 'Service' | WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  readonly mark: 'fence' | 'scaled' | 'quiesced';
};

/** Helm's field manager: what we patch and put back stays Helm's, so that a later upgrade finds no stranger's field. */
const fieldManager = 'helm';

async function patchService(kubernetes: Kubernetes, namespace: string, name: string, body: object): Promise<void> {
  await request(`patch Service ${name}`, () =>
    kubernetes.core.patchNamespacedService({ namespace, name, body, fieldManager }, mergePatch),
  );
}

async function patchWorkload(
  kubernetes: Kubernetes,
  kind: WorkloadKind,
  namespace: string,
  name: string,
  body: object,
): Promise<void> {
  await request(`patch ${kind} ${name}`, async () => {
    if (kind === 'StatefulSet')
      await kubernetes.apps.patchNamespacedStatefulSet({ namespace, name, body, fieldManager }, mergePatch);
    else await kubernetes.apps.patchNamespacedDeployment({ namespace, name, body, fieldManager }, mergePatch);
  });
}

function readMark(annotations: Record<string, string> | undefined, key: string): Mark | undefined {
  const text = annotations?.[key];
  return text === undefined ? undefined : (JSON.parse(text) as Mark);
}

/** Makes a Service lead nowhere: its selector wants a label that no pod has. Idempotent. @throws FenceFailed where it is not there, unless `mayLack` */
export async function fenceService(
  kubernetes: Kubernetes,
  namespace: string,
  name: string,
  mark: Omit<Mark, 'previous'>,
  mayLack = false,
): Promise<void> {
  const service = await optional(`read Service ${name}`, () =>
    kubernetes.core.readNamespacedService({ namespace, name }),
  );
  if (service === undefined && mayLack) return;
  if (service === undefined)
    throw failure('FenceFailed', { message: `fence Service ${namespace}/${name}: it is not there` });
  const found = readMark(service.metadata?.annotations, marks.fence);
  await patchService(kubernetes, namespace, name, {
    metadata: {
      annotations: {
        [marks.fence]: JSON.stringify({ ...mark, previous: found?.previous ?? service.spec?.selector ?? {} }),
      },
    },
    spec: { selector: { [marks.fencedSelector]: 'lifeboat' } },
  });
}

/** Lets a Service lead to its pods again. A Service that is not fenced, or not there, is a success. */
export async function unfenceService(kubernetes: Kubernetes, namespace: string, name: string): Promise<boolean> {
  const service = await optional(`read Service ${name}`, () =>
    kubernetes.core.readNamespacedService({ namespace, name }),
  );
  if (
    service?.spec?.selector?.[marks.fencedSelector] === undefined &&
    service?.metadata?.annotations?.[marks.fence] === undefined
  )
    return false;
  await patchService(kubernetes, namespace, name, {
    metadata: { annotations: { [marks.fence]: null } },
    spec: { selector: { [marks.fencedSelector]: null } },
  });
  return true;
}

/**
 * Makes a Service lead to other pods. With `to` clients get through at once, whatever fence was there; `null` takes the
 * mark of a cutover away and keeps a fence. Idempotent.
 */
export async function leadService(
  kubernetes: Kubernetes,
  namespace: string,
  name: string,
  { selector, to }: { selector: Readonly<Record<string, string>>; to: { release: string; run: string } | null },
): Promise<void> {
  const { metadata, spec } = await request(`read Service ${name}`, () =>
    kubernetes.core.readNamespacedService({ namespace, name }),
  );
  const keepsFence = to === null && metadata?.annotations?.[marks.fence] !== undefined;
  const fenced = spec?.selector?.[marks.fencedSelector];
  const wanted = keepsFence && fenced !== undefined ? { ...selector, [marks.fencedSelector]: fenced } : selector;
  const left = Object.keys(spec?.selector ?? {}).filter((key) => !Object.hasOwn(wanted, key));
  await patchService(kubernetes, namespace, name, {
    metadata: {
      annotations: {
        [marks.cutover]: to === null ? null : JSON.stringify(to),
        ...(to === null ? {} : { [marks.fence]: null }),
      },
    },
    spec: { selector: { ...wanted, ...Object.fromEntries(left.map((key) => [key, null])) } },
  });
}

/** Scales a workload to nothing, remembering what it had. Idempotent. */
export async function stopWorkload(
  kubernetes: Kubernetes,
  workload: BoundWorkload,
  mark: Omit<Mark, 'previous'>,
  mayLack = false,
): Promise<void> {
  const { kind, namespace, name } = workload;
  const live = await readWorkload(kubernetes, kind, namespace, name);
  if (live === undefined && mayLack) return;
  if (live === undefined)
    throw failure('FenceFailed', { message: `stop ${kind} ${namespace}/${name}: it is not there` });
  const found = readMark(live.metadata?.annotations, marks.scaled);
  const previous =
    found?.previous ?? (live.spec?.replicas === 0 ? workload.replicas : (live.spec?.replicas ?? workload.replicas));
  await patchWorkload(kubernetes, kind, namespace, name, {
    metadata: { annotations: { [marks.scaled]: JSON.stringify({ ...mark, previous }) } },
    spec: { replicas: 0 },
  });
}

/** Gives a workload its replicas back. One that was not stopped by us is a success. */
export async function startWorkload(
  kubernetes: Kubernetes,
  kind: WorkloadKind,
  namespace: string,
  name: string,
): Promise<boolean> {
  const live = await readWorkload(kubernetes, kind, namespace, name);
  const found = readMark(live?.metadata?.annotations, marks.scaled);
  if (found === undefined) return false;
  await patchWorkload(kubernetes, kind, namespace, name, {
    metadata: { annotations: { [marks.scaled]: null } },
    spec: { replicas: typeof found.previous === 'number' ? found.previous : 1 },
  });
  return true;
}

/** Leaves or takes away the mark of a quiesce. */
export async function markQuiesced(
  kubernetes: Kubernetes,
  workload: Pick<BoundWorkload, 'kind' | 'namespace' | 'name'>,
  mark: Mark | null,
): Promise<void> {
  await patchWorkload(kubernetes, workload.kind, workload.namespace, workload.name, {
    metadata: { annotations: { [marks.quiesced]: mark === null ? null : JSON.stringify(mark) } },
  });
}

/** Polls until no pod of a workload is left. `tick` is called each time and may throw to stop. */
export async function waitUntilStopped(
  kubernetes: Kubernetes,
  workload: BoundWorkload,
  tick: () => void,
): Promise<void> {
  while ((await listPods(kubernetes, workload.namespace, workload.selector)).length > 0) {
    tick();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/**
 * Polls until a workload has as many ready pods as it is meant to have.
 * @throws PodNeverReady after `withinMs`, with what the pod itself says
 */
export async function waitUntilReady(
  kubernetes: Kubernetes,
  workload: BoundWorkload,
  withinMs: number,
  tick: () => void,
): Promise<void> {
  const until = Date.now() + withinMs;
  for (;;) {
    const live = await readWorkload(kubernetes, workload.kind, workload.namespace, workload.name);
    const pods = await listPods(kubernetes, workload.namespace, workload.selector);
    const wanted = live?.spec?.replicas ?? workload.replicas;
    const current =
      live?.status?.observedGeneration === live?.metadata?.generation && (live?.status?.updatedReplicas ?? 0) >= wanted;
    if (live !== undefined && current && pods.length === wanted && pods.filter(isReady).length === wanted) return;
    if (Date.now() > until) {
      const said =
        pods.map((pod) => podTrouble(pod)).find((text) => text !== undefined) ??
        (live === undefined ? 'the workload is not there' : 'no pod');
      throw failure('PodNeverReady', {
        message: `wait for ${workload.kind} ${workload.namespace}/${workload.name}: not ready after ${String(Math.round(withinMs / 1000))} s: ${said}`,
        changed: 'unknown',
      });
    }
    tick();
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
}

function podTrouble(pod: Awaited<ReturnType<typeof listPods>>[number]): string | undefined {
  const name = pod.metadata?.name ?? '';
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const waiting = status.state?.waiting;
    if (waiting?.reason !== undefined)
      return `pod ${name}: ${waiting.reason}${waiting.message === undefined ? '' : `: ${waiting.message.slice(0, 200)}`}`;
    const ended = status.state?.terminated ?? status.lastState?.terminated;
    if (ended?.reason !== undefined && !status.ready)
      return `pod ${name}: container ${status.name} ended with ${ended.reason}, exit ${String(ended.exitCode)}`;
  }
  const condition = pod.status?.conditions?.find((each) => each.status === 'False' && each.message !== undefined);
  return condition === undefined
    ? `pod ${name} is ${pod.status?.phase ?? 'unknown'}`
    : `pod ${name}: ${condition.message ?? ''}`;
}

/** Every mark of ours in the cluster. */
export async function findMarks(kubernetes: Kubernetes): Promise<FoundMark[]> {
  const [services, sets, deployments] = await Promise.all([
    request('list Services', () => kubernetes.core.listServiceForAllNamespaces()),
    request('list StatefulSets', () => kubernetes.apps.listStatefulSetForAllNamespaces()),
    request('list Deployments', () => kubernetes.apps.listDeploymentForAllNamespaces()),
  ]);
  const all = [
    ...services.items.map((item) => ({ kind: 'Service' as const, item })),
    ...sets.items.map((item) => ({ kind: 'StatefulSet' as const, item })),
    ...deployments.items.map((item) => ({ kind: 'Deployment' as const, item })),
  ];
  return all.flatMap(({ kind, item }) =>
    (['fence', 'scaled', 'quiesced'] as const).flatMap((mark) => {
      const found = readMark(item.metadata?.annotations, marks[mark]);
      return found === undefined
        ? []
        : [{ ...found, mark, kind, namespace: item.metadata?.namespace ?? '', name: item.metadata?.name ?? '' }];
    }),
  );
}
