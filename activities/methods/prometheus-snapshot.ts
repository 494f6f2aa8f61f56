import { z } from 'zod';
import { compareFacts, describeDifferences, type Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { claimAt } from '../executors/beside-workload.ts';
import { readArchiveInPod, replaceDirectory } from '../executors/directory-restore.ts';
import { withHelperPod } from '../executors/helper-pod.ts';
import { routePrefix } from '../executors/http.ts';
import { streamFromPod } from '../executors/pod-exec.ts';
import { withSnapshot } from '../executors/prometheus-server.ts';
import { unpackCommand } from '../executors/stock-command.ts';
import { storedToPod } from '../executors/stored-stream.ts';
import { componentRules } from '../facts/component-rules.ts';
import { fed, pushParser } from '../facts/push-parser.ts';
import { readTar } from '../facts/tar.ts';
import { gatherTsdbFacts, rangeOf, type TsdbFacts } from '../facts/tsdb.ts';
import type { Method, MethodContext, RestoreContext } from './method.ts';

const Options = z.strictObject({
  /** The data directory in the container (`--storage.tsdb.path`); a claim is mounted there. */
  path: z.string().regex(/^\/.+[^/]$/),
  port: z.number().int().default(9090),
  prefix: routePrefix,
});
type Options = z.infer<typeof Options>;

/** The blocks of a data directory as a tar, none of what the server keeps beside them. Argument: directory. */
const blocksScript = `
cd "$1" || exit
set --
for meta in ??????????????????????????/meta.json; do [ ! -f "$meta" ] || set -- "$@" "./\${meta%/*}"; done
if [ $# -eq 0 ]; then exec head -c 10240 /dev/zero; fi
exec tar -cf - "$@"
`;

/**
 * Prometheus: all samples, those in memory too, as one snapshot that the server makes through its admin API. It is made of
 * hard links and one new block, streamed out as a tar and deleted. Facts are computed from the captured bytes: series and
 * samples of each metric, with a digest, over the captured range. What is recorded after the snapshot is not in it.
 * Restore: into a stopped server's volume, beside what is there, compared, then exchanged as a whole: nothing is merged
 * into live data. Idempotent because: the marker `.lifeboat-generation` names the run, and an exchange that stopped half
 * way goes on where it stopped. Changes: the data directory.
 * Throws: ApiDisabled, ApiFailed, BindingFailed, CaptureToolMissing, DumpFailed, DumpEndedEarly, RestoreFailed, FactsDiffer,
 * DiskFull, PodNeverReady. Source: Prometheus documentation, "HTTP API", TSDB Admin APIs, Snapshot; "Storage", Backfilling
 * and compaction.
 */
export const prometheusSnapshot: Method<Options> = {
  name: 'prometheus-snapshot',
  options: Options,

  async capture(context) {
    const { options, backends, signal } = context;
    claimAt(workloadOf(context), options.path);
    const server = { ...options, kubernetes: backends.kubernetes, pod: await context.pod(), signal };
    context.progress('make snapshot');
    return await withSnapshot(server, backends.access, options.path, async ({ capturedAt, command }) => {
      const gathered = gatherTsdbFacts();
      const parser = pushParser(readTar(() => undefined, gathered.contentOf));
      context.progress('archive snapshot');
      await context.write('tar', streamFromPod(backends.access, server.pod, command, signal), {
        minimumProofs: ['status', 'trailer'],
        trailer: { kind: 'tar' },
        tap: (chunk) => void fed(() => parser.push(chunk)),
        restoreCommand: unpackCommand(context.component.name, [], 'for the empty data directory of the stopped server'),
      });
      fed(() => {
        parser.end();
      });
      return { capturedAt, ...judged(gathered) };
    });
  },

  async restore(context) {
    const { backends, options, signal, progress, generation } = context;
    await withVolume(context, async (pod) => {
      await replaceDirectory({
        access: backends.access,
        pod,
        directory: options.path,
        generation,
        extract: async (command) => {
          await storedToPod(backends.access, pod, command, context.read('tar'), signal);
        },
        compare: async (extracted) => {
          const comparison = compareFacts(
            context.capturedFacts,
            await readBlocks(context, pod, extracted),
            componentRules(context.bound.plan.compare, context.component.name),
          );
          if (!comparison.equal)
            throw failure('FactsDiffer', { message: `compare blocks: ${describeDifferences(comparison)}` });
        },
        progress,
        signal,
      });
    });
  },

  async readFacts(context) {
    return await withVolume(context, async (pod) => await readBlocks(context, pod, context.options.path));
  },
};

function workloadOf({ workload, component }: MethodContext<Options>): NonNullable<MethodContext<Options>['workload']> {
  if (workload !== undefined) return workload;
  throw failure('BindingFailed', { message: `find volume of ${component.name}: the component has no workload` });
}

async function withVolume<T>(context: MethodContext<Options>, use: (pod: PodAddress) => Promise<T>): Promise<T> {
  const { backends, options, generation, run, signal } = context;
  return await withHelperPod(
    { backends, workload: workloadOf(context), path: options.path, generation, run, signal },
    use,
  );
}

/** The facts of the blocks in a directory, over the captured range. */
async function readBlocks(context: RestoreContext<Options>, pod: PodAddress, directory: string): Promise<Facts> {
  const gathered = gatherTsdbFacts(rangeOf(context.capturedFacts));
  await readArchiveInPod(
    { access: context.backends.access, pod, directory, signal: context.signal },
    ['sh', '-c', blocksScript, 'sh', directory],
    () => undefined,
    gathered.contentOf,
  );
  return judged(gathered).facts;
}

function judged(gathered: TsdbFacts): ReturnType<TsdbFacts['finish']> {
  try {
    return gathered.finish();
  } catch (error) {
    throw failure('DumpFailed', {
      message: `read blocks: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}
