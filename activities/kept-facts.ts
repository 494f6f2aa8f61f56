import type { Facts } from '../model/facts.ts';
import { Artifact } from '../model/recovery-point.ts';
import { readSigned, writeSigned } from '../transfer/run-documents.ts';
import { writeBytes } from '../transfer/write-artifact.ts';
import type { Backends } from './backends.ts';
import { readCapturedFacts } from './captured-facts.ts';
import { currentRun } from './current-run.ts';

/** When the facts were read: as clients were led to green, and as the promotion kept them out again. */
export type KeptAs = 'cutover' | 'promotion';

function keyOf(component: string, as: KeptAs): string {
  return `runs/${currentRun().runId}/facts-${as}-${component}.json`;
}

/** Keeps facts of a component beside the plan of the run, encrypted like those of a point. A second write replaces the first. */
export async function keepFacts(
  backends: Backends,
  of: { component: string; as: KeptAs; facts: Facts; attempt: number },
): Promise<void> {
  const artifact = await writeBytes({
    store: backends.store,
    prefix: `runs/${currentRun().runId}/facts-${of.as}-${String(of.attempt)}`,
    name: of.component,
    bytes: Buffer.from(JSON.stringify(of.facts)),
    recipients: backends.platform.recipients,
    restoreCommand: `cat   # facts of ${of.component}`,
  });
  await writeSigned(backends, keyOf(of.component, of.as), artifact);
}

/** Reads facts that this run kept. @throws ObjectNotFound, SignatureInvalid, ManifestInvalid */
export async function readKeptFacts(backends: Backends, of: { component: string; as: KeptAs }): Promise<Facts> {
  const artifact = Artifact.parse(await readSigned(backends, keyOf(of.component, of.as)));
  return await readCapturedFacts(backends, { facts: artifact });
}
