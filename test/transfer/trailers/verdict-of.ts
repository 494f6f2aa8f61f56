import type { TrailerRule, TrailerVerdict } from '../../../transfer/trailers/trailer.ts';
import { trailerCheck } from '../../../transfer/trailers/trailer-check.ts';

/** The verdict on bytes that arrive in chunks; each chunk is overwritten once it was seen, as the buffer of a pipe is. */
export function verdictOf(bytes: Uint8Array, rule: TrailerRule, chunkBytes = 1_000): TrailerVerdict {
  const check = trailerCheck(rule);
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    const chunk = Buffer.from(bytes.subarray(offset, offset + chunkBytes));
    check.update(chunk);
    chunk.fill(0x55);
  }
  return check.end();
}
