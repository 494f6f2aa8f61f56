import { type ArchiveGatherer, gatherArchive } from '../../activities/facts/archive.ts';
import { indexRestoreCommand } from '../../activities/facts/archive-index.ts';
import { openStore } from '../../activities/open-store.ts';
import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { FactsReader, MoverJob, MoverReport } from '../../model/mover-job.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { canonicalBytes } from '../../transfer/keys.ts';
import { readArtifact } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact, writeBytes } from '../../transfer/write-artifact.ts';
import { feedPipe, pipeSource } from './pipe.ts';

type Done = Extract<MoverReport, { outcome: 'done' }>;
type Result = Omit<Done, 'outcome' | 'startedAt'>;
type JobOf<Kind extends MoverJob['kind']> = Extract<MoverJob, { kind: Kind }>;

/** What a job says while it runs, and what ends it early. */
export type During = { readonly onPassed: (bytes: number) => void; readonly signal: AbortSignal };

/**
 * Does a job: between the command beside it and the store. What it stored of a job that failed it takes away again.
 * @throws what writeArtifact and readArtifact throw; RestoreFailed and DiskFull where the command ends badly
 */
export async function runJob(job: MoverJob, during: During): Promise<Done> {
  const store = await openStore(job.store.config, job.store.credentials);
  const startedAt = new Date().toISOString();
  return { outcome: 'done', startedAt, ...(await doJob(job, store, during)) };
}

async function doJob(job: MoverJob, store: Store, during: During): Promise<Result> {
  switch (job.kind) {
    case 'capture':
      return await capture(job, store, during);
    case 'read-facts':
      return await readFacts(job, store, during);
    case 'restore':
      return await restore(job, store, during);
  }
}

async function capture(job: JobOf<'capture'>, store: Store, { onPassed, signal }: During): Promise<Result> {
  const { target, minimumProofs, trailer, restoreCommand } = job;
  const reader = job.facts === undefined ? undefined : readers[job.facts]();
  let tolerated = false;
  const source = pipeSource((end) => {
    tolerated = end.exitCode === job.tolerated?.exitCode && new RegExp(job.tolerated.lastLine, 'i').test(end.lastLine);
    return tolerated ? { ...end, exitCode: 0 } : end;
  });
  const artifact = await writeArtifact({
    ...{ store, ...target, source, minimumProofs, trailer, restoreCommand, signal },
    onProgress: onPassed,
    tap: reader?.take,
  });
  if (reader === undefined) return { artifact, tolerated };
  const { facts, totals, index } = reader.end();
  const stored = { artifact, facts: await storeFacts(target, store, facts), totals, tolerated };
  if (job.index === undefined) return stored;
  const of = { ...target, name: job.index, restoreCommand: indexRestoreCommand };
  return { ...stored, index: await writeBytes({ ...of, store, bytes: index() }) };
}

async function readFacts(job: JobOf<'read-facts'>, store: Store, { onPassed, signal }: During): Promise<Result> {
  const reader = readers[job.facts]();
  const source = pipeSource((end) => end);
  let passed = 0;
  for await (const chunk of source.bytes) {
    signal.throwIfAborted();
    reader.take(chunk);
    passed += chunk.byteLength;
    onPassed(passed);
  }
  const { exitCode, lastLine } = await source.end();
  if (exitCode !== 0)
    throw failure('DumpFailed', { message: `read facts: exit ${String(exitCode)}, ${lastLine ?? 'no message'}` });
  const { facts, totals } = reader.end();
  return { facts: await storeFacts(job.target, store, facts), totals, tolerated: false };
}

async function restore(job: JobOf<'restore'>, store: Store, { onPassed, signal }: During): Promise<Result> {
  const { artifact, fileKeys } = job;
  const identity = fileKeys.map((key) => ({ fileKey: Buffer.from(key, 'base64') }));
  let passed = 0;
  const { exitCode, lastLine } = await feedPipe(readArtifact({ store, artifact, identity, signal }), (count) => {
    passed += count;
    onPassed(passed);
  });
  if (exitCode === 0 && passed === artifact.plainBytes) return { tolerated: false };
  const how =
    exitCode === null
      ? 'ended without status'
      : `exit ${String(exitCode)} after ${String(passed)} of ${String(artifact.plainBytes)} bytes`;
  throw failure(/No space left on device/i.test(lastLine) ? 'DiskFull' : 'RestoreFailed', {
    message: `restore ${artifact.name}: ${how}, ${lastLine}`,
    changed: 'unknown',
  });
}

/** By what the bytes are read as. */
const readers: Readonly<Record<FactsReader, () => ArchiveGatherer>> = { tar: gatherArchive };

async function storeFacts(
  { prefix, name, recipients }: JobOf<'capture'>['target'],
  store: Store,
  facts: Facts,
): Promise<Artifact> {
  const bytes = canonicalBytes(facts);
  return await writeBytes({ store, prefix, recipients, name: `${name}-facts`, bytes, restoreCommand: 'cat' });
}
