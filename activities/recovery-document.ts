import { claimNames } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import type { Manifest } from '../model/recovery-point.ts';
import type { Backends } from './backends.ts';
import { currentRun } from './current-run.ts';
import type { restoreObjects } from './methods/release-config.ts';
import { locatePoint } from './plan-recovery.ts';
import { restoreContext } from './restore-context.ts';
import { type RunDocument, readRunDocument } from './run-record.ts';

/** What a recovery was bound to, and the point that it recovers. */
export type RecoveryDocument = { readonly document: RunDocument; readonly manifest: Manifest };

/** What the configuration of a release is restored with. */
export type ConfigurationContext = Parameters<typeof restoreObjects>[0];

/** The plan of this run's recovery with its point; of green where that is the release. @throws BindingFailed, BindingChanged, and as `locatePoint` */
export async function readRecovery(backends: Backends, release?: string): Promise<RecoveryDocument> {
  const { runId } = currentRun();
  const document = await readRunDocument(backends, runId, release);
  const { bound, recovery } = document;
  if (recovery === null)
    throw failure('BindingFailed', { message: `read plan of run ${runId}: it is not of a recovery` });
  const captured = { ...bound.release, namespace: recovery.from, name: recovery.name ?? bound.release.name };
  const { manifest, sha256 } = await locatePoint(backends, captured, recovery.point, null);
  if (sha256 !== recovery.manifestSha256)
    throw failure('BindingChanged', {
      message: `read point ${manifest.id}: its manifest is another one than when the plan was made`,
    });
  return { document, manifest };
}

/** What this run's restore of a component is given. */
export async function contextOfRestore(
  backends: Backends,
  { document, manifest }: RecoveryDocument,
  component: string,
  generation = generationOf(manifest, component),
): ReturnType<typeof restoreContext> {
  return await restoreContext(backends, document, manifest, component, generation);
}

/** As `contextOfRestore`, of the component that holds the release itself. */
export async function contextOfConfiguration(
  backends: Backends,
  recovery: RecoveryDocument,
  component: string,
  generation?: string,
): Promise<ConfigurationContext> {
  return (await contextOfRestore(backends, recovery, component, generation)) as ConfigurationContext;
}

/** Names the scratch objects of a component's restore, and its marker in the target. */
export function generationOf(manifest: Manifest, component: string): string {
  return `${currentRun().runId}-${manifest.id}-${component}`;
}

/** Claims of the release's workloads that this run makes: those that were not there before, or were set aside. */
export function freshClaims({ bound, recovery }: RunDocument): string[] {
  if (recovery === null) return [];
  return claimNames(bound).filter(
    (claim) => !recovery.claims.includes(claim) || recovery.leftClaims?.includes(claim) === true,
  );
}
