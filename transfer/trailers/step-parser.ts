import { pieceSkipper } from './piece-skipper.ts';
import type { TrailerCheck, TrailerVerdict } from './trailer.ts';

/** What a parser wants next; `what` names the bytes should they be missing, and is undefined where the stream may end. */
type Step =
  | { readonly kind: 'take' | 'skip'; readonly bytes: number; readonly what: string | undefined }
  | { readonly kind: 'pieces'; readonly intBytes: number; readonly what: string };

/** A part of a parser that gives a value. */
export type Part<Value> = Generator<Step, Value, Buffer>;

/** A parser of a stream, written as if the bytes were all there. */
export type Steps = Part<TrailerVerdict>;

const nothing = Buffer.alloc(0);

/** A stream that contradicts its format. */
export function cut(reason: string): TrailerVerdict {
  return { end: 'cut', reason };
}

/** Takes the next bytes. With `what` undefined the stream may end here: the bytes are then fewer, or none. */
export function* take(bytes: number, what: string | undefined): Part<Buffer> {
  return bytes === 0 ? nothing : yield { kind: 'take', bytes, what };
}

/** Passes over the next bytes. */
export function* skip(bytes: number, what: string): Part<void> {
  if (bytes > 0) yield { kind: 'skip', bytes, what };
}

/** Passes over pieces that each state their length, up to one of length 0. Archives have one for each row. */
export function* skipPieces(intBytes: number, what: string): Part<void> {
  yield { kind: 'pieces', intBytes, what };
}

/** Runs a step parser over a stream that arrives in chunks of any size. */
export function parseInSteps(start: () => Steps): TrailerCheck {
  const parser = start();
  let step = parser.next();
  let kept: Buffer[] = [];
  let missing = 0;
  let pieces: ((bytes: Buffer, offset: number) => { offset: number; done: boolean }) | undefined;
  const prepare = (): void => {
    kept = [];
    missing = step.done !== true && step.value.kind !== 'pieces' ? step.value.bytes : 0;
    pieces = step.done !== true && step.value.kind === 'pieces' ? pieceSkipper(step.value.intBytes) : undefined;
  };
  const advance = (bytes: Buffer): void => {
    step = parser.next(bytes);
    prepare();
  };
  prepare();
  return {
    update: (chunk) => {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let offset = 0; offset < bytes.byteLength && step.done !== true; ) {
        if (pieces !== undefined) {
          const passed = pieces(bytes, offset);
          offset = passed.offset;
          if (passed.done) advance(nothing);
          continue;
        }
        const part = bytes.subarray(offset, offset + missing);
        offset += part.byteLength;
        missing -= part.byteLength;
        if (step.value.kind === 'take' && missing > 0) kept.push(Buffer.from(part));
        else if (missing === 0) advance(step.value.kind === 'skip' ? nothing : Buffer.concat([...kept, part]));
      }
    },
    end: () => {
      for (let partial = Buffer.concat(kept); step.done !== true; partial = nothing) {
        if (step.value.what !== undefined) return cut(`it ends inside ${step.value.what}`);
        advance(partial);
      }
      return step.value;
    },
  };
}
