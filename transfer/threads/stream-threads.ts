import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Begin, FromThread, ToThread } from './messages.ts';

/** Where a stream is packed or opened: on this thread, or beside it. */
export type StreamEngine = 'inline' | 'threads';

/** A stream that is not longer than this is handled where it is: to hand it over would cost more. */
const shortBytes = 1024 * 1024;
const mostThreads = 4;

/** Where a stream of so many bytes is handled. One processor has nothing to gain by a second thread. */
export function engineFor(bytes: number): StreamEngine {
  return bytes > shortBytes && availableParallelism() > 1 ? 'threads' : 'inline';
}

/** Who is told what a thread says of a stream, and that the stream failed there or the thread is gone. */
export type ThreadListener<Message> = {
  readonly hear: (message: Message) => void;
  readonly lose: (error: Error) => void;
};

/** A stream on another thread. */
export type ThreadStream<Message> = {
  tell(message: Message, moved?: ArrayBuffer[]): void;
  /** Nothing of it is heard any more. Idempotent. */
  close(): void;
};

/** A thread, and the streams that it has. */
class StreamThread {
  readonly #worker: Worker;
  readonly #listeners = new Map<number, ThreadListener<never>>();
  #next = 0;

  constructor(onLost: (thread: StreamThread) => void) {
    const file = import.meta.url.endsWith('.ts') ? './stream-thread.ts' : './stream-thread.js';
    this.#worker = new Worker(new URL(file, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => {
      const listener = this.#listeners.get(message.stream);
      if (message.kind === 'says') listener?.hear(message.message as never);
      else listener?.lose(new Error(`the stream failed on its thread: ${message.message}`));
    });
    const lose = (error: Error): void => {
      onLost(this);
      for (const listener of this.#listeners.values()) listener.lose(error);
      this.#listeners.clear();
    };
    this.#worker.on('error', lose);
    this.#worker.on('exit', (code) => {
      lose(new Error(`the stream thread ended with ${String(code)}`));
    });
  }

  get streams(): number {
    return this.#listeners.size;
  }

  begin<In extends Extract<ToThread, { kind: 'tell' }>['message'], Out>(
    begin: Begin,
    listener: ThreadListener<Out>,
  ): ThreadStream<In> {
    this.#next += 1;
    const stream = this.#next;
    this.#listeners.set(stream, listener);
    this.#worker.ref();
    this.#post({ kind: 'begin', stream, begin });
    return {
      tell: (message, moved) => {
        this.#post({ kind: 'tell', stream, message }, moved);
      },
      close: () => {
        if (!this.#listeners.delete(stream)) return;
        this.#post({ kind: 'drop', stream });
        if (this.#listeners.size === 0) this.#worker.unref();
      },
    };
  }

  #post(message: ToThread, moved: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, moved);
  }
}

const threads = new Set<StreamThread>();

/** The thread with the fewest streams; a new one while there are fewer than processors beside this thread's. */
function leastBusyThread(): StreamThread {
  const most = Math.min(mostThreads, Math.max(1, availableParallelism() - 1));
  const [idlest] = [...threads].sort((one, other) => one.streams - other.streams);
  if (idlest !== undefined && (idlest.streams === 0 || threads.size >= most)) return idlest;
  const made = new StreamThread((lost) => threads.delete(lost));
  threads.add(made);
  return made;
}

/** Begins a stream on the least busy thread. */
export function beginOnThread<In extends Extract<ToThread, { kind: 'tell' }>['message'], Out>(
  begin: Begin,
  listener: ThreadListener<Out>,
): ThreadStream<In> {
  return leastBusyThread().begin(begin, listener);
}
