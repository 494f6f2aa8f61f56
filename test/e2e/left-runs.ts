import { WorkflowNotFoundError } from '@temporalio/client';
import { ownNamespace } from '../../model/run-names.ts';
import { kubectl } from '../../sandbox/platform/kubectl.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { connectClient } from '../../workers/temporal-connection.ts';

type Leases = {
  items: { metadata: { name: string; annotations?: Record<string, string> }; spec: { holderIdentity?: string } }[];
};

/**
 * Ends what a killed run of a test left in its namespace of Temporal: runs that the next worker would go on with, and schedules
 * that would start more. The namespace `default` may be somebody else's and is left alone.
 */
export async function endLeftRuns(address: string, namespace: string): Promise<void> {
  if (namespace === 'default') return;
  const client = await connectClient(address, namespace);
  try {
    for await (const { scheduleId } of client.schedule.list()) await client.schedule.getHandle(scheduleId).delete();
    for await (const { workflowId } of client.workflow.list({ query: 'ExecutionStatus = "Running"' }))
      await client.workflow
        .getHandle(workflowId)
        .terminate('left by a test that was killed')
        .catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        });
  } finally {
    await client.connection.close();
  }
}

/** Locks of releases in these namespaces that somebody holds: the name of each lease, and what it says. */
export async function heldLocks(
  sandbox: Sandbox,
  namespaces: readonly string[],
): Promise<{ lease: string; lock: string }[]> {
  const found = await kubectl(sandbox, ['get', 'leases', '-n', ownNamespace, '-o', 'json']);
  return (JSON.parse(found) as Leases).items
    .filter(({ spec }) => (spec.holderIdentity ?? '') !== '')
    .map(({ metadata }) => ({ lease: metadata.name, lock: metadata.annotations?.['lifeboat.dev/lock'] ?? '' }))
    .filter(({ lock }) => namespaces.some((namespace) => lock.includes(`/${namespace}/`)));
}

/** Removes the locks that a killed run of a test left. */
export async function removeLeftLocks(sandbox: Sandbox, namespaces: readonly string[]): Promise<void> {
  const left = await heldLocks(sandbox, namespaces);
  if (left.length === 0) return;
  await kubectl(sandbox, ['delete', 'leases', '-n', ownNamespace, ...left.map(({ lease }) => lease)]);
}
