import { formatArchiveIndex, gatherArchiveIndex, indexRestoreCommand } from '../../activities/facts/archive-index.ts';
import { fed, pushParser } from '../../activities/facts/push-parser.ts';
import { gatherTarFacts, readTar } from '../../activities/facts/tar.ts';
import { openStore } from '../../activities/open-store.ts';
import { failure } from '../../model/failures.ts';
import type { FactsReader, MoverJob, MoverReport } from '../../model/mover-job.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { fileKeyIdentity } from '../../transfer/age-identity.ts';
import { canonicalBytes } from '../../transfer/keys.ts';
import { readArtifact } from '../../transfer/read-artifact.ts';
import { memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
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
  const facts = job.facts === undefined ? undefined : readers[job.facts]();
  let tolerated = false;
  const source = pipeSource((end) => {
    tolerated = end.exitCode === job.tolerated?.exitCode && new RegExp(job.tolerated.lastLine, 'i').test(end.lastLine);
    return tolerated ? { ...end, exitCode: 0 } : end;
  });
  const artifact = await writeArtifact({
    ...{ store, ...target, source, minimumProofs, trailer, restoreCommand, signal },
    onProgress: onPassed,
    tap: facts?.take,
  });
  if (facts === undefined) return { artifact, tolerated };
  const stored = { artifact, facts: await storeFacts(job, store, facts), totals: facts.totals, tolerated };
  if (job.index === undefined) return stored;
  const of = { ...target, name: job.index, restoreCommand: indexRestoreCommand };
  return { ...stored, index: await storeBytes(of, store, facts.index()) };
}

async function readFacts(job: JobOf<'read-facts'>, store: Store, { onPassed, signal }: During): Promise<Result> {
  const facts = readers[job.facts]();
  const source = pipeSource((end) => end);
  let passed = 0;
  for await (const chunk of source.bytes) {
    signal.throwIfAborted();
    facts.take(chunk);
    passed += chunk.byteLength;
    onPassed(passed);
  }
  const { exitCode, lastLine } = await source.end();
  if (exitCode !== 0)
    throw failure('DumpFailed', { message: `read facts: exit ${String(exitCode)}, ${lastLine ?? 'no message'}` });
  return { facts: await storeFacts(job, store, facts), totals: facts.totals, tolerated: false };
}

async function restore(job: JobOf<'restore'>, store: Store, { onPassed, signal }: During): Promise<Result> {
  const { artifact, fileKeys } = job;
  const identity = fileKeys.map((key) => fileKeyIdentity(Buffer.from(key, 'base64')));
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

/** Reads the facts of a stream as it passes. */
type Gathering = {
  readonly take: (chunk: Uint8Array) => void;
  /** The facts, after the last chunk. */
  bytes(): Buffer;
  /** The index, after the facts. */
  index(): Buffer;
  readonly totals: Done['totals'];
};

/** By what the bytes are read as. */
const readers: Readonly<Record<FactsReader, () => Gathering>> = {
  tar: () => {
    const gathered = gatherTarFacts();
    const index = gatherArchiveIndex();
    const parser = pushParser(
      readTar((member) => {
        gathered.visit(member);
        index.visit(member);
      }),
    );
    return {
      take: (chunk) => void fed(() => parser.push(chunk)),
      bytes: () => {
        fed(() => {
          parser.end();
        });
        return canonicalBytes(gathered.facts());
      },
      index: () => formatArchiveIndex(index.members),
      totals: gathered.totals,
    };
  },
};

async function storeFacts(
  { target }: Pick<JobOf<'capture'>, 'target'>,
  store: Store,
  facts: Gathering,
): Promise<Artifact> {
  return await storeBytes({ ...target, name: `${target.name}-facts`, restoreCommand: 'cat' }, store, facts.bytes());
}

async function storeBytes(
  of: JobOf<'capture'>['target'] & { readonly restoreCommand: string },
  store: Store,
  bytes: Buffer,
): Promise<Artifact> {
  return await writeArtifact({ ...of, store, source: memorySource(bytes), minimumProofs: ['count', 'digest'] });
}
