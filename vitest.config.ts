import { defineConfig } from 'vitest/config';

/**
 * Suites by what they need. `unit` and `workflows` need nothing but the machine; the others need the sandbox and say so when it is
 * not there. `npm test` runs them all, see test/run.ts.
 */
const suites = {
  unit: ['test/{model,transfer,activities,workers,cli,scripts}/**/*.test.ts', 'test/conformance/store.test.ts'],
  workflows: ['test/workflows/**/*.test.ts'],
  charts: ['test/charts/**/*.test.ts'],
  conformance: ['test/conformance/methods*.test.ts'],
  faults: ['test/faults/**/*.test.ts'],
  platform: ['test/e2e/platform.test.ts'],
  e2e: ['test/e2e/!(platform).test.ts'],
};

/** Suites that replay histories. */
const replaying = ['workflows', 'platform', 'faults', 'e2e'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    projects: Object.entries(suites).map(([name, include]) => ({
      extends: true,
      test: {
        name,
        include,
        ...(replaying.includes(name) ? { globalSetup: 'test/bundle-once.ts' } : {}),
        ...(name === 'unit' || name === 'workflows'
          ? { testTimeout: 60_000, hookTimeout: 120_000, isolate: false }
          : { fileParallelism: false, testTimeout: 600_000, hookTimeout: 900_000 }),
      },
    })),
  },
});
