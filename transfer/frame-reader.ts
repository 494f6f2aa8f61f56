import { failure, LifeboatFailure } from '../model/failures.ts';
import type { Segment } from '../model/recovery-point.ts';
import { AgeError, type AgeRanges, headerLimitBytes, openAgeRanges } from './age-stream.ts';
import { unpackFrame } from './frame.ts';
import type { ArtifactToRead } from './read-artifact.ts';
import type { Store } from './store.ts';

/** A frame by its segment, and its number in that, both from 0. */
export type FramePlace = { readonly segment: number; readonly frame: number };

/** A frame's plaintext, and how many stored bytes were read for it. */
export type ReadFrame = { readonly plain: Buffer; readonly storedBytes: number };

/** Reads single frames of an artifact. */
export type FrameReader = {
  /** @throws ObjectNotFound, ArtifactUnreadable naming object, segment and frame; KeyMissing; Store* */
  read(place: FramePlace): Promise<ReadFrame>;
};

/**
 * Reads single frames of an artifact by ranges of its objects: each is authenticated, decompressed, and its checksum and
 * length checked. Of each object the header is read once. That an object is the one that was written only a reading of its
 * whole shows: who uses the bytes compares them with a digest of their own.
 * @param of.verb - what is being done, for messages: `sample artifact`
 */
export function openFrameReader(of: ArtifactToRead & { readonly verb: string }): FrameReader {
  const { store, artifact, identity, signal } = of;
  const headers = new Map<number, AgeRanges>();

  const open = async (index: number, segment: Segment): Promise<AgeRanges> => {
    const known = headers.get(index);
    if (known !== undefined) return known;
    const packedBytes = segment.frames.reduce((sum, length) => sum + length, 0);
    const first = { offset: 0, length: Math.min(headerLimitBytes, segment.storedBytes) };
    const ranges = await openAgeRanges(await readRange(store, segment.key, first), identity, packedBytes);
    headers.set(index, ranges);
    return ranges;
  };

  return {
    read: async ({ segment: index, frame }) => {
      signal?.throwIfAborted();
      const segment = artifact.segments[index];
      const length = segment?.frames[frame];
      if (segment === undefined || length === undefined)
        throw new Error(`artifact ${artifact.name} has no frame ${String(frame)} in segment ${String(index)}`);
      const { key, plainBytes, frameBytes } = segment;
      const at = segment.frames.slice(0, frame).reduce((sum, packed) => sum + packed, 0);
      try {
        const ranges = await open(index, segment);
        const range = ranges.rangeOf(at, length);
        const opened = ranges.open(await readRange(store, key, range), at, length);
        const plain = await unpackFrame(opened, Math.min(frameBytes, plainBytes - frame * frameBytes));
        return { plain, storedBytes: range.length };
      } catch (error) {
        throw unreadable(error, { title: frameTitle(of.verb, artifact.name, index), key, frame: frame + 1 });
      }
    },
  };
}

/** `sample artifact db.dump: segment 2`, for messages. */
export function frameTitle(verb: string, artifact: string, segment: number): string {
  return `${verb} ${artifact}: segment ${String(segment + 1)}`;
}

/** The bytes of a range of an object. @throws what `Store.read` throws */
export async function readRange(store: Store, key: string, range: { offset: number; length: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(key, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function unreadable(error: unknown, { title, key, frame }: { title: string; key: string; frame: number }): unknown {
  if (!(error instanceof Error) || error instanceof LifeboatFailure) return error;
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
