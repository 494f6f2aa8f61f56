import { createHash } from 'node:crypto';
import type { Artifact } from '../model/recovery-point.ts';
import { ArtifactSegments } from './artifact-segments.ts';
import { proveEnd } from './end-proof.ts';
import type { ByteSource, EndProofKind } from './source.ts';
import { readEnd, readSource, type SourceBounds, stopSource } from './source-reader.ts';
import type { Store } from './store.ts';
import type { TrailerRule } from './trailers/trailer.ts';
import { trailerCheck } from './trailers/trailer-check.ts';

export type { TrailerRule } from './trailers/trailer.ts';

/** What is written, where and under which proofs. */
export type ArtifactToWrite = {
  readonly store: Store;
  /** Folder of the point; segments are `<prefix>/<name>/<n>.zst.age`. Two attempts at once need two prefixes. */
  readonly prefix: string;
  readonly name: string;
  readonly source: ByteSource;
  /** age recipients, `age1…`; each of them can open the artifact. */
  readonly recipients: readonly string[];
  /** Proofs of the end that must hold; an empty list is for bytes whose maker is this process. */
  readonly minimumProofs: readonly EndProofKind[];
  readonly trailer?: TrailerRule | undefined;
  /** Sees each chunk of plaintext as it passes; what it throws fails the artifact. */
  readonly tap?: ((chunk: Uint8Array) => void) | undefined;
  /** Stock command that restores the stream from its stdin. */
  readonly restoreCommand: string;
  /** zstd level, 1–5; default 1. */
  readonly level?: number | undefined;
  /** Called with the plaintext bytes read so far. */
  readonly onProgress?: ((plainBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** No byte for so long fails with DumpStalled; default 120 000. */
  readonly stallMs?: number | undefined;
  /** Plaintext bytes of a segment at most; default 1 GiB. */
  readonly segmentBytes?: number | undefined;
  /** Plaintext bytes of a zstd frame; default 4 MiB. */
  readonly frameBytes?: number | undefined;
};

const defaults = { level: 1, stallMs: 120_000, segmentBytes: 1024 ** 3, frameBytes: 4 * 1024 ** 2 };

/**
 * Stores a stream as an artifact, and returns only when its end is proven: source → sha256 → zstd → age → store.
 * On a failure nothing of it stays in the store and the source is cancelled.
 * Idempotent because: a second attempt first takes away what the first one left under this name.
 * Throws: DumpFailed, DumpEndedEarly, DumpStalled, CaptureToolMissing, DiskFull, RecipientInvalid, Store*; the signal's reason.
 */
export async function writeArtifact(of: ArtifactToWrite): Promise<Artifact> {
  const {
    store,
    prefix,
    name,
    source,
    level = defaults.level,
    segmentBytes = defaults.segmentBytes,
    frameBytes = defaults.frameBytes,
  } = of;
  const folder = `${prefix}/${name}`;
  const segments = new ArtifactSegments({ store, folder, recipients: of.recipients, level, segmentBytes, frameBytes });
  try {
    await takeAway(store, folder);
    const { plainBytes, plainSha256, endProof } = await pass(of, segments);
    const stored = await segments.finish();
    of.signal?.throwIfAborted();
    const storedBytes = stored.reduce((sum, segment) => sum + segment.storedBytes, 0);
    return {
      name,
      plainBytes,
      plainSha256,
      storedBytes,
      segments: stored,
      endProof,
      restoreCommand: of.restoreCommand,
    };
  } catch (error) {
    await Promise.all([stopSource(source, boundsOf(of)), segments.abort()]);
    throw error;
  }
}

/** Passes every byte of the source on and proves its end, before the last segment is published. */
async function pass(
  of: ArtifactToWrite,
  segments: ArtifactSegments,
): Promise<Pick<Artifact, 'plainBytes' | 'plainSha256' | 'endProof'>> {
  const { name, source } = of;
  const bounds = boundsOf(of);
  const trailer = of.trailer === undefined ? undefined : trailerCheck(of.trailer);
  const hash = createHash('sha256');
  let plainBytes = 0;
  for await (const chunk of readSource(source, bounds)) {
    hash.update(chunk);
    trailer?.update(chunk);
    of.tap?.(chunk);
    plainBytes += chunk.byteLength;
    await segments.add(chunk);
    of.onProgress?.(plainBytes);
  }
  const report = await readEnd(source, bounds);
  const plainSha256 = hash.digest('hex');
  const endProof = proveEnd({
    name,
    report,
    plainBytes,
    plainSha256,
    trailer: trailer?.end(),
    minimumProofs: of.minimumProofs,
  });
  return { plainBytes, plainSha256, endProof };
}

function boundsOf({ name, stallMs = defaults.stallMs, signal }: ArtifactToWrite): SourceBounds {
  return { name, stallMs, signal };
}

/** Removes objects and uploads that an attempt that was killed has left. */
async function takeAway(store: Store, folder: string): Promise<void> {
  await store.abortOpenUploads(`${folder}/`);
  for await (const left of store.list(`${folder}/`)) await store.delete(left.key);
}
