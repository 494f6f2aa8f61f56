import { join } from 'node:path';
import { startDaemon } from '../daemon.ts';
import { checkout, type Layout } from '../layout.ts';

/** Name of the process that enforces the network policies of the cluster. */
export const policyDaemon = 'network-policies';

/** Starts what enforces the network policies of the cluster, which the bridge alone does not. */
export async function startNetworkPolicies(at: Layout): Promise<void> {
  const script = (file: string): string => join(checkout, 'sandbox', 'kubernetes', file);
  await startDaemon(at, {
    name: policyDaemon,
    file: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', script('enforce-policies.ts'), at.kubeconfig],
    fresh: [script('enforce-policies.ts'), script('policy-rules.ts')],
  });
}
