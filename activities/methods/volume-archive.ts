import { z } from 'zod';
import { compareFacts, describeDifferences, type Facts } from '../../model/facts.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { ByteSource } from '../../transfer/source.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { claimAt } from '../executors/beside-workload.ts';
import { readArchiveInPod, replaceDirectory } from '../executors/directory-restore.ts';
import { withHelperPod } from '../executors/helper-pod.ts';
import { giveLinksOwners } from '../executors/link-owners.ts';
import { readPodClock, streamFromPod } from '../executors/pod-exec.ts';
import { stockCommand, unpackCommand } from '../executors/stock-command.ts';
import { storedToPod } from '../executors/stored-stream.ts';
import {
  archiveFlags,
  type CarriedAttributes,
  carriedBy,
  extractFlags,
  type FoundAttributes,
  findAttributes,
} from '../executors/tar-attributes.ts';
import { gatherArchive } from '../facts/archive.ts';
import { indexRestoreCommand } from '../facts/archive-index.ts';
import { componentRules } from '../facts/component-rules.ts';
import { gatherTarFacts } from '../facts/tar.ts';
import type { CaptureContext, Captured, Method, MethodContext, RestoreContext } from './method.ts';

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
 * A directory of a volume, as one tar stream, with an index of where each path lies in it. Facts are read from the captured
 * bytes while they pass: every path with type, mode, owner, size and digest. Attributes of `user.` and ACLs are carried where
 * files have some and the tar of the image is GNU's; a note says what is not kept. Holes of sparse files come back as zeros.
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
  moves: true,

  async capture(context) {
    const { component, bound, options, backends } = context;
    const isStopped = component.captureWhile === 'stopped';
    if (context.workload !== undefined && component.restoreWhile === 'stopped')
      claimAt(context.workload, options.mountPath);
    const isHeld = isStopped || (bound.plan.quiesce !== undefined && component.group !== undefined);
    const { mover } = context;
    if (mover !== undefined) return await captureByMover(context, mover, isHeld);
    return await withPod(context, capturesByHelper(context), async (pod) => {
      const capturedAt = await readPodClock(backends.access, pod, context.signal);
      context.progress(`archive ${options.mountPath}`);
      const archive = gatherArchive();
      const { carries, notes } = await lookForAttributes(context, pod);
      const command = archiveCommand(options, { carries });
      const source = judged(streamFromPod(backends.access, pod, command, context.signal), isHeld, notes);
      await context.write('tar', source, { ...streamRules(context, carries), tap: archive.take });
      const { facts, totals, index } = archive.end();
      await context.writeBytes('index', index(), indexRestoreCommand);
      return { capturedAt, facts, totals, notes };
    });
  },

  async restore(context) {
    const { backends, options, mover, signal } = context;
    await withRestorePod(context, async (pod) => {
      await replaceDirectory({
        access: backends.access,
        pod,
        directory: options.mountPath,
        generation: context.generation,
        extract: async (plain) => {
          const command = [...plain, ...extractFlags(carriedBy(context.capturedFacts))];
          if (mover !== undefined) {
            await mover.restore('tar', { command, mount: options.mountPath });
            return;
          }
          await storedToPod(backends.access, pod, command, context.read('tar'), signal);
        },
        compare: async (extracted) => {
          await assertEqual(context, pod, extracted);
        },
        progress: context.progress,
        signal,
      });
    });
  },

  async readFacts(context) {
    const { mover, options } = context;
    const command = archiveCommand(options, { carries: carriedBy(context.capturedFacts) });
    if (mover !== undefined) return await mover.readFacts({ command, mount: options.mountPath, facts: 'tar' });
    return await withRestorePod(context, async (pod) => await readFactsOf(context, pod, command));
  },
};

function streamRules(context: CaptureContext<Options>, carries: CarriedAttributes) {
  const { component, workload, options } = context;
  const flags = extractFlags(carries);
  const intoPod = ['tar', '-xpf', '-', '--numeric-owner', ...flags, '-C', options.mountPath];
  return {
    minimumProofs: ['status', 'trailer'],
    trailer: { kind: 'tar' },
    restoreCommand: restoresByHelper(context)
      ? unpackCommand(
          component.name,
          flags,
          `for ${options.mountPath} of the stopped ${workload?.name ?? 'workload'}, which has to be empty`,
        )
      : `${stockCommand(workload, intoPod)}   # over what is there: in an empty directory for exactly what was captured`,
  } as const;
}

const changedMeanwhile = /file changed as we read it|File removed before we read it|File shrank by/i;
const noteOfChange = 'files changed while they were read, with the writers of the plan held';

