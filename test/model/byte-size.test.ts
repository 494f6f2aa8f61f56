import { describe, expect, it } from 'vitest';
import { ByteSize, sizeBytes } from '../../model/byte-size.ts';

describe('a size', () => {
  it('is a whole number and a unit', () => {
    expect(sizeBytes('512MiB')).toBe(536_870_912);
    expect(sizeBytes('10GiB')).toBe(10_737_418_240);
    expect(sizeBytes('64KiB')).toBe(65_536);
    expect(sizeBytes('2TiB')).toBe(2_199_023_255_552);
  });

  it.each(['10', '0GiB', '1.5GiB', '10 GiB', '10GB', '-1MiB', ''])('is not %j', (text) => {
    expect(ByteSize.safeParse(text).success).toBe(false);
    expect(() => sizeBytes(text)).toThrow('not a size');
  });
});
