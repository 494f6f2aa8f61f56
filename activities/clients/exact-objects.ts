import type { Backends } from '../backends.ts';
import { pathOf, type StoredObject } from '../facts/configuration.ts';
import { createClaim } from './claims.ts';
import { applyObjects } from './kubectl.ts';
import { gone, mergePatch, optional, request } from './kubernetes.ts';

/** Where objects are brought to, and for whom. */
export type ExactObjects = {
  readonly backends: Backends;
  readonly namespace: string;
  readonly fieldManager: 'helm' | 'lifeboat';
  readonly signal: AbortSignal;
};

type Live = {
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData: Readonly<Record<string, string>>;
  readonly type: string | undefined;
  readonly immutable: boolean;
};

/**
 * Gives Secrets and ConfigMaps exactly their captured data: keys that came later are taken away, which server-side apply
 * leaves to whoever added them; an object that cannot be changed is made anew. Idempotent.
 */
export async function applyExactly(of: ExactObjects, objects: readonly StoredObject[]): Promise<void> {
  for (const object of objects) {
    const live = await readLive(of, object);
    if (live !== undefined && !sameData(live, object) && (live.immutable || live.type !== object.type))
      await deleteObject(of, object);
  }
  const moved = objects.map((object) => inNamespace(object, of.namespace));
  await applyObjects(of.backends.access, moved, {
    namespace: of.namespace,
    fieldManager: of.fieldManager,
    signal: of.signal,
  });
  for (const object of objects) await removeOtherKeys(of, object);
}

/** Makes the Secrets and ConfigMaps that are not there; one that is there is left as it is. Idempotent. */
export async function createMissing(of: ExactObjects, objects: readonly StoredObject[]): Promise<void> {
  for (const object of objects) if ((await readLive(of, object)) === undefined) await applyExactly(of, [object]);
}

/** Which Secrets and ConfigMaps are not there or have other data, as `Secret/name`. */
export async function listDiffering(of: ExactObjects, objects: readonly StoredObject[]): Promise<string[]> {
  const differing: string[] = [];
  for (const object of objects) {
    const live = await readLive(of, object);
    if (live === undefined || !sameData(live, object)) differing.push(pathOf(object));
  }
  return differing;
}

/** Makes the claims that are missing, with their captured size and class; one that is there is left as it is. */
export async function createMissingClaims(
  { backends, namespace }: ExactObjects,
  claims: readonly StoredObject[],
): Promise<void> {
  for (const claim of claims) {
    await createClaim(backends.kubernetes, namespace, inNamespace(claim, namespace));
  }
}

/** An object in another namespace; Helm looks for the namespace of its release in an annotation too. */
function inNamespace(object: StoredObject, namespace: string): StoredObject {
  const { annotations } = object.metadata;
  const isOfHelm = annotations?.['meta.helm.sh/release-namespace'] !== undefined;
  const moved = isOfHelm ? { annotations: { ...annotations, 'meta.helm.sh/release-namespace': namespace } } : {};
  return { ...object, metadata: { ...object.metadata, namespace, ...moved } };
}

function sameData(live: Live, object: StoredObject): boolean {
  const text = (data: Readonly<Record<string, string>> | undefined): string =>
    JSON.stringify(Object.entries(data ?? {}).sort());
  return (
    text(live.data) === text(object.data) &&
    text(live.binaryData) === text(object.binaryData) &&
    live.type === object.type
  );
}

async function readLive(
  { backends, namespace }: ExactObjects,
  { kind, metadata: { name } }: StoredObject,
): Promise<Live | undefined> {
  const { core } = backends.kubernetes;
  if (kind === 'Secret') {
    const secret = await optional(`read Secret ${name}`, () => core.readNamespacedSecret({ namespace, name }));
    return secret === undefined
      ? undefined
      : { data: secret.data ?? {}, binaryData: {}, type: secret.type, immutable: secret.immutable === true };
  }
  const map = await optional(`read ConfigMap ${name}`, () => core.readNamespacedConfigMap({ namespace, name }));
  return map === undefined
    ? undefined
    : { data: map.data ?? {}, binaryData: map.binaryData ?? {}, type: undefined, immutable: map.immutable === true };
}

async function removeOtherKeys(of: ExactObjects, object: StoredObject): Promise<void> {
  const live = await readLive(of, object);
  if (live === undefined) return;
  const others = (there: object, captured: object | undefined): Record<string, null> =>
    Object.fromEntries(
      Object.keys(there)
        .filter((key) => !Object.hasOwn(captured ?? {}, key))
        .map((key) => [key, null]),
    );
  const data = others(live.data, object.data);
  const binaryData = others(live.binaryData, object.binaryData);
  if (Object.keys(data).length + Object.keys(binaryData).length === 0) return;
  const { core } = of.backends.kubernetes;
  const { namespace, fieldManager } = of;
  const { name } = object.metadata;
  await request(`patch ${object.kind} ${name}`, async () => {
    if (object.kind === 'Secret')
      await core.patchNamespacedSecret({ namespace, name, body: { data }, fieldManager }, mergePatch);
    else await core.patchNamespacedConfigMap({ namespace, name, body: { data, binaryData }, fieldManager }, mergePatch);
  });
}

async function deleteObject(
  { backends, namespace }: ExactObjects,
  { kind, metadata: { name } }: StoredObject,
): Promise<void> {
  const { core } = backends.kubernetes;
  await gone(`delete ${kind} ${name}`, async () => {
    if (kind === 'Secret') await core.deleteNamespacedSecret({ namespace, name });
    else await core.deleteNamespacedConfigMap({ namespace, name });
  });
}
