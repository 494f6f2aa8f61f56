import { z } from 'zod';
import { compareFacts, describeDifferences, type Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { ByteSource } from '../../transfer/source.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { fed, readArchiveInPod, replaceDirectory } from '../executors/directory-restore.ts';
import { claimAt, withHelperPod } from '../executors/helper-pod.ts';
import { readPodClock, streamFromPod } from '../executors/pod-exec.ts';
import { componentRules } from '../facts/component-rules.ts';
import { pushParser } from '../facts/push-parser.ts';
import { gatherTarFacts, readTar } from '../facts/tar.ts';
import type { Method, MethodContext, RestoreContext } from './method.ts';

/** Of ours, and what the file system keeps for itself. */
const neverArchived = ['./.lifeboat-*', './lost+found'];

const Options = z.strictObject({
  /** The directory in the container, absolute; a claim is mounted there or above it. */
  mountPath: z.string().regex(/^\/.+[^/]$/),
  /** Patterns of `tar --exclude`, from `./`. */
  exclude: z.array(z.string().startsWith('./')).default([]),
});
type Options = z.infer<typeof Options>;

/**
 * A directory of a volume, as one tar stream. Facts are read from the captured bytes while they pass: every path with
 * type, mode, owner, size and digest.
 * A service that writes meanwhile makes it fail, unless the plan's quiesce holds the writers or the workload is stopped.
 * Restore: into a directory of ours on the same volume, compared there; then the old entries are moved away and the new
 * ones into place, and only then the old ones are deleted. Idempotent because: the marker `.lifeboat-generation` names
 * the run, and an exchange that stopped half way goes on where it stopped; nothing is green in between.
 * Changes: the directory. Throws: CaptureToolMissing, DumpFailed, DumpEndedEarly, SourceInconsistent, RestoreFailed,
 * FactsDiffer, DiskFull, PodNeverReady. Source: GNU tar 1.34 manual, 3.6 "Interactive Operation" and "tar exit codes".
 */
export const volumeArchive: Method<Options> = {
  name: 'volume-archive',
  options: Options,

  async capture(context) {
    const { component, bound, options, backends } = context;
    const isStopped = component.captureWhile === 'stopped';
    if (context.workload !== undefined && component.restoreWhile === 'stopped')
      claimAt(context.workload, options.mountPath);
    const isHeld = isStopped || (bound.plan.quiesce !== undefined && component.group !== undefined);
    return await withPod(context, component.executor === 'helper-pod' || isStopped, async (pod) => {
      const capturedAt = await readPodClock(backends.access, pod, context.signal);
      context.progress(`archive ${options.mountPath}`);
      const gathered = gatherTarFacts();
      const parser = pushParser(readTar(gathered.visit));
      const notes: string[] = [];
      const source = judged(
        streamFromPod(backends.access, pod, archiveCommand(options), context.signal),
        isHeld,
        notes,
      );
      await context.write('tar', source, {
        minimumProofs: ['status', 'trailer'],
        trailer: { kind: 'tar' },
        tap: (chunk) => void fed(() => parser.push(chunk)),
        restoreCommand: 'tar -xpf - --numeric-owner   # in the empty directory, as root or as the owner of the files',
      });
      fed(() => {
        parser.end();
      });
      return { capturedAt, facts: gathered.facts(), totals: gathered.totals, notes };
    });
  },

  async restore(context) {
    const { mountPath } = context.options;
    await withRestorePod(context, async (pod) => {
      await replaceDirectory({
        access: context.backends.access,
        pod,
        directory: mountPath,
        generation: context.generation,
        archive: () => context.read('tar'),
        compare: async (extracted) => {
          await assertEqual(context, pod, extracted);
        },
        progress: context.progress,
        signal: context.signal,
      });
    });
  },

  async readFacts(context) {
    return await withRestorePod(
      context,
      async (pod) => await readFactsOf(context, pod, archiveCommand(context.options)),
    );
  },
};

async function withPod<T>(
  context: MethodContext<Options>,
  isHelper: boolean,
  use: (pod: PodAddress) => Promise<T>,
): Promise<T> {
  const { workload, backends, options, generation, signal } = context;
  if (!isHelper) return await use(await context.pod());
  if (workload === undefined)
    throw failure('BindingFailed', { message: `archive ${options.mountPath}: the component has no workload` });
  return await withHelperPod({ backends, workload, path: options.mountPath, generation, signal }, use);
}

/** A workload that is stopped while it is restored can be reached by a helper only, whatever captured it. */
async function withRestorePod<T>(context: MethodContext<Options>, use: (pod: PodAddress) => Promise<T>): Promise<T> {
  return await withPod(
    context,
    context.component.executor === 'helper-pod' || context.component.restoreWhile === 'stopped',
    use,
  );
}

function archiveCommand({ mountPath, exclude }: Options, directory = mountPath): string[] {
  return [
    'tar',
    '-C',
    directory,
    ...[...neverArchived, ...exclude].map((pattern) => `--exclude=${pattern}`),
    '-cf',
    '-',
    '.',
  ];
}

/** tar exits 1 when a file changed under it: harmless where writers were held, else the archive mixes two states. */
function judged(source: ByteSource, isHeld: boolean, notes: string[]): ByteSource {
  return {
    ...source,
    end: async () => {
      const report = await source.end();
      if (
        report.exitCode !== 1 ||
        !/file changed as we read it|File removed before we read it|File shrank by/i.test(report.lastLine ?? '')
      )
        return report;
      if (!isHeld) throw failure('SourceInconsistent', { message: 'archive volume: a file changed while it was read' });
      notes.push('files changed while they were read, with the writers of the plan held');
      return { ...report, exitCode: 0 };
    },
  };
}

async function readFactsOf(
  context: MethodContext<Options>,
  pod: PodAddress,
  command: readonly string[],
): Promise<Facts> {
  const gathered = gatherTarFacts();
  const { backends, options, signal } = context;
  const of = { access: backends.access, pod, directory: options.mountPath, signal };
  await readArchiveInPod(of, command, gathered.visit);
  return gathered.facts();
}

async function assertEqual(context: RestoreContext<Options>, pod: PodAddress, extracted: string): Promise<void> {
  const { mountPath } = context.options;
  const restored = await readFactsOf(context, pod, archiveCommand({ mountPath, exclude: [] }, extracted));
  const comparison = compareFacts(
    context.capturedFacts,
    restored,
    componentRules(context.bound.plan.compare, context.component.name),
  );
  if (comparison.equal) return;
  throw failure('FactsDiffer', { message: `compare ${mountPath}: ${describeDifferences(comparison)}` });
}
