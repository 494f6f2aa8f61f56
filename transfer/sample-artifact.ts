import { randomInt } from 'node:crypto';
import { failure } from '../model/failures.ts';
import type { Artifact, Segment } from '../model/recovery-point.ts';
import { AgeError, headerLimitBytes, openAgeRanges } from './age-stream.ts';
import { unpackFrame } from './frame.ts';
import type { ArtifactToRead } from './read-artifact.ts';
import type { Store } from './store.ts';

/** What a sample has read. */
export type Sample = { readonly frames: number; readonly ofFrames: number; readonly storedBytes: number };

/** A frame by its segment, and its number in that, both from 0. */
type Place = { readonly segment: number; readonly frame: number };

/**
 * Reads some frames of an artifact, chosen at random, by ranges of its objects: each is authenticated, decompressed, and its
 * checksum and length checked; of every object the size. It finds an object that is gone, cut or replaced, and rot with the
 * probability of its share; what it finds whole proves nothing of the rest.
 * @param of.share - of the frames, above 0 and at most 1; at least one frame is read
 * @throws ObjectNotFound, ArtifactTruncated, ArtifactUnreadable naming object, segment and frame; KeyMissing; Store*
 */
export async function sampleArtifact(
  of: ArtifactToRead & {
    readonly share: number;
    readonly onProgress?: ((storedBytes: number) => void) | undefined;
  },
): Promise<Sample> {
  const { artifact, share } = of;
  const places = artifact.segments.flatMap(({ frames }, segment) => frames.map((_, frame) => ({ segment, frame })));
  const chosen = choose(places, Math.max(1, Math.ceil(places.length * share)));
  let storedBytes = 0;
  for (const [index, segment] of artifact.segments.entries()) {
    of.signal?.throwIfAborted();
    await assertSize(of.store, segment, titleOf(artifact, index));
    const frames = chosen.filter((place) => place.segment === index).map(({ frame }) => frame);
    if (frames.length === 0) continue;
    for await (const bytes of readFrames(of, segment, frames, titleOf(artifact, index))) {
      storedBytes += bytes;
      of.onProgress?.(storedBytes);
    }
  }
  return { frames: chosen.length, ofFrames: places.length, storedBytes };
}

/** So many of the places, each as likely as the others, in their order. */
function choose(places: readonly Place[], count: number): Place[] {
  const left = [...places];
  for (let at = 0; at < count; at += 1) {
    const other = at + randomInt(left.length - at);
    const [one, two] = [left[at], left[other]];
    if (one === undefined || two === undefined) break;
    left[at] = two;
    left[other] = one;
  }
  return left.slice(0, count).sort((one, other) => one.segment - other.segment || one.frame - other.frame);
}

async function assertSize(store: Store, { key, storedBytes }: Segment, title: string): Promise<void> {
  const found = await store.head(key);
  if (found === undefined)
    throw failure('ObjectNotFound', { message: `${title}: ${key} is not in ${store.address}`, subject: key });
  if (found.sizeBytes !== storedBytes)
    throw failure(found.sizeBytes < storedBytes ? 'ArtifactTruncated' : 'ArtifactDigestMismatch', {
      message: `${title} (${key}) has ${String(found.sizeBytes)} of ${String(storedBytes)} bytes`,
      subject: key,
    });
}

/** Reads frames of one object; gives for each the bytes that were read for it. */
async function* readFrames(
  { store, identity, signal }: ArtifactToRead,
  segment: Segment,
  frames: readonly number[],
  title: string,
): AsyncGenerator<number, void> {
  const { key, plainBytes, frameBytes } = segment;
  const packedBytes = segment.frames.reduce((sum, length) => sum + length, 0);
  const start = await readRange(store, key, { offset: 0, length: Math.min(headerLimitBytes, segment.storedBytes) });
  const ranges = await openAgeRanges(start, identity, packedBytes).catch((error: unknown) => {
    throw unreadable(error, { title, key, frame: 1 });
  });
  for (const frame of frames) {
    signal?.throwIfAborted();
    const at = segment.frames.slice(0, frame).reduce((sum, length) => sum + length, 0);
    const length = segment.frames[frame] ?? 0;
    const range = ranges.rangeOf(at, length);
    const sealed = await readRange(store, key, range);
    try {
      await unpackFrame(ranges.open(sealed, at, length), Math.min(frameBytes, plainBytes - frame * frameBytes));
    } catch (error) {
      throw unreadable(error, { title, key, frame: frame + 1 });
    }
    yield range.length;
  }
}

async function readRange(store: Store, key: string, range: { offset: number; length: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(key, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function unreadable(error: unknown, { title, key, frame }: { title: string; key: string; frame: number }): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof AgeError && error.problem === 'no identity fits')
    return failure('KeyMissing', {
      message: `${title} (${key}): the identity given is none of its recipients`,
      subject: key,
    });
  return failure('ArtifactUnreadable', {
    message: `${title} (${key}), frame ${String(frame)}: ${error.message}`,
    subject: key,
  });
}

function titleOf({ name }: Artifact, segment: number): string {
  return `sample artifact ${name}: segment ${String(segment + 1)}`;
}
