import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact, Segment } from '../../model/recovery-point.ts';
import { newAgeFile, sealAgeFile } from '../../transfer/age-stream.ts';
import { packFrame } from '../../transfer/frame.ts';
import { openArtifact } from '../../transfer/opening/open-artifact.ts';
import { StreamOpener } from '../../transfer/opening/stream-opener.ts';
import type { Store } from '../../transfer/store.ts';
import type { StreamEngine } from '../../transfer/threads/stream-threads.ts';
import { memoryStore } from '../models/memory-store.ts';
import { testKit } from './test-points.ts';
import { sha256, testStore } from './test-sources.ts';

const frameBytes = 1_000;
let engine: StreamEngine;
let kit: RecoveryKit;
let stranger: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
  stranger = await testKit();
});

type Made = { readonly segment: Segment; readonly file: Buffer; readonly frames: readonly Buffer[] };

/** A segment of the given frames, as an age file; its record fits it. */
async function make(frames: readonly Buffer[], plainBytes: number, more: Partial<Segment> = {}): Promise<Made> {
  const { header, key } = await newAgeFile(kit.recipients);
  const age = sealAgeFile(key);
  const file = Buffer.concat([header, ...age.update(Buffer.concat(frames)), age.final()]);
  const segment: Segment = {
    ...{ key: 'points/p/db/0001.zst.age', plainBytes, frameBytes },
    ...{ storedBytes: file.byteLength, storedSha256: sha256(file), frames: frames.map((each) => each.byteLength) },
    ...more,
  };
  return { segment, file, frames };
}

async function makeOf(plain: Buffer, more: Partial<Segment> = {}): Promise<Made> {
  const frames: Buffer[] = [];
  for (let at = 0; at < Math.max(1, plain.byteLength); at += frameBytes)
    frames.push(Buffer.concat(await packFrame(plain.subarray(at, at + frameBytes), 1)));
  return await make(frames, plain.byteLength, more);
}

/** An artifact of one segment that holds this plaintext. */
function artifactOf(segment: Segment, plain: Buffer): Artifact {
  return {
    ...{ name: 'db', plainBytes: segment.plainBytes, plainSha256: sha256(plain), storedBytes: segment.storedBytes },
    ...{ segments: [segment], restoreCommand: 'cat' },
    endProof: { status: true, trailer: false, count: false, digest: false },
  };
}

/** Reads a file in chunks as that segment: the frames that were given, and the failure. */
async function read(
  segment: Segment,
  file: Buffer,
  {
    chunkBytes = 700,
    identity = kit.identity,
    signal,
    expected = Buffer.alloc(0),
  }: { chunkBytes?: number; identity?: string; signal?: AbortSignal; expected?: Buffer } = {},
): Promise<{ plain: Buffer; packed: Buffer[]; error: unknown }> {
  const store: Store = {
    ...memoryStore({ objects: new Map(), now: () => new Date() }),
    async *read(key) {
      expect(key).toBe(segment.key);
      for (let at = 0; at < file.byteLength; at += chunkBytes)
        yield await Promise.resolve(new Uint8Array(file.subarray(at, at + chunkBytes)));
    },
  };
  const of = { store, artifact: artifactOf(segment, expected), identity, signal, engine };
  const plain = await collect(openArtifact(of, 'plain'));
  const packed = await collect(openArtifact(of, 'packed'));
  expect(packed.error).toEqual(plain.error);
  return { plain: Buffer.concat(plain.given), packed: packed.given, error: plain.error };
}

async function collect(frames: AsyncIterable<{ bytes: Buffer }>): Promise<{ given: Buffer[]; error: unknown }> {
  const given: Buffer[] = [];
  try {
    for await (const { bytes } of frames) given.push(bytes);
    return { given, error: undefined };
  } catch (error) {
    return { given, error };
  }
}

const name = 'read artifact db: segment 1 (points/p/db/0001.zst.age)';

