import type { Artifact } from '../model/recovery-point.ts';
import { proveEnd } from './end-proof.ts';
import { openPacker } from './packing/packers.ts';
import { SegmentStore } from './packing/segment-store.ts';
import type { Packer } from './packing/stream-packer.ts';
import { type ByteSource, type EndProofKind, memorySource } from './source.ts';
import { orAborted, readEnd, readSource, type SourceBounds, stopSource } from './source-reader.ts';
import type { Store } from './store.ts';
import { assertKey } from './store-key.ts';
import type { StreamEngine } from './threads/stream-threads.ts';
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
  /** Where it is packed; default: beside this thread where there is more than one processor. */
  readonly engine?: StreamEngine | undefined;
};

const defaults = { level: 1, stallMs: 120_000, segmentBytes: 1024 ** 3, frameBytes: 4 * 1024 ** 2 };

/**
 * Stores a stream as an artifact, and returns only when its end is proven: source → sha256 → zstd → age → store.
 * On a failure nothing of it stays in the store and the source is cancelled.
 * Idempotent because: a second attempt first takes away what the first one left under this name.
 * Throws: DumpFailed, DumpEndedEarly, DumpStalled, CaptureToolMissing, DiskFull, RecipientInvalid, InputInvalid (a name that no
 * store can keep), Store*; the signal's reason.
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
  const segments = new SegmentStore({ store, folder, recipients: of.recipients, frameBytes });
  const packer = openPacker({ level, segmentBytes, frameBytes }, segments, of.engine);
  try {
    assertKey(`${folder}/0001.zst.age`);
    segments.clear();
    const { plainBytes, plainSha256, endProof } = await pass(of, packer);
    const stored = await orAborted(segments.finish(), of.signal);
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
    await Promise.all([stopSource(source, boundsOf(of)), takeBack(packer, segments)]);
    throw error;
  }
}

/** Stores bytes that are in memory, proven by their own count and digest. Throws what `writeArtifact` throws. */
export async function writeBytes({
  bytes,
  ...of
}: Pick<ArtifactToWrite, 'store' | 'prefix' | 'name' | 'recipients' | 'restoreCommand'> & {
  readonly bytes: Uint8Array;
}): Promise<Artifact> {
  return await writeArtifact({ ...of, source: memorySource(bytes), minimumProofs: ['count', 'digest'] });
}

/** The store is told first: what is on its way to it need not be waited for. What came through meanwhile goes then. */
async function takeBack(packer: Packer, segments: SegmentStore): Promise<void> {
  await segments.abort();
  await packer.abort();
  await segments.abort();
}

/** Passes every byte of the source on and proves its end, before the last segment is published. */
async function pass(
  of: ArtifactToWrite,
  packer: Packer,
): Promise<Pick<Artifact, 'plainBytes' | 'plainSha256' | 'endProof'>> {
  const { name, source } = of;
  const bounds = boundsOf(of);
  const trailer = of.trailer === undefined ? undefined : trailerCheck(of.trailer);
  const disposable = source.disposable === true && of.tap === undefined;
  let readBytes = 0;
  for await (const chunk of readSource(source, bounds)) {
    trailer?.update(chunk);
    of.tap?.(chunk);
    readBytes += chunk.byteLength;
    await orAborted(packer.add(chunk, disposable), of.signal);
    of.onProgress?.(readBytes);
  }
  const report = await readEnd(source, bounds);
  const { plainBytes, plainSha256 } = await orAborted(packer.end(), of.signal);
  if (plainBytes !== readBytes)
    throw new Error(`pack ${name}: ${String(plainBytes)} of ${String(readBytes)} bytes that were read`);
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
