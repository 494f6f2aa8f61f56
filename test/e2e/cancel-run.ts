import { expect } from 'vitest';
import type { Ground, Ran } from './ground.ts';
import { approveWhenAsked, temporalClient, waitForActivity } from './temporal-client.ts';

/** Starts a run, approves it where it asks, cancels it in an activity and follows it to its end, which must be cancelled. */
export async function cancelRun(
  ground: Ground,
  args: readonly string[],
  of: { readonly activity: string; readonly approve: boolean },
): Promise<Ran> {
  const started = await ground.run([...args, '--no-wait']);
  const { workflowId } = started.result;
  const client = await temporalClient(ground);
  if (of.approve) await approveWhenAsked(ground, workflowId);
  await waitForActivity(client, workflowId, of.activity);
  await client.workflow.getHandle(workflowId).cancel();
  const ended = await ground.run(['watch', workflowId]);

  expect(ended.result.outcome).toBe('cancelled');
  expect(ended.exitCode).toBe(5);
  expect((await client.workflow.getHandle(workflowId).describe()).status.name).toBe('CANCELLED');
  await client.connection.close();
  return ended;
}
