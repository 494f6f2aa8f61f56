import { z } from 'zod';
import { formatDuration } from '../model/duration.ts';
import { LifeboatFailure } from '../model/failures.ts';
import { type ReleaseName, releaseTitle } from '../model/release-name.ts';
import { readSigned, runKey } from '../transfer/run-documents.ts';
import type { Backends } from './backends.ts';
import { locatePoint } from './plan-recovery.ts';

const Report = z.looseObject({ releases: z.array(z.looseObject({ release: z.string(), durationMs: z.number() })) });

/**
 * What is known of the gap of a blue-green upgrade before it has rehearsed: the last move holds a backup, and how long
 * that takes was measured by the run that made the newest point. A line for the plan.
 */
export async function forecastGap(backends: Backends, release: ReleaseName): Promise<string> {
  const rehearsal = 'the rehearsal of the run measures the whole move before clients are kept out';
  try {
    const { manifest } = await locatePoint(backends, release, 'latest', null);
    const report = Report.parse(await readSigned(backends, runKey(manifest.run.runId, 'report')));
    const took = report.releases.find((each) => each.release === releaseTitle(release))?.durationMs;
    if (took !== undefined)
      return `forecast of the gap: more than ${formatDuration(took)}, which the backup of ${manifest.id} took; ${rehearsal}`;
  } catch (error) {
    // Nothing was backed up yet, or its report is gone: the rehearsal tells.
    if (!(error instanceof LifeboatFailure || error instanceof z.ZodError)) throw error;
  }
  return `forecast of the gap: no backup of it was measured yet; ${rehearsal}`;
}
