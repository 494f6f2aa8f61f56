import { createHash } from 'node:crypto';
import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import { marks } from '../../model/run-names.ts';
import type { Backends } from '../backends.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { listPods, readWorkload } from '../clients/kubernetes.ts';
import { withOwnPod } from './own-pod.ts';

const containerName = 'helper';
/** Kubernetes ends a helper that everybody has forgotten. */
const lifetimeSeconds = 24 * 3600;

/** Which volume of which workload a helper mounts, and for whom. */
export type HelperPodFor = {
  readonly backends: Backends;
  readonly workload: BoundWorkload;
  /** A path in the workload's container; the claim that is mounted there, or above it, is mounted in the same place. */
  readonly path: string;
  readonly generation: string;
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

/** The claim that a workload's container mounts at a path or above it. @throws BindingFailed where it mounts none */
export function claimAt(workload: BoundWorkload, path: string): BoundWorkload['claims'][number] {
  const mounted = workload.claims
    .filter(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))
    .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
  if (mounted !== undefined) return mounted;
  throw failure('BindingFailed', {
    message: `find volume: ${workload.kind} ${workload.name} mounts no claim at ${path} in its container ${workload.container}`,
  });
}

async function describeHelper({ backends, workload, path, generation }: HelperPodFor): Promise<V1Pod> {
  const live = await readWorkload(backends.kubernetes, workload.kind, workload.namespace, workload.name);
  const template = live?.spec?.template.spec;
  const container = template?.containers.find((each) => each.name === workload.container);
  const mounted = claimAt(workload, path);
  if (template === undefined || container === undefined)
    throw failure('BindingFailed', {
      message: `describe helper pod: ${workload.kind} ${workload.name} has no container ${workload.container}`,
    });
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === mounted.mountPath);
  const run = createHash('sha256').update(generation).digest('hex').slice(0, 16);
  const running = (await listPods(backends.kubernetes, workload.namespace, workload.selector)).find(
    (each) => each.status?.phase === 'Running',
  );
  return {
    metadata: {
      name: `lifeboat-${run}`,
      namespace: workload.namespace,
      labels: { [marks.run]: run, 'app.kubernetes.io/managed-by': 'lifeboat' },
    },
    spec: {
      ...placement(template, running?.spec?.nodeName),
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: lifetimeSeconds,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...image(backends, workload, container),
          name: containerName,
          command: ['sh', '-c', `trap 'exit 0' TERM; sleep ${String(lifetimeSeconds)} & wait`],
          securityContext: securityContext(workload, container),
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
          volumeMounts: [
            {
              name: 'volume',
              mountPath: mounted.mountPath,
              ...(mount?.subPath === undefined ? {} : { subPath: mount.subPath }),
            },
          ],
        },
      ],
      volumes: [{ name: 'volume', persistentVolumeClaim: { claimName: mounted.claim } }],
    },
  };
}

function image(
  backends: Backends,
  workload: BoundWorkload,
  container: V1Container,
): Pick<V1Container, 'image' | 'imagePullPolicy'> {
  const { helperImage } = backends.platform;
  if (helperImage !== undefined) return { image: helperImage };
  return {
    image: workload.image,
    ...(container.imagePullPolicy === undefined ? {} : { imagePullPolicy: container.imagePullPolicy }),
  };
}

/** Where the workload's pods may run, and as whom. A volume that is in use can be reached from its own node only. */
function placement(template: V1PodSpec, node: string | undefined): Partial<V1PodSpec> {
  const { securityContext, imagePullSecrets, nodeSelector, tolerations, runtimeClassName } = template;
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node ?? ''] }] }];
  return {
    ...(securityContext === undefined ? {} : { securityContext: withoutSysctls(securityContext) }),
    ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...(node === undefined
      ? {}
      : {
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
        }),
  };
}

/** A pod that only copies files needs no settings of the kernel, which a cluster may refuse. */
function withoutSysctls(context: NonNullable<V1PodSpec['securityContext']>): NonNullable<V1PodSpec['securityContext']> {
  return Object.assign(Object.create(Object.getPrototypeOf(context) as object) as typeof context, context, {
    sysctls: [],
  });
}

function securityContext(
  { uid, gid }: BoundWorkload,
  container: V1Container,
): NonNullable<V1Container['securityContext']> {
  const own = container.securityContext;
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: own?.seccompProfile ?? { type: 'RuntimeDefault' },
    ...(uid === null ? {} : { runAsUser: uid, runAsNonRoot: uid !== 0 }),
    ...(gid === null ? {} : { runAsGroup: gid }),
    ...(own?.seLinuxOptions === undefined ? {} : { seLinuxOptions: own.seLinuxOptions }),
  };
}
