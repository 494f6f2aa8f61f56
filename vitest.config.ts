import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { secondsOf } from './test/file-seconds.ts';
import { slowness, verySlow } from './test/slowness.ts';

/**
 * Suites by what they need. `unit`, `models`, `workflows`, `seeded` and `charts` need nothing but the machine, the others the
 * sandbox.
 * `npm test` runs them all, see test/run.ts.
 */
const suites = {
  unit: ['test/{model,transfer,activities,workers,cli,scripts,sandbox}/**/*.test.ts', 'test/conformance/store.test.ts'],
  models: ['test/models/*.test.ts'],
  seeded: ['test/seeded/*.test.ts'],
  workflows: ['test/workflows/**/*.test.ts'],
  charts: ['test/charts/**/*.test.ts'],
  conformance: ['test/conformance/{methods*,radosgw}.test.ts'],
  faults: ['test/faults/**/*.test.ts'],
  e2e: ['test/e2e/*.test.ts'],
  alone: ['test/alone/*.test.ts'],
};

/**
 * Two processors are busy with three files where they are very slow; more would only make each of them late. With five on one of
 * 2.2 a twelfth of them was idle, with four a seventh.
 */
const besideEachOther = slowness > verySlow ? 3 : 5;

/** Files at once, by suite: they wait for servers. What is timed, or acts on all that is in the cluster, runs alone. */
const filesAtOnce: Readonly<Record<string, number>> = {
  seeded: 2,
  conformance: besideEachOther,
  faults: besideEachOther,
  e2e: besideEachOther,
  charts: 1,
  alone: 2,
};

/**
 * One that begins last is waited for by all processors, so the longest come first. A very slow machine in a run with a time does
 * not get to all of them: it begins at another place each day, so that it is not always the same ones that it leaves out.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = (await super.sort(files)).sort((one, other) => secondsOf(other.moduleId) - secondsOf(one.moduleId));
    if (process.env['LIFEBOAT_TEST_UNTIL'] === undefined || slowness <= verySlow) return sorted;
    const from = (Math.floor(Date.now() / 86_400_000) * 13) % sorted.length;
    return [...sorted.slice(from), ...sorted.slice(0, from)];
  }
}

export default defineConfig({
  test: {
    // A forgotten `.only` would leave every other test out, in green; `--allowOnly` lets it pass.
    allowOnly: false,
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Tests without servers wait, for processes and for time limits, for a third of their time.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    projects: Object.entries(suites).map(([name, include]) => ({
      extends: true,
      test: {
        name,
        include,
        globalSetup: ['test/temporary-folder.ts'],
        ...(name === 'unit' || name === 'workflows'
          ? { testTimeout: 60_000, hookTimeout: 120_000, isolate: false }
          : {
              runner: 'test/time-limit.ts',
              maxWorkers: filesAtOnce[name] ?? 1,
              testTimeout: 600_000 * slowness,
              hookTimeout: 900_000 * slowness,
            }),
      },
    })),
  },
});
