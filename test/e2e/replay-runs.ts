import { Worker } from '@temporalio/worker';
import { connectClient } from '../../workers/temporal-connection.ts';
import { installRuntime } from '../../workers/temporal-runtime.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';

/**
 * Runs the history of every closed run that began at `since` or later once more on the workflows of today: a run whose
 * code is not deterministic could not be taken over by another worker. Returns how many there were. @throws as the replay
 */
export async function replayRuns(of: { address: string; namespace: string; since: Date }): Promise<number> {
  installRuntime();
  const client = await connectClient(of.address, of.namespace);
  const bundle = await workflowBundle();
  let replayed = 0;
  try {
    const query = `StartTime >= "${of.since.toISOString()}" AND ExecutionStatus != "Running"`;
    for await (const { workflowId, runId } of client.workflow.list({ query })) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle: bundle }, history, workflowId);
      replayed += 1;
    }
  } finally {
    await client.connection.close();
  }
  return replayed;
}
