import { Context } from '@temporalio/activity';
import { claimNames } from '../model/bound-plan.ts';
import { type FailureCode, failure, LifeboatFailure } from '../model/failures.ts';
import { releaseTitle } from '../model/release-name.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { bindRelease } from './binding/bind-release.ts';
import { runningPod, workloadNamed } from './checks.ts';
import { deleteClaim, listClaims, readClaim } from './clients/claims.ts';
import { readRelease } from './clients/helm.ts';
import { request } from './clients/kubernetes.ts';
import { leadService } from './clients/marks.ts';
import { lastLine } from './clients/process.ts';
import { uninstallRelease } from './clients/uninstall-release.ts';
import { currentRun } from './current-run.ts';
import { runInPod } from './executors/pod-exec.ts';
import { installFrozen } from './install-frozen.ts';
import { readUpgradeDocument, type UpgradeDocument, writeRunDocument } from './run-record.ts';

type Green = NonNullable<UpgradeDocument['upgrade']['green']>;

/** What the API server says of a write that it will never take. */
const refusals: ReadonlySet<FailureCode> = new Set(['KubernetesFailed', 'ClusterDenied']);

/** The activities of the release beside the one that is upgraded, and of the Services that lead to one of the two. */
export function createGreenActivities(backends: Backends) {
  const { access, kubernetes } = backends;

  return {
    /**
     * Installs green: the frozen chart and values under another name. Readiness is not waited for.
     * Idempotent because: nothing but this run installs it, under the lock of its release. @throws HelmFailed, HelmBusy
     */
    async installGreen(of: { release: string }): Promise<string> {
      const { green, document } = await readGreen();
      const { namespace } = document.bound.release;
      reportProgress(`install ${green.name} beside ${of.release}`);
      const live = await readRelease(access, namespace, green.name);
      if (live?.status !== 'deployed') {
        const { name, values } = green;
        await installFrozen(backends, { namespace, name, chart: document.upgrade.chart, values });
      }
      return `${namespace}/${green.name}`;
    },

    /** Binds the plan of the release to green as it is live: from here on steps may name green. @throws BindingFailed */
    async bindGreen(of: { release: string }): Promise<void> {
      const { green, document } = await readGreen();
      const { bound, upgrade } = document;
      reportProgress(`bind ${green.name} beside ${of.release}`);
      const live = await bindRelease(backends, { ...bound.release, name: green.name });
      await writeRunDocument(backends, currentRun().runId, {
        ...document,
        upgrade: {
          ...upgrade,
          green: {
            ...green,
            bound: {
              ...live,
              plan: bound.plan,
              planDigest: bound.planDigest,
              claims: bound.claims,
              // Clients come through the Services of the release, whichever of the two these lead to.
              services: bound.services,
            },
          },
        },
      });
    },

    /**
     * Uninstalls green and deletes its claims, whose volumes go as their policy says; waits until they are gone. A green that
     * was installed and not bound has claims too: they are known by their label. Idempotent.
     */
    async removeGreen(of: { release: string }): Promise<void> {
      const { green, document } = await readGreen();
      const { namespace } = document.bound.release;
      reportProgress(`uninstall ${green.name} beside ${of.release}`);
      await uninstallRelease(access, namespace, green.name);
      const { cancellationSignal } = Context.current();
      const labelled = await listClaims(kubernetes, { namespace, name: green.name });
      for (const name of new Set([...labelled, ...(green.bound === undefined ? [] : claimNames(green.bound))])) {
        const uid = (await readClaim(kubernetes, { namespace, name }))?.uid;
        if (uid === undefined) continue;
        await deleteClaim(kubernetes, { namespace, name }, uid, () => {
          cancellationSignal.throwIfAborted();
          reportProgress(`delete claim ${name}`);
        });
      }
    },

    /**
     * Makes the Services of the release lead to green, and lets clients through: one write for each. Idempotent.
     * @throws CutoverRefused where the API server refuses it
     */
    async cutOver(of: { release: string }): Promise<void> {
      const { green, document } = await readGreen();
      const { namespace } = document.bound.release;
      for (const { service, green: other } of green.services) {
        const target = await request(`read Service ${other}`, () =>
          kubernetes.core.readNamespacedService({ namespace, name: other }),
        );
        const to = { release: `${namespace}/${green.name}`, run: currentRun().runId };
        await leadService(kubernetes, namespace, service, { selector: target.spec?.selector ?? {}, to }).catch(
          (error: unknown) => {
            if (!(error instanceof LifeboatFailure && refusals.has(error.code))) throw error;
            throw failure('CutoverRefused', {
              message: `cut over ${of.release}: ${error.message}`,
              cause: error,
            });
          },
        );
      }
    },

    /** Makes the Services of the release lead to its own pods again; one that is fenced stays so. Idempotent. */
    async cutBack(of: { release: string }): Promise<void> {
      const { green, document } = await readGreen();
      reportProgress(`lead the Services of ${of.release} back`);
      for (const { service, selector } of green.services)
        await leadService(kubernetes, document.bound.release.namespace, service, { selector, to: null });
    },

    /** Where the writing of the release's server stands, as its plan reads it; null where the plan cannot. @throws FenceFailed */
    async readWritePosition(of: { release: string }): Promise<string | null> {
      const { bound } = await readUpgradeDocument(backends, currentRun().runId);
      const command = bound.plan.upgrade?.writePosition;
      if (command === undefined) return null;
      const fail = (why: string): Error =>
        failure('FenceFailed', { message: `read the write position of ${of.release}: ${why}` });
      const pod = await runningPod(backends, workloadNamed(bound, command.workload));
      if (pod === undefined) throw fail('no pod is ready');
      const signal = Context.current().cancellationSignal;
      const { exitCode, stdout, stderr } = await runInPod(access, pod, command.command, { signal, timeoutMs: 60_000 });
      if (exitCode !== 0 || stdout.trim() === '') throw fail(lastLine(stderr) || 'it printed nothing');
      return stdout.trim();
    },
  };

  async function readGreen(): Promise<{ green: Green; document: UpgradeDocument }> {
    const document = await readUpgradeDocument(backends, currentRun().runId);
    const { green } = document.upgrade;
    if (green === undefined)
      throw failure('BindingFailed', {
        message: `read plan of the upgrade of ${releaseTitle(document.bound.release)}: it is not blue-green`,
      });
    return { green, document };
  }
}
