import type { V1Container, V1Pod, V1PodSpec, V1VolumeMount } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import type { Backends } from '../backends.ts';
import { listPods, readWorkload } from '../clients/kubernetes.ts';

/** A workload as a pod of ours beside it has to know it. */
export type Beside = {
  readonly template: V1PodSpec;
  readonly container: V1Container;
  /** A pod of it that runs: a volume that is in use can be reached from its own node only. */
  readonly running: V1Pod | undefined;
};

/** Reads a workload for a pod of ours. @throws BindingFailed */
export async function readBeside(backends: Backends, workload: BoundWorkload): Promise<Beside> {
  const live = await readWorkload(backends.kubernetes, workload.kind, workload.namespace, workload.name);
  const template = live?.spec?.template.spec;
  const container = template?.containers.find((each) => each.name === workload.container);
  if (template === undefined || container === undefined)
    throw failure('BindingFailed', {
      message: `describe helper pod: ${workload.kind} ${workload.name} has no container ${workload.container}`,
    });
  const pods = await listPods(backends.kubernetes, workload.namespace, workload.selector);
  return { template, container, running: pods.find((each) => each.status?.phase === 'Running') };
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

/** Mounts the claim of a path as the workload's container does, under the name `volume`. @throws BindingFailed */
export function mountClaim(
  workload: BoundWorkload,
  { container }: Beside,
  path: string,
  readOnly = false,
): { mount: V1VolumeMount; claimName: string } {
  const { mountPath, claim } = claimAt(workload, path);
  const own = container.volumeMounts?.find((each) => each.mountPath === mountPath);
  return {
    mount: { name: 'volume', mountPath, readOnly, ...(own?.subPath === undefined ? {} : { subPath: own.subPath }) },
    claimName: claim,
  };
}

/** The image that has the workload's tools, or the platform's own choice for helpers. */
export function toolImage(
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

/** Where the workload's pods may run, and as whom. */
export function placement({ template, running }: Beside): Partial<V1PodSpec> {
  const { securityContext, imagePullSecrets, nodeSelector, tolerations, runtimeClassName } = template;
  const node = running?.spec?.nodeName;
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

/** Rights of a container that uses the workload's tools: its user and nothing more. */
export function toolSecurity(
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
