/**
 * The modules that decide that something is a success: a mistake in one of them calls green what is not. Only those that
 * are pure or can be asked with fakes alone; the others are asked by the suites on the real parts.
 */
export const decidesSuccess: readonly string[] = [
  // what a run came to, its objectives, and the exit code of the command
  'model/outcome.ts',
  'cli/exit-code.ts',
  // whether restored data equal captured data
  'model/facts.ts',
  'activities/compare-target.ts',
  'activities/facts/component-rules.ts',
  // which points may go
  'model/retention.ts',
  // whether a stream is whole
  'transfer/end-proof.ts',
  'transfer/trailers/crc64.ts',
  'transfer/trailers/json.ts',
  'transfer/trailers/pg-custom.ts',
  'transfer/trailers/piece-skipper.ts',
  'transfer/trailers/rdb.ts',
  'transfer/trailers/step-parser.ts',
  'transfer/trailers/tar.ts',
  'transfer/trailers/text.ts',
  'transfer/trailers/trailer-check.ts',
  // whether stored bytes are the captured ones
  'transfer/read-artifact.ts',
  'transfer/opening/open-artifact.ts',
  'transfer/opening/stream-opener.ts',
  'transfer/frame-cutter.ts',
  'transfer/frame.ts',
  'transfer/sample-artifact.ts',
  // whether a document counts
  'transfer/keys.ts',
  'transfer/signed-documents.ts',
  'transfer/component-records.ts',
  // whether a point is there, is the one that was committed, and may be used
  'transfer/commit-point.ts',
  'transfer/chain.ts',
  'transfer/points.ts',
  'transfer/verifications.ts',
  // whether a store holds what its manifests say
  'transfer/check-store.ts',
  'transfer/store-inventory.ts',
];
