import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Bit of the frame header descriptor (byte 4) that says that a checksum follows the data. */
const checksumFlag = 0x04;
/** Room for a frame that does not compress, so that it leaves libzstd in one piece. */
const slackBytes = 64 * 1024;

/**
 * Compresses one frame, with its length and checksum in it, outside the main thread.
 * @param expectBytes - how long it will be, as far as the caller knows: room for more would only be work for the collector
 */
export function packFrame(plain: Uint8Array, level: number, expectBytes = plain.byteLength): Promise<Buffer> {
  return compress(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: plain.byteLength,
    chunkSize: Math.min(plain.byteLength, expectBytes) + slackBytes,
  });
}

/**
 * Decompresses one frame and checks its checksum and its length.
 * @throws Error with a sentence that says what is wrong; read-artifact makes a failure of it
 */
export async function unpackFrame(packed: Uint8Array, plainBytes: number): Promise<Buffer> {
  if (((packed[4] ?? 0) & checksumFlag) === 0) throw new Error('the frame has no checksum');
  const plain = await decompress(packed, { chunkSize: plainBytes + slackBytes, maxOutputLength: plainBytes + 1 });
  if (plain.byteLength !== plainBytes)
    throw new Error(`the frame has ${String(plain.byteLength)} bytes instead of ${String(plainBytes)}`);
  return plain;
}
