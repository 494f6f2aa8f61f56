import { Worker } from 'node:worker_threads';
import type { FromThread, ToThread } from './messages.ts';
import type { Packer, PackerOutput, PackingRules, PlainSums } from './stream-packer.ts';

/** Plaintext of a stream that is on its way to its thread, at most. */
const inFlightBytes = 6 * 1024 * 1024;
/** It goes over in batches: each message wakes the other thread. */
const batchBytes = 512 * 1024;

/** Who is told what a thread says of a stream, and that the thread is gone. */
type Listener = { readonly hear: (message: FromThread) => void; readonly lose: (error: Error) => void };

/** A thread, and the streams that it packs. */
class PackingThread {
  readonly #worker: Worker;
  readonly #listeners = new Map<number, Listener>();
  #next = 0;

  constructor(onLost: (thread: PackingThread) => void) {
    const file = import.meta.url.endsWith('.ts') ? './packing-thread.ts' : './packing-thread.js';
    this.#worker = new Worker(new URL(file, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => this.#listeners.get(message.stream)?.hear(message));
    const lose = (error: Error): void => {
      onLost(this);
      for (const listener of this.#listeners.values()) listener.lose(error);
      this.#listeners.clear();
    };
    this.#worker.on('error', lose);
    this.#worker.on('exit', (code) => {
      lose(new Error(`the packing thread ended with ${String(code)}`));
    });
  }

  get streams(): number {
    return this.#listeners.size;
  }

  open(listener: Listener): number {
    this.#next += 1;
    this.#listeners.set(this.#next, listener);
    this.#worker.ref();
    return this.#next;
  }

  tell(message: ToThread, moved: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, moved);
  }

  close(stream: number): void {
    if (!this.#listeners.delete(stream)) return;
    this.tell({ kind: 'drop', stream });
    if (this.#listeners.size === 0) this.#worker.unref();
  }
}

const threads = new Set<PackingThread>();

/** The thread with the fewest streams; a new one while there are fewer than `most`. */
function leastBusyThread(most: number): PackingThread {
  const [idlest] = [...threads].sort((one, other) => one.streams - other.streams);
  if (idlest !== undefined && (idlest.streams === 0 || threads.size >= most)) return idlest;
  const made = new PackingThread((lost) => threads.delete(lost));
  threads.add(made);
  return made;
}

/** Packs a stream on another thread; the output stays on this one. */
export class ThreadPacker implements Packer {
  readonly #thread: PackingThread;
  readonly #output: PackerOutput;
  readonly #stream: number;
  readonly #ended = Promise.withResolvers<PlainSums>();
  #work: Promise<void> = Promise.resolve();
  #failed: { readonly error: unknown } | undefined;
  #inFlight = 0;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #onRoom: (() => void) | undefined;

  constructor(rules: PackingRules, output: PackerOutput, mostThreads: number) {
    this.#thread = leastBusyThread(mostThreads);
    this.#output = output;
    this.#ended.promise.catch(() => undefined);
    this.#stream = this.#thread.open({
      hear: (message) => {
        this.#hear(message);
      },
      lose: (error) => {
        this.#fail(error);
      },
    });
    this.#thread.tell({ kind: 'open', stream: this.#stream, rules });
  }

  async add(chunk: Uint8Array, disposable: boolean): Promise<void> {
    const moved = disposable && ownsBuffer(chunk) ? chunk : new Uint8Array(chunk);
    this.#inFlight += moved.byteLength;
    this.#batch.push(moved);
    this.#batchBytes += moved.byteLength;
    if (this.#batchBytes >= batchBytes) this.#tellBatch();
    while (this.#inFlight >= inFlightBytes && this.#failed === undefined)
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  async end(): Promise<PlainSums> {
    if (this.#failed !== undefined) throw this.#failed.error;
    this.#tellBatch();
    this.#thread.tell({ kind: 'end', stream: this.#stream });
    const sums = await this.#ended.promise;
    this.#thread.close(this.#stream);
    return sums;
  }

  async abort(): Promise<void> {
    this.#failed ??= { error: new Error('the stream was given up') };
    this.#thread.close(this.#stream);
    await this.#work;
  }

  #tellBatch(): void {
    const chunks = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const moved = chunks.map(({ buffer }) => buffer as ArrayBuffer);
    this.#thread.tell({ kind: 'data', stream: this.#stream, chunks }, moved);
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'taken':
        this.#inFlight -= message.bytes;
        this.#onRoom?.();
        return;
      case 'age':
        this.#then(async () => {
          const { header, key } = await this.#output.nextAgeFile();
          this.#thread.tell({ kind: 'age', stream: this.#stream, header, key });
        });
        return;
      case 'block':
        this.#then(async () => {
          await this.#output.write(Buffer.from(message.block, 0, message.bytes));
          this.#thread.tell({ kind: 'free', stream: this.#stream, block: message.block }, [message.block]);
        });
        return;
      case 'segment':
        this.#then(() => this.#output.endSegment(message.sums));
        return;
      case 'end':
        this.#then(() => {
          this.#ended.resolve(message.sums);
          return Promise.resolve();
        });
        return;
      case 'failed':
        this.#fail(new Error(`the packing thread failed: ${message.message}`));
    }
  }

  /** In the order of the messages, until one fails. */
  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failed !== undefined) return;
      try {
        await work();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    this.#failed ??= { error };
    this.#ended.reject(this.#failed.error);
    this.#onRoom?.();
  }
}

/** Whether a chunk is all of its buffer: a part of a shared one cannot be moved. */
function ownsBuffer(chunk: Uint8Array): boolean {
  return chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
}
