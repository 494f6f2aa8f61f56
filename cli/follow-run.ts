import type { Client, WorkflowHandle } from '@temporalio/client';
import { formatDuration } from '../model/duration.ts';
import { failure, failures, isFailureCode } from '../model/failures.ts';
import { exitCodes, type RunResult } from '../model/outcome.ts';
import { describeQuestion, type RunProgress } from '../model/progress.ts';
import { controlQueue, messageNames } from '../model/run-names.ts';
import { renderPlan, renderReport } from './render-report.ts';
import { cancelledResult } from './run-reports.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

/** A run that a command started or looks at. */
export type FollowedRun = { readonly workflowId: string; readonly runId: string; readonly type: string };

const marks = { waiting: ' ', running: '…', done: '✓', failed: '✗', skipped: '!' } as const;

/** TASK_QUEUE_TYPE_WORKFLOW of Temporal's API. */
const workflowTasks = 1;

/** @throws WorkerMissing where nobody serves the queue */
export async function requireWorker(client: Client, namespace: string, withinMs = 8_000): Promise<void> {
  const until = Date.now() + withinMs;
  for (;;) {
    const described = await client.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: controlQueue },
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum lives in a package that is not ours to import
      taskQueueType: workflowTasks,
    });
    if (described.pollers.length > 0) return;
    if (Date.now() > until)
      throw failure('WorkerMissing', { message: `start a run: no worker polls the queue ${controlQueue}` });
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

/** Starts a run. The handle is bound to its run id. */
export async function startRun(
  client: Client,
  of: { type: string; workflowId: string; input: object; summary: string },
): Promise<FollowedRun> {
  const handle = await client.workflow.start(of.type, {
    taskQueue: controlQueue,
    workflowId: of.workflowId,
    args: [of.input],
    workflowIdConflictPolicy: 'FAIL',
    staticSummary: of.summary,
  });
  return { workflowId: handle.workflowId, runId: handle.firstExecutionRunId, type: of.type };
}

/** What a closed run ended with: its result, also from the details of a failure. */
export async function resultOf(handle: WorkflowHandle, run: FollowedRun): Promise<RunResult> {
  try {
    return (await handle.result()) as RunResult;
  } catch (error) {
    const { WorkflowFailedError } = await import('@temporalio/client');
    const { ApplicationFailure, CancelledFailure, TerminatedFailure } = await import('@temporalio/common');
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      const result = cause.details?.[0] as Partial<RunResult> | undefined;
      if (result?.outcome !== undefined) return result as RunResult;
      const code = isFailureCode(cause.type) ? cause.type : 'Defect';
      return bare(run, 'failed', { code, message: cause.message, hint: failures[code].hint, changed: 'unknown' });
    }
    if (cause instanceof CancelledFailure) return bare(run, 'cancelled');
    if (cause instanceof TerminatedFailure) {
      return bare(run, 'failed', {
        code: 'Superseded',
        message: `run ${run.workflowId} was terminated: nothing was put back`,
        hint: 'Look for what it left behind: lifeboat repair.',
        changed: 'unknown',
      });
    }
    throw error;
  }
}

function bare(run: FollowedRun, outcome: RunResult['outcome'], view?: NonNullable<RunResult['failure']>): RunResult {
  const now = new Date().toISOString();
  return {
    type: run.type,
    outcome,
    compensation: 'none',
    objectivesMet: null,
    startedAt: now,
    finishedAt: now,
    durationMs: 0,
    releases: [],
    notConfigured: [],
    ...(view === undefined ? {} : { failure: view }),
  };
}

