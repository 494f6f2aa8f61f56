import type { V1Namespace } from '@kubernetes/client-node';
import { z } from 'zod';
import { failure } from '../../model/failures.ts';
import { marks } from '../../model/run-names.ts';
import { gone, isConflict, type Kubernetes, mergePatch, namespaceExists, optional, request } from './kubernetes.ts';

/** What a scratch namespace says of its drill. */
const ScratchMark = z.strictObject({
  run: z.string(),
  /** The namespace that it stands for. */
  source: z.string(),
  deadline: z.string(),
});
export type ScratchMark = z.infer<typeof ScratchMark>;

/** A scratch namespace in the cluster. */
export type FoundScratch = ScratchMark & { readonly namespace: string };

/**
 * Makes a scratch namespace with its mark, from the labels and annotations of the one that it stands for. Idempotent:
 * one that this run made is a success. @throws DrillNamespaceExists where another one of that name is there
 */
export async function createScratch(
  kubernetes: Kubernetes,
  of: {
    name: string;
    drill: string;
    mark: ScratchMark;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  },
): Promise<void> {
  const { name, mark } = of;
  const body: V1Namespace = {
    metadata: {
      name,
      labels: { ...of.labels, [marks.drill]: of.drill },
      annotations: { ...of.annotations, [marks.drill]: JSON.stringify(mark) },
    },
  };
  try {
    await request(`create namespace ${name}`, () => kubernetes.core.createNamespace({ body }));
  } catch (error) {
    if (!isConflict(error)) throw error;
    const there = await optional(`read namespace ${name}`, () => kubernetes.core.readNamespace({ name }));
    const found = there === undefined ? undefined : readMark(there);
    if (found?.run === mark.run && there?.metadata?.deletionTimestamp === undefined) return;
    throw failure('DrillNamespaceExists', {
      message: `create namespace ${name}: it is there already${found === undefined ? ', and no drill made it' : `, made by the drill of run ${found.run}`}`,
      subject: name,
    });
  }
}

/** That namespaces are scratch ones of a drill, before anything is brought into them. @throws NamespaceMismatch */
export async function requireScratch(kubernetes: Kubernetes, namespaces: readonly string[]): Promise<void> {
  for (const name of namespaces) {
    const there = await optional(`read namespace ${name}`, () => kubernetes.core.readNamespace({ name }));
    if (there === undefined || readMark(there) === undefined)
      throw failure('NamespaceMismatch', {
        message: `recover into ${name}: it carries no mark of a drill`,
        subject: name,
      });
  }
}

/** Every scratch namespace in the cluster. */
export async function findScratch(kubernetes: Kubernetes): Promise<FoundScratch[]> {
  const { items } = await request('list scratch namespaces', () =>
    kubernetes.core.listNamespace({ labelSelector: marks.drill }),
  );
  return items.flatMap((item) => {
    const mark = readMark(item);
    return mark === undefined ? [] : [{ ...mark, namespace: item.metadata?.name ?? '' }];
  });
}

/**
 * Deletes scratch namespaces with everything in them and waits until they and their volumes are gone. Idempotent.
 * @param tick - called each time before it waits; may throw to stop
 */
export async function deleteScratch(
  kubernetes: Kubernetes,
  namespaces: readonly string[],
  tick: () => void,
): Promise<void> {
  // A volume that is retained would be left without anybody who knows of it.
  for (const volume of await volumesOf(kubernetes, namespaces)) {
    if (volume.spec?.persistentVolumeReclaimPolicy !== 'Retain') continue;
    const name = volume.metadata?.name ?? '';
    await gone(`give volume ${name} up`, () =>
      kubernetes.core.patchPersistentVolume(
        { name, body: { spec: { persistentVolumeReclaimPolicy: 'Delete' } } },
        mergePatch,
      ),
    );
  }
  for (const name of namespaces)
    await gone(`delete namespace ${name}`, async () => {
      try {
        await kubernetes.core.deleteNamespace({ name });
      } catch (error) {
        // It is being deleted already.
        if (!isConflict(error)) throw error;
      }
    });
  for (const name of namespaces) {
    while ((await namespaceExists(kubernetes, name)) || (await volumesOf(kubernetes, [name])).length > 0) {
      tick();
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  }
}

async function volumesOf(
  kubernetes: Kubernetes,
  namespaces: readonly string[],
): Promise<Awaited<ReturnType<Kubernetes['core']['listPersistentVolume']>>['items']> {
  const { items } = await request('list volumes', () => kubernetes.core.listPersistentVolume());
  return items.filter(({ spec }) => namespaces.includes(spec?.claimRef?.namespace ?? ''));
}

function readMark(namespace: V1Namespace): ScratchMark | undefined {
  const text = namespace.metadata?.annotations?.[marks.drill];
  if (text === undefined || namespace.metadata?.labels?.[marks.drill] === undefined) return undefined;
  const parsed = ScratchMark.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}
