import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { packFrame, unpackFrame } from '../../transfer/frame.ts';

describe('unpackFrame', () => {
  it('gives back what was packed, whatever its size', async () => {
    for (const size of [0, 1, 65_536, 300_000]) {
      const plain = randomBytes(size);
      expect((await unpackFrame(Buffer.concat(await packFrame(plain, 3)), size)).equals(plain)).toBe(true);
    }
  });

  it('takes no frame without a checksum', async () => {
    await expect(unpackFrame(zstdCompressSync(Buffer.alloc(100)), 100)).rejects.toThrow('the frame has no checksum');
    await expect(unpackFrame(Buffer.alloc(0), 0)).rejects.toThrow('the frame has no checksum');
  });

  it('takes no frame of another length', async () => {
    const packed = Buffer.concat(await packFrame(randomBytes(100), 3));
    await expect(unpackFrame(packed, 101)).rejects.toThrow('the frame has 100 bytes instead of 101');
    await expect(unpackFrame(packed, 99)).rejects.toThrow();
    await expect(unpackFrame(packed, 10)).rejects.toThrow();
    await expect(unpackFrame(packed.subarray(0, -1), 100)).rejects.toThrow();
  });

  it('takes no frame in which a bit was flipped', async () => {
    const packed = Buffer.concat(await packFrame(Buffer.alloc(1_000, 'abc'), 3));
    for (let at = 0; at < packed.byteLength; at += 1) {
      const damaged = Buffer.from(packed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      const read = await unpackFrame(damaged, 1_000).catch(() => undefined);
      if (read !== undefined && !read.equals(Buffer.alloc(1_000, 'abc'))) expect.fail(`byte ${String(at)}`);
    }
  });
});

describe('packFrame', () => {
  it('states the length and a checksum, and compresses by its level', async () => {
    const plain = readFileSync(join(import.meta.dirname, 'points.test.ts'));
    const [fast, small] = [Buffer.concat(await packFrame(plain, 1)), Buffer.concat(await packFrame(plain, 19))];
    for (const packed of [fast, small]) expect((packed[4] ?? 0) & 0x04).toBe(0x04);
    expect(small.byteLength).toBeLessThan(fast.byteLength);
    expect(fast.byteLength).toBeLessThan(plain.byteLength);
    expect(Buffer.concat(await packFrame(plain, 1, 10)).equals(fast)).toBe(true);
  });

  it('leaves one buffer behind where it becomes about as long as was expected', async () => {
    const plain = Buffer.concat([randomBytes(200_000), Buffer.alloc(200_000)]);
    const pieces = await packFrame(plain, 1, 200_000);
    expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(1);
    expect((await unpackFrame(Buffer.concat(pieces), plain.byteLength)).equals(plain)).toBe(true);
  });
});
