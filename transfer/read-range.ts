import type { Artifact } from '../model/recovery-point.ts';
import type { FrameReader } from './frame-reader.ts';

/** Reads parts of the plaintext of an artifact. */
export type RangeReader = {
  /** The plaintext from `offset` on, in pieces. Neighbours that are asked for one after the other share their frame. */
  read(offset: number, length: number): AsyncGenerator<Buffer, void>;
  /** How many frames were read so far, and how many stored bytes for them. */
  readonly cost: { readonly frames: number; readonly storedBytes: number };
};

/**
 * Reads parts of the plaintext of an artifact, and of the store only the frames that hold them.
 * @throws what the reader of its frames throws
 */
export function openRangeReader({ segments, plainBytes, name }: Artifact, frames: FrameReader): RangeReader {
  const cost = { frames: 0, storedBytes: 0 };
  let last: { readonly at: number; readonly plain: Buffer } | undefined;

  /** The frame that holds a byte, and where it begins. */
  const frameAt = async (offset: number): Promise<{ at: number; plain: Buffer }> => {
    if (last !== undefined && offset >= last.at && offset < last.at + last.plain.byteLength) return last;
    let begin = 0;
    for (const [index, segment] of segments.entries()) {
      if (offset < begin + segment.plainBytes) {
        const frame = Math.floor((offset - begin) / segment.frameBytes);
        const { plain, storedBytes } = await frames.read({ segment: index, frame });
        cost.frames += 1;
        cost.storedBytes += storedBytes;
        last = { at: begin + frame * segment.frameBytes, plain };
        return last;
      }
      begin += segment.plainBytes;
    }
    throw new Error(`artifact ${name} has ${String(plainBytes)} bytes, none at ${String(offset)}`);
  };

  return {
    cost,
    async *read(offset, length) {
      for (let at = offset; at < offset + length; ) {
        const frame = await frameAt(at);
        const piece = frame.plain.subarray(at - frame.at, offset + length - frame.at);
        at += piece.byteLength;
        yield piece;
      }
    },
  };
}
