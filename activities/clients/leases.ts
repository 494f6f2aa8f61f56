import { createHash } from 'node:crypto';
import type { V1Lease } from '@kubernetes/client-node';
import { ownNamespace } from '../../model/run-names.ts';
import { isConflict, type Kubernetes, optional, request } from './kubernetes.ts';

/** Who holds a release: a run of a Temporal server and namespace. Locks of earlier versions name no namespace, or no cluster. */
export type LockHolder = {
  readonly temporalAddress: string;
  readonly temporalNamespace?: string;
  /** Id of Temporal's cluster: two servers may have the same address, each of its own machine. */
  readonly temporalCluster?: string;
  readonly workflowId: string;
  readonly runId: string;
};

/** A lock as it stands in the cluster. `token` grows with each holder: a stale one cannot pass for a newer. */
export type HeldLock = {
  readonly release: string;
  readonly holder: LockHolder;
  readonly token: number;
  readonly since: string;
};

const annotation = 'lifeboat.dev/lock';

/** Name of the Lease that is the lock of a release, given by its path. */
export function leaseName(release: string): string {
  return `release-${createHash('sha256').update(release).digest('hex').slice(0, 16)}`;
}

function readLease(lease: V1Lease): HeldLock | undefined {
  const text = lease.metadata?.annotations?.[annotation];
  if (text === undefined || lease.spec?.holderIdentity === undefined || lease.spec.holderIdentity === '')
    return undefined;
  return { ...(JSON.parse(text) as Omit<HeldLock, 'token'>), token: lease.spec.leaseTransitions ?? 0 };
}

async function ensureNamespace(kubernetes: Kubernetes): Promise<void> {
  const found = await optional(`read namespace ${ownNamespace}`, () =>
    kubernetes.core.readNamespace({ name: ownNamespace }),
  );
  if (found !== undefined) return;
  try {
    await request(`create namespace ${ownNamespace}`, () =>
      kubernetes.core.createNamespace({ body: { metadata: { name: ownNamespace } } }),
    );
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

/** Every lock that is held. */
export async function listLocks(kubernetes: Kubernetes): Promise<HeldLock[]> {
  const { items } = await request('list locks', () =>
    kubernetes.leases.listNamespacedLease({ namespace: ownNamespace }),
  );
  return items.flatMap((lease) => readLease(lease) ?? []);
}

/**
 * Takes a lock that nobody holds, or whose holder `mayTakeOver` gives up. Idempotent for its holder.
 * The write carries the version that was read, so that of two takers one wins.
 * @returns the lock held now: ours, or somebody else's
 */
export async function takeLock(
  kubernetes: Kubernetes,
  release: string,
  holder: LockHolder,
  mayTakeOver: (held: HeldLock) => Promise<boolean>,
): Promise<HeldLock> {
  await ensureNamespace(kubernetes);
  const name = leaseName(release);
  for (;;) {
    const lease = await optional(`read lock of ${release}`, () =>
      kubernetes.leases.readNamespacedLease({ namespace: ownNamespace, name }),
    );
    const held = lease === undefined ? undefined : readLease(lease);
    if (held !== undefined && held.holder.runId === holder.runId) return held;
    if (held !== undefined && !(await mayTakeOver(held))) return held;
    const now = new Date();
    const token = (lease?.spec?.leaseTransitions ?? 0) + 1;
    const body: V1Lease = {
      metadata: {
        name,
        ...(lease?.metadata?.resourceVersion === undefined ? {} : { resourceVersion: lease.metadata.resourceVersion }),
        annotations: { [annotation]: JSON.stringify({ release, holder, since: now.toISOString() }) },
      },
      spec: { holderIdentity: holder.runId, leaseTransitions: token },
    };
    try {
      const written = await request(`take lock of ${release}`, () =>
        lease === undefined
          ? kubernetes.leases.createNamespacedLease({ namespace: ownNamespace, body })
          : kubernetes.leases.replaceNamespacedLease({ namespace: ownNamespace, name, body }),
      );
      const ours = readLease(written);
      if (ours !== undefined) return ours;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

/** Gives a lock back; one that is not ours (any more) is left alone. With `runId` null whoever holds it loses it. */
export async function releaseLock(
  kubernetes: Kubernetes,
  release: string,
  runId: string | null,
): Promise<HeldLock | undefined> {
  const name = leaseName(release);
  const lease = await optional(`read lock of ${release}`, () =>
    kubernetes.leases.readNamespacedLease({ namespace: ownNamespace, name }),
  );
  const held = lease === undefined ? undefined : readLease(lease);
  if (lease === undefined || held === undefined || (runId !== null && held.holder.runId !== runId)) return undefined;
  const body: V1Lease = {
    metadata: {
      name,
      ...(lease.metadata?.resourceVersion === undefined ? {} : { resourceVersion: lease.metadata.resourceVersion }),
    },
    spec: { holderIdentity: '', leaseTransitions: held.token },
  };
  try {
    await request(`release lock of ${release}`, () =>
      kubernetes.leases.replaceNamespacedLease({ namespace: ownNamespace, name, body }),
    );
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
  return held;
}
