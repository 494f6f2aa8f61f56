import type { V1PodSpec } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import { type Kubernetes, ofRelease, optional, readWorkload, request } from './kubernetes.ts';

/** An object's kind and name in the namespace of its release. */
export type ObjectName = { readonly kind: 'Secret' | 'ConfigMap' | 'PersistentVolumeClaim'; readonly name: string };

/** Secrets, ConfigMaps and claims that the pods of a workload refer to, wherever they refer to them. */
function referredTo(pod: V1PodSpec): ObjectName[] {
  const names: ObjectName[] = [];
  const add = (kind: ObjectName['kind'], name: string | undefined): void => {
    if (name !== undefined) names.push({ kind, name });
  };
  for (const pull of pod.imagePullSecrets ?? []) add('Secret', pull.name);
  for (const volume of pod.volumes ?? []) {
    add('Secret', volume.secret?.secretName);
    add('ConfigMap', volume.configMap?.name);
    add('PersistentVolumeClaim', volume.persistentVolumeClaim?.claimName);
    for (const source of volume.projected?.sources ?? []) {
      add('Secret', source.secret?.name);
      add('ConfigMap', source.configMap?.name);
    }
  }
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    for (const from of container.envFrom ?? []) {
      add('Secret', from.secretRef?.name);
      add('ConfigMap', from.configMapRef?.name);
    }
    for (const variable of container.env ?? []) {
      add('Secret', variable.valueFrom?.secretKeyRef?.name);
      add('ConfigMap', variable.valueFrom?.configMapKeyRef?.name);
    }
  }
  return names;
}

/** The objects that hold the configuration of a release: made by Helm for it, or referred to by its pods. */
export async function listConfigurationObjects(
  kubernetes: Kubernetes,
  of: { namespace: string; name: string; workloads: readonly BoundWorkload[] },
): Promise<ObjectName[]> {
  const { namespace } = of;
  const selected = ofRelease(of);
  const [secrets, maps] = await Promise.all([
    request('list Secrets', () => kubernetes.core.listNamespacedSecret(selected)),
    request('list ConfigMaps', () => kubernetes.core.listNamespacedConfigMap(selected)),
  ]);
  const found: ObjectName[] = [
    ...secrets.items.map((secret): ObjectName => ({ kind: 'Secret', name: secret.metadata?.name ?? '' })),
    ...maps.items.map((map): ObjectName => ({ kind: 'ConfigMap', name: map.metadata?.name ?? '' })),
  ];
  for (const workload of of.workloads) {
    const live = await readWorkload(kubernetes, workload.kind, namespace, workload.name);
    if (live?.spec?.template.spec !== undefined) found.push(...referredTo(live.spec.template.spec));
    found.push(...workload.claims.map(({ claim }): ObjectName => ({ kind: 'PersistentVolumeClaim', name: claim })));
  }
  const unique = new Map(found.map((each) => [`${each.kind}/${each.name}`, each]));
  return [...unique.values()]
    .filter((each) => each.name !== 'kube-root-ca.crt')
    .sort((a, b) => `${a.kind}/${a.name}`.localeCompare(`${b.kind}/${b.name}`));
}

/** The Secrets and ConfigMaps of a namespace that are not Helm's or the cluster's own, as `Secret/name`. */
export async function listConfigurationNames(kubernetes: Kubernetes, namespace: string): Promise<string[]> {
  const [secrets, maps] = await Promise.all([
    request('list Secrets', () => kubernetes.core.listNamespacedSecret({ namespace })),
    request('list ConfigMaps', () => kubernetes.core.listNamespacedConfigMap({ namespace })),
  ]);
  const own = secrets.items
    .filter((secret) => secret.type !== 'helm.sh/release.v1')
    .map((secret) => `Secret/${secret.metadata?.name ?? ''}`);
  return [...own, ...maps.items.map((map) => `ConfigMap/${map.metadata?.name ?? ''}`)].filter(
    (object) => object !== 'ConfigMap/kube-root-ca.crt',
  );
}

/** An object as the API server has it, or undefined. Tokens of service accounts and Helm's own records are left out. */
export async function readConfigurationObject(
  kubernetes: Kubernetes,
  namespace: string,
  { kind, name }: ObjectName,
): Promise<object | undefined> {
  if (kind === 'Secret') {
    const secret = await optional(`read Secret ${name}`, () =>
      kubernetes.core.readNamespacedSecret({ namespace, name }),
    );
    const generated = secret?.type === 'kubernetes.io/service-account-token' || secret?.type === 'helm.sh/release.v1';
    return secret === undefined || generated
      ? undefined
      : { ...(JSON.parse(JSON.stringify(secret)) as object), apiVersion: 'v1', kind };
  }
  const read =
    kind === 'ConfigMap'
      ? await optional(`read ConfigMap ${name}`, () => kubernetes.core.readNamespacedConfigMap({ namespace, name }))
      : await optional(`read claim ${name}`, () =>
          kubernetes.core.readNamespacedPersistentVolumeClaim({ namespace, name }),
        );
  return read === undefined ? undefined : { ...(JSON.parse(JSON.stringify(read)) as object), apiVersion: 'v1', kind };
}
