/**
 * Passes over pieces of `sign byte, little-endian length, bytes` up to one of length 0, across chunks. A plain loop:
 * pg_dump writes a piece for each row.
 */
export function pieceSkipper(intBytes: number): (bytes: Buffer, from: number) => { offset: number; done: boolean } {
  let left = 0;
  let length = 0;
  let got = 0;
  return (bytes, from) => {
    let offset = from;
    while (offset < bytes.length) {
      if (left > 0) {
        const passed = Math.min(left, bytes.length - offset);
        left -= passed;
        offset += passed;
        continue;
      }
      const byte = bytes[offset] as number;
      offset += 1;
      // byte 0 is the sign: a negative length cannot be, and makes a length that is never reached
      if (got === 0) length = byte === 0 ? 0 : Number.MAX_SAFE_INTEGER;
      else length += byte * 2 ** (8 * (got - 1));
      got += 1;
      if (got <= intBytes) continue;
      got = 0;
      if (length === 0) return { offset, done: true };
      left = length;
    }
    return { offset, done: false };
  };
}
