import { describe, expect, it } from 'vitest';
import { verdictOf } from './verdict-of.ts';

describe('text', () => {
  it('takes the beginning of the stream for the beginning of a line', () => {
    for (const chunkBytes of [1, 100])
      expect(verdictOf(Buffer.from('-- done'), { kind: 'text', endsWith: '-- done' }, chunkBytes)).toEqual({
        end: 'whole',
      });
    expect(verdictOf(Buffer.from(' -- done'), { kind: 'text', endsWith: '-- done' })).toMatchObject({ end: 'cut' });
  });

  it('begins to look 512 bytes before the end, at the start of a line', () => {
    const dump = (bytesFromEnd: number): Buffer =>
      Buffer.from(`${'x'.repeat(700)}\n${'-- done'.padEnd(bytesFromEnd, ' ')}`);
    for (const chunkBytes of [1, 511, 512, 513, 514, 700, 10_000]) {
      expect(verdictOf(dump(512), { kind: 'text', endsWith: '-- done' }, chunkBytes)).toEqual({ end: 'whole' });
      expect(verdictOf(dump(513), { kind: 'text', endsWith: '-- done' }, chunkBytes)).toEqual({
        end: 'cut',
        reason: 'its last line "-- done" is missing',
      });
    }
  });
});
