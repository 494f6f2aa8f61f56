import { z } from 'zod';
import { BoundPlan } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import { Artifact, Signed } from '../model/recovery-point.ts';
import { openSigned, signDocument } from '../transfer/keys.ts';
import type { Backends } from './backends.ts';

/**
 * What a run was bound to, written to `runs/<runId>/plan.json` before it does anything. Signed, because it holds
 * commands that the run executes and the store is a place where others may write.
 */
export const RunDocument = z.strictObject({
  bound: BoundPlan,
  /** Of a recovery: the point, and where it goes. */
  recovery: z
    .strictObject({
      point: z.string(),
      manifestSha256: z.string(),
      /** Namespace that the release was captured in. */
      from: z.string(),
      scope: z.enum(['all', 'data']),
      /** Helm's revision of the release when the plan was made; null where there was none. */
      liveRevision: z.number().nullable(),
      namespaceExisted: z.boolean(),
      /** Volume claims of the release that were there already. */
      claims: z.array(z.string()),
      /** Those of them that the run sets aside, because their release was gone: the ones that it has then are new. */
      leftClaims: z.array(z.string()).optional(),
      /** Secrets and ConfigMaps that were in its namespace, as `Secret/name`; documents of earlier versions lack it. */
      configuration: z.array(z.string()).optional(),
      digest: z.string(),
    })
    .nullable(),
  /** Of an upgrade: what it installs, frozen when the plan was made. */
  upgrade: z
    .strictObject({
      strategy: z.enum(['rolling', 'dump-restore']),
      /** The chart with its dependencies, and the values of the release with those of the run over them. */
      chart: Artifact,
      values: Artifact,
      /** What the run was given, to make the values again. */
      overrides: z.record(z.string(), z.unknown()),
      digest: z.string(),
    })
    .optional(),
});
export type RunDocument = z.infer<typeof RunDocument>;

/** Key of a document of a run. */
export function runKey(runId: string, name: 'plan' | 'report'): string {
  return `runs/${runId}/${name}.json`;
}

/** Writes the plan of a run. A second write replaces the first: it happens before the first step only. */
export async function writeRunDocument(backends: Backends, runId: string, document: RunDocument): Promise<void> {
  await backends.store.put(runKey(runId, 'plan'), Buffer.from(JSON.stringify(signDocument(backends.kit, document))));
}

/** The plan that a run executes. @throws ObjectNotFound, SignatureInvalid, ManifestInvalid */
export async function readRunDocument(backends: Backends, runId: string): Promise<RunDocument> {
  const key = runKey(runId, 'plan');
  const text = Buffer.from(await backends.store.get(key)).toString('utf8');
  const signed = Signed.safeParse(JSON.parse(text));
  if (!signed.success) throw failure('ManifestInvalid', { message: `read ${key}: not a signed document` });
  return RunDocument.parse(openSigned(signed.data, [backends.kit.signing.publicKey], key));
}
