import type { Segment } from '../model/recovery-point.ts';
import { packFrame } from './frame.ts';
import { openSegment, type SegmentWriter } from './segment-writer.ts';
import type { Store } from './store.ts';

/** Frames that are compressed at once, beside the one that is being filled. */
const framesInFlight = 2;

/** A frame compresses about as the one before it: so much more room saves most of them a second buffer. */
const margin = 1.1;

/** How a stream is cut and where its parts go. */
export type SegmentOptions = {
  readonly store: Store;
  readonly folder: string;
  readonly recipients: readonly string[];
  readonly level: number;
  readonly segmentBytes: number;
  readonly frameBytes: number;
};

type Frame = {
  readonly packed: Promise<Buffer>;
  readonly plain: Buffer;
  readonly plainBytes: number;
  readonly lastOfSegment: boolean;
};

/** Cuts a stream into frames, compresses them in parallel and stores them in order, in segments of limited plaintext. */
export class ArtifactSegments {
  readonly #options: SegmentOptions;
  readonly #waiting: Frame[] = [];
  readonly #free: Buffer[] = [];
  readonly #opened: SegmentWriter[] = [];
  readonly #segments: Segment[] = [];
  #open: SegmentWriter | undefined;
  #frame: Buffer | undefined;
  #frameUsed = 0;
  #segmentUsed = 0;
  /** Room that a frame gets for its compressed bytes, as a part of its own: what the last one needed, and a little. */
  #ratio = 1;

  constructor(options: SegmentOptions) {
    this.#options = options;
  }

  /** Takes a chunk of plaintext; resolves when there is room for more. */
  async add(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.byteLength; ) {
      this.#frame ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#options.frameBytes);
      const room = Math.min(this.#options.frameBytes, this.#options.segmentBytes - this.#segmentUsed) - this.#frameUsed;
      const part = chunk.subarray(offset, offset + room);
      this.#frame.set(part, this.#frameUsed);
      this.#frameUsed += part.byteLength;
      offset += part.byteLength;
      if (part.byteLength === room) await this.#pack(this.#frame);
    }
  }

  /** Stores what is left. A stream without a byte is one segment with one empty frame, which stock tools accept. */
  async finish(): Promise<Segment[]> {
    const empty = this.#opened.length === 0 && this.#waiting.length === 0;
    if (this.#frameUsed > 0 || empty) await this.#pack(this.#frame ?? Buffer.alloc(0));
    while (this.#waiting.length > 0) await this.#storeOldest();
    await this.#commitOpen();
    return this.#segments;
  }

  /** Takes back every segment, the finished ones too; never throws. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#waiting.map((frame) => frame.packed));
    for (const segment of this.#opened) await segment.abort();
  }

  async #pack(buffer: Buffer): Promise<void> {
    const plainBytes = this.#frameUsed;
    this.#segmentUsed += plainBytes;
    const lastOfSegment = this.#segmentUsed >= this.#options.segmentBytes;
    if (lastOfSegment) this.#segmentUsed = 0;
    const expectBytes = Math.ceil(plainBytes * this.#ratio);
    const packed = packFrame(buffer.subarray(0, plainBytes), this.#options.level, expectBytes);
    packed.catch(() => undefined);
    this.#waiting.push({ packed, plain: buffer, plainBytes, lastOfSegment });
    this.#frame = undefined;
    this.#frameUsed = 0;
    if (this.#waiting.length > framesInFlight) await this.#storeOldest();
  }

  async #storeOldest(): Promise<void> {
    const [frame] = this.#waiting;
    if (frame === undefined) return;
    const packed = await frame.packed;
    this.#waiting.shift();
    this.#free.push(frame.plain);
    if (frame.plainBytes > 0) this.#ratio = Math.min(1, (margin * packed.byteLength) / frame.plainBytes);
    this.#open ??= await this.#openNext();
    await this.#open.add(packed, frame.plainBytes);
    if (frame.lastOfSegment) await this.#commitOpen();
  }

  async #openNext(): Promise<SegmentWriter> {
    const { store, folder, recipients, frameBytes } = this.#options;
    const key = `${folder}/${String(this.#opened.length + 1).padStart(4, '0')}.zst.age`;
    const segment = await openSegment({ store, key, recipients, frameBytes });
    this.#opened.push(segment);
    return segment;
  }

  async #commitOpen(): Promise<void> {
    if (this.#open === undefined) return;
    this.#segments.push(await this.#open.commit());
    this.#open = undefined;
  }
}
