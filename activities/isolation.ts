import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { BoundPlan } from '../model/bound-plan.ts';
import type { Moves } from '../model/drill.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { resolveRelease } from './binding/bind-release.ts';
import { applyDrillPolicy, removeDrillPolicy } from './clients/drill-policy.ts';
import { listPods, optional } from './clients/kubernetes.ts';
import { currentRun } from './current-run.ts';
import { withOwnPod } from './executors/own-pod.ts';
import { type ProbeTarget, probe, probePod } from './executors/probe-pod.ts';
import { capturedPlan, locatePoint } from './plan-recovery.ts';

/** What the measurement of the isolation found: a line a target and namespace, ending in what was reached after the policy. */
export type MeasuredIsolation = { readonly enforced: boolean; readonly probes: readonly string[] };

/** How long an engine may take to enforce a new policy. */
const enforcedWithinMs = 30_000;
/** How long a probe pod may take to run. */
const probeWithinMs = Number(process.env['LIFEBOAT_PROBE_WITHIN_MS'] ?? 120_000);

/** Names go on being answered in a drill, so this one shows that a probe that is cut off still works. */
const allowed: ProbeTarget = { what: 'name kubernetes.default.svc', host: 'kubernetes.default.svc', port: 'name' };
const outside: ProbeTarget = { what: 'outside: the API server', host: 'kubernetes.default.svc', port: 443 };

/** The activity that cuts a drill off from what is live, and measures it. */
export function createIsolationActivities(backends: Backends) {
  const { kubernetes } = backends;

  return {
    /**
     * Makes the network policy of each scratch namespace, and measures from a pod inside that it is enforced: the pods,
     * Services and names of the drilled releases and the API server, reached before the policy, are out of reach after
     * it, while names are still answered. What nobody reached before proves nothing, and of all of them one must be.
     * Idempotent because: it begins by taking the policy away, which no application lives behind yet. Changes: the
     * scratch namespaces; of what is live, connections are opened and closed. @throws ProbeFailed
     */
    async isolateScratch(of: {
      drill: string;
      moves: Moves;
      members: readonly { release: string; point: string }[];
    }): Promise<MeasuredIsolation> {
      const plans = await Promise.all(
        of.members.map(async ({ release, point }) =>
          capturedPlan(backends, await locatePoint(backends, resolveRelease(backends, release), point, null)),
        ),
      );
      const found = [...(await Promise.all(plans.map(targetsOf))).flat(), outside];
      const targets = [...new Map(found.map((target) => [target.what, target])).values()];
      const measured: MeasuredIsolation[] = [];
      for (const [source, namespace] of Object.entries(of.moves)) {
        const image =
          backends.platform.helperImage ?? imageIn(plans.filter(({ release }) => release.namespace === source));
        measured.push(await measure({ namespace, drill: of.drill, image, targets }));
      }
      return {
        enforced: measured.every(({ enforced }) => enforced),
        probes: measured.flatMap(({ probes }) => probes),
      };
    },
  };

  async function measure(of: {
    namespace: string;
    drill: string;
    image: string;
    targets: readonly ProbeTarget[];
  }): Promise<MeasuredIsolation> {
    const { namespace, targets } = of;
    const signal = Context.current().cancellationSignal;
    reportProgress(`probe from ${namespace}`);
    await removeDrillPolicy(kubernetes, namespace);
    const pod = probePod({ namespace, run: currentRun().runId, image: of.image });
    try {
      return await withOwnPod({ backends, pod, signal, withinMs: probeWithinMs }, async (address) => {
        const [named, ...before] = await probe(backends, address, [allowed, ...targets], signal);
        if (named !== true || !before.includes(true))
          throw failure('ProbeFailed', {
            message: `probe from ${namespace}: ${named === true ? 'nothing' : 'no name'} was reached even without a policy, so the probe proves nothing`,
            subject: namespace,
          });
        await applyDrillPolicy(kubernetes, namespace, of.drill);
        const reached = targets.filter((_, n) => before[n] === true);
        const began = Date.now();
        for (;;) {
          const [stillNamed, ...after] = await probe(backends, address, [allowed, ...reached], signal);
          const enforced = !after.includes(true);
          // Where all is closed and no name is answered, a busy machine may be late with both: it gets the time again.
          const withinMs = enforced ? 2 * enforcedWithinMs : enforcedWithinMs;
          if (!(enforced && stillNamed === true) && Date.now() - began < withinMs) {
            reportProgress(`wait until the policy of ${namespace} is enforced`);
            await sleep(500, undefined, { signal });
            continue;
          }
          // What is open shows by itself that the probe works.
          if (enforced && stillNamed !== true)
            throw failure('ProbeFailed', {
              message: `probe from ${namespace}: with the policy no name is answered either, which the policy allows`,
              subject: namespace,
            });
          return {
            enforced,
            probes: targets.map(({ what }, n) => {
              const state =
                before[n] === true ? (after[reached.findIndex((each) => each.what === what)] ?? true) : null;
              return `${namespace} → ${what}: ${state === null ? 'not there before the policy' : `open before the policy, then ${state ? 'open' : 'closed'}`}`;
            }),
          };
        }
      });
    } catch (error) {
      if (
        !(error instanceof LifeboatFailure) ||
        (error.code !== 'PodNeverReady' && error.code !== 'CaptureToolMissing')
      )
        throw error;
      throw failure('ProbeFailed', { message: `probe from ${namespace}: ${error.message}`, subject: namespace });
    }
  }

  /** Where the live release answers: a pod, each of its Services, and their names. */
  async function targetsOf(bound: BoundPlan): Promise<ProbeTarget[]> {
    const { namespace } = bound.release;
    const targets: ProbeTarget[] = [];
    for (const name of bound.services) {
      const service = await optional(`read Service ${name}`, () =>
        kubernetes.core.readNamespacedService({ namespace, name }),
      );
      const port = service?.spec?.ports?.find(({ protocol }) => protocol === undefined || protocol === 'TCP');
      if (service === undefined || port === undefined) continue;
      targets.push({ what: `name ${name}.${namespace}.svc`, host: `${name}.${namespace}.svc`, port: port.port });
      const { clusterIP } = service.spec ?? {};
      if (clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None')
        targets.push({ what: `Service ${namespace}/${name}`, host: clusterIP, port: port.port });
      const [pod] = await listPods(kubernetes, namespace, service.spec?.selector ?? {});
      const ports = pod?.spec?.containers.flatMap((container) => container.ports ?? []) ?? [];
      const target =
        typeof port.targetPort === 'number'
          ? port.targetPort
          : (ports.find((each) => each.name === port.targetPort)?.containerPort ?? port.port);
      if (pod?.status?.podIP !== undefined)
        targets.push({ what: `pod ${namespace}/${pod.metadata?.name ?? ''}`, host: pod.status.podIP, port: target });
    }
    return targets;
  }
}

function imageIn(plans: readonly BoundPlan[]): string {
  const [workload] = plans.flatMap(({ workloads }) => Object.values(workloads));
  if (workload === undefined)
    throw failure('ProbeFailed', {
      message:
        'choose the image of the probe: no release of the drill has a workload; name helperImage in lifeboat.yaml',
    });
  return workload.image;
}
