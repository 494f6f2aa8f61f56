import { z } from 'zod';
import { claimNames } from '../../model/bound-plan.ts';
import { moveBack, moveValues } from '../../model/drill.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { releaseTitle } from '../../model/release-name.ts';
import { captureChart } from '../captured-chart.ts';
import { listClaims } from '../clients/claims.ts';
import { listConfigurationObjects, readConfigurationObject } from '../clients/configuration-objects.ts';
import {
  applyExactly,
  createMissing,
  createMissingClaims,
  type ExactObjects,
  listDiffering,
} from '../clients/exact-objects.ts';
import { readRecord as readHelmRecord, readRelease } from '../clients/helm.ts';
import { request } from '../clients/kubernetes.ts';
import {
  configurationFacts,
  isHelmOwned,
  isHookMade,
  isKeptByOthers,
  isOfAnotherRelease,
  pathOf,
  StoredObject,
  strip,
} from '../facts/configuration.ts';
import { configurationGuide } from '../facts/configuration-guide.ts';
import { parseManifest, type Reference, referencesOf } from '../facts/manifest.ts';
import { moveBackObject, moveObject } from '../facts/moved-configuration.ts';
import { whyNotInto } from '../facts/other-namespaces.ts';
import type { CaptureContext, Method, MethodContext, RestoreContext } from './method.ts';

const Options = z.strictObject({});
type Options = z.infer<typeof Options>;

/** Helm's own record of the newest revision. */
const HelmRecord = z.strictObject({
  chart: z.string(),
  appVersion: z.string(),
  revision: z.number(),
  values: z.string(),
  manifest: z.string(),
});

const Text = z.record(z.string(), z.string());
const NamespaceObject = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Namespace'),
  metadata: z.strictObject({ name: z.string(), labels: Text, annotations: Text }),
});
type NamespaceObject = z.infer<typeof NamespaceObject>;

/** What the installation of a release is made from. */
export type ReleaseRecord = { readonly values: string; readonly manifest: string; readonly chartArchive?: Uint8Array };

/**
 * The release itself: Helm's record (values, rendered manifest), the chart with its dependencies where lifeboat.yaml
 * names it, and every Secret, ConfigMap and claim that the pods and custom resources refer to, made by Helm or not.
 * The archive is proven by rendering it: it must give the recorded manifest. Restore: the captured objects are applied
 * before the chart where Helm does not make them, and over it where Helm or a hook of the chart does: captured ones win.
 * Idempotent because: server-side apply. Changes: Secrets and ConfigMaps of the namespace. Throws: HelmFailed,
 * ClusterDenied, NamespaceMismatch. Source: Helm 4 documentation, `helm get`, `helm package`, `helm template`.
 */
export const releaseConfig: Method<Options> = {
  name: 'release-config',
  options: Options,

  async capture(context) {
    const { release, chart } = context.bound;
    const capturedAt = new Date().toISOString();
    context.progress(`read the record of ${releaseTitle(release)}`);
    const live = await requireRelease(context);
    const { values, manifest, hooks } = await readHelmRecord(
      context.backends.access,
      release.namespace,
      release.name,
      context.signal,
    );
    const raw = await readObjects(context, [manifest, hooks]);
    const objects = raw.map(strip);
    const kept = raw.filter((object) => isKeptByOthers(object, release.name)).map(pathOf);
    const record: z.infer<typeof HelmRecord> = {
      chart: live.chart,
      appVersion: live.app_version,
      revision: live.revision,
      values,
      manifest,
    };
    const lines = configurationGuide(release);
    await context.writeBytes('record', JSON.stringify(record), lines.record);
    await context.writeBytes('namespace', JSON.stringify(await readNamespace(context)), lines.namespace);
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await context.writeBytes('objects', list, lines.objects);
    const { notes = [], ...found } = await captureChart(context, { values, manifest });
    const secrets = objects.filter((object) => object.kind === 'Secret').length;
    return {
      capturedAt,
      facts: configurationFacts(objects, { chart: `${chart.name}-${chart.version}`, values }, kept),
      totals: { objects: objects.length, secrets },
      ...found,
      notes: [...notes, ...(await describeOtherClaims(context))],
    };
  },

  async restore(context) {
    await restoreObjects(context);
  },

  async readFacts(context) {
    const { release, moved = {} } = context.bound;
    const live = await requireRelease(context);
    const { values, manifest, hooks } = await readHelmRecord(
      context.backends.access,
      release.namespace,
      release.name,
      context.signal,
    );
    const raw = await readObjects(context, [manifest, hooks]);
    const objects = raw.map((object) => moveBackObject(strip(object), moved));
    const configuration = { chart: live.chart, values: JSON.stringify(moveBack(JSON.parse(values), moved)) };
    // The point says of which objects the data is a fact, whoever keeps them now; one that it does not know, as an optional Secret
    // made since, is none of its facts.
    const isKnown = (path: string): boolean => Object.hasOwn(context.capturedFacts, path);
    const kept = objects.map(pathOf).filter((path) => isKnown(`${path}/present`));
    const facts = configurationFacts(objects, configuration, kept);
    return Object.fromEntries(Object.entries(facts).filter(([path]) => isKnown(path)));
  },
};

