import {
  ApplicationFailure,
  CancellationScope,
  patched,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { z } from 'zod';
import type { DrillReport } from '../../model/drill.ts';
import { type FailureView, failures } from '../../model/failures.ts';
import { nameAllowedKeys } from '../../model/name-allowed-keys.ts';
import {
  joinCompensations,
  type Outcome,
  objectivesMet,
  type ReleaseResult,
  type RunPlan,
  type RunResult,
} from '../../model/outcome.ts';
import { searchAttributes } from '../../model/run-names.ts';
import { quick } from './activity-proxies.ts';
import { Compensations } from './compensation.ts';
import { keyword, RunConsole } from './console.ts';
import { isCancelled, viewFailure } from './failure-view.ts';
import { closeDraft, type ReleaseDraft } from './release-draft.ts';

/** What the body of a workflow works with. */
export type Run<Input> = {
  readonly input: Input;
  readonly console: RunConsole;
  readonly undo: Compensations;
  /** What is done at the end of any run, however it ends: it undoes nothing that a result speaks of. */
  readonly atEnd: Compensations;
  readonly ref: { readonly workflowId: string; readonly runId: string };
  /** Whether another run started this one. */
  readonly isChild: boolean;
  /** The one release of a run of one release: its result also when the run fails. */
  draft?: ReleaseDraft;
  /** Of a drill: its result also when the run fails. */
  drill?: DrillReport;
  /** Results of the releases of a platform run. */
  readonly releases: ReleaseResult[];
  readonly notes: string[];
  /** From here on the run changes something; what stops it before is a refusal. */
  begin(): void;
};

/** What a body says at its end. */
export type Ending = {
  readonly outcome: Outcome;
  readonly plan?: RunPlan;
  readonly platformPoint?: string;
  readonly notConfigured?: readonly string[];
  readonly failure?: FailureView;
};

/**
 * Conducts a run: parses the input, undoes what a failed or cancelled body did, writes the report and closes the
 * workflow. Only `complete` closes as Completed; any other result travels in the failure's details.
 */
export async function conduct<Schema extends z.ZodType>(
  type: string,
  schema: Schema,
  raw: unknown,
  describe: (input: z.output<Schema>) => { title: string; release?: string; trigger: string; pausable?: boolean },
  body: (run: Run<z.output<Schema>>) => Promise<Ending>,
): Promise<RunResult> {
  const input = parseInput(type, schema, raw);
  const { workflowId, runId, parent } = workflowInfo();
  const console = new RunConsole({ type, ...describe(input) });
  const undo = new Compensations();
  const atEnd = new Compensations();
  const state = { begun: false };
  const run: Run<z.output<Schema>> = {
    input,
    console,
    undo,
    atEnd,
    ref: { workflowId, runId },
    isChild: parent !== undefined,
    releases: [],
    notes: [],
    begin: () => {
      state.begun = true;
    },
  };
  let ending: Ending;
  let undone: Awaited<ReturnType<Compensations['run']>>;
  let cancelled: Error | undefined;
  try {
    ending = await body(run);
    undone = await undo.run();
  } catch (error) {
    undone = await undo.run();
    if (isCancelled(error)) {
      cancelled = error as Error;
      ending = { outcome: 'cancelled' };
    } else {
      const failure = viewFailure(error);
      ending = { outcome: state.begun || !refusable(failure) ? 'failed' : 'refused', failure };
    }
  }
  const { leftBehind } = await atEnd.run();
  if (leftBehind.length > 0) undone = { compensation: 'incomplete', leftBehind: [...undone.leftBehind, ...leftBehind] };
  const result = await CancellationScope.nonCancellable(() => closeRun(type, run, ending, undone));
  console.end(result.outcome);
  if (cancelled !== undefined) throw cancelled;
  if (result.outcome === 'complete') return result;
  const first = result.failure ?? result.releases.find((release) => release.failure !== undefined)?.failure;
  const named = result.releases.filter((release) => release.outcome !== 'complete').map((release) => release.release);
  throw ApplicationFailure.create({
    type: first?.code ?? 'CaptureIncomplete',
    message: [result.outcome, named.join(', '), first?.message ?? ''].filter((part) => part !== '').join(': '),
    nonRetryable: true,
    details: [result],
  });
}

function refusable(failure: FailureView): boolean {
  const { class: kind } = failures[failure.code];
  return kind === 'plan' || kind === 'precondition' || kind === 'integrity';
}

function parseInput<Schema extends z.ZodType>(type: string, schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw ?? {}, { error: nameAllowedKeys });
  if (parsed.success) return parsed.data;
  const message = `start ${type}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`;
  const view: FailureView = { code: 'InputInvalid', message, hint: failures.InputInvalid.hint, changed: 'no' };
  upsertSearchAttributes([{ key: keyword(searchAttributes.outcome), value: 'refused' }]);
  const now = new Date(workflowInfo().startTime).toISOString();
  const result: RunResult = {
    type,
    outcome: 'refused',
    compensation: 'none',
    objectivesMet: null,
    startedAt: now,
    finishedAt: now,
    durationMs: 0,
    releases: [],
    notConfigured: [],
    failure: view,
  };
  throw ApplicationFailure.create({ type: 'InputInvalid', message, nonRetryable: true, details: [result] });
}

async function closeRun(
  type: string,
  run: Run<unknown>,
  ending: Ending,
  undone: Awaited<ReturnType<Compensations['run']>>,
): Promise<RunResult> {
  const { console } = run;
  if (run.draft !== undefined) {
    run.releases.push(
      closeDraft(run.draft, {
        outcome: ending.outcome,
        ...undone,
        ...(ending.failure === undefined ? {} : { failure: ending.failure }),
        startedAt: console.startedAt,
      }),
    );
  }
  const finished = new Date();
  const result: RunResult = {
    type,
    outcome: ending.outcome,
    compensation: joinCompensations([undone.compensation, ...run.releases.map((release) => release.compensation)]),
    objectivesMet: objectivesMet(run.releases),
    startedAt: console.startedAt.toISOString(),
    finishedAt: finished.toISOString(),
    durationMs: finished.getTime() - console.startedAt.getTime(),
    releases: run.releases,
    notConfigured: ending.notConfigured ?? [],
    waitedForPeopleMs: console.waitedForPeopleMs,
    notes: [...run.notes, ...undone.leftBehind.map((text) => `left behind: ${text}`)],
    ...(ending.platformPoint === undefined ? {} : { platformPoint: ending.platformPoint }),
    ...(ending.plan === undefined ? {} : { plan: ending.plan }),
    ...(run.drill === undefined ? {} : { drill: run.drill }),
    ...(ending.failure === undefined ? {} : { failure: ending.failure }),
  };
  const withNote = (what: string, error: unknown): RunResult => ({
    ...result,
    notes: [...(result.notes ?? []), `${what}: ${viewFailure(error).message}`],
  });
  if (ending.plan !== undefined) {
    try {
      if (patched('a dry run lets its points go')) await quick.endHolds();
      return result;
    } catch (error) {
      return withNote('the points that the plan looked at are held for three days', error);
    }
  }
  try {
    await quick.writeReport(result);
    return result;
  } catch (error) {
    return withNote('the report was not written to the store', error);
  }
}
