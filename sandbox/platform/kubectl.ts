import { type RunOptions, run } from '../run.ts';
import type { Sandbox } from '../sandbox.ts';

/** What is needed to reach a cluster: the sandbox's own or another one. */
export type ClusterOfSandbox = Pick<Sandbox, 'kubeconfig' | 'context'> & {
  readonly tools: Pick<Sandbox['tools'], 'kubectl' | 'helm'>;
};

/** Arguments of kubectl that name the cluster. */
export function clusterArgs({ kubeconfig, context }: ClusterOfSandbox): string[] {
  return ['--kubeconfig', kubeconfig, '--context', context];
}

/** Arguments of helm that name the cluster. */
export function helmClusterArgs({ kubeconfig, context }: ClusterOfSandbox): string[] {
  return ['--kubeconfig', kubeconfig, '--kube-context', context];
}

/** Runs kubectl against the sandbox and returns its stdout; a bad exit throws. */
export async function kubectl(
  sandbox: ClusterOfSandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return await run(sandbox.tools.kubectl, [...clusterArgs(sandbox), ...args], options);
}

/** Applies objects on the server. */
export async function applyObjects(sandbox: ClusterOfSandbox, objects: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await kubectl(
    sandbox,
    ['apply', '--server-side', '--force-conflicts', '--field-manager', 'lifeboat-sandbox', '-f', '-'],
    { input: JSON.stringify(list) },
  );
}
