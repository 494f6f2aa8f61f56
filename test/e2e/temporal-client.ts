import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import type { RunProgress } from '../../model/progress.ts';
import { messageNames } from '../../model/run-names.ts';
import { waitUntil } from '../../sandbox/run.ts';
import { connectClient } from '../../workers/temporal-connection.ts';
import { slowness } from '../slowness.ts';
import type { Ground } from './ground.ts';

/** How long a run may take to come to what a test waits for. */
const patienceMs = 300_000 * slowness;

/** A client of the sandbox's Temporal, in the namespace of the ground. */
export async function temporalClient(ground: Ground): Promise<Client> {
  return await connectClient(ground.sandbox.temporal.address, ground.temporalNamespace);
}

/** Makes a namespace of Temporal and waits until it takes work; one that is there is a success. */
export async function makeTemporalNamespace(address: string, namespace: string): Promise<void> {
  const { connection } = await connectClient(address, namespace);
  const { workflowService } = connection;
  try {
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
  } catch (error) {
    if (!(error instanceof Error && /already exists/i.test(error.message))) throw error;
  }
  for (let tries = 0; ; tries += 1) {
    try {
      await workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      break;
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  await connection.close();
}

/**
 * Waits until an activity of this type runs in a run. Follows the history, which tells at once what was scheduled: one that
 * takes a tenth of a second is over before a look now and then has seen it.
 * @throws where the run ended, or the time, before one was seen to run
 */
export async function waitForActivity(client: Client, workflowId: string, activity: string): Promise<void> {
  const seen = async (): Promise<boolean> => {
    for await (const { activityTaskScheduledEventAttributes: scheduled } of eventsOf(client, workflowId))
      if (scheduled?.activityType?.name === activity && (await startsToRun(client, workflowId, scheduled.activityId)))
        return true;
    return false;
  };
  const ran = await client.withDeadline(Date.now() + patienceMs, seen).catch((error: unknown) => {
    throw new Error(`${activity} was not seen to run in ${workflowId}`, { cause: error });
  });
  if (!ran) throw new Error(`${workflowId} ended before ${activity} was seen to run`);
}

/** The events of a run as they come, until it has ended; waits for a run that is not there yet. */
async function* eventsOf(client: Client, workflowId: string) {
  while ((await describeIfThere(client, workflowId)) === undefined)
    await new Promise((resolve) => setTimeout(resolve, 60));
  const { namespace } = client.options;
  let nextPageToken = new Uint8Array();
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId },
      waitNewEvent: true,
      nextPageToken,
    });
    yield* page.history?.events ?? [];
    nextPageToken = Uint8Array.from(page.nextPageToken);
  } while (nextPageToken.length > 0);
}

async function describeIfThere(client: Client, workflowId: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Whether a scheduled activity was seen to run, not only to be over. */
async function startsToRun(client: Client, workflowId: string, activityId: unknown): Promise<boolean> {
  for (;;) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const pending = raw.pendingActivities?.find((each) => each.activityId === activityId);
    if (pending === undefined) return false;
    if (Number(pending.state) === started) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** PENDING_ACTIVITY_STATE_STARTED of Temporal's API. */
const started = 2;

/** The checklist of a run. */
export async function progressOf(ground: Ground, workflowId: string): Promise<RunProgress> {
  return await onRun(ground, workflowId, async (run) => await run.query<RunProgress>(messageNames.progress));
}

/** Waits until a run is in a phase. @throws what it ended with where it ended before, and how far it was where time ran out */
export async function untilPhase(ground: Ground, workflowId: string, phase: string): Promise<void> {
  await onRun(ground, workflowId, async (run) => {
    await whatItShows(run, `come to ${phase}`, (progress) => (progress.phase === phase ? phase : undefined));
  });
}

/** Approves the plan that the run waits with. @throws as `untilPhase` */
export async function approveWhenAsked(ground: Ground, workflowId: string): Promise<void> {
  await onRun(ground, workflowId, async (run) => {
    const { planDigest } = await whatItShows(run, 'ask for an approval', ({ approval }) => approval ?? undefined);
    await run.executeUpdate('approve', { args: [{ by: 'test', reason: 'test', planDigest }] });
  });
}

/** What a run shows, once it does. */
async function whatItShows<Found>(
  run: WorkflowHandle,
  what: string,
  find: (progress: RunProgress) => Found | undefined,
): Promise<Found> {
  const about = `${run.workflowId} did not ${what}`;
  let shown: RunProgress | undefined;
  const tell = (): string => JSON.stringify(shown, null, 2);
  return await waitUntil(
    about,
    async () => {
      shown = await run.query<RunProgress>(messageNames.progress).catch(() => undefined);
      const found = shown === undefined ? undefined : find(shown);
      if (found === undefined && shown !== undefined && shown.outcome !== 'running')
        throw new Error(`${about} before it ended: ${tell()}`);
      return found;
    },
    { timeoutMs: patienceMs, detail: tell },
  );
}

async function onRun<Result>(
  ground: Ground,
  workflowId: string,
  act: (run: WorkflowHandle) => Promise<Result>,
): Promise<Result> {
  const client = await temporalClient(ground);
  try {
    return await act(client.workflow.getHandle(workflowId));
  } finally {
    await client.connection.close();
  }
}
