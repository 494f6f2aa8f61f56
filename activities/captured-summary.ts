import type { FactTotals } from '../model/facts.ts';
import type { Artifact, ComponentRecord } from '../model/recovery-point.ts';

/** What the capture of a component found; the rest stays in the store. */
export type CapturedSummary = {
  readonly component: string;
  readonly totals: FactTotals;
  /** How many facts were taken. */
  readonly facts: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly durationMs: number;
  readonly notes: readonly string[];
  /** Left out by workers of an older version, whose runs may still be going on. */
  readonly missing?: ComponentRecord['missing'];
};

/** What a run is told of a component's record. */
export function summarizeRecord(record: ComponentRecord, facts: number, durationMs: number): CapturedSummary {
  const sum = (pick: (artifact: Artifact) => number): number =>
    record.artifacts.reduce((total, artifact) => total + pick(artifact), 0);
  return {
    component: record.component,
    totals: record.totals,
    facts,
    plainBytes: sum((artifact) => artifact.plainBytes),
    storedBytes: sum((artifact) => artifact.storedBytes),
    durationMs,
    notes: record.notes,
    missing: record.missing,
  };
}
