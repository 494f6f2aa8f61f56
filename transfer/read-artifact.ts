import type { Artifact } from '../model/recovery-point.ts';
import { type ArtifactToOpen, openArtifact } from './opening/open-artifact.ts';
import type { Store } from './store.ts';
import type { StreamEngine } from './threads/stream-threads.ts';

/** What is read, and the identity that opens it. */
export type ArtifactToRead = {
  readonly store: Store;
  readonly artifact: Artifact;
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string;
  readonly signal?: AbortSignal | undefined;
  /** Where it is opened; default: beside this thread where there is more than one processor. */
  readonly engine?: StreamEngine | undefined;
};

/**
 * The plaintext of an artifact. Each age chunk is authenticated and each frame's checksum and length checked before its
 * bytes are given; size and SHA-256 of each segment and of the whole are checked before it finishes without an error:
 * the reader of a stream that throws must discard what it was given.
 * Throws: ObjectNotFound, ArtifactTruncated, ArtifactDigestMismatch, ArtifactUnreadable, KeyMissing, Store*.
 */
export async function* readArtifact(of: ArtifactToOpen): AsyncGenerator<Uint8Array, void> {
  for await (const { bytes } of openArtifact(of, 'plain')) if (bytes.byteLength > 0) yield bytes;
}

/**
 * The zstd frames of an artifact as they are stored: each is given once its plaintext was checked, and the whole is checked as
 * `readArtifact` does. Throws what that throws.
 */
export async function* readPacked(of: ArtifactToRead): AsyncGenerator<Uint8Array, void> {
  for await (const { bytes } of openArtifact(of, 'packed')) yield bytes;
}

/** Reads an artifact to its end without keeping it. Throws what readArtifact throws. */
export async function verifyArtifact(
  of: ArtifactToRead & { readonly onProgress?: ((plainBytes: number) => void) | undefined },
): Promise<{ plainBytes: number; storedBytes: number }> {
  let plainBytes = 0;
  for await (const frame of openArtifact(of, 'nothing')) {
    plainBytes += frame.plainBytes;
    if (frame.plainBytes > 0) of.onProgress?.(plainBytes);
  }
  return { plainBytes, storedBytes: of.artifact.storedBytes };
}

/** A small artifact as a whole. A larger one than `maxBytes` (default 64 MiB) is a defect. */
export async function readBytes(of: ArtifactToRead & { readonly maxBytes?: number | undefined }): Promise<Buffer> {
  const { maxBytes = 64 * 1024 * 1024 } = of;
  if (of.artifact.plainBytes > maxBytes)
    throw new Error(`artifact ${of.artifact.name} has ${String(of.artifact.plainBytes)} bytes, read it as a stream`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readArtifact(of)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
