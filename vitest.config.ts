import { defineConfig } from 'vitest/config';

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
  conformance: ['test/conformance/methods*.test.ts'],
  faults: ['test/faults/**/*.test.ts'],
  e2e: ['test/e2e/*.test.ts'],
  alone: ['test/alone/*.test.ts'],
};

/** Files at once, by suite: they wait for servers. What replaces the shared Temporal server, or is timed, runs alone. */
const filesAtOnce: Readonly<Record<string, number>> = {
  seeded: 2,
  conformance: 3,
  faults: 3,
  e2e: 3,
  charts: 1,
  alone: 1,
};

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    projects: Object.entries(suites).map(([name, include]) => ({
      extends: true,
      test: {
        name,
        include,
        ...(name === 'unit' || name === 'workflows'
          ? { testTimeout: 60_000, hookTimeout: 120_000, isolate: false }
          : { maxWorkers: filesAtOnce[name] ?? 1, testTimeout: 600_000, hookTimeout: 900_000 }),
      },
    })),
  },
});
