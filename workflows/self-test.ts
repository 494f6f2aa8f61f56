import { failure } from '../model/failures.ts';
import type { RunResult } from '../model/outcome.ts';
import { SelfTestInput } from '../model/run-input.ts';
import { quick } from './run/activity-proxies.ts';
import { conduct } from './run/conduct.ts';

/** Looks whether a run could work: tools, cluster, store, key, plans. Changes nothing; the first thing to start. */
export async function selfTest(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'selfTest',
    SelfTestInput,
    raw,
    () => ({ title: 'Self test', trigger: 'person' }),
    async (run) => {
      run.console.enter('checking');
      const { problems, found, checks } = await quick.selfTestChecks();
      for (const name of found) run.console.mark(name, 'done');
      run.notes.push(...found.map((name) => `${name}: fits`));
      if (problems.length > 0)
        throw failure('PrerequisitesMissing', {
          message: `self test: ${String(problems.length)} of ${String(checks)} checks failed: ${problems.join('; ')}`,
        });
      return { outcome: 'complete' };
    },
  );
}
