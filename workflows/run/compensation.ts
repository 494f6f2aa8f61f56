import { CancellationScope } from '@temporalio/workflow';
import type { Compensation } from '../../model/outcome.ts';
import { viewFailure } from './failure-view.ts';

type Undo = { readonly what: string; readonly run: () => Promise<unknown> };

/**
 * The undo of a run's steps. A step's undo is pushed before the step, because a step that failed may have half
 * happened; each is idempotent and runs newest first, out of reach of a cancellation.
 */
export class Compensations {
  private undos: Undo[] = [];

  /** Registers the undo of the step that comes next; returns a function that says it is no longer wanted. */
  push(what: string, run: () => Promise<unknown>): () => void {
    const undo = { what, run };
    this.undos.push(undo);
    return () => {
      this.undos = this.undos.filter((each) => each !== undo);
    };
  }

  /** Forgets every undo: the run succeeded. */
  clear(): void {
    this.undos = [];
  }

  /** Undoes everything. One that fails does not stop the others; it is named. */
  async run(): Promise<{ compensation: Compensation; leftBehind: string[] }> {
    const undos = this.undos.reverse();
    this.undos = [];
    const leftBehind: string[] = [];
    await CancellationScope.nonCancellable(async () => {
      for (const { what, run } of undos) {
        try {
          await run();
        } catch (error) {
          leftBehind.push(`${what}: ${viewFailure(error).message}`);
        }
      }
    });
    return { compensation: leftBehind.length > 0 ? 'incomplete' : undos.length === 0 ? 'none' : 'done', leftBehind };
  }
}
