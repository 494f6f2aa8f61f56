import type { ManifestObject } from './manifest.ts';

/** A release as it was captured, as far as it can name a namespace. */
export type NamingRelease = {
  readonly objects: readonly ManifestObject[];
  /** As JSON or YAML; undefined where what they name is moved with them. */
  readonly values: string | undefined;
};

/** The namespaces that objects name themselves, but for one: charts put roles beside the servers of Kubernetes, or Services there. */
export function otherNamespaces(objects: readonly ManifestObject[], own: string): string[] {
  const named = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []));
  named.delete(own);
  return [...named].sort();
}

/** Why a release that was captured in one namespace cannot come into another beside it, or undefined. */
export function whyNotInto({ objects, values }: NamingRelease, from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const others = otherNamespaces(objects, from);
  if (others.length > 0)
    return `its manifest names ${others.join(', ')} beside ${from}: what it has there would be replaced`;
  const namesItself = objects.some(({ metadata }) => metadata.namespace === from);
  return namesItself && values !== undefined && mentions(values, from)
    ? `its values may name the namespace ${from}`
    : undefined;
}

/** Whether values name a namespace: alone, or inside the name of a Service. */
function mentions(values: string, namespace: string): boolean {
  return new RegExp(`["./]${namespace}["./:]`).test(values);
}
