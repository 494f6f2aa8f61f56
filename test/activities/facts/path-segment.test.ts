import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromPathSegment, pathSegment } from '../../../activities/facts/path-segment.ts';

describe('pathSegment', () => {
  it('never gives two names one path', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 12 }), (one, other) => {
        fc.pre(!Buffer.from(one).equals(Buffer.from(other)));
        expect(pathSegment(one)).not.toBe(pathSegment(other));
      }),
    );
  });

  it('is taken back for every text, and holds no separator', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(fromPathSegment(pathSegment(name))).toBe(name);
        expect(pathSegment(name)).not.toMatch(/[/\n\t]/);
      }),
    );
  });

  it('keeps readable text, and a slash where it is asked to', () => {
    expect(pathSegment('odd; table ü')).toBe('odd; table ü');
    expect(pathSegment('a/b', 'keep')).toBe('a/b');
    expect(pathSegment(Buffer.from([0x61, 0xff]))).toBe('a%FF');
  });
});
