import { type ReplayResult, Worker } from '@temporalio/worker';
import { workflowBundle } from '../workers/workflow-bundle.ts';

/** The events of a run, under the id that it had: the runs that it started are named after it. */
export type RunHistory = { readonly workflowId: string; readonly history: unknown };

/**
 * Runs histories once more on the workflows as they are, one after the other on one worker: to make one takes longer than most of them do.
 * Yields each with what the worker says of it, whose `error` is how the workflows would do otherwise.
 */
export async function* replay<T extends RunHistory>(
  histories: AsyncIterable<T> | Iterable<T>,
): AsyncGenerator<{ run: T; error: ReplayResult['error'] }> {
  const asked: T[] = [];
  const pushed = async function* (): AsyncGenerator<RunHistory> {
    for await (const run of histories) {
      asked.push(run);
      yield run;
    }
  };
  const answers = Worker.runReplayHistories({ workflowBundle: await workflowBundle() }, pushed());
  for await (const { workflowId, error } of answers) {
    // One history is run at a time, so the answer is that of the last one asked.
    const run = asked.pop();
    if (run?.workflowId !== workflowId) throw new Error(`the worker answers of ${workflowId}, which was not asked`);
    yield { run, error };
  }
  if (asked.length > 0)
    throw new Error(`the worker did not answer of ${asked.map((run) => run.workflowId).join(', ')}`);
}