/** Follows a run to its end: live on a terminal, one line a change without one. */
export async function followRun(session: Session, run: FollowedRun): Promise<RunResult> {
  const { terminal } = session;
  const client = await session.client();
  const handle = client.workflow.getHandle(run.workflowId, run.runId);
  let ended = false;
  const result = resultOf(handle, run).finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  const said = new Map<string, string>();
  while (!ended) {
    const progress = await handle.query<RunProgress>(messageNames.progress).catch(() => undefined);
    if (progress !== undefined) show(progress, said, terminal, run);
    await Promise.race([
      result.catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, terminal.live ? 500 : 2_000)),
    ]);
  }
  const last = await handle.query<RunProgress>(messageNames.progress).catch(() => undefined);
  if (last !== undefined) show(last, said, terminal, run);
  const found = await result;
  return found.outcome === 'cancelled' ? await cancelledResult(session, run.runId, found) : found;
}

function show(progress: RunProgress, said: Map<string, string>, terminal: Terminal, run: FollowedRun): void {
  const lines = progress.lines.map((line) => {
    const took = line.durationMs === null ? '' : formatDuration(line.durationMs);
    return `${marks[line.state]} ${line.title.padEnd(22)} ${took.padStart(8)}   ${line.note}`;
  });
  const asks = askLines(progress, run);
  if (terminal.live) {
    terminal.draw([...lines, ...asks, `  elapsed ${formatDuration(Date.now() - Date.parse(progress.startedAt))}`]);
    return;
  }
  for (const [index, line] of progress.lines.entries()) {
    const text = lines[index]?.trimEnd() ?? '';
    if (line.state === 'waiting' || said.get(line.title) === `${line.state} ${line.note}`) continue;
    said.set(line.title, `${line.state} ${line.note}`);
    terminal.note(text);
  }
  const asked = asks.join('\n');
  if (asked !== '' && said.get('') !== asked) terminal.note(asked);
  said.set('', asked);
}

function askLines(progress: RunProgress, run: FollowedRun): string[] {
  const lines: string[] = [];
  if (progress.paused !== null)
    lines.push(`  paused by ${progress.paused.by}: lifeboat resume ${run.workflowId} --by YOU --reason …`);
  if (progress.approval !== null) {
    lines.push('  waits for approval; it overwrites:', ...progress.approval.overwrites.map((text) => `    ! ${text}`));
    lines.push(`  lifeboat approve ${run.workflowId} --plan ${progress.approval.planDigest} --by YOU --reason …`);
  }
  for (const question of progress.questions) {
    const { text, hints, actions } = describeQuestion(question);
    lines.push(`  ? ${question.release} ${question.step}: ${text}`, ...hints.map((hint) => `    ${hint}`));
    lines.push(
      `    lifeboat decide ${run.workflowId} ${actions.join('|')} --question '${question.id}' --by YOU --reason …`,
    );
  }
  return lines;
}

/** Starts a run, follows it (unless `--no-wait`), prints its report and returns the exit code. */
export async function conductRun(
  session: Session,
  of: {
    type: string;
    workflowId: string;
    input: object;
    summary: string;
    afterStart?: (client: Client, run: FollowedRun) => Promise<void>;
  },
): Promise<number> {
  const { terminal } = session;
  const client = await session.client();
  const { platform, digest } = await session.platform();
  await requireWorker(client, platform.temporal.namespace);
  const run = await startRun(client, { ...of, input: { ...of.input, configDigest: digest } });
  terminal.note(`${of.summary}   run ${run.workflowId}`);
  if (session.options.wait === false) {
    const started = { ...run, outcome: 'running' };
    if (terminal.json) terminal.printJson(started);
    else terminal.print(run.workflowId);
    return 0;
  }
  await of.afterStart?.(client, run);
  return printResult(await followRun(session, run), run, terminal);
}

/** Prints the report of a run; returns the exit code of its outcome. */
export function printResult(result: RunResult, run: FollowedRun, terminal: Terminal): number {
  if (terminal.json) terminal.printJson({ workflowId: run.workflowId, runId: run.runId, ...result });
  else if (result.plan !== undefined) terminal.print(renderPlan(result.plan));
  else terminal.print(renderReport(result, { ...run, terminal }));
  return exitCodes[result.outcome];
}
