import { parseAllDocuments, type Tags } from 'yaml';
import { z } from 'zod';
import { canonicalBytes } from '../../transfer/keys.ts';

/** An object of a manifest, as far as it is looked at. */
export const ManifestObject = z.looseObject({
  kind: z.string(),
  // A template may leave it empty, which is none to Helm.
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.preprocess((own) => own || undefined, z.string().optional()),
  }),
});
export type ManifestObject = z.infer<typeof ManifestObject>;

const ManifestList = z.looseObject({ kind: z.string().endsWith('List'), items: z.array(z.looseObject({})) });

/** The objects of a manifest as Helm and kubectl read it: YAML 1.1, in which `0644` is octal and `yes` is true. */
export function parseManifest(text: string): ManifestObject[] {
  return parseAllDocuments(text, { version: '1.1', merge: true, customTags: withoutTimes }).flatMap((document) =>
    objectsIn(document.toJS()),
  );
}

/** A list has the objects, as kubectl takes it, and those of `kind: SecretList` need not say what they are. */
function objectsIn(value: unknown): ManifestObject[] {
  const list = ManifestList.safeParse(value);
  if (list.success) {
    const kind = list.data.kind.slice(0, -'List'.length);
    return list.data.items.flatMap((item) => objectsIn(kind === '' ? item : { kind, ...item }));
  }
  const object = ManifestObject.safeParse(value);
  return object.success ? [object.data] : [];
}

/** Dates and numbers to base 60 (`2026-01-01`, `10:30`) are texts to them all the same. */
function withoutTimes(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === 'string' ||
      !(tag.tag === 'tag:yaml.org,2002:timestamp' || ('format' in tag && tag.format === 'TIME')),
  );
}

/** What an object refers to by name in its own namespace. */
export type Reference = {
  readonly kind: 'Secret' | 'ConfigMap' | 'PersistentVolumeClaim';
  readonly name: string;
  /** Custom resources alone do: by what their fields are called, and their controller may make it. */
  readonly byCustomResources?: true;
};

/** Fields that name an object, by the key that holds `name` or the name itself. */
const byName: Readonly<Record<string, Reference['kind']>> = {
  secretKeyRef: 'Secret',
  secretRef: 'Secret',
  imagePullSecrets: 'Secret',
  nodePublishSecretRef: 'Secret',
  certificateRefs: 'Secret',
  secret: 'Secret',
  configMapKeyRef: 'ConfigMap',
  configMapRef: 'ConfigMap',
  configMap: 'ConfigMap',
};
const byValue: Readonly<Record<string, Reference['kind']>> = {
  secretName: 'Secret',
  claimName: 'PersistentVolumeClaim',
};

/** Kinds whose fields are those of pods, of the accounts that pull their images, and of the certificates before them. */
const referring = /^(Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|Job|CronJob|ServiceAccount|Ingress|Gateway)$/;

/** The API of a custom resource: its group has a domain, and not Kubernetes' own. */
const customApi = /^(?![^/]*\.k8s\.io\/)[^/]+\.[^/]+\//;
/** What custom resources call the name of a Secret, and what has the name: `tlsSecretName`, `bearerTokenSecret`. */
const customName = /^secrets$|(secretName|existingSecret)$/i;
const customHolder = /secret(Key)?(Ref)?$/i;

/**
 * Secrets, ConfigMaps and claims that the pods of a manifest refer to, wherever they do: environment, volumes, projected
 * volumes, pull secrets; also those of service accounts, and the certificates of an Ingress or a Gateway. Of custom resources, whose
 * fields are not known, what looks like it: fields called so, and a `name` with a `key`. Each once, by kind and name.
 */
export function referencesOf(objects: readonly ManifestObject[]): Reference[] {
  const found = new Map<string, Reference>();
  let isCustom = false;
  const add = (kind: Reference['kind'], name: unknown): void => {
    if (typeof name !== 'string' || name === '') return;
    const title = `${kind}/${name}`;
    if (isCustom && found.has(title)) return;
    found.set(title, isCustom ? { kind, name, byCustomResources: true } : { kind, name });
  };
  const visit = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      const kind = byValue[key] ?? (isCustom && customName.test(key) ? 'Secret' : undefined);
      if (kind !== undefined) add(kind, value);
    } else if (Array.isArray(value)) for (const each of value) visit(each, key);
    else if (typeof value === 'object' && value !== null) {
      const isHolder = isCustom && (customHolder.test(key) || ('name' in value && 'key' in value));
      const kind = byName[key] ?? (isHolder ? 'Secret' : undefined);
      if (kind !== undefined) add(kind, (value as { readonly name?: unknown }).name);
      for (const [own, field] of Object.entries(value)) visit(field, own);
    }
  };
  for (const object of objects) {
    const { apiVersion } = object;
    isCustom = typeof apiVersion === 'string' && customApi.test(apiVersion) && !referring.test(object.kind);
    if (isCustom || referring.test(object.kind)) visit(object, '');
  }
  return [...found.values()].sort((a, b) => `${a.kind}/${a.name}`.localeCompare(`${b.kind}/${b.name}`));
}

/**
 * Names of the objects in which two manifests differ, whatever their order. The data of Secrets is left out, since charts
 * make passwords while they render, and so are checksums in annotations, which are made from it; hooks too.
 */
export function differingObjects(one: string, other: string): string[] {
  const read = (text: string): Map<string, string> =>
    new Map(
      parseManifest(text).flatMap((object) =>
        isHook(object) ? [] : [[`${object.kind}/${object.metadata.name}`, comparable(object)] as const],
      ),
    );
  const [before, after] = [read(one), read(other)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .sort();
}

function isHook({ metadata }: ManifestObject): boolean {
  const annotations = metadata['annotations'];
  return typeof annotations === 'object' && annotations !== null && 'helm.sh/hook' in annotations;
}

function comparable(object: ManifestObject): string {
  const { data: _data, stringData: _stringData, ...rest } = object;
  const plain = JSON.parse(JSON.stringify(object.kind === 'Secret' ? rest : object), (key, value: unknown) =>
    key.startsWith('checksum/') ? undefined : value,
  ) as unknown;
  return canonicalBytes(plain).toString('utf8');
}

/** Images of containers that are never pulled, wherever they stand in an object. */
export function neverPulled(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { image, imagePullPolicy } = value as { image?: unknown; imagePullPolicy?: unknown };
  const own = typeof image === 'string' && imagePullPolicy === 'Never' ? [image] : [];
  return [...own, ...Object.values(value).flatMap(neverPulled)];
}
