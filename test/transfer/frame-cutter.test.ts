import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameCutter } from '../../transfer/frame-cutter.ts';

describe('FrameCutter', () => {
  it('gives each frame once, when its last byte came, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 }),
        (lengths, chunks) => {
          const bytes = Buffer.from(Array.from({ length: lengths.reduce((sum, each) => sum + each) }, (_, at) => at));
          const cutter = new FrameCutter(lengths);
          const given: { index: number; packed: Buffer }[] = [];
          for (let offset = 0, turn = 0; offset < bytes.byteLength; turn += 1) {
            const size = chunks[turn % chunks.length] ?? 1;
            given.push(...cutter.add(bytes.subarray(offset, offset + size)));
            offset += size;
            const complete = given.reduce((sum, { packed }) => sum + packed.byteLength, 0);
            expect(Math.min(offset, bytes.byteLength) - complete).toBeLessThan(lengths[given.length] ?? 1);
            expect(cutter.position).toBe(Math.min(given.length + 1, lengths.length));
          }
          cutter.end();
          expect(given.map(({ index, packed }) => [index, packed.byteLength])).toEqual([...lengths.entries()]);
          expect(Buffer.concat(given.map(({ packed }) => packed))).toEqual(bytes);
        },
      ),
    );
  });

  it('calls bytes behind the last frame, and an end before it, what they are', () => {
    const cutter = new FrameCutter([2, 3]);
    cutter.add(Buffer.from('abcd'));
    expect(() => cutter.end()).toThrow('the file ends inside frame 2');
    cutter.add(Buffer.from('e'));
    expect(() => cutter.add(Buffer.from('f'))).toThrow('bytes follow the last frame');
    expect(() => new FrameCutter([1]).add(Buffer.from('ab'))).toThrow('bytes follow the last frame');
    expect(() => new FrameCutter([1]).end()).toThrow('the file ends inside frame 1');
  });
});
