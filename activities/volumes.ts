import { Context } from '@temporalio/activity';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { claimVolume, deleteClaim, readClaim, reclaimPolicy, setReclaimPolicy } from './clients/claims.ts';
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
      const { bound } = await readRunDocument(backends, currentRun().runId);
      const { namespace } = bound.release;
      const volumes: LiveVolume[] = [];
      for (const { claim: name } of Object.values(bound.workloads).flatMap(({ claims }) => claims)) {
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
      for (const { claim, uid, volume } of of.volumes) {
        await setReclaimPolicy(kubernetes, volume, { policy: 'Retain', keptBy: currentRun().runId });
        await deleteClaim(kubernetes, { namespace, name: claim.metadata.name }, uid, tick(`set ${volume} aside`));
      }
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
        await setReclaimPolicy(kubernetes, volume, { policy, keptBy: null });
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
