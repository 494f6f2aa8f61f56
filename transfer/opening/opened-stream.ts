import { SharedLimit } from '../shared-limit.ts';
import { InOrder } from '../threads/in-order.ts';
import type { FromOpenedStream, Line, ToOpenedStream } from '../threads/messages.ts';
import { type OpenedFrame, StreamOpener, type Wanted } from './stream-opener.ts';

/** Frames of all streams of a thread that are on their way to who uses them. */
const framesAhead = new SharedLimit(2, 1);
/** Less than this is copied: a small buffer may be a part of one that cannot be moved. */
const movedBytes = 64 * 1024;

/** A stream that is opened on this thread for another one, in order. */
export class OpenedStream {
  readonly #line: Line<FromOpenedStream>;
  readonly #opener: StreamOpener;
  readonly #work: InOrder;
  readonly #leave = framesAhead.enter();
  #ahead = 0;
  #onUsed: (() => void) | undefined;

  constructor(wanted: Wanted, line: Line<FromOpenedStream>) {
    this.#line = line;
    this.#opener = new StreamOpener(wanted);
    this.#work = new InOrder(line.fail);
  }

  hear(message: ToOpenedStream): void {
    switch (message.kind) {
      case 'segment':
        this.#work.then(() => {
          this.#opener.begin(message.segment, message.identity);
        });
        return;
      case 'block':
        this.#work.then(async () => {
          const { block, bytes } = message;
          const frames = await this.#opener.add(new Uint8Array(block, 0, bytes));
          this.#line.say({ kind: 'free', block }, [block]);
          await this.#give(frames);
        });
        return;
      case 'segment end':
        this.#work.then(() => this.#endSegment());
        return;
      case 'used':
        this.#ahead -= 1;
        this.#onUsed?.();
        return;
      case 'end':
        this.#work.then(() => {
          this.#line.say({ kind: 'end', sums: this.#opener.sums() });
        });
    }
  }

  /** It counts no longer. Idempotent. */
  close(): void {
    this.#leave();
  }

  async #endSegment(): Promise<void> {
    const stored = this.#opener.stored();
    this.#line.say({ kind: 'stored', stored });
    if (stored.problem !== undefined) return;
    const { frames, problem } = await this.#opener.rest();
    await this.#give(frames);
    this.#line.say({ kind: 'opened', problem });
  }

  async #give(frames: readonly OpenedFrame[]): Promise<void> {
    for (const { plainBytes, bytes } of frames) {
      while (this.#ahead >= framesAhead.share)
        await new Promise<void>((resolve) => {
          this.#onUsed = resolve;
        });
      this.#ahead += 1;
      const moved = bytes.byteLength < movedBytes ? new Uint8Array(bytes) : bytes;
      this.#line.say({ kind: 'frame', frame: { plainBytes, bytes: moved } }, [moved.buffer as ArrayBuffer]);
    }
  }
}
