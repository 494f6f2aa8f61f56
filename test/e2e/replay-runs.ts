import type { Client } from '@temporalio/client';
import { connectClient } from '../../workers/temporal-connection.ts';
import { installRuntime } from '../../workers/temporal-runtime.ts';
import { type RunHistory, replay } from '../replay.ts';

/**
 * Runs the history of every closed run that began at `since` or later once more on the workflows of today: a run whose
 * code is not deterministic could not be taken over by another worker. Returns how many there were. @throws naming those that differ
 */
export async function replayRuns(of: { address: string; namespace: string; since: Date }): Promise<number> {
  installRuntime();
  const client = await connectClient(of.address, of.namespace);
  const differing: string[] = [];
  let replayed = 0;
  try {
    for await (const { run, error } of replay(closedRuns(client, of.since))) {
      if (error !== undefined) differing.push(`${run.workflowId}: ${error.message}`);
      replayed += 1;
    }
  } finally {
    await client.connection.close();
  }
  if (differing.length > 0) throw new Error(`replay the runs: ${differing.join('\n')}`);
  return replayed;
}

async function* closedRuns(client: Client, since: Date): AsyncGenerator<RunHistory> {
  const query = `StartTime >= "${since.toISOString()}" AND ExecutionStatus != "Running"`;
  for await (const { workflowId, runId } of client.workflow.list({ query }))
    yield { workflowId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() };
}
