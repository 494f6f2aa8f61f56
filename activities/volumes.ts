import { Context } from '@temporalio/activity';
import { claimNames } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import { keptUntil } from '../model/platform.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { claimVolume, deleteClaim, keepVolume, readClaim, reclaimPolicy, settleVolume } from './clients/claims.ts';
import { readConfigurationObject } from './clients/configuration-objects.ts';
import { currentRun } from './current-run.ts';
import { StoredObject, strip } from './facts/configuration.ts';
import { readRunDocument } from './run-record.ts';

/** A volume of a release, who has it and what would become of it without that claim. */
export type LiveVolume = {
  readonly claim: StoredObject;
  readonly uid: string;
  readonly volume: string;
  readonly policy: string;
};

/** The activities that exchange the volumes of a stopped release; what was there stays, as the safety copy. */
export function createVolumeActivities(backends: Backends) {
  const { kubernetes } = backends;

  return {
    /** The volumes of the release as they are. Reads only: what it found stays in the history of the run. */
    async listVolumes(of: { release: string }): Promise<readonly LiveVolume[]> {
      reportProgress(`list the volumes of ${of.release}`);
      const { bound } = await readRunDocument(backends, currentRun().runId, of.release);
      const { namespace } = bound.release;
      const volumes: LiveVolume[] = [];
      for (const name of claimNames(bound)) {
        const live = await readClaim(kubernetes, { namespace, name });
        const raw = await readConfigurationObject(kubernetes, namespace, { kind: 'PersistentVolumeClaim', name });
        if (raw === undefined || live?.uid === undefined || live.volume === undefined) continue;
        const { uid, volume } = live;
        volumes.push({
          claim: strip(StoredObject.parse(raw)),
          uid,
          volume,
          policy: await reclaimPolicy(kubernetes, volume),
        });
      }
      return volumes;
    },

    /**
     * Takes the claims of a stopped release away and keeps their volumes: the next pods get new ones.
     * Idempotent because: a claim of another uid is a new one already. Changes: claims, reclaim policy of the volumes.
     */
    async setVolumesAside(of: { release: string; volumes: readonly LiveVolume[] }): Promise<void> {
      const namespace = await namespaceOfRun();
      const until = keptUntil(backends.platform, new Date());
      for (const { claim, uid, volume, policy } of of.volumes) {
        await keepVolume(kubernetes, volume, { by: currentRun().runId, until, policy, claim });
        await deleteClaim(kubernetes, { namespace, name: claim.metadata.name }, uid, tick(`set ${volume} aside`));
      }
    },

    /**
     * Gives a stopped release the volumes of the green one, which were set aside, in the place of its own.
     * Idempotent. Changes: claims of the release.
     */
    async adoptVolumes(of: {
      release: string;
      green: string;
      volumes: { own: readonly LiveVolume[]; green: readonly LiveVolume[] };
    }): Promise<void> {
      const { runId } = currentRun();
      const [own, green] = await Promise.all(
        [of.release, of.green].map(async (release) => (await readRunDocument(backends, runId, release)).bound),
      );
      for (const [name, workload] of Object.entries(own?.workloads ?? {})) {
        for (const { claim: wanted, mountPath } of workload.claims) {
          const other = green?.workloads[name]?.claims.find((each) => each.mountPath === mountPath)?.claim;
          const before = of.volumes.own.find(({ claim }) => claim.metadata.name === wanted);
          const after = of.volumes.green.find(({ claim }) => claim.metadata.name === other);
          if (before === undefined || after === undefined)
            throw failure('BindingFailed', {
              message: `give ${of.release} the volume of ${of.green} at ${mountPath}: one of the two has none`,
              changed: 'yes',
            });
          const claim = { ...before.claim, spec: after.claim.spec };
          const { namespace } = workload;
          await claimVolume(kubernetes, { claim, namespace, volume: after.volume }, tick(`claim ${after.volume}`));
        }
      }
    },

    /** Lets volumes go with their claims again, as their class says. Idempotent. */
    async settleVolumes(of: { release: string; volumes: readonly LiveVolume[] }): Promise<void> {
      reportProgress(`settle the volumes of ${of.release}`);
      for (const { volume, policy } of of.volumes) await settleVolume(kubernetes, volume, policy);
    },

    /** Gives a stopped release the volumes that were set aside; those that it had meanwhile go. Idempotent. */
    async giveVolumesBack(of: { release: string; volumes: readonly LiveVolume[] }): Promise<void> {
      const namespace = await namespaceOfRun();
      for (const { claim, volume, policy } of of.volumes) {
        const { name } = claim.metadata;
        const live = await readClaim(kubernetes, { namespace, name });
        if (live?.uid !== undefined && live.volume !== volume)
          await deleteClaim(kubernetes, { namespace, name }, live.uid, tick(`delete the new claim ${name}`));
        await claimVolume(kubernetes, { claim, namespace, volume }, tick(`give ${volume} back to ${of.release}`));
        await settleVolume(kubernetes, volume, policy);
      }
    },
  };

  async function namespaceOfRun(): Promise<string> {
    return (await readRunDocument(backends, currentRun().runId)).bound.release.namespace;
  }

  function tick(doing: string): () => void {
    const { cancellationSignal } = Context.current();
    return () => {
      cancellationSignal.throwIfAborted();
      reportProgress(doing);
    };
  }
}
