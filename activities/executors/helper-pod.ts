import type { V1Pod } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import type { Backends } from '../backends.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { mountClaim, placement, readBeside, toolImage, toolSecurity } from './beside-workload.ts';
import { describeOwnPod, idleCommand, namedBy, withOwnPod } from './own-pod.ts';

const containerName = 'helper';
const lifetimeSeconds = 24 * 3600;

/** Which volume of which workload a helper mounts, and for whom. */
export type HelperPodFor = {
  readonly backends: Backends;
  readonly workload: BoundWorkload;
  /** A path in the workload's container; the claim that is mounted there, or above it, is mounted in the same place. */
  readonly path: string;
  readonly generation: string;
  readonly run?: string | undefined;
  readonly signal: AbortSignal;
};

/**
 * Runs `use` with a pod of ours that mounts a claim of a workload as its own pods do: same image, user, groups, place in
 * the container, and on the node of a pod that runs. It carries no label that a Service selects.
 * Idempotent because: the pod is named by the generation, and one that an earlier attempt left is deleted first. It is
 * deleted again whatever happens. Throws: BindingFailed, PodNeverReady, and what `use` throws.
 */
export async function withHelperPod<T>(of: HelperPodFor, use: (pod: PodAddress) => Promise<T>): Promise<T> {
  return await withOwnPod({ backends: of.backends, pod: await describeHelper(of), signal: of.signal }, use);
}

async function describeHelper(of: HelperPodFor): Promise<V1Pod> {
  const { backends, workload, path } = of;
  const beside = await readBeside(backends, workload);
  const { mount, claimName } = mountClaim(workload, beside, path);
  return describeOwnPod(
    { ...namedBy('lifeboat', of), namespace: workload.namespace, lifetimeSeconds },
    {
      ...placement(beside),
      containers: [
        {
          ...toolImage(backends, workload, beside.container),
          name: containerName,
          command: idleCommand(lifetimeSeconds),
          securityContext: toolSecurity(workload, beside.container),
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
          volumeMounts: [mount],
        },
      ],
      volumes: [{ name: 'volume', persistentVolumeClaim: { claimName } }],
    },
  );
}
