import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Duration, durationMs } from '../../model/duration.ts';
import { compareFacts, type Facts, type FactTotals } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { EndProofKind } from '../../transfer/source.ts';
import { readPodClock, streamFromPod, streamToPod } from '../executors/pod-exec.ts';
import { stockCommand } from '../executors/stock-command.ts';
import { componentRules } from '../facts/component-rules.ts';
import { jsonSetFacts } from '../facts/json-sets.ts';
import { lineFacts } from '../facts/lines.ts';
import type { Method, MethodContext, RestoreContext } from './method.ts';

/** Facts are read from the whole output, which is kept in memory for it. */
const factsLimitBytes = 64 * 1024 * 1024;

const Options = z.strictObject({
  /** Writes the data to its stdout. */
  command: z.array(z.string()).min(1),
  /** Reads the data from its stdin. Without it the component is evidence: it is compared, and nothing is restored. */
  restore: z.array(z.string()).min(1).optional(),
  facts: z.strictObject({
    /** `lines`: path, TAB or space, value. `json-sets`: an object of lists, each compared as a set. `none`: nothing. */
    format: z.enum(['lines', 'json-sets', 'none']),
    /** What one line is, as the report names it: `settings`. */
    unit: z.string().default('facts'),
    /** What the numbers of all lines add up to, as the report names it: `messages`. */
    sum: z.string().optional(),
  }),
  minimumProofs: z.array(z.enum(['status', 'trailer', 'count', 'digest'])).default(['status']),
  /** How long the service may take to work in what `restore` gave it; the facts are polled so long. */
  waitAfterRestore: Duration.optional(),
});
type Options = z.infer<typeof Options>;

/**
 * Any command that writes the data to stdout, with any that reads it from stdin: RabbitMQ definitions, queue depths.
 * The output is stored as the stream `output`; facts are computed from these bytes.
 * Idempotent because: nothing is restored where the facts are equal already, and the restore command of a plan merges or
 * replaces. Changes: what the restore command changes. Throws: CaptureToolMissing, DumpFailed, DumpEndedEarly,
 * RestoreFailed, and what reading a damaged artifact throws, before the command is started.
 * Source: the guide that the plan names.
 */
export const execStream: Method<Options> = {
  name: 'exec-stream',
  options: Options,

  async capture(context) {
    const { options, backends } = context;
    const pod = await context.pod();
    const capturedAt = await readPodClock(backends.access, pod, context.signal);
    const output = collector();
    context.progress(`run ${context.component.name}`);
    const artifact = await context.write(
      'output',
      streamFromPod(backends.access, pod, options.command, context.signal),
      {
        minimumProofs: options.minimumProofs satisfies EndProofKind[],
        ...(options.facts.format === 'json-sets' ? { trailer: { kind: 'json' } as const } : {}),
        ...(options.facts.format === 'none' ? {} : { tap: output.take }),
        restoreCommand:
          options.restore === undefined
            ? 'cat   # evidence only: it is compared, not restored'
            : stockCommand(context.workload, options.restore),
      },
    );
    const facts = readFormat(options, output.text());
    return { capturedAt, facts, totals: { bytes: artifact.plainBytes, ...totalsOf(options, facts) } };
  },

  async restore(context) {
    const { options, backends } = context;
    if (options.restore === undefined) return;
    // the command cannot take back what it was given: the whole stream is proven before it gets a byte
    for await (const _ of context.read('output').bytes);
    if (options.facts.format !== 'none' && isEqual(context, await currentFacts(context))) return;
    const { bytes, sha256 } = context.read('output');
    context.progress(`restore ${context.component.name}`);
    await streamToPod(backends.access, await context.pod(), options.restore, bytes, { sha256 }, context.signal);
    await settle(context);
  },

  async readFacts(context) {
    return context.options.facts.format === 'none' ? {} : await currentFacts(context);
  },
};

/** Waits until the service has worked in what it was given; what is still different then shows when facts are compared. */
async function settle(context: RestoreContext<Options>): Promise<void> {
  const { waitAfterRestore, facts } = context.options;
  if (waitAfterRestore === undefined || facts.format === 'none') return;
  const deadline = Date.now() + durationMs(waitAfterRestore);
  while (!isEqual(context, await currentFacts(context)) && Date.now() < deadline) {
    context.progress(`wait for ${context.component.name}`);
    await sleep(500, undefined, { signal: context.signal });
  }
}

function isEqual(context: RestoreContext<Options>, facts: Facts): boolean {
  return compareFacts(context.capturedFacts, facts, componentRules(context.bound.plan.compare, context.component.name))
    .equal;
}

async function currentFacts(context: MethodContext<Options>): Promise<Facts> {
  const source = streamFromPod(context.backends.access, await context.pod(), context.options.command, context.signal);
  const output = collector();
  for await (const chunk of source.bytes) output.take(chunk);
  const report = await source.end();
  if (report.exitCode === 0 && report.statusSeen) return readFormat(context.options, output.text());
  throw failure('DumpFailed', {
    message: `read facts of ${context.component.name}: exit ${String(report.exitCode)}, ${report.lastLine ?? 'no message'}`,
  });
}

/** How many lines, or how many items of each list. */
function totalsOf({ facts: { format, unit, sum } }: Options, facts: Facts): FactTotals {
  const entries = Object.entries(facts);
  if (format === 'json-sets')
    return Object.fromEntries(
      entries.flatMap(([path, value]) =>
        path.endsWith('/count') && typeof value === 'number' ? [[path.slice(0, -'/count'.length), value]] : [],
      ),
    );
  const numbers = entries.flatMap(([, value]) => (typeof value === 'number' ? [value] : []));
  return {
    [unit]: entries.length,
    ...(sum === undefined ? {} : { [sum]: numbers.reduce((total, each) => total + each, 0) }),
  };
}

function readFormat(options: Options, text: string): Facts {
  switch (options.facts.format) {
    case 'lines':
      return lineFacts(text);
    case 'json-sets':
      return jsonSetFacts(text);
    case 'none':
      return {};
  }
}

function collector(): { take: (chunk: Uint8Array) => void; text: () => string } {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    take: (chunk) => {
      size += chunk.byteLength;
      if (size > factsLimitBytes)
        throw failure('PlanInvalid', {
          message: `read facts: the command writes more than ${String(factsLimitBytes)} bytes, use facts: { format: none }`,
        });
      chunks.push(Buffer.from(chunk));
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}
