import { type ReleaseName, releasePath } from '../model/release-name.ts';
import { endRunHolds, holdPoint } from '../transfer/holds.ts';
import type { Backends } from './backends.ts';
import { currentRun } from './current-run.ts';

const renewAfterMs = 60 * 60 * 1000;

/** When this process last wrote a run's hold, by run and point: activities of one run ask for the same point many times. */
const written = new WeakMap<Backends, Map<string, number>>();

/**
 * Holds a point for the run of this activity, which writes or reads it: no expiry removes it before the run ends.
 * Idempotent because: a second call renews the hold. @throws PointExpired where its removal has begun; Store*
 */
export async function holdForRun(
  backends: Backends,
  release: ReleaseName,
  point: string,
  { uncommitted = false }: { readonly uncommitted?: boolean } = {},
): Promise<void> {
  const { runId, workflowId } = currentRun();
  const known = written.get(backends) ?? new Map<string, number>();
  written.set(backends, known);
  const name = `${runId} ${releasePath(release)} ${point}`;
  const now = new Date();
  if (now.getTime() - (known.get(name) ?? 0) < renewAfterMs) return;
  const hold = { point, release, by: workflowId, run: runId, reason: 'in use by this run' };
  await holdPoint({ store: backends.store, kit: backends.kit, hold, uncommitted, now });
  known.set(name, now.getTime());
}

/** Ends the holds of the run of this activity. */
export async function endHoldsOfRun(backends: Backends): Promise<void> {
  const { runId } = currentRun();
  await endRunHolds({ store: backends.store, runId });
  const known = written.get(backends);
  for (const name of known?.keys() ?? []) if (name.startsWith(`${runId} `)) known?.delete(name);
}
