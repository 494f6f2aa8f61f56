import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { failure, type LifeboatFailure } from '../../model/failures.ts';
import { marks } from '../../model/run-names.ts';
import type { Backends } from '../backends.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { isConflict, isNotFound, optional, request } from '../clients/kubernetes.ts';

const readyWithinMs = 300_000;

/** What a pod of ours is called, and whose it is: of no run known, its own. A second attempt finds the first one's. */
export function namedBy(
  prefix: string,
  { generation, run }: { readonly generation: string; readonly run?: string | undefined },
): { readonly name: string; readonly run: string } {
  const digest = createHash('sha256').update(generation).digest('hex').slice(0, 16);
  return { name: `${prefix}-${digest}`, run: run ?? digest };
}

/** The command of a pod whose work comes by exec. */
export function idleCommand(seconds: number): string[] {
  return ['sh', '-c', `trap 'exit 0' TERM; sleep ${String(seconds)} & wait`];
}

/**
 * Describes a pod of ours: `repair` finds it by its run, no Service selects it, it runs once and knows nothing of the
 * cluster, and Kubernetes ends it when everybody has forgotten it.
 */
export function describeOwnPod(
  of: {
    readonly name: string;
    readonly namespace: string;
    readonly run: string;
    readonly lifetimeSeconds: number;
    readonly graceSeconds?: number;
  },
  spec: Omit<V1PodSpec, 'restartPolicy'>,
): V1Pod {
  return {
    metadata: {
      name: of.name,
      namespace: of.namespace,
      labels: { [marks.run]: of.run, 'app.kubernetes.io/managed-by': 'lifeboat' },
    },
    spec: {
      ...spec,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: of.lifetimeSeconds,
      terminationGracePeriodSeconds: of.graceSeconds ?? 1,
    },
  };
}

/** A pod of ours with one container, and for whom. */
export type OwnPod = {
  readonly backends: Backends;
  readonly pod: V1Pod;
  readonly signal: AbortSignal;
  /** How long it may take to run; default: five minutes. */
  readonly withinMs?: number;
};

/**
 * Runs `use` with a pod of ours once it runs. Idempotent because: one of the same name that an earlier attempt left is
 * deleted first. It is deleted again whatever happens. Throws: CaptureToolMissing, PodNeverReady, and what `use` throws.
 */
export async function withOwnPod<T>(of: OwnPod, use: (pod: PodAddress) => Promise<T>): Promise<T> {
  const { backends, pod, signal } = of;
  const address: PodAddress = {
    namespace: pod.metadata?.namespace ?? '',
    pod: pod.metadata?.name ?? '',
    container: pod.spec?.containers[0]?.name ?? '',
  };
  const { namespace, pod: name } = address;
  await removePod(backends, namespace, name);
  try {
    signal.throwIfAborted();
    await request(`create helper pod ${name}`, () =>
      backends.kubernetes.core.createNamespacedPod({ namespace, body: pod }),
    );
    await untilReady(of, address);
    return await use(address);
  } finally {
    await removePod(backends, namespace, name);
  }
}

async function untilReady(
  { backends, signal, withinMs = readyWithinMs }: OwnPod,
  { namespace, pod: name }: PodAddress,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const pod = await optional(`read helper pod ${name}`, () =>
      backends.kubernetes.core.readNamespacedPod({ namespace, name }),
    );
    if (pod?.status?.phase === 'Running' && pod.status.containerStatuses?.[0]?.state?.running !== undefined) return;
    const problem = startProblem(pod ?? { metadata: { name } });
    if (problem.isFinal || Date.now() > deadline) throw problem.failure;
    await sleep(250, undefined, { signal });
  }
}

/** Why a pod of ours does not run, and whether waiting cannot help: its image or its command is not to be had. */
export function startProblem(pod: V1Pod): { readonly failure: LifeboatFailure; readonly isFinal: boolean } {
  const name = pod.metadata?.name ?? '';
  const states = (pod.status?.containerStatuses ?? []).flatMap(({ state }) => (state === undefined ? [] : [state]));
  const condition = pod.status?.conditions?.find(({ status, message }) => status === 'False' && message !== undefined);
  const state = states.find(({ running }) => running === undefined);
  const reason =
    state?.waiting?.message ??
    state?.waiting?.reason ??
    state?.terminated?.message ??
    condition?.message ??
    'no word of it';
  const isFinal =
    pod.status?.phase === 'Failed' ||
    states.some(({ waiting }) =>
      /^(ErrImageNeverPull|InvalidImageName|CreateContainerConfigError|CreateContainerError|RunContainerError)$/.test(
        waiting?.reason ?? '',
      ),
    );
  const code = /executable file not found/.test(reason) ? 'CaptureToolMissing' : 'PodNeverReady';
  return { failure: failure(code, { message: `start helper pod ${name}: ${reason.slice(0, 300)}` }), isFinal };
}

/** Deletes the pod and waits until it is gone: its volume is free then. Idempotent; goes on when the run is cancelled. */
export async function removePod(backends: Backends, namespace: string, name: string, graceSeconds = 1): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline) {
    try {
      await request(`delete helper pod ${name}`, () =>
        backends.kubernetes.core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: graceSeconds }),
      );
    } catch (error) {
      if (isNotFound(error)) return;
      if (!isConflict(error)) throw error;
    }
    await sleep(200);
  }
  throw failure('KubernetesFailed', {
    message: `delete helper pod ${name}: it is still there after 120 s`,
    changed: 'yes',
  });
}
