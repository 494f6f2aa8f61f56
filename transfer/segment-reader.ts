import { createHash, type Hash } from 'node:crypto';
import { failure, type LifeboatFailure } from '../model/failures.ts';
import type { Segment } from '../model/recovery-point.ts';
import type { AgeIdentity } from './age-identity.ts';
import { AgeError, openAgeDecryptor } from './age-stream.ts';
import { unpackFrame } from './frame.ts';
import { FrameCutter } from './frame-cutter.ts';
import type { Store } from './store.ts';

/** Frames that are decompressed at once. */
const framesInFlight = 2;

/** A segment to read, and its place for messages. */
export type SegmentToRead = {
  readonly store: Store;
  readonly segment: Segment;
  /** `read artifact db.dump: segment 2` */
  readonly title: string;
  readonly identity: AgeIdentity;
  readonly signal: AbortSignal | undefined;
};

/** Why a segment did not open, and at which frame. Whether its stored bytes are the written ones decides what it means. */
type Problem = { readonly noIdentity: boolean; readonly text: string; readonly frame: number };

/** A frame that was authenticated and checked: its plaintext, and its zstd frame as it is stored. */
export type OpenedFrame = { readonly plain: Buffer; readonly packed: Buffer };

type Unpacking = { readonly frame: number; readonly packed: Buffer; readonly plain: Promise<Buffer> };

/**
 * The frames of a segment, each authenticated and checked. After the first problem the rest of the object is still
 * hashed: bytes that are not the written ones are a damaged object, others are a wrong key or a defect of the writer.
 * @throws ObjectNotFound, ArtifactTruncated, ArtifactDigestMismatch, ArtifactUnreadable, KeyMissing, Store*
 */
export async function* readSegment(of: SegmentToRead): AsyncGenerator<OpenedFrame, void> {
  const { store, segment, signal } = of;
  const opener = new SegmentOpener(segment, of.identity);
  const hash = createHash('sha256');
  let storedBytes = 0;
  let problem = opener.checkIndex();
  for await (const chunk of store.read(segment.key)) {
    signal?.throwIfAborted();
    hash.update(chunk);
    storedBytes += chunk.byteLength;
    if (problem !== undefined) continue;
    problem = await opener.add(chunk);
    const ready = await opener.ready(framesInFlight);
    problem = ready.problem ?? problem;
    yield* ready.frames;
  }
  problem ??= opener.end();
  assertStored(of, storedBytes, hash, problem);
  const ready = await opener.ready(0);
  yield* ready.frames;
  problem = ready.problem ?? problem;
  if (problem !== undefined) throw problemFailure(of, problem);
}

/** Decrypts and decompresses; says what is wrong instead of throwing it. */
class SegmentOpener {
  readonly #segment: Segment;
  readonly #age: ReturnType<typeof openAgeDecryptor>;
  readonly #cutter: FrameCutter;
  #unpacking: Unpacking[] = [];

  constructor(segment: Segment, identity: AgeIdentity) {
    this.#segment = segment;
    this.#age = openAgeDecryptor(identity);
    this.#cutter = new FrameCutter(segment.frames);
  }

  checkIndex(): Problem | undefined {
    const { plainBytes, frameBytes, frames } = this.#segment;
    const fits = frames.length === Math.max(1, Math.ceil(plainBytes / frameBytes));
    return fits
      ? undefined
      : { noIdentity: false, text: 'the list of frames does not fit its size', frame: frames.length };
  }

  async add(sealed: Uint8Array): Promise<Problem | undefined> {
    try {
      for (const opened of await this.#age.update(sealed)) this.#unpack(opened);
      return undefined;
    } catch (error) {
      return this.#problem(error, this.#cutter.position);
    }
  }

  end(): Problem | undefined {
    try {
      this.#unpack(this.#age.final());
      this.#cutter.end();
      return undefined;
    } catch (error) {
      return this.#problem(error, this.#cutter.position);
    }
  }

  /** The oldest frames, all but `left`, up to the first that does not open. */
  async ready(left: number): Promise<{ frames: OpenedFrame[]; problem: Problem | undefined }> {
    const frames: OpenedFrame[] = [];
    for (const { frame, packed, plain } of this.#unpacking.splice(0, Math.max(0, this.#unpacking.length - left))) {
      try {
        frames.push({ packed, plain: await plain });
      } catch (error) {
        return { frames, problem: this.#problem(error, frame) };
      }
    }
    return { frames, problem: undefined };
  }

  #unpack(opened: Buffer): void {
    const { plainBytes, frameBytes } = this.#segment;
    for (const { index, packed } of this.#cutter.add(opened)) {
      const plain = unpackFrame(packed, Math.min(frameBytes, plainBytes - index * frameBytes));
      plain.catch(() => undefined);
      this.#unpacking.push({ frame: index + 1, packed, plain });
    }
  }

  #problem(error: unknown, frame: number): Problem {
    const text = error instanceof Error ? error.message : String(error);
    return { noIdentity: error instanceof AgeError && error.problem === 'no identity fits', text, frame };
  }
}

/** Compares the object with what was written. */
function assertStored(of: SegmentToRead, storedBytes: number, hash: Hash, problem: Problem | undefined): void {
  const { segment, title } = of;
  const noticed = problem === undefined ? '' : `, first noticed at frame ${String(problem.frame)}: ${problem.text}`;
  const subject = segment.key;
  if (storedBytes < segment.storedBytes) {
    const message = `${title} (${subject}) has ${String(storedBytes)} of ${String(segment.storedBytes)} bytes${noticed}`;
    throw failure('ArtifactTruncated', { message, subject });
  }
  if (storedBytes !== segment.storedBytes || hash.digest('hex') !== segment.storedSha256) {
    throw failure('ArtifactDigestMismatch', {
      message: `${title} (${subject}) is not what was written${noticed}`,
      subject,
    });
  }
  if (problem !== undefined) throw problemFailure(of, problem);
}

function problemFailure({ segment, title }: SegmentToRead, problem: Problem): LifeboatFailure {
  const subject = segment.key;
  if (problem.noIdentity)
    return failure('KeyMissing', {
      message: `${title} (${subject}): the identity given is none of its recipients`,
      subject,
    });
  return failure('ArtifactUnreadable', {
    message: `${title} (${subject}), frame ${String(problem.frame)}: ${problem.text}`,
    subject,
  });
}
