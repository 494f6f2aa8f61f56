import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { slowness } from './test/slowness.ts';

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

/** Two processors are busy with three files where they are slow; more would only make each of them late. */
const besideEachOther = slowness > 1.7 ? 3 : 5;

/** Files at once, by suite: they wait for servers. What is timed, or acts on all that is in the cluster, runs alone. */
const filesAtOnce: Readonly<Record<string, number>> = {
  seeded: 2,
  conformance: besideEachOther,
  faults: besideEachOther,
  e2e: besideEachOther,
  charts: 1,
  alone: 2,
};

/** Files of more than a hundred seconds, the longest first: one that begins last is waited for by all processors. */
const longest = [
  'faults/blue-green',
  'e2e/demo',
  'e2e/drill',
  'e2e/mover',
  'faults/killed-worker',
  'faults/drill-failures',
  'e2e/upgrade',
  'e2e/blue-green',
  'e2e/major-upgrade',
  'e2e/metrics',
  'faults/retried-capture',
  'faults/recovery-failures',
  'conformance/methods-rabbitmq',
  'e2e/drill-hosted',
  'e2e/mariadb-upgrade',
  'conformance/methods-wordpress',
  'conformance/methods-postgresql',
  'faults/mover-failures',
  'e2e/platform',
  'faults/interrupted-capture',
  'e2e/schedules',
  'e2e/drill-turns',
  'e2e/compose',
  'faults/store-failures',
  'faults/capture-failures',
  'e2e/retention',
  'e2e/temporal-ui',
  'e2e/cancelled-run',
  'conformance/methods-prometheus',
  'faults/left-claims',
  'conformance/radosgw',
  'e2e/incident-commands',
  'e2e/replication',
  'conformance/methods-alertmanager',
  'faults/append-only',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    maxWorkers: '100%',
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
