import type { V1Container, V1Deployment, V1PodSpec, V1StatefulSet } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import type { RecoveryPlan } from '../../model/recovery-plan.ts';
import { type ReleaseName, releaseTitle } from '../../model/release-name.ts';
import { type Kubernetes, ofRelease, optional, request, type WorkloadKind } from '../clients/kubernetes.ts';

type Workload = V1StatefulSet | V1Deployment;

/** Workloads of one kind that carry the labels of a release. */
async function listWorkloads(kubernetes: Kubernetes, kind: WorkloadKind, release: ReleaseName): Promise<Workload[]> {
  const of = ofRelease(release);
  const list = await request<{ items: Workload[] }>(`list ${kind}s of ${releaseTitle(release)}`, () =>
    kind === 'StatefulSet'
      ? kubernetes.apps.listNamespacedStatefulSet(of)
      : kubernetes.apps.listNamespacedDeployment(of),
  );
  return list.items;
}

/**
 * Finds the workload that a plan means: the one of its kind that carries the release's instance label and has the
 * container. @throws BindingFailed where there is none or more than one
 */
export async function bindWorkload(
  kubernetes: Kubernetes,
  release: ReleaseName,
  wanted: RecoveryPlan['workloads'][string],
): Promise<BoundWorkload> {
  const found = (await listWorkloads(kubernetes, wanted.kind, release)).filter(
    (workload) => containerOf(workload, wanted.container) !== undefined,
  );
  const [workload] = found;
  const verb = `bind ${releaseTitle(release)}`;
  if (workload === undefined) {
    throw failure('BindingFailed', {
      message: `${verb}: no ${wanted.kind} with the label app.kubernetes.io/instance=${release.name} has a container ${wanted.container}`,
    });
  }
  if (found.length > 1) {
    const names = found.map((each) => each.metadata?.name).join(', ');
    throw failure('BindingFailed', {
      message: `${verb}: more than one ${wanted.kind} has a container ${wanted.container}: ${names}`,
    });
  }
  return describeWorkload(workload, wanted.kind, release.namespace, wanted.container);
}

/** A workload as plans are bound to it. */
export function describeWorkload(
  workload: Workload,
  kind: WorkloadKind,
  namespace: string,
  containerName: string,
): BoundWorkload {
  const name = workload.metadata?.name ?? '';
  const pod = workload.spec?.template.spec;
  const container = containerOf(workload, containerName);
  if (pod === undefined || container === undefined)
    throw failure('BindingFailed', { message: `bind ${kind} ${name}: it has no container ${containerName}` });
  return {
    namespace,
    kind,
    name,
    container: container.name,
    image: container.image ?? '',
    replicas: meantReplicas(workload),
    selector: workload.spec?.selector.matchLabels ?? {},
    claims: claimsOf(pod, container, workload, name),
    uid: container.securityContext?.runAsUser ?? pod.securityContext?.runAsUser ?? null,
    gid:
      container.securityContext?.runAsGroup ?? pod.securityContext?.runAsGroup ?? pod.securityContext?.fsGroup ?? null,
  };
}

/** Replicas that a workload is meant to have: what a scale-down of ours remembers goes before what it has now. */
function meantReplicas(workload: Workload): number {
  const remembered = workload.metadata?.annotations?.['lifeboat.dev/scaled'];
  if (remembered !== undefined) {
    const mark = JSON.parse(remembered) as { previous?: number };
    if (typeof mark.previous === 'number') return mark.previous;
  }
  return workload.spec?.replicas ?? 1;
}

function containerOf(workload: Workload, name: string): V1Container | undefined {
  return workload.spec?.template.spec?.containers.find((container) => container.name === name);
}

/** Claims by mount path; those of a StatefulSet's templates belong to its first pod. */
function claimsOf(pod: V1PodSpec, container: V1Container, workload: Workload, name: string): BoundWorkload['claims'] {
  const templates =
    workload.spec !== undefined && 'volumeClaimTemplates' in workload.spec
      ? (workload.spec.volumeClaimTemplates ?? [])
      : [];
  return (container.volumeMounts ?? []).flatMap((mount) => {
    const volume = pod.volumes?.find((each) => each.name === mount.name);
    const template = templates.find((each) => each.metadata?.name === mount.name);
    const claim =
      volume?.persistentVolumeClaim?.claimName ?? (template === undefined ? undefined : `${mount.name}-${name}-0`);
    return claim === undefined ? [] : [{ claim, mountPath: mount.mountPath }];
  });
}

/**
 * The value of an environment variable of a container, from its text, a ConfigMap or a default. A value from a Secret
 * is refused: parameters stand in plans, reports and histories. @throws BindingFailed
 */
export async function readParameter(
  kubernetes: Kubernetes,
  release: ReleaseName,
  workload: BoundWorkload,
  parameter: RecoveryPlan['parameters'][string],
): Promise<string> {
  const live = await optional<Workload>(`read ${workload.kind} ${workload.name}`, () =>
    workload.kind === 'StatefulSet'
      ? kubernetes.apps.readNamespacedStatefulSet({ namespace: workload.namespace, name: workload.name })
      : kubernetes.apps.readNamespacedDeployment({ namespace: workload.namespace, name: workload.name }),
  );
  const container = live === undefined ? undefined : containerOf(live, workload.container);
  const variable = container?.env?.find((each) => each.name === parameter.env);
  const where = `bind ${releaseTitle(release)}: the variable ${parameter.env} of the container ${workload.container}`;
  if (variable?.value !== undefined) return variable.value;
  const reference = variable?.valueFrom?.configMapKeyRef;
  if (reference !== undefined) {
    const map = await optional(`read ConfigMap ${reference.name}`, () =>
      kubernetes.core.readNamespacedConfigMap({ namespace: workload.namespace, name: reference.name ?? '' }),
    );
    const value = map?.data?.[reference.key];
    if (value === undefined)
      throw failure('BindingFailed', {
        message: `${where} refers to ${reference.name}/${reference.key}, which is not there`,
      });
    return value;
  }
  if (variable?.valueFrom !== undefined)
    throw failure('BindingFailed', { message: `${where} comes from a Secret; a parameter must not` });
  if (parameter.default !== undefined) return parameter.default;
  throw failure('BindingFailed', { message: `${where} is not set and the plan has no default` });
}

/** The Services of a release that select a workload's pods. */
export async function listServices(kubernetes: Kubernetes, release: ReleaseName): Promise<string[]> {
  const { items } = await request(`list Services of ${releaseTitle(release)}`, () =>
    kubernetes.core.listNamespacedService(ofRelease(release)),
  );
  return items
    .filter((service) => Object.keys(service.spec?.selector ?? {}).length > 0)
    .map((service) => service.metadata?.name ?? '');
}

/**
 * The release behind an address such as `mysql`, `mysql:3306` or `mysql.web.svc:3306`, by the instance label of the
 * Service it names. @throws BindingFailed
 */
export async function releaseBehind(
  kubernetes: Kubernetes,
  cluster: string,
  fromNamespace: string,
  address: string,
): Promise<ReleaseName> {
  const [host = ''] = address.split(':');
  const [name = '', namespace = fromNamespace] = host.split('.');
  const service = await optional(`read Service ${name}`, () =>
    kubernetes.core.readNamespacedService({ namespace, name }),
  );
  const instance = service?.metadata?.labels?.['app.kubernetes.io/instance'];
  if (instance === undefined) {
    throw failure('BindingFailed', {
      message: `bind address ${address}: no Service ${namespace}/${name} with the label app.kubernetes.io/instance`,
    });
  }
  return { cluster, namespace, name: instance };
}
