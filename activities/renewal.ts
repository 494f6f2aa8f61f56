import { Context } from '@temporalio/activity';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { deleteClaim } from './clients/claims.ts';
import { readConfigurationObject } from './clients/configuration-objects.ts';
import { createMissingClaims } from './clients/exact-objects.ts';
import { currentRun } from './current-run.ts';
import { StoredObject, strip } from './facts/configuration.ts';
import { listReplacedSecrets, restoreSecrets } from './methods/release-config.ts';
import { contextOfConfiguration, freshClaims, readRecovery } from './recovery-document.ts';
import { readRunDocument } from './run-record.ts';

/** A volume claim that this run made: who it is, and how to make it anew. */
export type FreshClaim = { readonly uid: string; readonly claim: StoredObject };

/** What a chart that makes up passwords at its installation leaves to be put right. */
export type Renewal = {
  /** Secrets that the chart rendered with other data than captured, and what its hooks made with other data, as `Secret/name`. */
  readonly secrets: readonly string[];
  /** Volumes that pods may have initialised with that data. */
  readonly claims: readonly FreshClaim[];
};

/**
 * The activities for a chart that renders another password at each installation: its Secrets become the captured ones,
 * and pods that began before, and what these wrote into new volumes, begin anew.
 */
export function createRenewalActivities(backends: Backends) {
  return {
    /** Says what has to begin anew. Reads only: what it found stays in the history of the run. */
    async findRenewal(of: { release: string; component: string }): Promise<Renewal> {
      const recovery = await readRecovery(backends);
      const secrets = await listReplacedSecrets(await contextOfConfiguration(backends, recovery, of.component));
      if (secrets.length === 0) return { secrets, claims: [] };
      const { namespace } = recovery.document.bound.release;
      const claims: FreshClaim[] = [];
      for (const name of freshClaims(recovery.document)) {
        const raw = await readConfigurationObject(backends.kubernetes, namespace, {
          kind: 'PersistentVolumeClaim',
          name,
        });
        if (raw === undefined) continue;
        const claim = StoredObject.parse(raw);
        claims.push({ uid: String(claim.metadata['uid']), claim: strip(claim) });
      }
      return { secrets, claims };
    },

    /** Gives the Secrets that Helm rendered exactly their captured data. Idempotent. */
    async restoreSecrets(of: { release: string; component: string }): Promise<void> {
      await restoreSecrets(await contextOfConfiguration(backends, await readRecovery(backends), of.component));
    },

    /** Makes the volume claims of a stopped release anew. Idempotent because: a claim of another uid is the new one. */
    async renewClaims(of: { release: string; claims: readonly FreshClaim[] }): Promise<void> {
      const { bound } = await readRunDocument(backends, currentRun().runId);
      const { namespace } = bound.release;
      const { cancellationSignal: signal } = Context.current();
      for (const { uid, claim } of of.claims) {
        const { name } = claim.metadata;
        await deleteClaim(backends.kubernetes, { namespace, name }, uid, () => {
          signal.throwIfAborted();
          reportProgress(`wait until claim ${name} is gone`);
        });
        await createMissingClaims({ backends, namespace, fieldManager: 'lifeboat', signal }, [claim]);
      }
    },
  };
}
