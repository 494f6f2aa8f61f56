import { Context } from '@temporalio/activity';
import { describeDifferences, type FactsComparison, type FactTotals } from '../model/facts.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { type ReleaseName, releasePath, releaseTitle } from '../model/release-name.ts';
import { writeVerification } from '../transfer/verifications.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { listConfigurationNames } from './clients/configuration-objects.ts';
import { installChart, readRelease, rollBackRelease } from './clients/helm.ts';
import { gone, made, namespaceExists, request } from './clients/kubernetes.ts';
import { listLocks } from './clients/leases.ts';
import { uninstallRelease } from './clients/uninstall-release.ts';
import { compareTarget } from './compare-target.ts';
import { currentRun } from './current-run.ts';
import { componentOf, methodContext, methodOf } from './method-context.ts';
import { capturedNamespace, readRecord, restoreObjects, restoreSecrets } from './methods/release-config.ts';
import { locatePoint } from './plan-recovery.ts';
import {
  contextOfConfiguration,
  contextOfRestore,
  freshClaims,
  generationOf,
  readRecovery,
} from './recovery-document.ts';
import { keepReplaced, listOwnObjects, putReplacedBack } from './replaced-configuration.ts';
import { recordOf, restoreContext } from './restore-context.ts';
import { readRunDocument } from './run-record.ts';

/** What the comparison of a component's facts found. Paths stay out: they name tables and keys. */
export type ComparedComponent = {
  readonly compared: number;
  readonly equal: boolean;
  readonly totals: FactTotals;
  readonly exceptions: FactsComparison['exceptions'];
};

