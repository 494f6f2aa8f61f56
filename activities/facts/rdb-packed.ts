/**
 * The packed lists inside Redis values, as the bytes of their entries; numbers become their decimal text, as clients see
 * them. Source: Redis 7.4, ziplist.c, listpack.c, intset.c, zipmap.c.
 */

/** Entries of a ziplist. */
export function* ziplistEntries(bytes: Buffer): Generator<Buffer> {
  let at = 10;
  while (bytes[at] !== 0xff) {
    at += (bytes[at] as number) < 254 ? 1 : 5;
    const head = bytes[at] as number;
    const kind = head >> 6;
    if (kind < 3) {
      const length =
        kind === 0
          ? head & 0x3f
          : kind === 1
            ? ((head & 0x3f) << 8) | (bytes[at + 1] as number)
            : bytes.readUInt32BE(at + 1);
      at += kind === 0 ? 1 : kind === 1 ? 2 : 5;
      yield bytes.subarray(at, at + length);
      at += length;
      continue;
    }
    at += 1;
    if (head === 0xc0) yield text(bytes.readInt16LE(at));
    else if (head === 0xd0) yield text(bytes.readInt32LE(at));
    else if (head === 0xe0) yield text(bytes.readBigInt64LE(at));
    else if (head === 0xf0) yield text(bytes.readIntLE(at, 3));
    else if (head === 0xfe) yield text(bytes.readInt8(at));
    else yield text((head & 0x0f) - 1);
    at += { 0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1 }[head] ?? 0;
  }
}

/** Entries of a listpack. */
export function* listpackEntries(bytes: Buffer): Generator<Buffer> {
  let at = 6;
  while (bytes[at] !== 0xff) {
    const [entry, size] = listpackEntry(bytes, at);
    yield entry;
    // the length of the entry stands behind it, in one byte for every seven bits
    at += size + (size < 128 ? 1 : size < 16_384 ? 2 : size < 2_097_152 ? 3 : size < 268_435_456 ? 4 : 5);
  }
}

function listpackEntry(bytes: Buffer, at: number): [entry: Buffer, size: number] {
  const head = bytes[at] as number;
  if (head < 0x80) return [text(head), 1];
  if (head < 0xc0) return [bytes.subarray(at + 1, at + 1 + (head & 0x3f)), 1 + (head & 0x3f)];
  if (head < 0xe0) {
    const value = ((head & 0x1f) << 8) | (bytes[at + 1] as number);
    return [text(value >= 4096 ? value - 8192 : value), 2];
  }
  if (head < 0xf0) {
    const length = ((head & 0x0f) << 8) | (bytes[at + 1] as number);
    return [bytes.subarray(at + 2, at + 2 + length), 2 + length];
  }
  switch (head) {
    case 0xf0: {
      const length = bytes.readUInt32LE(at + 1);
      return [bytes.subarray(at + 5, at + 5 + length), 5 + length];
    }
    case 0xf1:
      return [text(bytes.readInt16LE(at + 1)), 3];
    case 0xf2:
      return [text(bytes.readIntLE(at + 1, 3)), 4];
    case 0xf3:
      return [text(bytes.readInt32LE(at + 1)), 5];
    case 0xf4:
      return [text(bytes.readBigInt64LE(at + 1)), 9];
    default:
      throw new Error('a listpack is damaged');
  }
}

/** Members of an intset. */
export function* intsetEntries(bytes: Buffer): Generator<Buffer> {
  const size = bytes.readUInt32LE(0);
  const count = bytes.readUInt32LE(4);
  for (let index = 0; index < count; index += 1) {
    const at = 8 + index * size;
    yield text(size === 8 ? bytes.readBigInt64LE(at) : bytes.readIntLE(at, size));
  }
}

/** Fields and values of a zipmap, the small hash of Redis before 2.6. */
export function* zipmapEntries(bytes: Buffer): Generator<Buffer> {
  let at = 1;
  let isValue = false;
  while (bytes[at] !== 0xff) {
    const head = bytes[at] as number;
    const length = head < 254 ? head : bytes.readUInt32LE(at + 1);
    at += head < 254 ? 1 : 5;
    const free = isValue ? (bytes[at++] as number) : 0;
    yield bytes.subarray(at, at + length);
    at += length + free;
    isValue = !isValue;
  }
}

function text(value: number | bigint): Buffer {
  return Buffer.from(String(value));
}
