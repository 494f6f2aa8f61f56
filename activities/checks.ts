import { Context } from '@temporalio/activity';
import type { BoundPlan, BoundWorkload } from '../model/bound-plan.ts';
import type { Moves } from '../model/drill.ts';
import { durationMs } from '../model/duration.ts';
import { type FailureCode, failure } from '../model/failures.ts';
import type { PlanCommand } from '../model/recovery-plan.ts';
import { releaseTitle } from '../model/release-name.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import type { PodAddress } from './clients/kubectl.ts';
import { isReady, isStarted, listPods } from './clients/kubernetes.ts';
import { lastLine } from './clients/process.ts';
import { currentRun } from './current-run.ts';
import { runInPod } from './executors/pod-exec.ts';
import { planOfPoint } from './plan-recovery.ts';
import { readRunDocument } from './run-record.ts';

type CheckKind = 'login' | 'health';

/** A workload of a bound plan. @throws BindingFailed */
export function workloadNamed(bound: BoundPlan, name: string): BoundWorkload {
  const found = bound.workloads[name];
  if (found === undefined)
    throw failure('BindingFailed', {
      message: `find workload ${name} of ${releaseTitle(bound.release)}: the plan has none of that name`,
    });
  return found;
}

/** A ready pod of a workload, or undefined. */
export async function runningPod({ kubernetes }: Backends, of: BoundWorkload): Promise<PodAddress | undefined> {
  const pod = (await listPods(kubernetes, of.namespace, of.selector)).find(isReady)?.metadata?.name;
  return pod === undefined ? undefined : { namespace: of.namespace, pod, container: of.container };
}

/** A pod of a workload that may have sessions, or undefined: one that is not ready keeps those that it had. */
export async function startedPod({ kubernetes }: Backends, of: BoundWorkload): Promise<PodAddress | undefined> {
  const pod = (await listPods(kubernetes, of.namespace, of.selector)).find((each) => isStarted(each, of.container));
  const name = pod?.metadata?.name;
  return name === undefined ? undefined : { namespace: of.namespace, pod: name, container: of.container };
}

/**
 * Runs a command of a plan until it holds, in a ready pod; with `startedPod` in one that may not be ready, and where
 * there is none it holds. @throws `code` with what it said last, when its time is over
 */
export async function untilHolds(
  backends: Backends,
  bound: BoundPlan,
  check: PlanCommand,
  code: FailureCode,
  find: typeof startedPod = runningPod,
): Promise<void> {
  const signal = Context.current().cancellationSignal;
  const until = Date.now() + durationMs(check.within);
  for (;;) {
    const pod = await find(backends, workloadNamed(bound, check.workload));
    if (pod === undefined && find === startedPod) return;
    const said = pod === undefined ? 'no pod is ready' : await tryOnce(backends, pod, check, signal);
    if (said === undefined) return;
    if (Date.now() > until)
      throw failure(code, {
        message: `check ${check.name} of ${releaseTitle(bound.release)}: ${said}`,
        changed: 'unknown',
      });
    reportProgress(`${check.name}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** What a check complains of, or undefined where it holds. */
async function tryOnce(
  backends: Backends,
  pod: PodAddress,
  check: PlanCommand,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await runInPod(backends.access, pod, check.command, {
    signal,
    timeoutMs: 60_000,
  });
  if (exitCode === 0) return undefined;
  return (
    lastLine(stderr.replace(/^command terminated with exit code.*$/gm, '')) ||
    lastLine(stdout) ||
    `exit ${String(exitCode)}`
  );
}

/** The activities that ask a release whether it really serves. They change nothing. */
export function createCheckActivities(backends: Backends) {
  async function runAll(bound: BoundPlan, kind: CheckKind): Promise<number> {
    const checks = bound.plan.checks[kind];
    for (const check of checks)
      await untilHolds(backends, bound, check, kind === 'login' ? 'CredentialMismatch' : 'HealthFailed');
    return checks.length;
  }

  return {
    /**
     * Runs the checks of one kind of the run's plan; each is tried until it holds or its time is over.
     * @returns how many held. @throws HealthFailed, CredentialMismatch naming the check and what it said last
     */
    async runChecks(of: { release: string; kind: CheckKind }): Promise<number> {
      const { bound } = await readRunDocument(backends, currentRun().runId, of.release);
      return await runAll(bound, of.kind);
    },

    /** Logins and health of a release that was recovered from a point. @returns how many checks held */
    async checkRecovered(of: {
      release: string;
      point: string;
      into: string | null;
      moved?: Moves | undefined;
    }): Promise<number> {
      const bound = await planOfPoint(backends, of);
      return (await runAll(bound, 'login')) + (await runAll(bound, 'health'));
    },
  };
}
