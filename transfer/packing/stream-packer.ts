import { createHash } from 'node:crypto';
import { type AgeFile, sealAgeFile } from '../age-stream.ts';
import { ownsBuffer, release } from '../buffers.ts';
import { packFrame } from '../frame.ts';

/** Frames that are compressed at once, beside the one that is being filled, where the output says nothing else: on one processor. */
const framesInFlight = 1;

/** A frame compresses about as the one before it: so much more room saves most of them a second buffer. */
const margin = 1.1;

/** How a stream is cut. */
export type PackingRules = { readonly level: number; readonly segmentBytes: number; readonly frameBytes: number };

/** What a segment holds, once it has ended. */
export type SegmentSums = {
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** SHA-256, hex, of the bytes as stored. */
  readonly storedSha256: string;
  /** Compressed bytes of each frame. */
  readonly frames: readonly number[];
};

/** What a whole stream held. */
export type PlainSums = { readonly plainBytes: number; readonly plainSha256: string };

/** Where packed bytes go. */
export type PackerOutput = {
  /** Header and key of the age file that the next segment is. */
  nextAgeFile(): Promise<AgeFile>;
  /** Bytes of the segment; when it resolves they may be overwritten. */
  write(bytes: Buffer): Promise<void> | void;
  endSegment(sums: SegmentSums): Promise<void>;
  /** How many frames may be compressed at once, asked before each. */
  framesInFlight?(): number;
};

/** Packs one stream, on this thread or on another one. */
export type Packer = {
  /** Takes a chunk; resolves when there is room for more. The chunk belongs to the packer where `disposable`. */
  add(chunk: Uint8Array, disposable: boolean): Promise<void>;
  /** Packs what is left; everything has been given to the output when it resolves. */
  end(): Promise<PlainSums>;
  /** Lets go of everything; nothing reaches the output any more. Never throws. */
  abort(): Promise<void>;
};

type Frame = {
  readonly packed: Promise<readonly Buffer[]>;
  readonly plain: Buffer;
  readonly plainBytes: number;
  readonly lastOfSegment: boolean;
};

type OpenSegment = {
  readonly age: ReturnType<typeof sealAgeFile>;
  readonly hash: ReturnType<typeof createHash>;
  readonly frames: number[];
  storedBytes: number;
  plainBytes: number;
};

/** Cuts a stream into frames, compresses them in parallel, and seals them in order, in segments of limited plaintext. */
export class StreamPacker implements Packer {
  readonly #rules: PackingRules;
  readonly #output: PackerOutput;
  readonly #hash = createHash('sha256');
  readonly #waiting: Frame[] = [];
  readonly #free: Buffer[] = [];
  #plainBytes = 0;
  #segments = 0;
  #open: OpenSegment | undefined;
  #frame: Buffer | undefined;
  #frameUsed = 0;
  #segmentUsed = 0;
  /** Room that a frame gets for its compressed bytes, as a part of its own: what the last one needed, and a little. */
  #ratio = 1;

  constructor(rules: PackingRules, output: PackerOutput) {
    this.#rules = rules;
    this.#output = output;
  }

  async add(chunk: Uint8Array, disposable: boolean): Promise<void> {
    this.#hash.update(chunk);
    this.#plainBytes += chunk.byteLength;
    for (let offset = 0; offset < chunk.byteLength; ) {
      this.#frame ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#rules.frameBytes);
      const room = Math.min(this.#rules.frameBytes, this.#rules.segmentBytes - this.#segmentUsed) - this.#frameUsed;
      const part = chunk.subarray(offset, offset + room);
      this.#frame.set(part, this.#frameUsed);
      this.#frameUsed += part.byteLength;
      offset += part.byteLength;
      if (part.byteLength === room) await this.#pack(this.#frame);
    }
    if (disposable && ownsBuffer(chunk)) release(chunk);
  }

  /** A stream without a byte is one segment with one empty frame, which stock tools accept. */
  async end(): Promise<PlainSums> {
    const empty = this.#segments === 0 && this.#waiting.length === 0;
    if (this.#frameUsed > 0 || empty) await this.#pack(this.#frame ?? Buffer.alloc(0));
    while (this.#waiting.length > 0) await this.#sealOldest();
    await this.#endSegment();
    for (const frame of this.#free.splice(0)) release(frame);
    return { plainBytes: this.#plainBytes, plainSha256: this.#hash.digest('hex') };
  }

  async abort(): Promise<void> {
    await Promise.allSettled(this.#waiting.map((frame) => frame.packed));
  }

  async #pack(buffer: Buffer): Promise<void> {
    const plainBytes = this.#frameUsed;
    this.#segmentUsed += plainBytes;
    const lastOfSegment = this.#segmentUsed >= this.#rules.segmentBytes;
    if (lastOfSegment) this.#segmentUsed = 0;
    const expectBytes = Math.ceil(plainBytes * this.#ratio);
    const packed = packFrame(buffer.subarray(0, plainBytes), this.#rules.level, expectBytes);
    packed.catch(() => undefined);
    this.#waiting.push({ packed, plain: buffer, plainBytes, lastOfSegment });
    this.#frame = undefined;
    this.#frameUsed = 0;
    const atOnce = this.#output.framesInFlight?.() ?? framesInFlight;
    while (this.#waiting.length > atOnce) await this.#sealOldest();
  }

  async #sealOldest(): Promise<void> {
    const [frame] = this.#waiting;
    if (frame === undefined) return;
    const pieces = await frame.packed;
    const packedBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    this.#waiting.shift();
    if (this.#free.length === 0) this.#free.push(frame.plain);
    else release(frame.plain);
    if (frame.plainBytes > 0) this.#ratio = Math.min(1, (margin * packedBytes) / frame.plainBytes);
    const open = (this.#open ??= await this.#openSegment());
    open.frames.push(packedBytes);
    for (const piece of pieces)
      for (const sealed of open.age.update(piece)) {
        await this.#write(open, sealed);
        release(sealed);
      }
    for (const piece of pieces) release(piece);
    open.plainBytes += frame.plainBytes;
    if (frame.lastOfSegment) await this.#endSegment();
  }

  async #openSegment(): Promise<OpenSegment> {
    const { header, key } = await this.#output.nextAgeFile();
    const open = { age: sealAgeFile(key), hash: createHash('sha256'), frames: [], storedBytes: 0, plainBytes: 0 };
    this.#segments += 1;
    await this.#write(open, header);
    return open;
  }

  async #write(open: OpenSegment, bytes: Buffer): Promise<void> {
    open.hash.update(bytes);
    open.storedBytes += bytes.byteLength;
    const written = this.#output.write(bytes);
    if (written !== undefined) await written;
  }

  async #endSegment(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    await this.#write(open, open.age.final());
    const { plainBytes, storedBytes, frames, hash } = open;
    await this.#output.endSegment({ plainBytes, storedBytes, storedSha256: hash.digest('hex'), frames });
  }
}
