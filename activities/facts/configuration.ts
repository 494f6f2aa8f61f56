import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Facts } from '../../model/facts.ts';
import { canonicalBytes } from '../../transfer/keys.ts';

const Text = z.record(z.string(), z.string());

/** A Secret, ConfigMap or claim as it is stored: nothing in it that a cluster gives by itself. */
export const StoredObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.enum(['Secret', 'ConfigMap', 'PersistentVolumeClaim']),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    labels: Text.optional(),
    annotations: Text.optional(),
    ownerReferences: z.array(z.looseObject({ controller: z.boolean().optional() })).optional(),
  }),
  type: z.string().optional(),
  data: Text.optional(),
  binaryData: Text.optional(),
  immutable: z.boolean().optional(),
  spec: z.looseObject({}).optional(),
});
export type StoredObject = z.infer<typeof StoredObject>;

/** Whether Helm made an object: it comes back with the chart. */
export function isHelmOwned(object: StoredObject): boolean {
  return (
    object.metadata.labels?.['app.kubernetes.io/managed-by'] === 'Helm' &&
    object.metadata.annotations?.['meta.helm.sh/release-name'] !== undefined
  );
}

/**
 * Whether the chart of another release of the namespace made an object, as a database's Secret that this release's pods read: it comes
 * back with that one, and may have changed with it since.
 */
export function isOfAnotherRelease(object: StoredObject, release: string): boolean {
  return isHelmOwned(object) && object.metadata.annotations?.['meta.helm.sh/release-name'] !== release;
}

/**
 * Whether somebody else decides what a Secret or a ConfigMap holds, and may do so at any time: another release, or a controller, as one
 * that renews certificates or brings passwords from a vault. That it is there is a fact then, not what it holds.
 * @param raw - as the API server has it
 */
export function isKeptByOthers(raw: StoredObject, release: string): boolean {
  const { annotations, ownerReferences } = raw.metadata;
  return (
    raw.kind !== 'PersistentVolumeClaim' &&
    (isOfAnotherRelease(raw, release) ||
      annotations?.['cert-manager.io/certificate-name'] !== undefined ||
      ownerReferences?.some(({ controller }) => controller === true) === true)
  );
}

/** Whether a hook of the chart made an object: Helm makes it anew when it installs the chart, and does not call it its own. */
export function isHookMade(object: StoredObject): boolean {
  return object.metadata.annotations?.['helm.sh/hook'] !== undefined;
}

/** Leaves out what belongs to the cluster, not to the release: identity, ownership, status, marks of ours. */
export function strip(raw: StoredObject): StoredObject {
  const { name, namespace, labels, annotations } = raw.metadata;
  const kept = Object.fromEntries(
    Object.entries(annotations ?? {}).filter(
      ([key]) =>
        !/^(kubectl\.kubernetes\.io\/|pv\.kubernetes\.io\/|volume\.(beta\.)?kubernetes\.io\/|lifeboat\.dev\/)/.test(
          key,
        ),
    ),
  );
  const object: StoredObject = {
    apiVersion: raw.apiVersion,
    kind: raw.kind,
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
    },
  };
  if (raw.type !== undefined) object.type = raw.type;
  if (raw.data !== undefined) object.data = raw.data;
  if (raw.binaryData !== undefined) object.binaryData = raw.binaryData;
  if (raw.immutable !== undefined) object.immutable = raw.immutable;
  if (raw.kind === 'PersistentVolumeClaim' && raw.spec !== undefined) {
    const { volumeName: _, ...spec } = raw.spec;
    object.spec = spec;
  }
  return object;
}

/** An object as a path of facts. */
export function pathOf({ kind, metadata }: StoredObject): string {
  return `${kind}/${metadata.name}`;
}

/**
 * Facts of the configuration: digests of the data of each object, the size and class of each claim; of objects that others keep,
 * given by their paths, that they are there.
 */
export function configurationFacts(
  objects: readonly StoredObject[],
  release: { chart: string; values: string },
  kept: readonly string[],
): Facts {
  const facts: Facts = { 'release/chart': release.chart, 'release/values': digest(JSON.parse(release.values)) };
  for (const object of objects) {
    const path = pathOf(object);
    if (object.kind === 'PersistentVolumeClaim') {
      const spec = object.spec ?? {};
      facts[`${path}/claim`] = digest({
        size: spec['resources'],
        modes: spec['accessModes'],
        storageClass: spec['storageClassName'] ?? null,
      });
    } else if (kept.includes(path)) facts[`${path}/present`] = 'yes';
    else
      facts[`${path}/data`] = digest({
        type: object.type ?? null,
        data: object.data ?? {},
        binaryData: object.binaryData ?? {},
      });
  }
  return facts;
}

function digest(value: unknown): string {
  return createHash('sha256').update(canonicalBytes(value)).digest('hex');
}
