import { Crc64 } from './crc64.ts';
import type { TrailerCheck } from './trailer.ts';

const endOpcode = 0xff;
const headBytes = 9;
const tailBytes = 9;

/** Redis snapshot: `REDIS` and a version, the EOF opcode, and a CRC-64 of everything before it in the last eight bytes. */
export function rdbCheck(): TrailerCheck {
  const crc = new Crc64();
  let head: Buffer = Buffer.alloc(0);
  let tail: Buffer = Buffer.alloc(0);
  return {
    update: (chunk) => {
      crc.update(chunk);
      if (head.byteLength < headBytes) head = Buffer.concat([head, chunk.subarray(0, headBytes - head.byteLength)]);
      tail = Buffer.from(
        chunk.byteLength >= tailBytes ? chunk.subarray(-tailBytes) : Buffer.concat([tail, chunk]).subarray(-tailBytes),
      );
    },
    end: () => {
      if (!/^REDIS[0-9]{4}$/.test(head.toString('latin1')))
        return { end: 'cut', reason: 'it does not begin as a Redis snapshot' };
      if (tail[0] !== endOpcode) return { end: 'cut', reason: 'the EOF opcode of the Redis snapshot is missing' };
      if (tail.subarray(1).every((byte) => byte === 0)) {
        return { end: 'unknown', reason: 'the Redis snapshot has no checksum (rdbchecksum no)' };
      }
      return crc.isZero ? { end: 'whole' } : { end: 'cut', reason: 'the checksum of the Redis snapshot does not fit' };
    },
  };
}
