import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { gatherArchive } from '../activities/facts/archive.ts';
import { indexRestoreCommand } from '../activities/facts/archive-index.ts';
import { compareFacts, describeDifferences, type Facts } from '../model/facts.ts';
import type { Artifact } from '../model/recovery-point.ts';
import { writeAndRelease } from '../transfer/buffers.ts';
import { canonicalBytes } from '../transfer/keys.ts';
import { readArtifact, readBytes } from '../transfer/read-artifact.ts';
import type { Store } from '../transfer/store.ts';
import { writeArtifact, writeBytes } from '../transfer/write-artifact.ts';

/** What `volume-archive` leaves of a directory. */
export type ArchivedTree = { readonly tar: Artifact; readonly facts: Artifact };

/** Archives a directory as `volume-archive` does, facts and index included; its tar runs here instead of in a pod. */
export async function archiveTree(of: {
  readonly store: Store;
  readonly prefix: string;
  readonly recipients: readonly string[];
  readonly directory: string;
}): Promise<ArchivedTree> {
  const { directory, ...common } = of;
  const tar = tarOf(directory);
  const archive = gatherArchive();
  const stored = await writeArtifact({
    ...common,
    name: 'files.tar',
    source: {
      bytes: tar.bytes,
      cancel: tar.cancel,
      end: async () => ({ exitCode: await tar.exitCode, statusSeen: true, trailerSeen: false }),
    },
    tap: archive.take,
    minimumProofs: ['status', 'trailer'],
    trailer: { kind: 'tar' },
    restoreCommand: 'tar -xpf -',
  });
  const { facts, index } = archive.end();
  await writeBytes({ ...common, name: 'files.index', bytes: index(), restoreCommand: indexRestoreCommand });
  const named = await writeBytes({
    ...common,
    name: 'files.facts',
    bytes: canonicalBytes(facts),
    restoreCommand: 'cat',
  });
  return { tar: stored, facts: named };
}

/** Brings a directory back and compares what is there with the facts of its capture. @throws where they differ */
export async function extractTree(of: {
  readonly store: Store;
  readonly identity: string;
  readonly archived: ArchivedTree;
  readonly directory: string;
}): Promise<void> {
  const { store, identity, archived, directory } = of;
  const into = spawn('tar', ['-C', directory, '-xpf', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  const extracted = exitOf(into);
  await pour(readArtifact({ store, identity, artifact: archived.tar }), into.stdin);
  into.stdin.end();
  if ((await extracted) !== 0) throw new Error('tar could not extract');
  const captured = JSON.parse((await readBytes({ store, identity, artifact: archived.facts })).toString()) as Facts;
  const comparison = compareFacts(captured, await factsOf(directory), []);
  if (!comparison.equal) throw new Error(describeDifferences(comparison));
}

async function factsOf(directory: string): Promise<Facts> {
  const tar = tarOf(directory);
  const archive = gatherArchive();
  for await (const chunk of tar.bytes) archive.take(chunk);
  if ((await tar.exitCode) !== 0) throw new Error('tar could not read back');
  return archive.end().facts;
}

function tarOf(directory: string) {
  const tar = spawn('tar', ['-C', directory, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { bytes: tar.stdout as AsyncIterable<Uint8Array>, exitCode: exitOf(tar), cancel: () => tar.kill() };
}

/** Writes a stream at the speed of who takes it. */
export async function pour(stream: AsyncIterable<Uint8Array>, to: Writable): Promise<void> {
  for await (const chunk of stream)
    if (!writeAndRelease(to, chunk)) await new Promise((resolve) => to.once('drain', resolve));
}

function exitOf(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
}
