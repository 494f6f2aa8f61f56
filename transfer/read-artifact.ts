import { createHash } from 'node:crypto';
import { failure } from '../model/failures.ts';
import type { Artifact } from '../model/recovery-point.ts';
import type { AgeIdentity } from './age-identity.ts';
import { type OpenedFrame, readSegment } from './segment-reader.ts';
import type { Store } from './store.ts';

/** What is read, and the identity that opens it. */
export type ArtifactToRead = {
  readonly store: Store;
  readonly artifact: Artifact;
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string;
  readonly signal?: AbortSignal | undefined;
};

/** What opens an artifact: an identity of its recipients, or one for each segment. */
type Identities = { readonly identity: string | readonly AgeIdentity[] };

/**
 * The plaintext of an artifact. Each age chunk is authenticated and each frame's checksum and length checked before its
 * bytes are given; size and SHA-256 of each segment and of the whole are checked before it finishes without an error:
 * the reader of a stream that throws must discard what it was given.
 * Throws: ObjectNotFound, ArtifactTruncated, ArtifactDigestMismatch, ArtifactUnreadable, KeyMissing, Store*.
 */
export async function* readArtifact(
  of: Omit<ArtifactToRead, 'identity'> & Identities,
): AsyncGenerator<Uint8Array, void> {
  for await (const { plain } of readOpened(of)) if (plain.byteLength > 0) yield plain;
}

/**
 * The zstd frames of an artifact as they are stored: each is given once its plaintext was checked, and the whole is checked as
 * `readArtifact` does. Throws what that throws.
 */
export async function* readPacked(of: ArtifactToRead): AsyncGenerator<Uint8Array, void> {
  for await (const { packed } of readOpened(of)) yield packed;
}

async function* readOpened(of: Omit<ArtifactToRead, 'identity'> & Identities): AsyncGenerator<OpenedFrame, void> {
  const { store, artifact, signal } = of;
  const hash = createHash('sha256');
  let plainBytes = 0;
  for (const [index, segment] of artifact.segments.entries()) {
    const title = `read artifact ${artifact.name}: segment ${String(index + 1)}`;
    for await (const frame of readSegment({ store, segment, title, identity: identityOf(of, index), signal })) {
      signal?.throwIfAborted();
      hash.update(frame.plain);
      plainBytes += frame.plain.byteLength;
      yield frame;
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

function identityOf({ artifact, identity }: Pick<ArtifactToRead, 'artifact'> & Identities, index: number): AgeIdentity {
  const own = typeof identity === 'string' ? identity : identity[index];
  if (own !== undefined) return own;
  throw failure('KeyMissing', {
    message: `read artifact ${artifact.name}: no key for segment ${String(index + 1)}`,
    subject: artifact.name,
  });
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
