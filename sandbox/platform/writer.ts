import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Writer } from '../../charts/sandbox-recipe.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';
import { checkout } from '../layout.ts';
import { sandboxPart } from './install-release.ts';
import { type ClusterOfSandbox, clusterArgs, kubectl } from './kubectl.ts';
import { execArgs, findMainPod, mainPod } from './main-pod.ts';
import { releaseLabel, type SandboxRelease } from './release.ts';

/** A continuous writer at work. */
export type RunningWriter = {
  /** Ends it; resolves when nothing is written any more. */
  stop(): Promise<{ acknowledged: number[]; longestGapMs: number }>;
  readonly acknowledgedCount: number;
  /** The number that was acknowledged last; 0 where none was. */
  readonly lastAcknowledged: number;
  /** The longest time between two acknowledgements so far. */
  readonly longestGapMs: number;
};

/** What the ledger of a writer holds: its sum never changes, and `rows` equals `maxId` when no row is lost. */
export type WriterCheck = { readonly rows: number; readonly sum: number; readonly maxId: number };

const stopWithinMs = 20_000;

/**
 * Ends the writer with its stdin: a process of `kubectl exec` outlives kubectl otherwise. Only the writer's shell is
 * signalled, never its client: an orphan that dies of a signal goes to process 1, and PostgreSQL takes it for a crashed
 * backend and restarts.
 */
const supervised =
  'exec 3<&0; "$@" </dev/null & writer=$!; cat <&3 >/dev/null; kill -TERM "$writer" 2>/dev/null; wait "$writer" 2>/dev/null; exit 0';

/** Whether the chart of a release brings a continuous writer. */
export async function hasWriter({ chart }: SandboxRelease): Promise<boolean> {
  return await fileExists(join(checkout, 'charts', chart, 'sandbox', 'writer.ts'));
}

/** Starts the continuous writer of a release; when its pod goes away it goes on in the next one. */
export async function startWriter(sandbox: ClusterOfSandbox, release: SandboxRelease): Promise<RunningWriter> {
  const { writer } = await sandboxPart<{ writer: Writer }>(release.chart, 'writer.ts');
  const acknowledged: number[] = [];
  let stopping = false;
  let endInput: () => void = () => undefined;
  let lastAt: number | undefined;
  let longestGapMs = 0;
  const acknowledge = (line: string): void => {
    if (!/^\d+$/.test(line)) return;
    acknowledged.push(Number(line));
    const now = Date.now();
    if (lastAt !== undefined) longestGapMs = Math.max(longestGapMs, now - lastAt);
    lastAt = now;
  };

  const runOnce = async (): Promise<void> => {
    const pod = await findMainPod(sandbox, release).catch(() => undefined);
    if (pod === undefined || stopping) return;
    const command = ['sh', '-c', supervised, 'sh', ...writer.command];
    const child = spawn(sandbox.tools.kubectl, [...clusterArgs(sandbox), ...execArgs(pod, command, true)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => undefined);
    endInput = () => {
      child.stdin.end();
      // A node that does not answer must not hold the caller for ever.
      setTimeout(() => child.kill('SIGKILL'), stopWithinMs).unref();
    };
    // A stop that came between the check above and here.
    if (isStopping()) endInput();
    const exited = new Promise<void>((resolve) => {
      child.once('close', () => {
        resolve();
      });
      child.once('error', () => {
        resolve();
      });
    });
    for await (const line of createInterface({ input: child.stdout })) acknowledge(line);
    await exited;
  };
  const isStopping = (): boolean => stopping;
  const ended = (async (): Promise<void> => {
    while (!isStopping()) {
      await runOnce();
      if (!isStopping()) await sleep(300);
    }
  })();

  const deadline = Date.now() + 60_000;
  while (acknowledged.length === 0) {
    if (Date.now() > deadline) {
      stopping = true;
      endInput();
      throw new Error(`start writer of ${releaseLabel(release)}: nothing was acknowledged in 60 s`);
    }
    await sleep(50);
  }
  return {
    stop: async () => {
      stopping = true;
      endInput();
      await ended;
      return { acknowledged, longestGapMs };
    },
    get lastAcknowledged() {
      return acknowledged.at(-1) ?? 0;
    },
    get acknowledgedCount() {
      return acknowledged.length;
    },
    get longestGapMs() {
      return longestGapMs;
    },
  };
}

/** Reads what the ledger of a release's writer holds. */
export async function checkWriter(sandbox: ClusterOfSandbox, release: SandboxRelease): Promise<WriterCheck> {
  const { writer } = await sandboxPart<{ writer: Writer }>(release.chart, 'writer.ts');
  const pod = await mainPod(sandbox, release);
  const said = (await kubectl(sandbox, execArgs(pod, writer.check, false), { timeoutMs: 60_000 })).trim();
  const match = /^(\d+) (-?\d+) (\d+)$/.exec(said);
  if (match === null)
    throw new Error(`check writer of ${releaseLabel(release)}: it said ${JSON.stringify(said.slice(0, 200))}`);
  return { rows: Number(match[1]), sum: Number(match[2]), maxId: Number(match[3]) };
}
