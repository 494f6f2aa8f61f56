import { kubectlFits } from '../activities/clients/kubectl-version.ts';
import type { ToolOnPath } from './tools/find-tool.ts';

/** Where a kubectl may come from. */
export type KubectlSources = {
  /** All on PATH, in its order. */
  readonly onPath: readonly ToolOnPath[];
  /** The one that is taken where the server's version does not matter or is not known: of PATH, the cache, or installed. */
  readonly usual: () => Promise<string | undefined>;
  /** The server's version, undefined where it does not answer. */
  readonly server: () => Promise<string | undefined>;
};

/**
 * The kubectl for a cluster: the first on PATH within one minor version of its server. The server is asked only where PATH has one that
 * would not be taken anyway; where none is near it, or it does not answer, the usual one is.
 * @returns undefined where there is none at all
 */
export async function chooseKubectl({ onPath, usual, server }: KubectlSources): Promise<string | undefined> {
  if (onPath.every(({ fits }) => fits)) return await usual();
  const version = await server();
  const near = version === undefined ? undefined : onPath.find((each) => kubectlFits(each.version, version));
  return near?.path ?? (await usual()) ?? onPath[0]?.path;
}
