import type { FailureView } from '../../model/failures.ts';
import type { ReleaseResult } from '../../model/outcome.ts';
import type { RunConsole } from './console.ts';
import { isCancelled, viewFailure } from './failure-view.ts';

/**
 * Does one release's part of a run, on a line of its checklist, and times it. What it throws is the failure of that release, and
 * the run goes on; only the cancel of the run itself goes through.
 * @param work - gives what it adds to the result, complete unless it says otherwise, and what the line says
 */
export async function attempt(
  console: RunConsole,
  { line, draft }: { readonly line: string; readonly draft: ReleaseResult },
  work: () => Promise<{ readonly result: Partial<ReleaseResult>; readonly said: string }>,
): Promise<ReleaseResult> {
  console.mark(line, 'running');
  const since = Date.now();
  try {
    const { result, said } = await work();
    console.mark(line, result.failure === undefined ? 'done' : 'failed', said);
    return { ...draft, outcome: 'complete', durationMs: Date.now() - since, ...result };
  } catch (error) {
    if (isCancelled(error)) throw error;
    const view = viewFailure(error);
    console.mark(line, 'failed', `${view.code}: ${view.message}`);
    return { ...draft, outcome: 'failed', durationMs: Date.now() - since, failure: view };
  }
}

/** Why a step failed that is of no release; undefined where it did not. The cancel of the run goes through. */
export async function problemOf(step: () => Promise<void>): Promise<FailureView | undefined> {
  try {
    await step();
    return undefined;
  } catch (error) {
    if (isCancelled(error)) throw error;
    return viewFailure(error);
  }
}
