import { ownsBuffer } from '../buffers.ts';
import { SharedLimit } from '../shared-limit.ts';
import { InOrder } from '../threads/in-order.ts';
import type { FromPackedStream, ToPackedStream } from '../threads/messages.ts';
import { beginOnThread, type ThreadStream } from '../threads/stream-threads.ts';
import type { Packer, PackerOutput, PackingRules, PlainSums } from './stream-packer.ts';

/** Plaintext of all streams that is on its way to their threads. */
const inFlightBytes = new SharedLimit(6 * 1024 * 1024, 1024 * 1024);
/** It goes over in batches: each message wakes the other thread. */
const batchBytes = 512 * 1024;

/** Packs a stream on another thread; the output stays on this one. */
export class ThreadPacker implements Packer {
  readonly #output: PackerOutput;
  readonly #stream: ThreadStream<ToPackedStream>;
  readonly #leave = inFlightBytes.enter();
  readonly #ended = Promise.withResolvers<PlainSums>();
  /** In the order of the messages. */
  readonly #work = new InOrder((error) => {
    this.#fail(error);
  });
  #failed: { readonly error: unknown } | undefined;
  #inFlight = 0;
  #batch: Uint8Array<ArrayBuffer>[] = [];
  #batchBytes = 0;
  #onRoom: (() => void) | undefined;

  constructor(rules: PackingRules, output: PackerOutput) {
    this.#output = output;
    this.#ended.promise.catch(() => undefined);
    this.#stream = beginOnThread<ToPackedStream, FromPackedStream>(
      { kind: 'pack', rules },
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

  async add(chunk: Uint8Array, disposable: boolean): Promise<void> {
    const moved = disposable && ownsBuffer(chunk) ? chunk : new Uint8Array(chunk);
    this.#inFlight += moved.byteLength;
    this.#batch.push(moved);
    this.#batchBytes += moved.byteLength;
    if (this.#batchBytes >= batchBytes) this.#tellBatch();
    while (this.#inFlight >= inFlightBytes.share && this.#failed === undefined)
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  async end(): Promise<PlainSums> {
    if (this.#failed !== undefined) throw this.#failed.error;
    this.#tellBatch();
    this.#stream.tell({ kind: 'end' });
    const sums = await this.#ended.promise;
    this.#leave();
    this.#stream.close();
    return sums;
  }

  async abort(): Promise<void> {
    this.#failed ??= { error: new Error('the stream was given up') };
    this.#leave();
    this.#stream.close();
    await this.#work.stop();
  }

  #tellBatch(): void {
    const chunks = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#stream.tell(
      { kind: 'data', chunks },
      chunks.map(({ buffer }) => buffer),
    );
  }

  #hear(message: FromPackedStream): void {
    switch (message.kind) {
      case 'taken':
        this.#inFlight -= message.bytes;
        this.#onRoom?.();
        return;
      case 'age':
        this.#work.then(async () => {
          const { header, key } = await this.#output.nextAgeFile();
          this.#stream.tell({ kind: 'age', header, key });
        });
        return;
      case 'block':
        this.#work.then(async () => {
          await this.#output.write(Buffer.from(message.block, 0, message.bytes));
          this.#stream.tell({ kind: 'free', block: message.block }, [message.block]);
        });
        return;
      case 'segment':
        this.#work.then(() => this.#output.endSegment(message.sums));
        return;
      case 'end':
        this.#work.then(() => {
          this.#ended.resolve(message.sums);
        });
    }
  }

  #fail(error: unknown): void {
    this.#failed ??= { error };
    void this.#work.stop();
    this.#ended.reject(this.#failed.error);
    this.#onRoom?.();
  }
}
