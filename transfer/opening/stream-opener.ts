import { createHash } from 'node:crypto';
import type { Segment } from '../../model/recovery-point.ts';
import type { AgeIdentity } from '../age-identity.ts';
import { AgeError, openAgeDecryptor } from '../age-stream.ts';
import { release } from '../buffers.ts';
import { unpackFrame } from '../frame.ts';
import { FrameCutter } from '../frame-cutter.ts';
import type { PlainSums } from '../packing/stream-packer.ts';

/** Frames that are decompressed at once. */
const framesInFlight = 2;

/** What the reader wants of each frame: its plaintext, its zstd frame as it is stored, or only that it was checked. */
export type Wanted = 'plain' | 'packed' | 'nothing';

/** How a segment is cut. */
export type SegmentShape = Pick<Segment, 'plainBytes' | 'frameBytes' | 'frames'>;

/** A frame that was authenticated and checked: the bytes that are wanted of it. */
export type OpenedFrame<Bytes extends Uint8Array = Buffer> = { readonly plainBytes: number; readonly bytes: Bytes };

/** Why a segment did not open, and at which frame. Whether its stored bytes are the written ones decides what it means. */
export type Problem = { readonly noIdentity: boolean; readonly text: string; readonly frame: number };

/** The stored bytes of a segment as they came, and what was wrong until their end. */
export type Stored = {
  readonly storedBytes: number;
  /** Hex. */
  readonly storedSha256: string;
  readonly problem: Problem | undefined;
};

const nothing = Buffer.alloc(0);

type Unpacking = { readonly frame: number; readonly packed: Buffer; readonly plain: Promise<Buffer> };

/**
 * Opens the segments of one artifact, one after the other: hashes what is stored, decrypts, decompresses and hashes the plaintext.
 * It says what is wrong instead of throwing it, and hashes the rest of the segment after it.
 */
export class StreamOpener {
  readonly #wanted: Wanted;
  readonly #hash = createHash('sha256');
  #plainBytes = 0;
  #open: SegmentOpener | undefined;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  begin(segment: SegmentShape, identity: AgeIdentity): void {
    this.#open = new SegmentOpener(segment, identity);
  }

  /** Takes stored bytes, which may be overwritten afterwards. @returns frames that are ready */
  async add(stored: Uint8Array): Promise<OpenedFrame[]> {
    return this.#take(await this.#segment.add(stored));
  }

  /** Ends the stored bytes of the segment: `rest` gives its last frames, for who has found them to be the written ones. */
  stored(): Stored {
    return this.#segment.stored();
  }

  async rest(): Promise<{ readonly frames: OpenedFrame[]; readonly problem: Problem | undefined }> {
    const frames = this.#take(await this.#segment.ready(0));
    return { frames, problem: this.#segment.problem };
  }

  /** What all frames together held. */
  sums(): PlainSums {
    return { plainBytes: this.#plainBytes, plainSha256: this.#hash.digest('hex') };
  }

  get #segment(): SegmentOpener {
    if (this.#open === undefined) throw new Error('no segment was begun');
    return this.#open;
  }

  #take(frames: readonly { packed: Buffer; plain: Buffer }[]): OpenedFrame[] {
    return frames.map(({ packed, plain }) => {
      this.#hash.update(plain);
      const plainBytes = plain.byteLength;
      this.#plainBytes += plainBytes;
      if (this.#wanted !== 'packed') release(packed);
      if (this.#wanted !== 'plain') release(plain);
      return { plainBytes, bytes: { plain, packed, nothing }[this.#wanted] };
    });
  }
}

/** Opens one segment. */
class SegmentOpener {
  readonly #shape: SegmentShape;
  readonly #hash = createHash('sha256');
  readonly #age: ReturnType<typeof openAgeDecryptor>;
  readonly #cutter: FrameCutter;
  #storedBytes = 0;
  #unpacking: Unpacking[] = [];
  problem: Problem | undefined;

  constructor(shape: SegmentShape, identity: AgeIdentity) {
    this.#shape = shape;
    this.#age = openAgeDecryptor(identity);
    this.#cutter = new FrameCutter(shape.frames);
    const { plainBytes, frameBytes, frames } = shape;
    if (frames.length !== Math.max(1, Math.ceil(plainBytes / frameBytes)))
      this.problem = {
        noIdentity: false,
        text: 'the list of frames does not fit its size',
        frame: frames.length,
      };
  }

  async add(stored: Uint8Array): Promise<{ packed: Buffer; plain: Buffer }[]> {
    this.#hash.update(stored);
    this.#storedBytes += stored.byteLength;
    if (this.problem !== undefined) return [];
    try {
      for (const opened of await this.#age.update(stored)) {
        this.#unpack(opened);
        release(opened);
      }
    } catch (error) {
      this.#fail(error, this.#cutter.position);
    }
    return await this.ready(framesInFlight);
  }

  stored(): Stored {
    if (this.problem === undefined)
      try {
        this.#unpack(this.#age.final());
        this.#cutter.end();
      } catch (error) {
        this.#fail(error, this.#cutter.position);
      }
    return { storedBytes: this.#storedBytes, storedSha256: this.#hash.digest('hex'), problem: this.problem };
  }

  /** The oldest frames, all but `left`, up to the first that does not open. */
  async ready(left: number): Promise<{ packed: Buffer; plain: Buffer }[]> {
    const frames: { packed: Buffer; plain: Buffer }[] = [];
    for (const { frame, packed, plain } of this.#unpacking.splice(0, Math.max(0, this.#unpacking.length - left))) {
      try {
        frames.push({ packed, plain: await plain });
      } catch (error) {
        this.#unpacking = [];
        this.#fail(error, frame);
        break;
      }
    }
    return frames;
  }

  #unpack(opened: Buffer): void {
    const { plainBytes, frameBytes } = this.#shape;
    for (const { index, packed } of this.#cutter.add(opened)) {
      const plain = unpackFrame(packed, Math.min(frameBytes, plainBytes - index * frameBytes));
      plain.catch(() => undefined);
      this.#unpacking.push({ frame: index + 1, packed, plain });
    }
  }

  /** What comes of frames that were read before is of an earlier one, which says more. */
  #fail(error: unknown, frame: number): void {
    const { message: text } = error as Error;
    this.problem = {
      noIdentity: error instanceof AgeError && error.problem === 'no identity fits',
      text,
      frame,
    };
  }
}
