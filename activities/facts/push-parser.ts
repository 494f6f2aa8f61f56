import { failure } from '../../model/failures.ts';

/**
 * A parser written as if all bytes were there: `yield n` gives exactly the next n bytes, `yield -n` at least one and at
 * most n of them, or none where the stream has ended.
 */
export type Parser<Result> = Generator<number, Result, Buffer>;

/** A parser that is fed chunks of any size. */
export type PushParser<Result> = {
  /** Takes a chunk and returns how many of its bytes the parser used: fewer than all once it is done. */
  push(chunk: Uint8Array): number;
  readonly done: boolean;
  /** The result, after the last byte. @throws EndOfStream where the parser still wants bytes */
  end(): Result;
};

/** The stream ended where its format demands more. */
export class EndOfStream extends Error {
  override readonly name = 'EndOfStream';
}

/** Runs a parser over a stream that arrives in chunks. Memory is bounded by the largest piece it asks for. */
export function pushParser<Result>(parser: Parser<Result>): PushParser<Result> {
  let step = parser.next();
  let kept: Buffer[] = [];
  let keptBytes = 0;
  return {
    get done() {
      return step.done === true;
    },
    push: (chunk) => {
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (step.done === true) return 0;
      const before = keptBytes;
      if (before + fresh.byteLength < step.value) {
        kept.push(Buffer.from(fresh));
        keptBytes += fresh.byteLength;
        return fresh.byteLength;
      }
      const bytes = before === 0 ? fresh : Buffer.concat([...kept, fresh]);
      let offset = 0;
      while (step.done !== true) {
        const available = bytes.byteLength - offset;
        const wanted = step.value;
        if (wanted >= 0 ? available < wanted : available === 0) break;
        const size = wanted >= 0 ? wanted : Math.min(-wanted, available);
        step = parser.next(bytes.subarray(offset, offset + size));
        offset += size;
      }
      if (step.done === true) return offset - before;
      kept = offset < bytes.byteLength ? [Buffer.from(bytes.subarray(offset))] : [];
      keptBytes = bytes.byteLength - offset;
      return fresh.byteLength;
    },
    end: () => {
      while (step.done !== true && step.value < 0) step = parser.next(Buffer.alloc(0));
      if (step.done === true) return step.value;
      throw new EndOfStream('the stream ends early');
    },
  };
}

/** What a parser of an archive throws, as a failure. */
export function fed<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw failure('DumpEndedEarly', {
      message: `read archive: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}