/** The activities that bring a release back. Each is idempotent by markers in the target. */
export function createRecoverActivities(backends: Backends) {
  return {
    /**
     * Makes the namespace and the Secrets and ConfigMaps that the release refers to, exactly as captured.
     * @returns those of them that were not there before, as `Secret/name`: none of another release that comes back meanwhile
     */
    async restoreConfiguration(of: { release: string; component: string }): Promise<readonly string[]> {
      const recovery = await readRecovery(backends);
      const { namespace } = recovery.document.bound.release;
      const context = (): ReturnType<typeof contextOfConfiguration> =>
        contextOfConfiguration(backends, recovery, of.component);
      await ensureNamespace(await capturedNamespace(await context()));
      const before = new Set(await listConfigurationNames(backends.kubernetes, namespace));
      await keepReplaced(await context());
      await restoreObjects(await context());
      return (await listOwnObjects(await context())).filter((object) => !before.has(object));
    },

    /**
     * Deletes the Secrets and ConfigMaps that this run made: those that its restore named, and of one that failed half
     * way those that were not there when the plan was made. Those that it replaced get their data again. Idempotent.
     */
    async removeConfiguration(of: { release: string; objects: readonly string[]; component?: string }): Promise<void> {
      const recovery = await readRecovery(backends);
      const { namespace } = recovery.document.bound.release;
      const there = recovery.document.recovery?.configuration;
      const context =
        of.component === undefined ? undefined : await contextOfConfiguration(backends, recovery, of.component);
      const brought = context === undefined || there === undefined ? [] : await listOwnObjects(context);
      const made = new Set([...of.objects, ...brought.filter((object) => there?.includes(object) === false)]);
      for (const [kind, name = ''] of [...made].map((object) => object.split('/'))) {
        await gone(`delete ${of.release} ${kind ?? ''} ${name}`, () =>
          kind === 'Secret'
            ? backends.kubernetes.core.deleteNamespacedSecret({ namespace, name })
            : backends.kubernetes.core.deleteNamespacedConfigMap({ namespace, name }),
        );
      }
      if (context !== undefined) await putReplacedBack(context);
    },

    /** Gives the Secrets and ConfigMaps that the run replaced what the safety copy has of them. Idempotent. */
    async putBackConfiguration(of: { release: string; component: string; safetyCopy: string }): Promise<void> {
      const { document, manifest } = await readRecovery(backends);
      const { manifest: copy } = await locatePoint(backends, document.bound.release, of.safetyCopy, null);
      const generation = `${generationOf(manifest, of.component)}-undo`;
      const context = await contextOfConfiguration(backends, { document, manifest: copy }, of.component, generation);
      await restoreObjects(context);
      await restoreSecrets(context);
    },

    /**
     * Installs the captured chart with the captured values.
     * Idempotent because: under the run's lock a deployed revision that is newer than the one of the plan is that of an
     * earlier attempt, and a second install of the same chart and values changes nothing. @throws HelmFailed, HelmBusy
     */
    async installRelease(of: { release: string; component: string }): Promise<void> {
      const { document, manifest } = await readRecovery(backends);
      const { namespace, name } = document.bound.release;
      const record = await readRecord(await contextOfConfiguration(backends, { document, manifest }, of.component));
      const live = await readRelease(backends.access, namespace, name);
      if (live?.status === 'deployed' && live.revision > (document.recovery?.liveRevision ?? 0)) return;
      if (record.chartArchive === undefined) {
        throw failure('HelmFailed', {
          message: `install ${releaseTitle(document.bound.release)}: the point has no chart archive; name the chart in lifeboat.yaml before the backup`,
        });
      }
      await installChart(backends.access, {
        archive: record.chartArchive,
        namespace,
        name,
        values: record.values,
        signal: Context.current().cancellationSignal,
      });
    },

    /** Brings the streams of a component into its target. A second call finds the marker of the first and does nothing. */
    async restoreComponent(of: { release: string; component: string }): Promise<void> {
      const { document, manifest } = await readRecovery(backends, of.release);
      const component = componentOf(document.bound, of.component);
      await methodOf(component).restore(await contextOfRestore(backends, { document, manifest }, of.component));
    },

    /** Reads the facts of the restored target and compares them with the captured ones. @throws FactsDiffer */
    async compareComponent(of: { release: string; component: string }): Promise<ComparedComponent> {
      const { document, manifest } = await readRecovery(backends, of.release);
      const comparison = await compareTarget(await contextOfRestore(backends, { document, manifest }, of.component));
      if (!comparison.equal) {
        throw failure('FactsDiffer', {
          message: `compare ${of.release} ${of.component}: ${describeDifferences(comparison)}`,
          changed: 'yes',
          subject: of.component,
        });
      }
      return {
        compared: comparison.compared,
        equal: true,
        totals: recordOf(manifest, of.component).totals,
        exceptions: comparison.exceptions,
      };
    },

    /**
     * Puts back what a restore replaced: as the method keeps it, or from the safety copy where it keeps nothing.
     * Idempotent because: the method finds its own leftovers; a target that is as the safety copy says is left alone.
     * @throws FactsDiffer where the target is not as the safety copy says in the end
     */
    async undoRestore(of: {
      release: string;
      component: string;
      safetyCopy: string | null;
      keptIn?: readonly string[];
    }): Promise<void> {
      const { document, manifest } = await readRecovery(backends);
      const { bound } = document;
      const component = componentOf(bound, of.component);
      const method = methodOf(component);
      if (method.undoRestore !== undefined) {
        await method.undoRestore(methodContext(backends, bound, component, generationOf(manifest, of.component)));
        return;
      }
      if (of.safetyCopy === null)
        throw failure('RestoreFailed', {
          message: `put back ${of.component} of ${of.release}: ${
            of.keptIn === undefined
              ? 'no copy was made of what the restore replaced'
              : `what was there is in the safety copy ${of.keptIn.join(', ')}; bring it back from there`
          }`,
          changed: 'yes',
          subject: of.component,
        });
      const { manifest: copy } = await locatePoint(backends, bound.release, of.safetyCopy, null);
      const context = await restoreContext(
        backends,
        document,
        copy,
        of.component,
        `${generationOf(manifest, of.component)}-undo`,
      );
      if (await isAsCaptured(context)) return;
      await method.restore(context);
      const comparison = await compareTarget(context);
      if (comparison.equal) return;
      throw failure('FactsDiffer', {
        message: `compare ${of.release} ${of.component} with its safety copy ${of.safetyCopy}: ${describeDifferences(comparison)}`,
        changed: 'yes',
        subject: of.component,
      });
    },

    /** Takes back the installation: to the revision that was live before, or to nothing. Idempotent. */
    async undoInstall(of: { release: string }): Promise<void> {
      const document = await readRunDocument(backends, currentRun().runId);
      const { bound, recovery: target } = document;
      reportProgress(`take back the installation of ${of.release}`);
      const { namespace, name } = bound.release;
      const live = await readRelease(backends.access, namespace, name);
      if (target === null || live === undefined) return;
      if (target.liveRevision !== null) {
        if (live.revision > target.liveRevision)
          await rollBackRelease(backends.access, namespace, name, target.liveRevision);
        return;
      }
      await uninstallRelease(backends.access, namespace, name);
      for (const claim of freshClaims(document)) {
        await gone(`delete claim ${claim}`, () =>
          backends.kubernetes.core.deleteNamespacedPersistentVolumeClaim({ namespace, name: claim }),
        );
      }
    },

    /** Deletes the namespace that this run made, where nothing of another release is in it. Idempotent. */
    async removeNamespace(of: { release: string }): Promise<void> {
      const { bound, recovery: target } = await readRunDocument(backends, currentRun().runId);
      reportProgress(`remove the namespace of ${of.release}`);
      const { namespace } = bound.release;
      if (target === null || target.namespaceExisted) return;
      const pods = await request(`list pods of ${namespace}`, () =>
        backends.kubernetes.core.listNamespacedPod({ namespace }),
      );
      const releases = await request(`list releases of ${namespace}`, () =>
        backends.kubernetes.core.listNamespacedSecret({ namespace, labelSelector: 'owner=helm' }),
      );
      const claims = await request(`list claims of ${namespace}`, () =>
        backends.kubernetes.core.listNamespacedPersistentVolumeClaim({ namespace }),
      );
      if ([...pods.items, ...releases.items, ...claims.items].length > 0) return;
      if (await isHeldByOthers(bound.release)) return;
      await gone(`delete namespace ${namespace}`, () => backends.kubernetes.core.deleteNamespace({ name: namespace }));
    },

    /** Says beside the point that it was restored and its facts were equal: the highest proof. */
    async markRestored(of: { release: string }): Promise<void> {
      const { manifest } = await readRecovery(backends);
      reportProgress(`mark the point of ${of.release} restored`);
      await writeVerification({
        store: backends.store,
        kit: backends.kit,
        verification: {
          apiVersion: 'lifeboat/v1',
          kind: 'Verification',
          point: manifest.id,
          release: manifest.release,
          at: new Date().toISOString(),
          outcome: 'usable',
          proof: 'restored',
          plainBytes: manifest.plainBytes,
          storedBytes: manifest.storedBytes,
          failure: null,
          run: currentRun().runId,
        },
      });
    },
  };

  /** Another run brings a release into the namespace: its Secrets are there before anything else of it is. */
  async function isHeldByOthers(release: ReleaseName): Promise<boolean> {
    const inNamespace = releasePath({ ...release, name: '' });
    return (await listLocks(backends.kubernetes)).some(
      (lock) => lock.release.startsWith(inNamespace) && lock.release !== releasePath(release),
    );
  }

  /** A target that cannot even be read is not as it was. */
  async function isAsCaptured(context: Awaited<ReturnType<typeof restoreContext>>): Promise<boolean> {
    try {
      return (await compareTarget(context)).equal;
    } catch (error) {
      if (error instanceof LifeboatFailure) return false;
      throw error;
    }
  }

  async function ensureNamespace(body: Awaited<ReturnType<typeof capturedNamespace>>): Promise<void> {
    const { name } = body.metadata;
    if (await namespaceExists(backends.kubernetes, name)) return;
    await made(`create namespace ${name}`, () => backends.kubernetes.core.createNamespace({ body }));
  }
}