async function requireRelease(
  context: MethodContext<Options>,
): Promise<NonNullable<Awaited<ReturnType<typeof readRelease>>>> {
  const { release } = context.bound;
  const live = await readRelease(context.backends.access, release.namespace, release.name, context.signal);
  if (live === undefined)
    throw failure('ReleaseNotFound', { message: `read release ${releaseTitle(release)}: Helm has none of that name` });
  return live;
}

/**
 * What Helm made for the release, what its workloads refer to, and what other pods and custom resources of its manifest and hooks do,
 * as the API server has it. What only custom resources name and a controller made of an object of its own, it will make again.
 */
async function readObjects(context: MethodContext<Options>, rendered: readonly string[]): Promise<StoredObject[]> {
  const { release, workloads } = context.bound;
  const { kubernetes } = context.backends;
  const listed = await listConfigurationObjects(kubernetes, {
    namespace: release.namespace,
    name: release.name,
    workloads: Object.values(workloads),
  });
  const names = new Map<string, Reference>(
    [...referencesOf(rendered.flatMap(parseManifest)), ...listed].map((each) => [`${each.kind}/${each.name}`, each]),
  );
  const objects: StoredObject[] = [];
  for (const [key, name] of [...names].sort(([a], [b]) => a.localeCompare(b))) {
    if (key === 'ConfigMap/kube-root-ca.crt') continue;
    const found = await readConfigurationObject(kubernetes, release.namespace, name);
    if (found === undefined) continue;
    const raw = StoredObject.parse(found);
    if (name.byCustomResources !== true || (raw.metadata.ownerReferences ?? []).length === 0) objects.push(raw);
  }
  return objects;
}

/**
 * Claims of the release that no workload of its plan has, as those of further replicas: what they hold is in no point.
 * It is a note: replicas of a database hold what the first one holds.
 */
async function describeOtherClaims(context: CaptureContext<Options>): Promise<string[]> {
  const { release } = context.bound;
  try {
    const named = claimNames(context.bound);
    const others = (await listClaims(context.backends.kubernetes, release)).filter((claim) => !named.includes(claim));
    return others.length === 0
      ? []
      : [
          `what ${others.join(', ')} ${others.length === 1 ? 'holds' : 'hold'} is not in the point: its plan names no workload with it`,
        ];
  } catch (error) {
    if (!(error instanceof LifeboatFailure && error.code === 'ClusterDenied')) throw error;
    return [`other claims of ${releaseTitle(release)} were not looked for: ${error.message}`];
  }
}

/** The namespace with its labels and annotations: pod security and the like are decided by them. */
async function readNamespace(context: MethodContext<Options>): Promise<NamespaceObject> {
  const name = context.bound.release.namespace;
  const { metadata } = await request(`read namespace ${name}`, () =>
    context.backends.kubernetes.core.readNamespace({ name }),
  );
  const own = (all: { [key: string]: string } | undefined): { [key: string]: string } =>
    Object.fromEntries(
      Object.entries(all ?? {}).filter(
        ([key]) =>
          !/^(kubernetes\.io\/metadata\.name$|kubectl\.kubernetes\.io\/|lifeboat\.dev\/(fence|scaled|quiesced))/.test(
            key,
          ),
      ),
    );
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: own(metadata?.labels), annotations: own(metadata?.annotations) },
  };
}

