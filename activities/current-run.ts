import { Context } from '@temporalio/activity';

/** The run that the activity belongs to. */
export function currentRun(): { readonly workflowId: string; readonly runId: string } {
  const { workflowId, runId } = Context.current().info.workflowExecution ?? { workflowId: '', runId: '' };
  return { workflowId, runId };
}
