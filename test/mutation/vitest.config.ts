import { decidesSuccess } from './decides-success.ts';

/**
 * The tests that state what these modules decide. None needs the sandbox. The write path, the archives of the real tools
 * and the seeded faults are too slow to be run for each mutant.
 */
export default {
  test: {
    include: [
      'test/model/{outcome,facts,retention}.test.ts',
      'test/cli/exit-code.test.ts',
      'test/activities/compare-target.test.ts',
      'test/transfer/trailers/!(trailer-check).test.ts',
      'test/transfer/{end-proof,frame,frame-cutter,opening}.test.ts',
      'test/transfer/{read-artifact,read-bytes,read-packed,file-keys,sample-artifact}.test.ts',
      'test/transfer/{keys,signed-documents,component-records}.test.ts',
      'test/transfer/{commit-point,chain,points,find-point,verifications,check-store,store-inventory}.test.ts',
    ],
    isolate: false,
    maxWorkers: 2,
    testTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: [...decidesSuccess],
      reporter: ['text'],
      thresholds: { branches: 100 },
    },
  },
};
