import { LifeboatFailure } from '../../model/failures.ts';
import { isCancelled, viewFailure } from './failure-view.ts';
import type { RecoveryContext } from './recovery-steps.ts';

/** The step that copies what is live; only of this one `skip` goes on. */
export const safetyCopyStep = 'safety copy';
const withoutCopy =
  'retry takes it again; skip goes on without one: what is live is then lost for good; abort changes nothing.';

/**
 * Runs a step; one that failed asks, where somebody can be asked. `retry` runs it again, `skip` gives this release up
 * and `abort` puts everything back. Of a safety copy that cannot be taken, `skip` goes on without it: the release may be
 * too broken to be copied, and a person says so.
 */
export async function step(context: RecoveryContext, name: string, work: () => Promise<unknown>): Promise<void> {
  const { run, release, draft } = context;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (isCancelled(error)) throw error;
      const view = viewFailure(error);
      if (view.code === 'FactsDiffer') draft.facts = { ...draft.facts, equal: false };
      run.console.mark(name, 'failed', `${view.code}: ${view.message}`);
      if (run.input.onFailure === 'abort') throw error;
      const decision =
        run.input.onFailure === 'skip'
          ? { action: 'skip' as const, by: 'onFailure', reason: 'skip' }
          : await run.console.ask(release, name, name === safetyCopyStep ? { ...view, hint: withoutCopy } : view);
      draft.notes = [
        ...draft.notes,
        `${name}: ${view.code}; ${decision.by} decided to ${decision.action}: ${decision.reason}`,
      ];
      if (decision.action === 'abort') throw error;
      if (decision.action === 'skip' && name === safetyCopyStep && run.input.onFailure === 'ask') {
        run.console.mark(name, 'skipped', `${decision.by}: ${decision.reason}`);
        return;
      }
      if (decision.action === 'skip') {
        throw new LifeboatFailure(
          'ComponentSkipped',
          `recover ${release}: ${decision.by} skipped it at ${name} (${view.code}: ${view.message})`,
          'yes',
          release,
          error,
        );
      }
      run.console.mark(name, 'running', 'again');
    }
  }
}
