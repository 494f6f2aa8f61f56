import { createHash } from 'node:crypto';
import { Facts } from '../model/facts.ts';
import { failure } from '../model/failures.ts';
import { Artifact, Signed } from '../model/recovery-point.ts';
import { openSigned, signDocument } from '../transfer/keys.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import { memorySource } from '../transfer/source.ts';
import { writeArtifact } from '../transfer/write-artifact.ts';
import type { Backends } from './backends.ts';
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
  const bytes = Buffer.from(JSON.stringify(of.facts));
  const artifact = await writeArtifact({
    store: backends.store,
    prefix: `runs/${currentRun().runId}/facts-${of.as}-${String(of.attempt)}`,
    name: of.component,
    source: memorySource(bytes, createHash('sha256').update(bytes).digest('hex')),
    recipients: backends.platform.recipients,
    minimumProofs: ['count', 'digest'],
    restoreCommand: `cat   # facts of ${of.component}`,
  });
  const signed = signDocument(backends.kit, artifact);
  await backends.store.put(keyOf(of.component, of.as), Buffer.from(JSON.stringify(signed)));
}

/** Reads facts that this run kept. @throws ObjectNotFound, SignatureInvalid, ManifestInvalid */
export async function readKeptFacts(backends: Backends, of: { component: string; as: KeptAs }): Promise<Facts> {
  const key = keyOf(of.component, of.as);
  const signed = Signed.safeParse(JSON.parse(Buffer.from(await backends.store.get(key)).toString('utf8')));
  if (!signed.success) throw failure('ManifestInvalid', { message: `read ${key}: not a signed document` });
  const artifact = Artifact.parse(openSigned(signed.data, [backends.kit.signing.publicKey], key));
  const bytes = await readBytes({
    store: backends.store,
    artifact,
    identity: backends.kit.identity,
    maxBytes: 1024 * 1024 * 1024,
  });
  return Facts.parse(JSON.parse(bytes.toString('utf8')));
}
