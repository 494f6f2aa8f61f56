import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pieceSkipper } from '../../../transfer/trailers/piece-skipper.ts';

/** A sign byte, a length of so many bytes, and the piece itself. */
function piece(length: number, intBytes: number): Buffer {
  const head = Buffer.alloc(1 + intBytes);
  head.writeUIntLE(length, 1, Math.min(intBytes, 6));
  return Buffer.concat([head, Buffer.alloc(length, 0xff)]);
}

describe('pieceSkipper', () => {
  it('stops right behind the piece of length 0, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 5, 8),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(66_000)), { maxLength: 4 }),
        fc.constantFrom(1, 2, 5, 9, 64, 1_000, 300_000),
        fc.nat({ max: 3 }),
        (intBytes, lengths, chunkBytes, from) => {
          const pieces = Buffer.concat([...lengths, 0].map((length) => piece(length, intBytes)));
          const bytes = Buffer.concat([Buffer.alloc(from, 0xee), pieces, Buffer.alloc(20, 0xee)]);
          const skip = pieceSkipper(intBytes);
          let at = from;
          for (let done = false; !done; ) {
            const chunk = bytes.subarray(0, Math.min(at + chunkBytes, bytes.byteLength));
            const passed = skip(chunk, at);
            ({ done } = passed);
            if (!done && passed.offset !== chunk.byteLength) expect.fail('it stops inside a chunk and is not done');
            at = passed.offset;
          }
          expect(at).toBe(from + pieces.byteLength);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('never ends at a negative length', () => {
    const skip = pieceSkipper(4);
    expect(skip(Buffer.from([1, 0, 0, 0, 0]), 0)).toEqual({ offset: 5, done: false });
    expect(skip(Buffer.alloc(100), 0)).toEqual({ offset: 100, done: false });
  });
});
