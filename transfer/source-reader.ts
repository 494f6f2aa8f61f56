import { failure, LifeboatFailure } from '../model/failures.ts';
import type { ByteSource, EndReport } from './source.ts';

/** How long a source that was cancelled may take to end. */
const endAfterCancelMs = 5_000;

/** Bounds of reading a source. */
export type SourceBounds = {
  readonly name: string;
  readonly stallMs: number;
  readonly signal: AbortSignal | undefined;
};

/**
 * The bytes of a source.
 * @throws DumpStalled when none arrives for `stallMs`; DumpFailed when the stream breaks; the signal's reason
 */
export async function* readSource(source: ByteSource, bounds: SourceBounds): AsyncGenerator<Uint8Array, void> {
  const iterator = source.bytes[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await within(iterator.next(), bounds, 'no byte arrived');
      if (next.done === true) break;
      yield next.value;
    }
    ended = true;
  } catch (error) {
    throw streamFailure(error, bounds);
  } finally {
    // not awaited: it answers only when the source does
    if (!ended) iterator.return?.().catch(() => undefined);
  }
}

/** The report of a source's end. @throws DumpStalled when it does not come; what the source throws; the signal's reason */
export function readEnd(source: ByteSource, bounds: SourceBounds): Promise<EndReport> {
  return within(source.end(), bounds, 'the bytes ended but the command did not');
}

/** Ends a source whose bytes are not wanted any more, and waits until it has ended, 5 s or the stall time at most. */
export async function stopSource(source: ByteSource, bounds: SourceBounds): Promise<void> {
  source.cancel();
  const ended = source.end().then(
    () => undefined,
    () => undefined,
  );
  await within(ended, { ...bounds, stallMs: Math.min(endAfterCancelMs, bounds.stallMs), signal: undefined }, '').catch(
    () => undefined,
  );
}

/** Waits for a promise, for the stall time and for the signal. */
function within<Value>(promise: Promise<Value>, bounds: SourceBounds, stalled: string): Promise<Value> {
  const { name, stallMs, signal } = bounds;
  return orAborted(promise, signal, {
    afterMs: stallMs,
    failure: () => failure('DumpStalled', { message: `capture ${name}: ${stalled} for ${String(stallMs)} ms` }),
  });
}

/**
 * Waits for a promise, but not when the signal comes, nor longer than a stall time: a slow source or store would hold a
 * cancellation up. By hand: Promise.race with one signal leaks per chunk.
 */
export function orAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
  stall?: { readonly afterMs: number; readonly failure: () => Error },
): Promise<Value> {
  if (signal === undefined && stall === undefined) return promise;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const onAbort = (): void => {
      fail(signal?.reason as Error);
    };
    const timer = stall === undefined ? undefined : setTimeout(() => fail(stall.failure()), stall.afterMs);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        fail(error instanceof Error ? error : new Error(String(error)));
      },
    );
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** What a broken stream means: an error of the operating system or of Node's streams is the source's; another is a defect. */
function streamFailure(error: unknown, { name, signal }: SourceBounds): unknown {
  if (error instanceof LifeboatFailure || error === signal?.reason) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  return failure('DumpFailed', { message: `capture ${name}: the stream broke (${code})`, cause: error });
}
