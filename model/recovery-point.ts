import { z } from 'zod';
import { FactTotals } from './facts.ts';
import { MethodName } from './recovery-plan.ts';
import { ReleaseName } from './release-name.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Instant = z.iso.datetime({ offset: true });
const Bytes = z.number().int().min(0);

/** Which proofs of its end a stream has given. */
export const EndProof = z.strictObject({
  /** The command's exit status arrived, and it was 0. */
  status: z.boolean(),
  /** The format's own last bytes were there. */
  trailer: z.boolean(),
  /** The source counted as many bytes as were stored. */
  count: z.boolean(),
  /** The source took the same SHA-256 of the plaintext beside the command. */
  digest: z.boolean(),
});
export type EndProof = z.infer<typeof EndProof>;

/** One stored object of an artifact: an age v1 file of independent zstd frames with checksums. */
export const Segment = z.strictObject({
  key: z.string().min(1),
  /** Of the object as stored. */
  storedBytes: Bytes,
  storedSha256: Sha256,
  plainBytes: Bytes,
  /** Plaintext bytes of each frame but the last. */
  frameBytes: z.number().int().min(1),
  /** Compressed bytes of each frame, in order; offsets inside the decrypted segment follow from their sums. */
  frames: z.array(z.number().int().min(1)),
});
export type Segment = z.infer<typeof Segment>;

/** One stored component stream. */
export const Artifact = z.strictObject({
  /** `<component>.<stream>`, unique in a point. */
  name: z.string().min(1),
  plainBytes: Bytes,
  plainSha256: Sha256,
  storedBytes: Bytes,
  segments: z.array(Segment),
  endProof: EndProof,
  /** Stock command that restores the stream from its stdin, for RESTORE.md. */
  restoreCommand: z.string(),
});
export type Artifact = z.infer<typeof Artifact>;

/** A captured component, as its capture left it in the store for the commit. */
export const ComponentRecord = z.strictObject({
  component: z.string(),
  method: MethodName,
  capturedAt: Instant,
  artifacts: z.array(Artifact),
  /** The facts, an encrypted JSON artifact. */
  facts: Artifact,
  /** HMAC-SHA-256 of the canonical facts under a key derived from the signing key: says equal or not, and nothing else. */
  factsDigest: z.string(),
  totals: FactTotals,
  notes: z.array(z.string()),
  /** Streams that should be there and could not be captured: the point is partial. */
  missing: z.array(z.strictObject({ stream: z.string(), reason: z.string() })).default([]),
});
export type ComponentRecord = z.infer<typeof ComponentRecord>;

/** What proof a point has reached. */
export const Proof = z.enum(['acknowledged', 'read-back', 'restored']);
export type Proof = z.infer<typeof Proof>;

/** The manifest of a recovery point, version 1. Immutable; signed over its canonical JSON (RFC 8785). */
export const Manifest = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('RecoveryPoint'),
  formatVersion: z.literal(1),
  /** UTC basic time and six random characters: `20261123T224107Z-k3x9qa`. */
  id: z.string().regex(/^[0-9]{8}T[0-9]{6}Z-[a-z0-9]{6}$/),
  /** Position in the release's chain, from 1. */
  sequence: z.number().int().min(1),
  /** SHA-256 of the manifest before it, as stored; null for the first. */
  previous: z.strictObject({ id: z.string(), sequence: z.number().int(), sha256: Sha256 }).nullable(),
  release: ReleaseName,
  chart: z.strictObject({ name: z.string(), version: z.string(), appVersion: z.string() }),
  tier: z.number().int(),
  run: z.strictObject({ workflowId: z.string(), runId: z.string(), trigger: z.string() }),
  /** The earliest instant of its components. */
  capturedAt: Instant,
  committedAt: Instant,
  proof: Proof,
  /** A reason not to trust it: under half the size of the last one. Never counts for retention. */
  suspect: z.string().nullable(),
  components: z.array(ComponentRecord),
  notCaptured: z.array(z.strictObject({ component: z.string(), reason: z.string() })),
  /** The bound plan of the capture, an encrypted JSON artifact. */
  plan: Artifact,
  planDigest: z.string(),
  plainBytes: Bytes,
  storedBytes: Bytes,
  restoreGuide: z.strictObject({ key: z.string(), sha256: Sha256, signature: z.string() }),
  recipients: z.array(z.string()),
  tool: z.string(),
});
export type Manifest = z.infer<typeof Manifest>;

/** Every stored stream of a point: the artifacts and the facts of its components in restore order, then its plan. */
export function artifactsOf(of: { components: readonly ComponentRecord[]; plan: Artifact }): Artifact[] {
  return [...of.components.flatMap(({ artifacts, facts }) => [...artifacts, facts]), of.plan];
}

/** A document with its ed25519 signature: `signature` covers the canonical JSON of `document`. */
export const Signed = z.strictObject({
  document: z.unknown(),
  /** SPKI PEM of the key that signed. */
  publicKey: z.string(),
  signature: z.string(),
});
export type Signed = z.infer<typeof Signed>;

/** A verification of a point, written beside it; append-only. */
export const Verification = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('Verification'),
  point: z.string(),
  release: ReleaseName,
  at: Instant,
  outcome: z.enum(['usable', 'damaged']),
  proof: Proof,
  plainBytes: Bytes,
  storedBytes: Bytes,
  failure: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  run: z.string(),
});
export type Verification = z.infer<typeof Verification>;

/** A platform point: the heads of the chains of all releases, with lifeboat.yaml. */
export const PlatformPoint = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('PlatformPoint'),
  formatVersion: z.literal(1),
  id: Manifest.shape.id,
  sequence: z.number().int().min(1),
  previous: z.strictObject({ id: z.string(), sequence: z.number().int(), sha256: Sha256 }).nullable(),
  platform: z.string(),
  committedAt: Instant,
  /** Between the earliest and the latest capture. */
  skewSeconds: z.number(),
  /** Releases whose backup did not succeed in this run keep their last point, or null. */
  complete: z.boolean(),
  releases: z.array(
    z.strictObject({
      release: ReleaseName,
      tier: z.number().int(),
      point: z
        .strictObject({ id: z.string(), sequence: z.number().int(), manifestSha256: Sha256, capturedAt: Instant })
        .nullable(),
      /** Names of this platform's releases, `namespace/name`, that must serve before it. */
      requires: z.array(z.string()),
    }),
  ),
  /** The text of lifeboat.yaml, an encrypted artifact, and its SHA-256. */
  config: Artifact,
  configSha256: Sha256,
});
export type PlatformPoint = z.infer<typeof PlatformPoint>;

/** What a point lacks though its plan names it: components, and streams of components. */
export function lacksOf({ notCaptured, components }: Pick<Manifest, 'notCaptured' | 'components'>): string[] {
  return [
    ...notCaptured.map(({ component }) => component),
    ...components.flatMap(({ component, missing }) => missing.map(({ stream }) => `${component}.${stream}`)),
  ];
}
