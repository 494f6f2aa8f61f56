import { createHash } from 'node:crypto';
import { failure } from '../model/failures.ts';
import type { Artifact } from '../model/recovery-point.ts';
import { readSegment } from './segment-reader.ts';
import type { Store } from './store.ts';

/** What is read, and the identity that opens it. */
export type ArtifactToRead = {
  readonly store: Store;
  readonly artifact: Artifact;
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The plaintext of an artifact. Each age chunk is authenticated and each frame's checksum and length checked before its
 * bytes are given; size and SHA-256 of each segment and of the whole are checked before it finishes without an error:
 * the reader of a stream that throws must discard what it was given.
 * Throws: ObjectNotFound, ArtifactTruncated, ArtifactDigestMismatch, ArtifactUnreadable, KeyMissing, Store*.
 */
export async function* readArtifact(of: ArtifactToRead): AsyncGenerator<Uint8Array, void> {
  const { store, artifact, identity, signal } = of;
  const hash = createHash('sha256');
  let plainBytes = 0;
  for (const [index, segment] of artifact.segments.entries()) {
    const title = `read artifact ${artifact.name}: segment ${String(index + 1)}`;
    for await (const plain of readSegment({ store, segment, title, identity, signal })) {
      signal?.throwIfAborted();
      hash.update(plain);
      plainBytes += plain.byteLength;
      if (plain.byteLength > 0) yield plain;
    }
  }
  const message = `read artifact ${artifact.name}: its segments hold ${String(plainBytes)} of ${String(artifact.plainBytes)} bytes`;
  if (plainBytes < artifact.plainBytes) throw failure('ArtifactTruncated', { message, subject: artifact.name });
  if (plainBytes !== artifact.plainBytes || hash.digest('hex') !== artifact.plainSha256) {
    throw failure('ArtifactDigestMismatch', {
      message: `${message}, and they are not the captured ones`,
      subject: artifact.name,
    });
  }
}

/** Reads an artifact to its end without keeping it. Throws what readArtifact throws. */
export async function verifyArtifact(
  of: ArtifactToRead & { readonly onProgress?: ((plainBytes: number) => void) | undefined },
): Promise<{ plainBytes: number; storedBytes: number }> {
  let plainBytes = 0;
  for await (const plain of readArtifact(of)) {
    plainBytes += plain.byteLength;
    of.onProgress?.(plainBytes);
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