describe.each(['inline', 'threads'] as const)('openArtifact, of one segment (%s)', (where) => {
  beforeAll(() => {
    engine = where;
  });

  it('gives each frame, as it is stored and as it was', async () => {
    for (const size of [0, 1, 999, 1_000, 1_001, 70_000]) {
      const plain = randomBytes(size);
      const { segment, file, frames } = await makeOf(plain);
      for (const chunkBytes of [500, 70_000, 1_000_000]) {
        const got = await read(segment, file, { chunkBytes, expected: plain });
        expect(got.error).toBeUndefined();
        expect(got.plain.equals(plain)).toBe(true);
        expect(got.packed.map((each) => each.byteLength)).toEqual(frames.map((each) => each.byteLength));
        expect(Buffer.concat(got.packed).equals(Buffer.concat(frames))).toBe(true);
      }
    }
  });

  it.each([
    ['no frame for its bytes', { frames: [] }],
    ['one frame too few', { plainBytes: 2_001, frames: [100, 100] }],
    ['one frame too many', { plainBytes: 2_000, frames: [100, 100, 100] }],
    ['a frame too many for nothing', { plainBytes: 0, frames: [9, 9] }],
  ])('does not take a list of frames that does not fit: %s', async (_, more) => {
    const { segment, file } = await makeOf(randomBytes(2_000), more);
    const { error, plain } = await read(segment, file);
    expect(plain.byteLength).toBe(0);
    expect(error).toMatchObject({
      code: 'ArtifactUnreadable',
      subject: segment.key,
      message: `${name}, frame ${String(more.frames.length)}: the list of frames does not fit its size`,
    });
  });

  it('compares every stored byte, also where the frames can be opened', async () => {
    const { segment, file } = await makeOf(randomBytes(3_000));
    expect((await read({ ...segment, storedSha256: 'f'.repeat(64) }, file)).error).toMatchObject({
      code: 'ArtifactDigestMismatch',
      subject: segment.key,
      message: `${name} is not what was written`,
    });
    expect((await read({ ...segment, storedBytes: file.byteLength - 1 }, file)).error).toMatchObject({
      code: 'ArtifactDigestMismatch',
    });
    expect((await read({ ...segment, storedBytes: file.byteLength + 1 }, file)).error).toMatchObject({
      code: 'ArtifactTruncated',
      message: `${name} has ${String(file.byteLength)} of ${String(file.byteLength + 1)} bytes`,
    });
  });

  it('hashes on behind what it cannot open, and says at which frame that began', async () => {
    const { segment, file } = await makeOf(randomBytes(300_000));
    for (const [at, frame] of [
      [400, 1],
      [140_000, '1[0-9][0-9]'],
    ] as const) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      const { error } = await read(segment, damaged);
      expect(error).toMatchObject({
        code: 'ArtifactDigestMismatch',
        message: expect.stringMatching(
          new RegExp(`is not what was written, first noticed at frame ${String(frame)}: damaged`),
        ) as string,
      });
      expect((await read(segment, damaged.subarray(0, -9))).error).toMatchObject({
        code: 'ArtifactTruncated',
        message: expect.stringMatching(/bytes, first noticed at frame [0-9]+: /) as string,
      });
    }
  });

  it('gives the frames before one that is not what it should be, and names that one', async () => {
    const plain = randomBytes(5_000);
    const { frames } = await makeOf(plain);
    for (const wrong of [0, 2, 3, 4]) {
      const changed = frames.map((each, at) => (at === wrong ? Buffer.alloc(each.byteLength, 'x') : each));
      const { segment, file } = await make(changed, plain.byteLength);
      for (const chunkBytes of [100, 1_000_000]) {
        const got = await read(segment, file, { chunkBytes });
        expect(got.plain.equals(plain.subarray(0, wrong * frameBytes))).toBe(true);
        expect(got.error).toMatchObject({
          code: 'ArtifactUnreadable',
          subject: segment.key,
          message: expect.stringContaining(`${name}, frame ${String(wrong + 1)}: `) as string,
        });
      }
    }
  });

  it('knows of the last frame how long it is', async () => {
    const plain = randomBytes(2_500);
    const { frames } = await makeOf(plain);
    for (const plainBytes of [2_499, 2_501, 3_000]) {
      const { segment, file } = await make(frames, plainBytes);
      expect((await read(segment, file)).error).toMatchObject({
        code: 'ArtifactUnreadable',
        message: expect.stringContaining(', frame 3: ') as string,
      });
    }
  });

  it('tells a wrong key from damage', async () => {
    const { segment, file } = await makeOf(randomBytes(3_000));
    const { identity } = stranger;
    expect((await read(segment, file, { identity })).error).toMatchObject({
      code: 'KeyMissing',
      subject: segment.key,
      message: `${name}: the identity given is none of its recipients`,
    });
    const damaged = Buffer.from(file);
    damaged[file.byteLength - 1] = (damaged[file.byteLength - 1] ?? 0) ^ 1;
    expect((await read(segment, damaged, { identity })).error).toMatchObject({ code: 'ArtifactDigestMismatch' });
  });

  it('stops at the next chunk when it is cancelled', async () => {
    const expected = randomBytes(3_000);
    const { segment, file } = await makeOf(expected);
    const signal = AbortSignal.abort(new Error('cancelled by a test'));
    expect((await read(segment, file, { signal })).error).toMatchObject({ message: 'cancelled by a test' });
    const alive = new AbortController().signal;
    expect((await read(segment, file, { signal: alive, expected })).error).toBeUndefined();
  });
});

describe('openArtifact', () => {
  it('chooses by itself where a stream is opened', async () => {
    for (const size of [1_000, 3_000_000]) {
      const store = testStore();
      const plain = randomBytes(size);
      const { segment, file } = await makeOf(plain);
      await store.put(segment.key, file);
      const of = { store, artifact: artifactOf(segment, plain), identity: kit.identity };
      const { given, error } = await collect(openArtifact(of, 'plain'));
      expect(error).toBeUndefined();
      expect(Buffer.concat(given).equals(plain)).toBe(true);
    }
  });
});

describe('StreamOpener', () => {
  it('opens nothing before a segment was begun', () => {
    expect(() => new StreamOpener('plain').stored()).toThrow('no segment was begun');
  });
});
