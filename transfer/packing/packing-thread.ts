import { parentPort } from 'node:worker_threads';
import type { AgeFile } from '../age-stream.ts';
import type { FromThread, ToThread } from './messages.ts';
import { type PackingRules, type SegmentSums, StreamPacker } from './stream-packer.ts';

/*
 * A thread that packs the streams of its process. It is there for the main thread's sake: hashing, sealing and, above all, what
 * the garbage collector does for every buffer happen here, over a heap that is nearly empty.
 */

/** Packed bytes travel in blocks of this size, so many of a stream at once. */
const blockBytes = 1024 * 1024;
const blocksOfStream = 6;
/** How often room is told of. */
const tellBytes = 2 * 1024 * 1024;

const port = parentPort;
if (port === null) throw new Error('this file runs as a thread');

function tell(message: FromThread, moved: ArrayBuffer[] = []): void {
  port?.postMessage(message, moved);
}

/** One stream: what it is given is packed in order, and what comes out is collected in blocks. */
class PackedStream {
  readonly #stream: number;
  readonly #packer: StreamPacker;
  #work: Promise<void> = Promise.resolve();
  #failed = false;
  #taken = 0;
  #block: Buffer | undefined;
  #used = 0;
  #made = 0;
  readonly #free: ArrayBuffer[] = [];
  #onFree: (() => void) | undefined;
  #onAge: ((file: AgeFile) => void) | undefined;

  constructor(stream: number, rules: PackingRules) {
    this.#stream = stream;
    this.#packer = new StreamPacker(rules, {
      nextAgeFile: () =>
        new Promise((resolve) => {
          this.#onAge = resolve;
          tell({ kind: 'age', stream });
        }),
      write: (bytes) => this.#collect(bytes),
      endSegment: (sums) => this.#endSegment(sums),
    });
  }

  add(chunks: readonly Uint8Array[]): void {
    this.#then(async () => {
      for (const chunk of chunks) {
        await this.#packer.add(chunk);
        this.#taken += chunk.byteLength;
      }
      if (this.#taken < tellBytes) return;
      tell({ kind: 'taken', stream: this.#stream, bytes: this.#taken });
      this.#taken = 0;
    });
  }

  end(): void {
    this.#then(async () => {
      tell({ kind: 'end', stream: this.#stream, sums: await this.#packer.end() });
    });
  }

  age({ header, key }: { header: Uint8Array; key: Uint8Array }): void {
    this.#onAge?.({ header: Buffer.from(header.buffer, header.byteOffset, header.byteLength), key });
  }

  free(block: ArrayBuffer): void {
    this.#free.push(block);
    this.#onFree?.();
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failed) return;
      try {
        await work();
      } catch (error) {
        this.#failed = true;
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        tell({ kind: 'failed', stream: this.#stream, message });
      }
    });
  }

  async #collect(bytes: Buffer): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; ) {
      this.#block ??= Buffer.from(await this.#freeBlock());
      const part = bytes.subarray(offset, offset + blockBytes - this.#used);
      this.#block.set(part, this.#used);
      this.#used += part.byteLength;
      offset += part.byteLength;
      if (this.#used === blockBytes) this.#send();
    }
  }

  async #freeBlock(): Promise<ArrayBuffer> {
    for (;;) {
      const block = this.#free.pop();
      if (block !== undefined) return block;
      if (this.#made < blocksOfStream) {
        this.#made += 1;
        return new ArrayBuffer(blockBytes);
      }
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
  }

  #send(): void {
    const block = this.#block?.buffer as ArrayBuffer;
    tell({ kind: 'block', stream: this.#stream, block, bytes: this.#used }, [block]);
    this.#block = undefined;
    this.#used = 0;
  }

  #endSegment(sums: SegmentSums): Promise<void> {
    if (this.#used > 0) this.#send();
    tell({ kind: 'segment', stream: this.#stream, sums });
    return Promise.resolve();
  }
}

const streams = new Map<number, PackedStream>();

port.on('message', (message: ToThread) => {
  const { stream } = message;
  switch (message.kind) {
    case 'open':
      streams.set(stream, new PackedStream(stream, message.rules));
      return;
    case 'data':
      streams.get(stream)?.add(message.chunks);
      return;
    case 'age':
      streams.get(stream)?.age(message);
      return;
    case 'free':
      streams.get(stream)?.free(message.block);
      return;
    case 'end':
      streams.get(stream)?.end();
      return;
    case 'drop':
      // what it waits for never comes; the collector takes it
      streams.delete(stream);
  }
});