function changedFailure(): LifeboatFailure {
  return failure('SourceInconsistent', { message: 'archive volume: a file changed while it was read' });
}

async function captureByMover(
  context: CaptureContext<Options>,
  mover: NonNullable<CaptureContext<Options>['mover']>,
  isHeld: boolean,
): Promise<Captured> {
  const { options } = context;
  const { mountPath } = options;
  const { carries, notes } = await withPod(
    context,
    capturesByHelper(context),
    async (pod) => await lookForAttributes(context, pod),
  );
  const tolerated = isHeld ? { tolerated: { exitCode: 1, lastLine: changedMeanwhile.source } } : {};
  const moved = await mover
    .capture(
      'tar',
      {
        ...{ command: archiveCommand(options, { carries }), mount: mountPath, isReadOnly: true },
        ...{ facts: 'tar', index: true, ...tolerated },
      },
      streamRules(context, carries),
    )
    .catch((error: unknown) => {
      if (error instanceof LifeboatFailure && error.code === 'DumpFailed' && changedMeanwhile.test(error.message))
        throw changedFailure();
      throw error;
    });
  const { startedAt, facts, totals } = moved;
  return { capturedAt: startedAt, facts, totals, notes: moved.tolerated ? [...notes, noteOfChange] : notes };
}

async function withPod<T>(
  context: MethodContext<Options>,
  isHelper: boolean,
  use: (pod: PodAddress) => Promise<T>,
): Promise<T> {
  const { workload, backends, options, generation, run, signal } = context;
  if (!isHelper) return await use(await context.pod());
  if (workload === undefined)
    throw failure('BindingFailed', { message: `archive ${options.mountPath}: the component has no workload` });
  return await withHelperPod({ backends, workload, path: options.mountPath, generation, run, signal }, use);
}

/** A workload that is stopped while it is restored can be reached by a helper only, whatever captured it. */
async function withRestorePod<T>(context: MethodContext<Options>, use: (pod: PodAddress) => Promise<T>): Promise<T> {
  return await withPod(context, restoresByHelper(context), use);
}

function capturesByHelper({ component }: MethodContext<Options>): boolean {
  return component.executor !== 'exec' || component.captureWhile === 'stopped';
}

function restoresByHelper({ component }: MethodContext<Options>): boolean {
  return component.executor !== 'exec' || component.restoreWhile === 'stopped';
}

/** A pod of ours and that of a mover have no capabilities. */
async function lookForAttributes(context: CaptureContext<Options>, pod: PodAddress): Promise<FoundAttributes> {
  const { backends, options, mover, signal } = context;
  const isBare = mover !== undefined || restoresByHelper(context);
  const of = { access: backends.access, pod, directory: options.mountPath, signal, isBare };
  return await findAttributes(of, excluded(options));
}

function excluded({ exclude }: Pick<Options, 'exclude'>): string[] {
  return [...neverArchived, ...exclude].map((pattern) => `--exclude=${pattern}`);
}

function archiveCommand(
  options: Options,
  { directory = options.mountPath, carries }: { directory?: string; carries: CarriedAttributes },
): string[] {
  return ['tar', '-C', directory, ...archiveFlags(carries), ...excluded(options), '-cf', '-', '.'];
}

/** tar exits 1 when a file changed under it: harmless where writers were held, else the archive mixes two states. */
function judged(source: ByteSource, isHeld: boolean, notes: string[]): ByteSource {
  return {
    ...source,
    end: async () => {
      const report = await source.end();
      if (report.exitCode !== 1 || !changedMeanwhile.test(report.lastLine ?? '')) return report;
      if (!isHeld) throw changedFailure();
      notes.push(noteOfChange);
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
  const { mover, options, capturedFacts, backends, signal } = context;
  const { mountPath } = options;
  const carries = carriedBy(capturedFacts);
  const command = archiveCommand({ mountPath, exclude: [] }, { directory: extracted, carries });
  const read = async (): Promise<Facts> =>
    mover === undefined
      ? await readFactsOf(context, pod, command)
      : await mover.readFacts({ command, mount: mountPath, facts: 'tar' });
  let restored = await read();
  const at = { access: backends.access, pod, directory: extracted, signal };
  if (await giveLinksOwners(at, capturedFacts, restored)) restored = await read();
  const rules = componentRules(context.bound.plan.compare, context.component.name);
  const comparison = compareFacts(capturedFacts, restored, rules);
  if (comparison.equal) return;
  throw failure('FactsDiffer', { message: `compare ${mountPath}: ${describeDifferences(comparison)}` });
}
