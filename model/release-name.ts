import { z } from 'zod';

/** A name as Kubernetes has it: lowercase letters, digits and - inside. */
export const label = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** One release: where it runs and what Helm calls it. */
export const ReleaseName = z.strictObject({
  cluster: z.string().regex(label),
  namespace: z.string().regex(label),
  name: z.string().regex(label),
});
export type ReleaseName = z.infer<typeof ReleaseName>;

/** `cluster/namespace/name`: how a release is written in the store, in locks and in histories. */
export function releasePath(release: ReleaseName): string {
  return `${release.cluster}/${release.namespace}/${release.name}`;
}

/** `namespace/name`: how a release is shown where there is one cluster. */
export function releaseTitle(release: ReleaseName): string {
  return `${release.namespace}/${release.name}`;
}

/** The `namespace/name` of a path. */
export function titleOfPath(path: string): string {
  return path.split('/').slice(1).join('/');
}

/** The release beside one that is upgraded blue-green: of its name, or of its `namespace/name`. */
export function greenOf(name: string): string {
  return `${name}-green`;
}

/**
 * Finds the releases that `text` names: `[cluster/]namespace/name`, or `name` where it is unique.
 * @returns one release, or a sentence that says why not and what is allowed
 */
export function findRelease(text: string, among: readonly ReleaseName[]): ReleaseName | string {
  const wanted = text.split('/');
  const found = among.filter((release) => {
    const parts = [release.cluster, release.namespace, release.name];
    return wanted.length <= 3 && wanted.every((part, index) => part === parts[parts.length - wanted.length + index]);
  });
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  const listed = (found.length === 0 ? among : found).map(releaseTitle).join(', ');
  return found.length === 0
    ? `unknown release ${text}: lifeboat.yaml has ${listed}`
    : `${text} names more than one release: ${listed}`;
}
