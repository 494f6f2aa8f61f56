import { join } from 'node:path';
import { decidesSuccess } from './decides-success.ts';

export default {
  mutate: [...decidesSuccess],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner', join(import.meta.dirname, 'message-ignorer.ts')],
  ignorers: ['messages'],
  vitest: { configFile: 'test/mutation/vitest.config.ts' },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // a slow machine kills no mutant
  timeoutMS: 15_000,
  thresholds: { high: 95, low: 90, break: 90 },
  reporters: ['progress-append-only', 'clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportScoreTable: true },
  jsonReporter: { fileName: 'reports/mutation.json' },
  tempDirName: '.stryker-tmp',
  incrementalFile: 'reports/mutation-incremental.json',
  ignorePatterns: ['/charts', '/docs', '/demo', '/sandbox', '/bench'],
};
