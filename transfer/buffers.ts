import type { Writable } from 'node:stream';
import { isMarkedAsUntransferable } from 'node:worker_threads';

/** Less is not worth the call. */
const smallBytes = 64 * 1024;

/** Whether a chunk is all of its buffer: a part of a shared one cannot be moved. */
export function ownsBuffer(chunk: Uint8Array): chunk is Uint8Array<ArrayBuffer> {
  return chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
}

/**
 * Gives the memory of a buffer back at once: nobody may use any part of it afterwards. Left to the collector it lies there until
 * 64 MiB or more have come together, and what is asked for meanwhile is new memory, each page of which the kernel has to empty.
 */
export function release({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  // what is marked is a pool of many small ones
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= smallBytes && !isMarkedAsUntransferable(buffer))
    buffer.transfer(0);
}

/** Writes a chunk and gives its memory back once the stream has passed it on. @returns whether there is room for more */
export function writeAndRelease(stream: Writable, chunk: Uint8Array): boolean {
  return stream.write(chunk, (error) => {
    if (error === null || error === undefined) release(chunk);
  });
}
