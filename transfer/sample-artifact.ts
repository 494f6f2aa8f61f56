import { randomInt } from 'node:crypto';
import { failure } from '../model/failures.ts';
import type { Segment } from '../model/recovery-point.ts';
import { type FramePlace, frameTitle, openFrameReader } from './frame-reader.ts';
import type { ArtifactToRead } from './read-artifact.ts';
import type { Store } from './store.ts';

/** What a sample has read. */
export type Sample = { readonly frames: number; readonly ofFrames: number; readonly storedBytes: number };

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
  const verb = 'sample artifact';
  const reader = openFrameReader({ ...of, verb });
  let storedBytes = 0;
  for (const [index, segment] of artifact.segments.entries()) {
    of.signal?.throwIfAborted();
    await assertSize(of.store, segment, frameTitle(verb, artifact.name, index));
    for (const place of chosen.filter((each) => each.segment === index)) {
      storedBytes += (await reader.read(place)).storedBytes;
      of.onProgress?.(storedBytes);
    }
  }
  return { frames: chosen.length, ofFrames: places.length, storedBytes };
}

/** So many of the places, each as likely as the others, in their order. */
function choose(places: readonly FramePlace[], count: number): FramePlace[] {
  const left = [...places];
  const chosen: FramePlace[] = [];
  while (chosen.length < count) chosen.push(...left.splice(randomInt(left.length), 1));
  return chosen.sort((one, other) => one.segment - other.segment || one.frame - other.frame);
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
