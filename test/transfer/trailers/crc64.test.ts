import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../../transfer/trailers/crc64.ts';

describe('Crc64', () => {
  it('has the check value of CRC-64/Redis', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('123456789'));
    expect(crc.value).toBe(0xe9c6d914c4b8d9can);
  });

  it('is zero only where both halves are', () => {
    const crc = new Crc64();
    expect(crc.isZero).toBe(true);
    crc.update(Buffer.from('some bytes'));
    const own = Buffer.alloc(8);
    own.writeBigUInt64LE(crc.value);
    expect(crc.isZero).toBe(false);
    // the first half of its own value leaves the second half, in the place of the first
    crc.update(own.subarray(0, 4));
    expect(crc.value >> 32n).toBe(0n);
    expect(crc.isZero).toBe(false);
    crc.update(own.subarray(4));
    expect(crc.value).toBe(0n);
    expect(crc.isZero).toBe(true);
  });
});
