import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { BoundPlan, BoundWorkload } from '../model/bound-plan.ts';
import { durationMs } from '../model/duration.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import type { PlanCommand } from '../model/recovery-plan.ts';
import { releasePath } from '../model/release-name.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { runningPod, startedPod, untilHolds, workloadNamed } from './checks.ts';
import type { PodAddress } from './clients/kubectl.ts';
import { releaseLock, takeLock } from './clients/leases.ts';
import {
  fenceService,
  markQuiesced,
  startWorkload,
  stopWorkload,
  unfenceService,
  waitUntilReady,
  waitUntilStopped,
} from './clients/marks.ts';
import { lastLine } from './clients/process.ts';
import { currentRun } from './current-run.ts';
import { runInPod } from './executors/pod-exec.ts';
import { readRunDocument } from './run-record.ts';

/** How long a workload may take to become ready before it is called never ready. */
const readyWithinMs = Number(process.env['LIFEBOAT_READY_WITHIN_MS'] ?? 600_000);

/** How long the nodes may take to send nobody to a fenced Service any more: kube-proxy gathers changes for a second. */
const settleMs = 2_000;

/** The activities that hold a release still: its lock, fence, quiesce and scale; and the wait until it serves again. */
export function createHoldActivities(backends: Backends) {
  const { kubernetes, access } = backends;

  return {
    /** Takes the lock of a release, `namespace/name`, for this run. Idempotent. @throws ReleaseBusy naming the holder */
    async acquireLock(of: { release: string }): Promise<void> {
      const release = lockPath(of.release);
      const holder = {
        temporalAddress: backends.temporalAddress,
        temporalNamespace: Context.current().info.namespace,
        temporalCluster: (await Context.current().client.workflowService.getClusterInfo({})).clusterId,
        ...currentRun(),
      };
      const held = await takeLock(
        kubernetes,
        release,
        holder,
        async ({ holder: other }) =>
          other.temporalAddress === holder.temporalAddress &&
          other.temporalNamespace === holder.temporalNamespace &&
          other.temporalCluster === holder.temporalCluster &&
          (await isClosed(other)),
      );
      if (held.holder.runId === holder.runId) return;
      const { workflowId, temporalAddress, temporalNamespace } = held.holder;
      throw failure('ReleaseBusy', {
        message: `lock ${of.release}: held by ${workflowId} of ${temporalAddress}${temporalNamespace === undefined ? '' : ` (${temporalNamespace})`} since ${held.since}`,
        subject: of.release,
      });
    },

    /** Gives the lock back. One that is not this run's is left alone. */
    async releaseLock(of: { release: string }): Promise<void> {
      await releaseLock(kubernetes, lockPath(of.release), currentRun().runId);
    },

    /**
     * Stops writers: by the plan's fence, or by the Services alone where the service itself must go on. Proven: the
     * plan's own command says that no foreign session is left, or no pod runs. Where the release is to be replaced it may
     * be broken: what it lacks lets nobody in, and a pod that is not ready need not answer (`mayLack`). @throws FenceFailed
     */
    async raiseFence(of: {
      release: string;
      deadlineMs: number;
      kind: 'plan' | 'services';
      mayLack?: boolean;
    }): Promise<void> {
      const bound = await boundPlan(of.release);
      const mark = { run: currentRun().runId, deadline: deadline(of.deadlineMs) };
      const { fence } = bound.plan;
      if (of.kind === 'plan' && fence.by === 'scale') {
        await stop(workloadNamed(bound, fence.workload), mark, of.mayLack);
        return;
      }
      for (const service of bound.services)
        await fenceService(kubernetes, bound.release.namespace, service, mark, of.mayLack);
      if (fence.by !== 'services' || fence.endSessions === undefined) return;
      const held = workloadNamed(bound, fence.endSessions.workload);
      if ((await startedPod(backends, held)) === undefined) return;
      await endSessions(bound, fence.endSessions, of.mayLack);
      // The nodes learn of the Services' new selector a moment later: until then clients still come through, and are sent away again.
      reportProgress(`wait until the nodes know of the fence of ${of.release}`);
      await pause(settleMs, undefined, { signal: Context.current().cancellationSignal });
      await endSessions(bound, fence.endSessions, of.mayLack);
    },

    /** Lets clients in again. Idempotent. */
    async liftFence(of: { release: string }): Promise<void> {
      const bound = await boundPlan(of.release);
      reportProgress(`lift the fence of ${of.release}`);
      const { fence } = bound.plan;
      if (fence.by === 'scale') {
        const { kind, namespace, name } = workloadNamed(bound, fence.workload);
        await startWorkload(kubernetes, kind, namespace, name);
      }
      for (const service of bound.services) await unfenceService(kubernetes, bound.release.namespace, service);
    },

    /** Scales every workload of the release to nothing and waits until its pods are gone. */
    async stopRelease(of: { release: string; deadlineMs: number }): Promise<void> {
      const bound = await boundPlan(of.release);
      for (const each of Object.values(bound.workloads))
        await stop(each, { run: currentRun().runId, deadline: deadline(of.deadlineMs) });
    },

    /** Gives every workload of the release its replicas back. Idempotent. */
    async startRelease(of: { release: string }): Promise<void> {
      const bound = await boundPlan(of.release);
      reportProgress(`start ${of.release}`);
      for (const { kind, namespace, name } of Object.values(bound.workloads))
        await startWorkload(kubernetes, kind, namespace, name);
    },

    /** Waits until every workload of the release is ready. @throws PodNeverReady with what the pod says */
    async waitUntilServing(of: { release: string }): Promise<void> {
      const bound = await boundPlan(of.release);
      for (const each of Object.values(bound.workloads)) {
        await waitUntilReady(kubernetes, each, readyWithinMs, () => {
          Context.current().cancellationSignal.throwIfAborted();
          reportProgress(`wait until ${of.release} ${each.name} is ready`);
        });
      }
    },

    /** Holds writers briefly by the plan's command. The mark is left first, so that anybody can undo it. */
    async quiesce(of: { release: string }): Promise<void> {
      const bound = await boundPlan(of.release);
      const { quiesce } = bound.plan;
      if (quiesce === undefined) return;
      const held = workloadNamed(bound, quiesce.workload);
      await markQuiesced(kubernetes, held, {
        run: currentRun().runId,
        previous: { container: held.container, release: quiesce.release, selector: held.selector },
        deadline: deadline(durationMs(quiesce.deadline)),
      });
      const { exitCode, stderr } = await runInPod(access, await podOf(held), quiesce.hold, {
        signal: Context.current().cancellationSignal,
      });
      if (exitCode !== 0)
        throw failure('QuiesceFailed', { message: `quiesce ${of.release}: ${lastLine(stderr)}`, changed: 'unknown' });
    },

    /** Lets writers go on. Idempotent, like the plan's command. @throws QuiesceFailed */
    async releaseQuiesce(of: { release: string }): Promise<void> {
      const bound = await boundPlan(of.release);
      const { quiesce } = bound.plan;
      if (quiesce === undefined) return;
      const held = workloadNamed(bound, quiesce.workload);
      const { exitCode, stderr } = await runInPod(access, await podOf(held), quiesce.release);
      if (exitCode !== 0)
        throw failure('QuiesceFailed', {
          message: `release the quiesce of ${of.release}: ${lastLine(stderr)}`,
          changed: 'unknown',
        });
      await markQuiesced(kubernetes, held, null);
    },
  };

  /** Of a release where the run works on it: a scratch namespace is not in lifeboat.yaml. */
  function lockPath(release: string): string {
    const [namespace = '', name = ''] = release.split('/');
    return releasePath({ cluster: backends.platform.cluster.name, namespace, name });
  }

  async function boundPlan(release: string): Promise<BoundPlan> {
    return (await readRunDocument(backends, currentRun().runId, release)).bound;
  }

  async function endSessions(bound: BoundPlan, command: PlanCommand, mayLack?: boolean): Promise<void> {
    try {
      await untilHolds(backends, bound, command, 'FenceFailed', startedPod);
    } catch (error) {
      const isBroken =
        mayLack === true &&
        error instanceof LifeboatFailure &&
        error.code === 'FenceFailed' &&
        (await runningPod(backends, workloadNamed(bound, command.workload))) === undefined;
      if (!isBroken) throw error;
    }
  }

  async function stop(each: BoundWorkload, mark: { run: string; deadline: string }, mayLack?: boolean): Promise<void> {
    await stopWorkload(kubernetes, each, mark, mayLack);
    await waitUntilStopped(kubernetes, each, () => {
      Context.current().cancellationSignal.throwIfAborted();
      reportProgress(`wait until the pods of ${each.name} are gone`);
    });
  }

  async function podOf(of: BoundWorkload): Promise<PodAddress> {
    const pod = await runningPod(backends, of);
    if (pod === undefined)
      throw failure('PodGone', { message: `find pod of ${of.kind} ${of.namespace}/${of.name}: none is ready` });
    return pod;
  }

  async function isClosed(holder: { workflowId: string; runId: string }): Promise<boolean> {
    try {
      const { status } = await Context.current().client.workflow.getHandle(holder.workflowId, holder.runId).describe();
      return status.name !== 'RUNNING' && status.name !== 'PAUSED';
    } catch (error) {
      return error instanceof Error && error.name === 'WorkflowNotFoundError';
    }
  }
}

function deadline(inMs: number): string {
  return new Date(Date.now() + inMs).toISOString();
}
