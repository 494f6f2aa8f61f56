import type { Segment } from '../../model/recovery-point.ts';
import type { AgeIdentity } from '../age-identity.ts';
import { ownsBuffer, release } from '../buffers.ts';
import type { PlainSums } from '../packing/stream-packer.ts';
import type { FromOpenedStream, ToOpenedStream } from '../threads/messages.ts';
import { beginOnThread, type ThreadStream } from '../threads/stream-threads.ts';
import type { OpenedFrame, Problem, Stored, Wanted } from './stream-opener.ts';

/** Stored bytes go over in blocks of this size, so many of a stream at once: each message wakes the other thread. */
const blockBytes = 512 * 1024;
const blocksOfStream = 6;

/** A segment, what opens it, and its stored bytes. */
export type SegmentSource = {
  readonly segment: Segment;
  readonly identity: AgeIdentity;
  readonly bytes: AsyncIterable<Uint8Array>;
};

/** What comes of a stream, segment by segment and in order. */
export type Opened =
  | { readonly kind: 'frame'; readonly frame: OpenedFrame }
  /** All stored bytes of the segment were seen; its last frames follow, and what became of it. */
  | { readonly kind: 'stored'; readonly stored: Stored }
  | { readonly kind: 'opened'; readonly problem: Problem | undefined }
  | { readonly kind: 'end'; readonly sums: PlainSums };

/**
 * Opens segments on another thread: this one reads them, ahead of who uses the frames by a few of them.
 * Throws: what the bytes of a segment throw.
 */
export async function* openOnThread(sources: Iterable<SegmentSource>, wanted: Wanted): AsyncGenerator<Opened, void> {
  const stream = new ThreadStreamOfSegments(wanted);
  const feeding = stream.feed(sources);
  try {
    for (;;) {
      const next = await stream.next();
      yield next;
      if (next.kind === 'frame') stream.used();
      if (next.kind === 'end') return;
    }
  } finally {
    stream.close();
    await feeding;
  }
}

/** Both directions of one stream. */
class ThreadStreamOfSegments {
  readonly #stream: ThreadStream<ToOpenedStream>;
  readonly #heard: Opened[] = [];
  readonly #free: ArrayBuffer[] = [];
  #made = 0;
  #failed: { readonly error: unknown } | undefined;
  #closed = false;
  #onHeard: (() => void) | undefined;
  #onFree: (() => void) | undefined;

  constructor(wanted: Wanted) {
    this.#stream = beginOnThread<ToOpenedStream, FromOpenedStream>(
      { kind: 'open', wanted },
      {
        hear: (message) => {
          this.#hear(message);
        },
        lose: (error) => {
          this.#fail(error);
        },
      },
    );
  }

  /** Gives all stored bytes to the thread; what goes wrong is what `next` throws. */
  async feed(sources: Iterable<SegmentSource>): Promise<void> {
    try {
      for (const { segment, identity, bytes } of sources) {
        const { plainBytes, frameBytes, frames } = segment;
        this.#stream.tell({ kind: 'segment', segment: { plainBytes, frameBytes, frames }, identity });
        await this.#feedBytes(bytes);
        if (this.#closed) return;
        this.#stream.tell({ kind: 'segment end' });
      }
      this.#stream.tell({ kind: 'end' });
    } catch (error) {
      this.#fail(error);
    }
  }

  async next(): Promise<Opened> {
    for (;;) {
      const heard = this.#heard.shift();
      if (heard !== undefined) return heard;
      if (this.#failed !== undefined) throw this.#failed.error;
      await new Promise<void>((resolve) => {
        this.#onHeard = resolve;
      });
    }
  }

  used(): void {
    this.#stream.tell({ kind: 'used' });
  }

  close(): void {
    this.#closed = true;
    this.#stream.close();
    for (const block of this.#free.splice(0)) release({ buffer: block });
    this.#onFree?.();
  }

  async #feedBytes(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    let block: Uint8Array<ArrayBuffer> | undefined;
    let used = 0;
    const send = (): void => {
      if (block !== undefined && used > 0)
        this.#stream.tell({ kind: 'block', block: block.buffer, bytes: used }, [block.buffer]);
      block = undefined;
      used = 0;
    };
    for await (const chunk of bytes) {
      for (let offset = 0; offset < chunk.byteLength; ) {
        block ??= await this.#freeBlock();
        if (this.#closed) return;
        const part = chunk.subarray(offset, offset + blockBytes - used);
        block.set(part, used);
        used += part.byteLength;
        offset += part.byteLength;
        if (used === blockBytes) send();
      }
      if (ownsBuffer(chunk)) release(chunk);
    }
    send();
  }

  async #freeBlock(): Promise<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const block = this.#free.pop();
      if (block !== undefined) return new Uint8Array(block);
      if (this.#made < blocksOfStream || this.#closed || this.#failed !== undefined) {
        this.#made += 1;
        return new Uint8Array(blockBytes);
      }
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
  }

  #hear(message: FromOpenedStream): void {
    if (message.kind === 'free') {
      this.#free.push(message.block);
      this.#onFree?.();
      return;
    }
    this.#heard.push(message.kind === 'frame' ? { kind: 'frame', frame: asBuffer(message.frame) } : message);
    this.#onHeard?.();
  }

  #fail(error: unknown): void {
    this.#failed ??= { error };
    this.#onHeard?.();
    this.#onFree?.();
  }
}

/** A buffer comes out of another thread as plain bytes. */
function asBuffer({ plainBytes, bytes }: OpenedFrame<Uint8Array>): OpenedFrame {
  return { plainBytes, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