/** The namespace as it was captured, under the name that the release is recovered into. */
export async function capturedNamespace(context: RestoreContext<Options>): Promise<NamespaceObject> {
  const { namespace } = context.bound.release;
  if (!context.streams.includes('namespace'))
    return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: {}, annotations: {} } };
  const captured = NamespaceObject.parse(JSON.parse(await context.readText('namespace')));
  return { ...captured, metadata: { ...captured.metadata, name: namespace } };
}

/**
 * Brings the captured Secrets and ConfigMaps that Helm does not make, exactly, into the namespace that the release is
 * recovered into, and makes claims that are missing, and Secrets and ConfigMaps of other releases. Idempotent.
 */
export async function restoreObjects(context: RestoreContext<Options>): Promise<void> {
  const captured = await capturedObjects(context);
  const own = captured.filter((object) => !isHelmOwned(object) && !isHookMade(object));
  await bringObjects({ ...targetOf(context), fieldManager: 'lifeboat' }, own);
  const { name } = context.bound.release;
  const others = captured.filter((object) => !isClaim(object) && isOfAnotherRelease(object, name));
  await createMissing({ ...targetOf(context), fieldManager: 'helm' }, others);
}

/** What Helm rendered with other data than captured, as `Secret/name`: Secrets of its own, and what hooks made. Changes nothing. */
export async function listReplacedSecrets(context: RestoreContext<Options>): Promise<string[]> {
  const rendered = (await renderedObjects(context)).filter((object) => !isClaim(object));
  return await listDiffering({ ...targetOf(context), fieldManager: 'helm' }, rendered);
}

/** Gives what Helm rendered exactly its captured data, and makes what a hook would have made. Idempotent. */
export async function restoreSecrets(context: RestoreContext<Options>): Promise<void> {
  await bringObjects({ ...targetOf(context), fieldManager: 'helm' }, await renderedObjects(context));
}

/** Makes the claims that are missing, and gives all else exactly its captured data. */
async function bringObjects(target: ExactObjects, objects: readonly StoredObject[]): Promise<void> {
  await createMissingClaims(target, objects.filter(isClaim));
  await applyExactly(
    target,
    objects.filter((object) => !isClaim(object)),
  );
}

/** The Secrets that Helm owns, and what its hooks made: not each hook runs, as one of the first installation does not at a later one. */
async function renderedObjects(context: RestoreContext<Options>): Promise<StoredObject[]> {
  const { name } = context.bound.release;
  return (await capturedObjects(context)).filter(
    (object) =>
      isHookMade(object) || (object.kind === 'Secret' && isHelmOwned(object) && !isOfAnotherRelease(object, name)),
  );
}

function isClaim({ kind }: StoredObject): boolean {
  return kind === 'PersistentVolumeClaim';
}

/** The captured objects, as they are in the namespaces that the release is recovered into. */
export async function capturedObjects(context: RestoreContext<Options>): Promise<StoredObject[]> {
  const list = z.looseObject({ items: z.array(StoredObject) });
  const { items } = list.parse(JSON.parse(await context.readText('objects')));
  const { moved = {} } = context.bound;
  return items.map((object) => moveObject(object, moved));
}

function targetOf(context: RestoreContext<Options>): Omit<ExactObjects, 'fieldManager'> {
  return { backends: context.backends, namespace: context.bound.release.namespace, signal: context.signal };
}

/** What Helm installs the release from. @throws NamespaceMismatch where it would reach out of another namespace than its own */
export async function readRecord(context: RestoreContext<Options>): Promise<ReleaseRecord> {
  const record = HelmRecord.parse(JSON.parse(await context.readText('record')));
  const { release, moved } = context.bound;
  const { namespace, name } = release;
  const values = moved === undefined ? record.values : JSON.stringify(moveValues(JSON.parse(record.values), moved));
  const why = whyNotInto(
    { objects: parseManifest(record.manifest), values: moved === undefined ? values : undefined },
    context.capturedIn,
    namespace,
  );
  if (why !== undefined) throw failure('NamespaceMismatch', { message: `recover ${namespace}/${name}: ${why}` });
  if (!context.streams.includes('chart')) return { values, manifest: record.manifest };
  const chunks: Uint8Array[] = [];
  for await (const chunk of context.read('chart').bytes) chunks.push(chunk);
  return { values, manifest: record.manifest, chartArchive: Buffer.concat(chunks) };
}
