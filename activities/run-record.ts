import { z } from 'zod';
import { BoundPlan } from '../model/bound-plan.ts';
import { failure } from '../model/failures.ts';
import { UpgradeStrategy } from '../model/recovery-plan.ts';
import { Artifact } from '../model/recovery-point.ts';
import { releaseTitle } from '../model/release-name.ts';
import { readSigned, runKey, writeSigned } from '../transfer/run-documents.ts';
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
      /** Namespace that the release was captured in, and its name where that is not the target's. */
      from: z.string(),
      name: z.string().optional(),
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
      strategy: UpgradeStrategy,
      /** The chart with its dependencies, and the values of the release with those of the run over them. */
      chart: Artifact,
      values: Artifact,
      /** What the run was given, to make the values again. */
      overrides: z.record(z.string(), z.unknown()),
      digest: z.string(),
      /** Of blue-green: the release beside the one that is upgraded. */
      green: z
        .strictObject({
          name: z.string(),
          values: Artifact,
          /** Services of the release, what they select of it, and the Service of green that does the same there. */
          services: z.array(
            z.strictObject({ service: z.string(), selector: z.record(z.string(), z.string()), green: z.string() }),
          ),
          /** The plan of the release, bound to green; there once green is installed. */
          bound: BoundPlan.optional(),
        })
        .optional(),
    })
    .optional(),
});
export type RunDocument = z.infer<typeof RunDocument>;

/** Writes the plan of a run. A second write replaces the first: it happens before the first step only. */
export async function writeRunDocument(backends: Backends, runId: string, document: RunDocument): Promise<void> {
  await writeSigned(backends, runKey(runId, 'plan'), document);
}

/**
 * The plan that a run executes. @throws ObjectNotFound, SignatureInvalid, ManifestInvalid
 * @param release - `namespace/name`; where it is the green release of an upgrade, the plan is bound to that one
 */
export async function readRunDocument(backends: Backends, runId: string, release?: string): Promise<RunDocument> {
  const document = RunDocument.parse(await readSigned(backends, runKey(runId, 'plan')));
  const green = document.upgrade?.green?.bound;
  return green === undefined || release !== releaseTitle(green.release) ? document : greenSide(document, green);
}

/** The point of the release that is upgraded is what green is given and compared with. */
function greenSide(document: RunDocument, bound: BoundPlan): RunDocument {
  const { recovery } = document;
  const { name } = document.bound.release;
  return { ...document, bound, recovery: recovery === null ? null : { ...recovery, name, scope: 'data' } };
}

/** The plan of a run that upgrades. */
export type UpgradeDocument = RunDocument & { upgrade: NonNullable<RunDocument['upgrade']> };

/** The plan of an upgrade, bound to the release that is upgraded. @throws BindingFailed where the run is of another kind */
export async function readUpgradeDocument(backends: Backends, runId: string): Promise<UpgradeDocument> {
  const { upgrade, ...document } = await readRunDocument(backends, runId);
  if (upgrade === undefined)
    throw failure('BindingFailed', {
      message: `read plan of run ${runId} of ${releaseTitle(document.bound.release)}: it is not of an upgrade`,
    });
  return { ...document, upgrade };
}
