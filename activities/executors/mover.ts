import { setTimeout as sleep } from 'node:timers/promises';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { failure, isFailureCode } from '../../model/failures.ts';
import { MoverLine, MoverReport } from '../../model/mover-job.ts';
import { gone, optional, request } from '../clients/kubernetes.ts';
import { lastLine } from '../clients/process.ts';
import { describeMover, type MoverFor, moverContainers, moverGraceSeconds } from './mover-pod.ts';
import { removePod, startProblem } from './own-pod.ts';

const askEveryMs = 1_000;
const runsWithinMs = 300_000;

/** A mover, and who waits for it. */
export type Moving = MoverFor & {
  readonly progress: (passedBytes: number) => void;
  readonly signal: AbortSignal;
};

type Done = Extract<MoverReport, { outcome: 'done' }>;

/**
 * Runs a mover to its end: a pod beside the data, between whose command and the store the bytes go without the API server.
 * The Secret with the job and the credentials is deleted once the mover has read it.
 * Idempotent because: the pod is named by the generation, and one that an earlier attempt left is deleted first. Pod and
 * Secret are deleted again whatever happens; a mover that is told to end takes back what it stored.
 * Throws: what its job fails with, BindingFailed, ConfigInvalid (the image too, where it has no mover), CaptureToolMissing,
 * PodNeverReady, PodGone.
 */
export async function runMover(of: Moving): Promise<Done> {
  const { backends, signal } = of;
  const { pod, secret } = await describeMover(of);
  const { name = '', namespace = '' } = pod.metadata ?? {};
  const { core } = backends.kubernetes;
  const dropSecret = async (): Promise<void> => {
    await gone(`delete Secret ${name}`, () => core.deleteNamespacedSecret({ name, namespace }));
  };
  await removePod(backends, namespace, name, moverGraceSeconds);
  await dropSecret();
  try {
    signal.throwIfAborted();
    await request(`create Secret ${name}`, () => core.createNamespacedSecret({ namespace, body: secret }));
    await request(`create mover ${name}`, () => core.createNamespacedPod({ namespace, body: pod }));
    return await follow(of, pod, dropSecret);
  } finally {
    await dropSecret();
    await removePod(backends, namespace, name, moverGraceSeconds);
  }
}

async function follow({ backends, progress, signal }: Moving, pod: V1Pod, onRead: () => Promise<void>): Promise<Done> {
  const { name = '', namespace = '' } = pod.metadata ?? {};
  const { core } = backends.kubernetes;
  const log = async (tailLines?: number): Promise<string> =>
    await request(`read log of mover ${name}`, () =>
      core.readNamespacedPodLog({
        ...{ name, namespace, container: moverContainers.mover },
        ...(tailLines === undefined ? {} : { tailLines }),
      }),
    );
  const since = Date.now();
  let hasSpoken = false;
  for (;;) {
    const found = await optional(`read mover ${name}`, () => core.readNamespacedPod({ name, namespace }));
    if (found === undefined) throw failure('PodGone', { message: `follow mover ${name}: the pod is gone` });
    const mover = statusOf(found, moverContainers.mover);
    if (mover?.state?.terminated !== undefined) return judge(found, mover, await log());
    const command = statusOf(found, moverContainers.command);
    if (mover?.state?.running === undefined || command?.state?.waiting !== undefined) {
      const problem = startProblem(found);
      if (problem.isFinal || Date.now() - since > runsWithinMs) throw problem.failure;
    } else {
      const said = linesOf(await log(1)).at(-1);
      if (said !== undefined && 'passed' in said) {
        progress(said.passed);
        if (!hasSpoken) await onRead();
        hasSpoken = true;
      }
    }
    await sleep(askEveryMs, undefined, { signal });
  }
}

/**
 * What a mover that ended has to say.
 * @throws what its job failed with; where it ended without a report ConfigInvalid, if its image has no mover, else PodGone
 */
function judge(pod: V1Pod, mover: V1ContainerStatus, log: string): Done {
  const name = pod.metadata?.name ?? '';
  const report = reportOf(linesOf(log));
  if (report === undefined) {
    const { reason = 'no reason', exitCode, message } = mover.state?.terminated ?? {};
    const said = (message ?? lastWords(log)).slice(0, 300);
    const how = `it ended without a report (${reason}, exit ${String(exitCode)})${said === '' ? '' : `: ${said}`}`;
    // A shell says it by its exit code, a runtime by its message; what else keeps a container from starting may pass.
    if (exitCode === 126 || exitCode === 127 || /executable file not found|no such file/.test(message ?? ''))
      throw failure('ConfigInvalid', { message: `start mover ${name}: the image ${mover.image} has none; ${how}` });
    throw failure('PodGone', { message: `follow mover ${name}: ${how}` });
  }
  if (report.outcome === 'done') return report;
  if (isFailureCode(report.code)) throw failure(report.code, { message: report.message });
  throw new Error(`mover ${name}: ${report.message}`);
}

/** What a process wrote about its end: its last error, else its last line. */
function lastWords(log: string): string {
  const lines = log.split('\n').filter((line) => !line.startsWith('{'));
  return lines.findLast((line) => /^\S*(error|exception)\b/i.test(line)) ?? lastLine(lines.join('\n'));
}

/** The report out of its pieces; undefined where one is missing. */
function reportOf(lines: readonly MoverLine[]): MoverReport | undefined {
  const pieces = lines.flatMap((line) => ('piece' in line ? [line] : []));
  const count = pieces[0]?.of;
  if (count === undefined || pieces.length !== count || pieces.some(({ piece }, index) => piece !== index))
    return undefined;
  return MoverReport.parse(JSON.parse(pieces.map(({ text }) => text).join('')));
}

/** The lines that are a mover's; what a runtime writes among them is not. */
function linesOf(text: string): MoverLine[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    try {
      return [MoverLine.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

function statusOf(pod: V1Pod, container: string): V1ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find((each) => each.name === container);
}
