import type { AgeFile } from '../age-stream.ts';
import { release } from '../buffers.ts';
import { SharedLimit } from '../shared-limit.ts';
import { InOrder } from '../threads/in-order.ts';
import type { FromPackedStream, Line, ToPackedStream } from '../threads/messages.ts';
import { type PackingRules, type SegmentSums, StreamPacker } from './stream-packer.ts';

/** Packed bytes travel in blocks of this size, so many of all streams of a thread at once. */
const blockBytes = 1024 * 1024;
const blocks = new SharedLimit(6, 2);
/** Frames that are compressed at once, beside the one of each stream that is being filled. */
const framesInFlight = new SharedLimit(2, 0);
/** How often room is told of. */
const tellBytes = 512 * 1024;

/** A stream that is packed on this thread for another one, in order; what comes out is collected in blocks. */
export class PackedStream {
  readonly #line: Line<FromPackedStream>;
  readonly #packer: StreamPacker;
  readonly #work: InOrder;
  readonly #leaves = [blocks.enter(), framesInFlight.enter()];
  #taken = 0;
  #block: Buffer | undefined;
  #used = 0;
  #made = 0;
  #ended = false;
  readonly #free: ArrayBuffer[] = [];
  #onFree: (() => void) | undefined;
  #onAge: ((file: AgeFile) => void) | undefined;

  constructor(rules: PackingRules, line: Line<FromPackedStream>) {
    this.#line = line;
    this.#work = new InOrder(line.fail);
    this.#packer = new StreamPacker(rules, {
      nextAgeFile: () =>
        new Promise((resolve) => {
          this.#onAge = resolve;
          line.say({ kind: 'age' });
        }),
      write: (bytes) => this.#collect(bytes),
      endSegment: (sums) => this.#endSegment(sums),
      framesInFlight: () => framesInFlight.share,
    });
  }

  hear(message: ToPackedStream): void {
    switch (message.kind) {
      case 'data':
        this.#work.then(() => this.#add(message.chunks));
        return;
      case 'age': {
        const { header, key } = message;
        this.#onAge?.({ header: Buffer.from(header.buffer, header.byteOffset, header.byteLength), key });
        return;
      }
      case 'free':
        if (this.#ended || this.#made > blocks.share) {
          this.#made -= 1;
          release({ buffer: message.block });
          return;
        }
        this.#free.push(message.block);
        this.#onFree?.();
        return;
      case 'end':
        this.#work.then(async () => {
          this.#line.say({ kind: 'end', sums: await this.#packer.end() });
          this.close();
          for (const block of this.#free.splice(0)) release({ buffer: block });
        });
    }
  }

  /** It counts no longer. Idempotent. */
  close(): void {
    this.#ended = true;
    for (const leave of this.#leaves) leave();
  }

  async #add(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      this.#taken += chunk.byteLength;
      await this.#packer.add(chunk, true);
    }
    if (this.#taken < tellBytes) return;
    this.#line.say({ kind: 'taken', bytes: this.#taken });
    this.#taken = 0;
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
      if (this.#made < blocks.share) {
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
    this.#line.say({ kind: 'block', block, bytes: this.#used }, [block]);
    this.#block = undefined;
    this.#used = 0;
  }

  #endSegment(sums: SegmentSums): Promise<void> {
    if (this.#used > 0) this.#send();
    this.#line.say({ kind: 'segment', sums });
    return Promise.resolve();
  }
}
