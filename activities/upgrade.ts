import { Context } from '@temporalio/activity';
import { claimNames } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { bindRelease } from './binding/bind-release.ts';
import { listConfigurationNames } from './clients/configuration-objects.ts';
import { readRecord, readRelease } from './clients/helm.ts';
import { gone, isReady, listPods, readWorkload } from './clients/kubernetes.ts';
import { currentRun } from './current-run.ts';
import { installFrozen } from './install-frozen.ts';
import { locatePoint } from './plan-recovery.ts';
import { type PlannedUpgrade, planUpgrade, type UpgradeRequest, upgradeDigest } from './plan-upgrade.ts';
import { readUpgradeDocument, type UpgradeDocument, writeRunDocument } from './run-record.ts';
import { mergeValues, parseValues } from './upgrade-values.ts';

/** How long the controller of a StatefulSet may take to see what Helm wrote. */
const seenWithinMs = 60_000;

/** The activities of an upgrade. Each is idempotent by Helm's revision and by the plan of the run. */
export function createUpgradeActivities(backends: Backends) {
  const { access, kubernetes } = backends;

  return {
    /**
     * Plans the upgrade of a release, tries it against the API server without changing anything, and freezes chart and
     * values beside `plan.json` of the run. @throws UpgradeRefused, InputInvalid, HelmFailed, and as `bindRelease`
     */
    async planUpgrade(request: UpgradeRequest): Promise<PlannedUpgrade> {
      const { attempt } = Context.current().info;
      return await planUpgrade(backends, request, { ...currentRun(), attempt });
    },

    /** Binds the release again. @throws BindingChanged where it is not what was approved */
    async confirmUpgrade(of: { release: string }): Promise<void> {
      const { bound, upgrade } = await readUpgrade();
      const { namespace, name } = bound.release;
      const record = await readRecord(access, namespace, name);
      const values = JSON.stringify(mergeValues(parseValues(record.values), upgrade.overrides));
      const digest = upgradeDigest(await bindRelease(backends, bound.release), { ...upgrade, values });
      if (digest !== upgrade.digest)
        throw failure('BindingChanged', {
          message: `upgrade ${of.release}: it changed since the plan ${upgrade.digest.slice(0, 12)} was made`,
        });
    },

    /** Ties the recovery point of what is live to the run: facts are compared with it, and a failed upgrade goes back to it. */
    async bindUpgradePoint(of: { release: string; point: string }): Promise<void> {
      const document = await readUpgrade();
      const { bound, upgrade } = document;
      const { manifest, sha256 } = await locatePoint(backends, bound.release, of.point, null);
      await writeRunDocument(backends, currentRun().runId, {
        ...document,
        recovery: {
          point: manifest.id,
          manifestSha256: sha256,
          from: bound.release.namespace,
          scope: 'all',
          liveRevision: bound.revision,
          namespaceExisted: true,
          claims: claimNames(bound),
          configuration: await listConfigurationNames(kubernetes, bound.release.namespace),
          digest: upgrade.digest,
        },
      });
    },

    /**
     * Lets Helm upgrade the release to the frozen chart and values. Readiness is not waited for.
     * Idempotent because: under the run's lock a deployed revision that is newer than the one of the plan is that of an
     * earlier attempt. @throws HelmFailed, HelmBusy
     */
    async upgradeChart(of: { release: string }): Promise<{ revision: number }> {
      const { bound, upgrade } = await readUpgrade();
      const { namespace, name } = bound.release;
      const revision = async (): Promise<number | undefined> => {
        const live = await readRelease(access, namespace, name);
        return live?.status === 'deployed' && live.revision > bound.revision ? live.revision : undefined;
      };
      const before = await revision();
      if (before !== undefined) return { revision: before };
      reportProgress(`upgrade ${of.release}`);
      await installFrozen(backends, { namespace, name, chart: upgrade.chart, values: upgrade.values });
      return { revision: (await revision()) ?? bound.revision };
    },

    /**
     * Deletes the pods that a StatefulSet would wait for in vain: those of the revision that was given up, which never
     * became ready. Idempotent. Source: Kubernetes documentation, StatefulSets, "Forced rollback".
     */
    async dropStuckPods(of: { release: string }): Promise<void> {
      const { bound } = await readUpgrade();
      for (const workload of Object.values(bound.workloads).filter(({ kind }) => kind === 'StatefulSet')) {
        const { kind, namespace, name } = workload;
        const until = Date.now() + seenWithinMs;
        for (;;) {
          const live = await readWorkload(kubernetes, kind, namespace, name);
          const status = live?.status;
          if (status?.observedGeneration === live?.metadata?.generation || Date.now() > until) {
            const current = status !== undefined && 'updateRevision' in status ? status.updateRevision : undefined;
            for (const pod of await listPods(kubernetes, namespace, workload.selector)) {
              const stuck = pod.metadata?.labels?.['controller-revision-hash'] !== current && !isReady(pod);
              const pods = pod.metadata?.name;
              if (stuck && pods !== undefined)
                await gone(`delete pod ${pods}`, () => kubernetes.core.deleteNamespacedPod({ namespace, name: pods }));
            }
            break;
          }
          Context.current().cancellationSignal.throwIfAborted();
          reportProgress(`wait until the controller of ${name} has seen ${of.release}`);
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      }
    },
  };

  async function readUpgrade(): Promise<UpgradeDocument> {
    return await readUpgradeDocument(backends, currentRun().runId);
  }
}
