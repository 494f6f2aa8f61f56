import { z } from 'zod';
import { readConfigurationObject } from './clients/configuration-objects.ts';
import { applyExactly, type ExactObjects, listDiffering } from './clients/exact-objects.ts';
import { isHelmOwned, isOfAnotherRelease, pathOf, StoredObject, strip } from './facts/configuration.ts';
import { keepBefore, readBefore } from './kept-before.ts';
import { capturedObjects } from './methods/release-config.ts';
import type { ConfigurationContext } from './recovery-document.ts';

/** The captured Secrets and ConfigMaps that Helm does not own, as `Secret/name`. */
export async function listOwnObjects(context: ConfigurationContext): Promise<string[]> {
  return (await capturedData(context)).filter((object) => !isHelmOwned(object)).map(pathOf);
}

/** The captured Secrets and ConfigMaps that stand in the namespace with other data, as `Secret/name`. */
export async function listReplaced(context: ConfigurationContext): Promise<string[]> {
  return (await readReplaced(context)).map(pathOf);
}

/**
 * Keeps the Secrets and ConfigMaps that a restore is about to give their captured data. A safety copy has only what a
 * running release refers to, and of a release that is gone there is none. Idempotent.
 */
export async function keepReplaced(context: ConfigurationContext): Promise<void> {
  const replaced = await readReplaced(context);
  if (replaced.length > 0) await keepBefore(context, () => Promise.resolve(JSON.stringify(replaced)));
}

/** Gives the objects that `keepReplaced` kept their data again. Idempotent. */
export async function putReplacedBack(context: ConfigurationContext): Promise<void> {
  const kept = await readBefore(context);
  if (kept === undefined) return;
  const objects = z.array(StoredObject).parse(JSON.parse(kept));
  for (const fieldManager of ['helm', 'lifeboat'] as const)
    await applyExactly(
      targetOf(context, fieldManager),
      objects.filter((object) => isHelmOwned(object) === (fieldManager === 'helm')),
    );
}

async function readReplaced(context: ConfigurationContext): Promise<StoredObject[]> {
  const captured = await capturedData(context);
  const differing = await listDiffering(targetOf(context, 'lifeboat'), captured);
  const { namespace } = context.bound.release;
  const found = await Promise.all(
    captured
      .filter((object) => differing.includes(pathOf(object)))
      .map(({ kind, metadata: { name } }) =>
        readConfigurationObject(context.backends.kubernetes, namespace, { kind, name }),
      ),
  );
  return found.flatMap((raw) => (raw === undefined ? [] : [strip(StoredObject.parse(raw))]));
}

/** What a restore gives its captured data: nothing of another release. */
async function capturedData(context: ConfigurationContext): Promise<StoredObject[]> {
  const { name } = context.bound.release;
  return (await capturedObjects(context)).filter(
    (object) => object.kind !== 'PersistentVolumeClaim' && !isOfAnotherRelease(object, name),
  );
}

function targetOf(context: ConfigurationContext, fieldManager: ExactObjects['fieldManager']): ExactObjects {
  return {
    backends: context.backends,
    namespace: context.bound.release.namespace,
    signal: context.signal,
    fieldManager,
  };
}
