import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { Artifact, ComponentRecord } from '../model/recovery-point.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import type { Backends } from './backends.ts';
import { chartCrds } from './clients/chart-crds.ts';
import { type ManifestObject, parseManifest } from './facts/manifest.ts';

const RecordedRelease = z.looseObject({ manifest: z.string(), values: z.string() });
const CustomResourceDefinition = z.looseObject({
  kind: z.literal('CustomResourceDefinition'),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ group: z.string(), names: z.looseObject({ kind: z.string() }) }),
});

/** What Helm installed of a release, as its point holds it. */
export type CapturedObjects = {
  readonly objects: readonly ManifestObject[];
  /** Those that it was installed with, as JSON. */
  readonly values: string;
  readonly chart: Artifact | undefined;
};

/** Reads it; undefined of a point without it. */
export async function readCapturedObjects(
  backends: Backends,
  { components }: { readonly components: readonly ComponentRecord[] },
): Promise<CapturedObjects | undefined> {
  const artifacts = components.find(({ method }) => method === 'release-config')?.artifacts ?? [];
  const record = artifacts.find(({ name }) => name.endsWith('.record'));
  if (record === undefined) return undefined;
  const text = (await bytesOf(backends, record)).toString('utf8');
  const { manifest, values } = RecordedRelease.parse(JSON.parse(text));
  return { objects: parseManifest(manifest), values, chart: artifacts.find(({ name }) => name.endsWith('.chart')) };
}

/**
 * Kinds of custom resources that a release brings itself, as `kindOf` names them, each with the name of its definition: by its chart's
 * `crds`, or among its objects.
 */
export async function kindsBrought(
  backends: Backends,
  { objects, chart }: CapturedObjects,
): Promise<[kind: string, definition: string][]> {
  const definitions =
    chart === undefined
      ? []
      : parseManifest(
          await chartCrds(backends.access, await bytesOf(backends, chart), Context.current().cancellationSignal),
        );
  return [...objects, ...definitions].flatMap((object): [string, string][] => {
    const { data } = CustomResourceDefinition.safeParse(object);
    return data === undefined ? [] : [[`${data.spec.group}/${data.spec.names.kind}`, data.metadata.name]];
  });
}

/** The group and the kind of an object, whatever its version: `monitoring.coreos.com/ServiceMonitor`. */
export function kindOf({ apiVersion, kind }: { readonly apiVersion?: unknown; readonly kind: string }): string {
  const [group = ''] = typeof apiVersion === 'string' ? apiVersion.split('/') : [];
  return `${group}/${kind}`;
}

async function bytesOf({ store, kit }: Backends, artifact: Artifact): Promise<Buffer> {
  return await readBytes({ store, artifact, identity: kit.identity });
}
