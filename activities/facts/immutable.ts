import type { ManifestObject } from './manifest.ts';

/** A field that the API server never changes in an object that is there, and what a new manifest would make of it. */
export type ImmutableChange = {
  readonly object: string;
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
};

/** Source: Kubernetes API reference 1.34; what is not listed is left to the API server's own dry run. */
const immutable: Readonly<Record<string, readonly string[]>> = {
  StatefulSet: ['selector', 'serviceName', 'podManagementPolicy', 'volumeClaimTemplates'],
  Deployment: ['selector'],
  DaemonSet: ['selector'],
  Job: ['selector', 'template', 'completionMode'],
};

/**
 * Immutable fields in which a new manifest differs from the one that is installed, each by its whole path:
 * `spec.volumeClaimTemplates[0].spec.resources.requests.storage`. The API server names the object alone.
 */
export function immutableChanges(
  installed: readonly ManifestObject[],
  wanted: readonly ManifestObject[],
): ImmutableChange[] {
  return wanted.flatMap((object) => {
    const before = installed.find((each) => each.kind === object.kind && each.metadata.name === object.metadata.name);
    if (before === undefined) return [];
    return (immutable[object.kind] ?? []).flatMap((field) =>
      differences(specOf(before)[field], specOf(object)[field], `spec.${field}`).map((difference) => ({
        object: `${object.kind} ${object.metadata.name}`,
        ...difference,
      })),
    );
  });
}

/** One line of a change: `StatefulSet redis spec.serviceName: a → b`. */
export function describeChange({ object, field, from, to }: ImmutableChange): string {
  return `${object} ${field}: ${shorten(from)} → ${shorten(to)}`;
}

function specOf(object: ManifestObject): Record<string, unknown> {
  const { spec } = object;
  return isRecord(spec) ? spec : {};
}

function differences(from: unknown, to: unknown, field: string): Omit<ImmutableChange, 'object'>[] {
  if (isRecord(from) && isRecord(to))
    return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key) =>
      differences(from[key], to[key], `${field}.${key}`),
    );
  if (Array.isArray(from) && Array.isArray(to)) {
    const [before, after]: readonly (readonly unknown[])[] = [from, to];
    const length = Math.max(from.length, to.length);
    return Array.from({ length }).flatMap((_, index) =>
      differences(before?.[index], after?.[index], `${field}[${String(index)}]`),
    );
  }
  return Object.is(from, to) ? [] : [{ field, from, to }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shorten(value: unknown): string {
  return value === undefined ? 'none' : (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 60);
}
