import { Context } from '@temporalio/activity';
import type { BoundPlan } from '../model/bound-plan.ts';
import { findEndpoints, type Moves, mapTexts } from '../model/drill.ts';
import { failure } from '../model/failures.ts';
import { platformReleases } from '../model/platform.ts';
import { releaseTitle } from '../model/release-name.ts';
import type { Backends } from './backends.ts';
import { withChartFile } from './clients/chart-file.ts';
import { renderChart } from './clients/helm.ts';
import { type ManifestObject, parseManifest } from './facts/manifest.ts';
import { textsOf } from './facts/moved-configuration.ts';
import { capturedObjects, readRecord } from './methods/release-config.ts';
import { configurationOfPoint } from './point-configuration.ts';

/** What a drill must know of a release before it may bring it back. */
export type DrillCandidate = { readonly release: string; readonly point: string; readonly bound: BoundPlan };

/** Kinds that no namespace holds, or that bring traffic from outside. */
const uncontained = new Set([
  ...['Namespace', 'PersistentVolume', 'StorageClass', 'PriorityClass', 'RuntimeClass', 'CSIDriver'],
  ...['ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition', 'APIService'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'ValidatingAdmissionPolicy'],
  ...['Ingress', 'IngressClass', 'Gateway', 'HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'],
]);

/**
 * Looks at everything that a drill would bring back of a release: each address of the cluster that its values, its
 * rendered objects, its ConfigMaps and its Secrets name must lead into the drill, and its objects must stay inside.
 * Changes nothing. @throws EndpointUnmapped, DrillNotContained; both name what was found, never a Secret's text
 */
export async function requireContained(
  backends: Backends,
  candidate: DrillCandidate,
  of: { moves: Moves; services: ReadonlyMap<string, ReadonlySet<string>> },
): Promise<void> {
  const title = releaseTitle(candidate.bound.release);
  const context = await configurationOfPoint(backends, { ...candidate, moves: of.moves });
  if (context === undefined) return;
  const { moves } = of;
  const scratchOf = new Map(Object.entries(moves).map(([source, scratch]) => [scratch, source]));
  const namespaces = new Set([
    ...platformReleases(backends.platform).map(({ namespace }) => namespace),
    ...scratchOf.keys(),
  ]);
  const unmapped = new Set<string>();
  // By now they are as they will be in the drill: what still names a source has no place there.
  const look = (where: string, text: string): void => {
    for (const { service, namespace } of findEndpoints(text, namespaces)) {
      const source = scratchOf.get(namespace);
      if (source !== undefined && of.services.get(source)?.has(service) === true) continue;
      unmapped.add(`${where.startsWith('Secret ') ? 'an address' : `${service}.${source ?? namespace}`} (${where})`);
    }
  };
  const lookInto = (where: string, value: unknown): void => {
    mapTexts(value, (text) => {
      look(where, text);
      return text;
    });
  };
  const record = await readRecord(context);
  lookInto('values', JSON.parse(record.values));
  for (const object of await capturedObjects(context))
    for (const text of textsOf(object)) look(`${object.kind} ${object.metadata.name}`, text);
  const rendered =
    record.chartArchive === undefined
      ? []
      : parseManifest(await render(backends, context.bound, record.values, record.chartArchive));
  for (const object of rendered) lookInto(`${object.kind} ${object.metadata.name}`, object);
  if (unmapped.size > 0)
    throw failure('EndpointUnmapped', {
      message: `move ${title} into the drill: no release of the drill answers at ${[...unmapped].sort().join(', ')}`,
      subject: title,
    });
  const outside = rendered.flatMap((object) => whyOutside(object, context.bound.release.namespace));
  if (outside.length > 0)
    throw failure('DrillNotContained', {
      message: `move ${title} into the drill: ${outside.join(', ')}`,
      subject: title,
    });
}

async function render(backends: Backends, bound: BoundPlan, values: string, archive: Uint8Array): Promise<string> {
  const { namespace, name } = bound.release;
  const signal = Context.current().cancellationSignal;
  return await withChartFile(archive, (chart) =>
    renderChart(backends.access, { chart, namespace, name, values, signal }),
  );
}

/** Of an object that runs pods, or is one: what says whether they stay inside. */
type Spec = {
  readonly type?: unknown;
  readonly hostNetwork?: unknown;
  readonly volumes?: readonly object[];
  readonly template?: { readonly spec?: Spec };
  readonly jobTemplate?: { readonly spec?: Spec };
};

/** Why an object does not stay inside a scratch namespace. */
export function whyOutside(object: ManifestObject, namespace: string): string[] {
  const name = `${object.kind} ${object.metadata.name}`;
  const spec = (object['spec'] ?? {}) as Spec;
  const template = spec.template ?? spec.jobTemplate?.spec?.template;
  const pod = template?.spec ?? (object.kind === 'Pod' ? spec : {});
  const { namespace: own } = object.metadata;
  return [
    ...(object.kind.endsWith('NetworkPolicy') && !staysBesideItsPods(object)
      ? [`${name} lets traffic through the isolation of the drill`]
      : []),
    ...(uncontained.has(object.kind) ? [`${name} is not held by a namespace`] : []),
    ...(own !== undefined && own !== namespace ? [`${name} names the namespace ${own}`] : []),
    ...(object.kind === 'Service' && (spec.type === 'NodePort' || spec.type === 'LoadBalancer')
      ? [`${name} is a ${spec.type}`]
      : []),
    ...(pod.hostNetwork === true ? [`${name} uses the network of its node`] : []),
    ...((pod.volumes ?? []).some((volume) => 'hostPath' in volume) ? [`${name} mounts a path of its node`] : []),
  ];
}

/** Whether a network policy opens nothing but what lies between pods of its own namespace: policies add up. */
function staysBesideItsPods(object: ManifestObject): boolean {
  type Rule = { readonly from?: readonly object[]; readonly to?: readonly object[] };
  const { ingress = [], egress = [] } = (object['spec'] ?? {}) as {
    ingress?: readonly Rule[];
    egress?: readonly Rule[];
  };
  const isOwn = (peers: readonly object[] = []): boolean =>
    peers.length > 0 && peers.every((peer) => Object.keys(peer).every((key) => key === 'podSelector'));
  return (
    object.kind === 'NetworkPolicy' && ingress.every(({ from }) => isOwn(from)) && egress.every(({ to }) => isOwn(to))
  );
}
