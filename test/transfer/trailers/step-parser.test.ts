import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut, parseInSteps, type Steps, skip, skipPieces, take } from '../../../transfer/trailers/step-parser.ts';
import type { TrailerVerdict } from '../../../transfer/trailers/trailer.ts';

/** Feeds chunks of this size, each overwritten once it was seen. */
function parse(start: () => Steps, bytes: Uint8Array, chunkBytes: number): TrailerVerdict {
  const check = parseInSteps(start);
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    const chunk = Buffer.from(bytes.subarray(offset, offset + chunkBytes));
    check.update(chunk);
    chunk.fill(0x55);
  }
  return check.end();
}

describe('parseInSteps', () => {
  it('gives a parser the bytes that it asks for, however they arrive', () => {
    const sizes = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 9 })), { maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 30 }), (steps, chunkBytes) => {
        const length = steps.reduce((sum, [, size]) => sum + size, 0);
        const bytes = Buffer.from(Array.from({ length }, (_, at) => at + 1));
        const taken: number[] = [];
        const wanted: number[] = [];
        let at = 0;
        for (const [keeps, size] of steps) {
          if (keeps) wanted.push(...bytes.subarray(at, at + size));
          at += size;
        }
        const verdict = parse(
          function* () {
            for (const [keeps, size] of steps)
              if (keeps) taken.push(...(yield* take(size, 'a taken part')));
              else yield* skip(size, 'a skipped part');
            return { end: 'whole' };
          },
          bytes,
          chunkBytes,
        );
        expect(verdict).toEqual({ end: 'whole' });
        expect(taken).toEqual(wanted);
      }),
    );
  });

  it('names the part in which the bytes end', () => {
    function* steps(): Steps {
      yield* take(2, 'the head');
      yield* skip(3, 'the middle');
      yield* skipPieces(4, 'the pieces');
      yield* take(1, 'the tail');
      return { end: 'whole' };
    }
    const bytes = Buffer.from([1, 1, 2, 2, 2, ...[0, 1, 0, 0, 0, 9], ...[0, 0, 0, 0, 0], 7]);
    const parts = ['head', 'head', ...['middle', 'middle', 'middle'], ...Array.from({ length: 11 }, () => 'pieces')];
    for (const chunkBytes of [1, 2, 100]) {
      for (const [length, part] of [...parts, 'tail'].entries())
        expect(parse(steps, bytes.subarray(0, length), chunkBytes)).toEqual(cut(`it ends inside the ${part}`));
      expect(parse(steps, bytes, chunkBytes)).toEqual({ end: 'whole' });
    }
  });

  it('lets a stream end where it may, with what there is', () => {
    function* steps(): Steps {
      for (;;) {
        const part = yield* take(4, undefined);
        if (part.byteLength < 4) return cut(`${String(part.byteLength)} bytes are left`);
      }
    }
    for (const length of [0, 1, 3, 4, 5, 8, 11])
      for (const chunkBytes of [1, 3, 100])
        expect(parse(steps, Buffer.alloc(length), chunkBytes)).toEqual(cut(`${String(length % 4)} bytes are left`));
  });

  it('passes over what follows a verdict', () => {
    function* steps(): Steps {
      yield* take(1, 'the head');
      return cut('it is enough');
    }
    for (const chunkBytes of [1, 100]) expect(parse(steps, Buffer.alloc(50), chunkBytes)).toEqual(cut('it is enough'));
    function* nothing(): Steps {
      yield* skip(0, 'nothing');
      return cut((yield* take(0, 'nothing')).byteLength === 0 ? 'nothing is wanted' : 'bytes came');
    }
    expect(parse(nothing, Buffer.alloc(5), 2)).toEqual(cut('nothing is wanted'));
    expect(parse(nothing, Buffer.alloc(0), 2)).toEqual(cut('nothing is wanted'));
  });
});
