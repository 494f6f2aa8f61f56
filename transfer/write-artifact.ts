import type { Artifact } from '../model/recovery-point.ts';
import type { ByteSource, EndProofKind } from './source.ts';
import type { Store } from './store.ts';
import type { TrailerRule } from './trailers/trailer.ts';

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

/**
 * Stores a stream as an artifact, and returns only when its end is proven: source → sha256 → zstd → age → store.
 * On a failure nothing of it stays in the store and the source is cancelled.
 * Throws: DumpFailed, DumpEndedEarly, DumpStalled, CaptureToolMissing, DiskFull, RecipientInvalid, Store*; the signal's reason.
 */
export function writeArtifact(of: ArtifactToWrite): Promise<Artifact> {
  return Promise.reject(new Error(`writeArtifact is not built yet: ${of.name}`));
}
