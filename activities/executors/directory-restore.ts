import { createHash } from 'node:crypto';
import { failure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { fed, pushParser } from '../facts/push-parser.ts';
import { readTar, type TakeContent, type TarMember } from '../facts/tar.ts';
import { runInPod, streamFromPod } from './pod-exec.ts';
import { exchangeEntriesScript, extractScript, prepareDirectoryScript } from './volume-exchange.ts';

/** A directory that is to hold what an archive holds, and nothing else. */
export type DirectoryToReplace = {
  readonly access: ClusterAccess;
  /** Mounts the volume; nobody else writes to it meanwhile. */
  readonly pod: PodAddress;
  readonly directory: string;
  readonly generation: string;
  /** Feeds the archive to a command that has the volume mounted in the same place; returns once it ended well. */
  readonly extract: (command: readonly string[]) => Promise<void>;
  /** Judges what was extracted, before anything of the old is touched; throws where it is not what was captured. */
  readonly compare: (extracted: string) => Promise<void>;
  readonly progress: (doing: string) => void;
  readonly signal: AbortSignal;
};

/**
 * Extracts an archive beside the entries of a directory, compares it there, and exchanges the two. Idempotent because: the
 * marker `.lifeboat-generation` names the run, and an exchange that stopped half way goes on where it stopped.
 * @throws RestoreFailed, DiskFull, PodGone, and what `compare` throws
 */
export async function replaceDirectory(of: DirectoryToReplace): Promise<void> {
  const { directory, progress } = of;
  const generation = createHash('sha256').update(of.generation).digest('hex').slice(0, 16);
  const state = (await runScript(of, 'prepare volume', prepareDirectoryScript, [directory, generation])).trim();
  if (state === 'done') return;
  if (state === 'empty') {
    progress(`extract beside ${directory}`);
    await of.extract(['sh', '-c', extractScript, 'sh', directory]);
    progress(`compare ${directory}`);
    await of.compare(`${directory}/.lifeboat-restore/new`);
  }
  progress(`exchange ${directory}`);
  await runScript(of, 'exchange entries', exchangeEntriesScript, [directory, generation]);
}

/** Reads the tar that a command writes, member by member. @throws DumpFailed, DumpEndedEarly */
export async function readArchiveInPod(
  of: Pick<DirectoryToReplace, 'access' | 'pod' | 'directory' | 'signal'>,
  command: readonly string[],
  visit: (member: TarMember) => void,
  contentOf?: (path: Buffer) => TakeContent | undefined,
): Promise<void> {
  const parser = pushParser(readTar(visit, contentOf));
  const source = streamFromPod(of.access, of.pod, command, of.signal);
  for await (const chunk of source.bytes) fed(() => parser.push(chunk));
  const report = await source.end();
  if (report.exitCode !== 0 || !report.statusSeen)
    throw failure('DumpFailed', {
      message: `read facts of ${of.directory}: exit ${String(report.exitCode)}, ${report.lastLine ?? 'no message'}`,
    });
  fed(() => {
    parser.end();
  });
}

async function runScript(
  { access, pod, signal }: DirectoryToReplace,
  verb: string,
  script: string,
  args: readonly string[],
): Promise<string> {
  const { exitCode, stdout, stderr } = await runInPod(access, pod, ['sh', '-c', script, 'sh', ...args], { signal });
  if (exitCode === 0) return stdout;
  const isFull = /No space left on device/.test(stderr);
  throw failure(isFull ? 'DiskFull' : 'RestoreFailed', { message: `${verb}: ${lastLine(stderr)}`, changed: 'unknown' });
}
