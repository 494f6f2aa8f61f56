import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdDecompress } from 'node:zlib';

const decompress = promisify(zstdDecompress);
/** Bit of the frame header descriptor (byte 4) that says that a checksum follows the data. */
const checksumFlag = 0x04;
/** Room for a frame that does not compress, so that it leaves libzstd in one piece. */
const slackBytes = 64 * 1024;

/**
 * Compresses one frame, with its length and checksum in it, outside the main thread.
 * @param expectBytes - how long it will be, as far as the caller knows: room for more would only be work for the collector
 * @returns its bytes in pieces, of one buffer where they fit into what was expected. libzstd ends a frame in a step of its own, and
 *   to join that step's few bytes would be a copy of all the others
 */
export async function packFrame(
  plain: Uint8Array,
  level: number,
  expectBytes = plain.byteLength,
): Promise<readonly Buffer[]> {
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: plain.byteLength,
    chunkSize: Math.min(plain.byteLength, expectBytes) + slackBytes,
  });
  compress.end(plain);
  return (await compress.toArray()) as Buffer[];
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
