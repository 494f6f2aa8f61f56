import { decompressLzf } from './lzf.ts';
import type { Parser } from './push-parser.ts';

/** A length, as Redis writes it in one to nine bytes. */
export function* readLength(): Parser<number> {
  const first = (yield 1)[0] as number;
  const length = yield* lengthFrom(first);
  if (length === undefined) throw new Error('a length is damaged');
  return length;
}

function* lengthFrom(first: number): Parser<number | undefined> {
  if (first >> 6 === 0) return first & 0x3f;
  if (first >> 6 === 1) return ((first & 0x3f) << 8) | ((yield 1)[0] as number);
  if (first === 0x80) return (yield 4).readUInt32BE(0);
  if (first === 0x81) return Number((yield 8).readBigUInt64BE(0));
  return undefined;
}

/** A string: plain, a number, or compressed. */
export function* readString(): Parser<Buffer> {
  const first = (yield 1)[0] as number;
  const length = yield* lengthFrom(first);
  if (length !== undefined) return yield length;
  switch (first) {
    case 0xc0:
      return Buffer.from(String((yield 1).readInt8(0)));
    case 0xc1:
      return Buffer.from(String((yield 2).readInt16LE(0)));
    case 0xc2:
      return Buffer.from(String((yield 4).readInt32LE(0)));
    case 0xc3: {
      const packedLength = yield* readLength();
      const fullLength = yield* readLength();
      return decompressLzf(yield packedLength, fullLength);
    }
    default:
      throw new Error('a string is damaged');
  }
}
