import { marks } from '../../model/run-names.ts';
import { StoredObject } from '../facts/configuration.ts';
import { gone, type Kubernetes, made, mergePatch, ofRelease, optional, request } from './kubernetes.ts';

type ClaimName = { readonly namespace: string; readonly name: string };

/** Who a claim is and which volume it has; undefined where there is none of that name. */
export async function readClaim(
  { core }: Kubernetes,
  { namespace, name }: ClaimName,
): Promise<{ uid: string | undefined; volume: string | undefined } | undefined> {
  const claim = await optional(`read claim ${name}`, () =>
    core.readNamespacedPersistentVolumeClaim({ namespace, name }),
  );
  return claim === undefined ? undefined : { uid: claim.metadata?.uid, volume: claim.spec?.volumeName };
}

/** Names of the claims of a release, by their label: those of a StatefulSet carry what it selects its pods by. */
export async function listClaims(
  { core }: Kubernetes,
  release: { readonly namespace: string; readonly name: string },
): Promise<string[]> {
  const { items } = await request(`list claims of ${release.name}`, () =>
    core.listNamespacedPersistentVolumeClaim(ofRelease(release)),
  );
  return items.flatMap(({ metadata }) => metadata?.name ?? []);
}

/**
 * Deletes the claim of that uid and waits until it is gone; one of another uid is left alone. Idempotent.
 * `tick` is called each time and may throw to stop.
 */
export async function deleteClaim(
  kubernetes: Kubernetes,
  claim: ClaimName,
  uid: string,
  tick: () => void,
): Promise<void> {
  const isThere = async (): Promise<boolean> => (await readClaim(kubernetes, claim))?.uid === uid;
  if (!(await isThere())) return;
  await gone(`delete claim ${claim.name}`, () =>
    kubernetes.core.deleteNamespacedPersistentVolumeClaim({ ...claim, body: { preconditions: { uid } } }),
  );
  while (await isThere()) {
    tick();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** What happens to a volume when its claim goes: `Delete` or `Retain`. */
export async function reclaimPolicy({ core }: Kubernetes, name: string): Promise<string> {
  const volume = await request(`read volume ${name}`, () => core.readPersistentVolume({ name }));
  return volume.spec?.persistentVolumeReclaimPolicy ?? 'Retain';
}

/** Lets a volume outlive its claim, marked with all that it takes to give it back without the run's history. Idempotent. */
export async function keepVolume(
  kubernetes: Kubernetes,
  name: string,
  kept: { by: string; until: string; policy: string; claim: StoredObject },
): Promise<void> {
  const annotations = {
    [marks.kept]: kept.by,
    [marks.keptUntil]: kept.until,
    [marks.keptPolicy]: kept.policy,
    [marks.keptClaim]: JSON.stringify(kept.claim),
  };
  await patchVolume(kubernetes, name, { annotations, policy: 'Retain' });
}

/** Lets a volume go with its claim again, as its own policy says: one that has none goes at once. Idempotent. */
export async function settleVolume(kubernetes: Kubernetes, name: string, policy: string): Promise<void> {
  const annotations = Object.fromEntries(
    [marks.kept, marks.keptUntil, marks.keptPolicy, marks.keptClaim].map((mark) => [mark, null]),
  );
  await patchVolume(kubernetes, name, { annotations, policy });
}

async function patchVolume(
  { core }: Kubernetes,
  name: string,
  { annotations, policy }: { annotations: Readonly<Record<string, string | null>>; policy: string },
): Promise<void> {
  const body = { metadata: { annotations }, spec: { persistentVolumeReclaimPolicy: policy } };
  await request(`patch volume ${name}`, () => core.patchPersistentVolume({ name, body }, mergePatch));
}

/** A volume that a run keeps for a release whose claim it was. */
export type KeptVolume = {
  readonly name: string;
  /** The claim that it was of. */
  readonly claim: ClaimName;
  /** That claim as it was, to be made again; null where the mark does not hold it. */
  readonly claimed: StoredObject | null;
  readonly run: string;
  /** Null where it was set aside by a version that did not write it. */
  readonly until: string | null;
  readonly policy: string;
};

/** The volumes that runs keep and that nobody has claimed since. */
export async function listKeptVolumes({ core }: Kubernetes): Promise<KeptVolume[]> {
  const { items } = await request('list volumes', () => core.listPersistentVolume());
  return items.flatMap(({ metadata, spec, status }) => {
    const annotations = metadata?.annotations ?? {};
    const run = annotations[marks.kept];
    if (run === undefined || status?.phase !== 'Released') return [];
    const { namespace = '', name = '' } = spec?.claimRef ?? {};
    const claimed = annotations[marks.keptClaim];
    return [
      {
        name: metadata?.name ?? '',
        claim: { namespace, name },
        claimed: claimed === undefined ? null : StoredObject.parse(JSON.parse(claimed)),
        run,
        until: annotations[marks.keptUntil] ?? null,
        policy: annotations[marks.keptPolicy] ?? 'Retain',
      },
    ];
  });
}

/** Makes a claim as it was captured; one of its name that is there already is left alone. */
export async function createClaim({ core }: Kubernetes, namespace: string, claim: StoredObject): Promise<void> {
  const { name, labels, annotations } = claim.metadata;
  const metadata = {
    name,
    namespace,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const body = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: claim.spec ?? {} };
  await made(`create claim ${name}`, () => core.createNamespacedPersistentVolumeClaim({ namespace, body }));
}

/** Makes a claim that has this very volume, and waits until the two are bound. Idempotent. `tick` may throw to stop. */
export async function claimVolume(
  kubernetes: Kubernetes,
  of: { claim: StoredObject; namespace: string; volume: string },
  tick: () => void,
): Promise<void> {
  const { core } = kubernetes;
  const { claim, namespace, volume } = of;
  const { name } = claim.metadata;
  if ((await readClaim(kubernetes, { namespace, name }))?.volume !== volume) {
    // The claim that it had is gone; whoever has this name next may have it.
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace,
      name,
      uid: null,
      resourceVersion: null,
    };
    await request(`patch volume ${volume}`, () =>
      core.patchPersistentVolume({ name: volume, body: { spec: { claimRef } } }, mergePatch),
    );
    await createClaim(kubernetes, namespace, { ...claim, spec: { ...claim.spec, volumeName: volume } });
  }
  const isBound = async (): Promise<boolean> => {
    const found = await request(`read volume ${volume}`, () => core.readPersistentVolume({ name: volume }));
    return found.status?.phase === 'Bound' && found.spec?.claimRef?.name === name;
  };
  while (!(await isBound())) {
    tick();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
