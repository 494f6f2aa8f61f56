import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import type { Artifact, Segment } from '../../model/recovery-point.ts';
import { newAgeFile, sealAgeFile } from '../../transfer/age-stream.ts';
import { packFrame } from '../../transfer/frame.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { readArtifact, readBytes, verifyArtifact } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import type { StreamEngine } from '../../transfer/threads/stream-threads.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { bytesSource, sha256, testStore } from './test-sources.ts';

const plain = randomBytes(230_000);
/** Where it is opened; what the tests say of it must not depend on that. */
let engine: StreamEngine;
let identity: string;
let recipients: readonly string[];
let store: Store;
let artifact: Artifact;
/** The stored bytes of the segments, as they were written. */
let stored: Buffer[];

beforeAll(async () => {
  const { kit } = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } });
  ({ identity, recipients } = kit);
  store = testStore();
  artifact = await writeArtifact({
    store,
    prefix: 'points/p',
    name: 'db',
    source: bytesSource(plain),
    recipients,
    minimumProofs: ['status'],
    restoreCommand: 'cat',
    frameBytes: 50_000,
    segmentBytes: 120_000,
  });
  stored = await Promise.all(artifact.segments.map((segment) => store.get(segment.key)));
});

/** A store that gives other bytes for a segment: damage at rest, without touching the real one. */
function withSegment(index: number, bytes: Buffer | undefined): Store {
  const key = artifact.segments[index]?.key;
  return {
    ...store,
    read: (wanted) => {
      if (wanted !== key) return store.read(wanted);
      return (async function* () {
        if (bytes === undefined)
          throw failure('ObjectNotFound', { message: `read ${wanted}: it is not there`, subject: wanted });
        for (let offset = 0; offset < bytes.byteLength; offset += 30_000)
          yield await Promise.resolve(bytes.subarray(offset, offset + 30_000));
      })();
    },
  };
}

/** Reads to the end or to the failure; whatever was given before must be the captured bytes. */
async function read(
  from: Store,
  of: Artifact = artifact,
  key: string = identity,
): Promise<{ given: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  let error: unknown;
  try {
    for await (const chunk of readArtifact({ store: from, artifact: of, identity: key, engine })) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  const given = Buffer.concat(chunks);
  expect(given.equals(plain.subarray(0, given.byteLength))).toBe(true);
  return { given, error };
}

function flipped(bytes: Buffer, offset: number, bit = 0): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = (copy[offset] ?? 0) ^ (1 << bit);
  return copy;
}

function segmentOf(index: number): Buffer {
  return stored[index] ?? Buffer.alloc(0);
}

describe.each(['inline', 'threads'] as const)('readArtifact, %s', (where) => {
  beforeAll(() => {
    engine = where;
  });

  it('gives every byte, and verifies without keeping them', async () => {
    const { given, error } = await read(store);
    expect(error).toBeUndefined();
    expect(given.equals(plain)).toBe(true);
    const progress: number[] = [];
    expect(
      await verifyArtifact({ store, artifact, identity, engine, onProgress: (bytes) => progress.push(bytes) }),
    ).toEqual({
      plainBytes: 230_000,
      storedBytes: artifact.storedBytes,
    });
    expect(progress).toEqual([50_000, 100_000, 120_000, 170_000, 220_000, 230_000]);
  });

  it('refuses to hold a large artifact in memory', async () => {
    await expect(readBytes({ store, artifact, identity, maxBytes: 1_000 })).rejects.toThrow('read it as a stream');
  });

  it('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort(new Error('cancelled by a test'));
    await expect(readBytes({ store, artifact, identity, engine, signal })).rejects.toThrow('cancelled by a test');
  });

  describe('when one bit is flipped', () => {
    const header = (): number => segmentOf(1).indexOf('\n--- ');
    const places: readonly (readonly [string, () => number])[] = [
      ['in the first line of the header', () => 3],
      ['in the kind of a recipient', () => segmentOf(1).indexOf('X25519')],
      ['in the share of a recipient', () => segmentOf(1).indexOf('X25519') + 12],
      ['in the wrapped key of a recipient', () => segmentOf(1).indexOf('\n', segmentOf(1).indexOf('X25519')) + 5],
      ['in the line end before the MAC', header],
      ['in the MAC', () => header() + 10],
      ['in the nonce of the payload', () => segmentOf(1).indexOf('\n', header() + 1) + 3],
      ['in the first chunk', () => segmentOf(1).indexOf('\n', header() + 1) + 17 + 100],
      ['in the tag of the first chunk', () => segmentOf(1).indexOf('\n', header() + 1) + 17 + 65_536 + 3],
      ['in the last chunk', () => segmentOf(1).byteLength - 20],
      ['in the last byte', () => segmentOf(1).byteLength - 1],
    ];

    it.each(places)('says that the bytes are not the written ones: %s', async (_, offset) => {
      for (const bit of [0, 5, 7]) {
        const { error, given } = await read(withSegment(1, flipped(segmentOf(1), offset(), bit)));
        expect(error).toMatchObject({
          code: 'ArtifactDigestMismatch',
          subject: artifact.segments[1]?.key,
          message: expect.stringMatching(/segment 2 .*is not what was written, first noticed at frame [12]/) as string,
        });
        expect(given.byteLength).toBeGreaterThanOrEqual(120_000);
      }
    });

    it('does so wherever it is', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat({ max: segmentOf(0).byteLength - 1 }), fc.nat({ max: 7 }), async (offset, bit) => {
          expect((await read(withSegment(0, flipped(segmentOf(0), offset, bit)))).error).toMatchObject({
            code: 'ArtifactDigestMismatch',
          });
        }),
        { numRuns: 60 },
      );
    });
  });

  it('says that a segment is shorter than it was written, wherever it is cut', async () => {
    const cuts = [0, 1, 100, 300, 65_000, segmentOf(1).byteLength - 17, segmentOf(1).byteLength - 1];
    for (const cut of cuts) {
      const { error } = await read(withSegment(1, segmentOf(1).subarray(0, cut)));
      expect(error).toMatchObject({
        code: 'ArtifactTruncated',
        message: expect.stringContaining(`${String(cut)} of ${String(segmentOf(1).byteLength)} bytes`) as string,
      });
    }
  });

  it('says that bytes were added, that segments were swapped, and that one is gone', async () => {
    expect((await read(withSegment(1, Buffer.concat([segmentOf(1), Buffer.from('x')])))).error).toMatchObject({
      code: 'ArtifactDigestMismatch',
    });
    expect((await read(withSegment(0, segmentOf(1)))).error).toMatchObject({
      code: expect.stringMatching(/ArtifactTruncated|ArtifactDigestMismatch/) as string,
    });
    expect((await read(withSegment(1, undefined))).error).toMatchObject({
      code: 'ObjectNotFound',
      subject: artifact.segments[1]?.key,
    });
  });

  it('tells a wrong key from a damaged object', async () => {
    const { kit: stranger } = await createRecoveryKit({
      platform: 'other',
      store: { url: 'file:///none', region: 'us-east-1' },
    });
    const { error, given } = await read(store, artifact, stranger.identity);
    expect(error).toMatchObject({ code: 'KeyMissing' });
    expect(given.byteLength).toBe(0);
    expect((await read(withSegment(0, flipped(segmentOf(0), 500)), artifact, stranger.identity)).error).toMatchObject({
      code: 'ArtifactDigestMismatch',
    });
  });

  it('refuses an artifact whose list of segments was shortened', async () => {
    const { error } = await read(store, { ...artifact, segments: artifact.segments.slice(0, 1) });
    expect(error).toMatchObject({
      code: 'ArtifactTruncated',
      message: expect.stringContaining('120000 of 230000') as string,
    });
  });

  it('refuses bytes that are whole but not the captured ones', async () => {
    expect((await read(store, { ...artifact, plainSha256: sha256(Buffer.from('other')) })).error).toMatchObject({
      code: 'ArtifactDigestMismatch',
    });
  });
});

describe.each(['inline', 'threads'] as const)('readArtifact, %s, when the writer itself was wrong', (where) => {
  beforeAll(() => {
    engine = where;
  });

  /** An artifact of one segment made by hand, with digests that fit what is stored. */
  async function forged(key: string, file: Buffer, segment: Partial<Segment>): Promise<Artifact> {
    await store.put(key, file);
    const one: Segment = {
      key,
      storedBytes: file.byteLength,
      storedSha256: sha256(file),
      plainBytes: 1_000,
      frameBytes: 50_000,
      frames: [],
      ...segment,
    };
    return {
      ...artifact,
      plainBytes: one.plainBytes,
      plainSha256: sha256(plain.subarray(0, one.plainBytes)),
      storedBytes: file.byteLength,
      segments: [one],
    };
  }

  async function ageFile(content: Buffer): Promise<Buffer> {
    const { header, key } = await newAgeFile(recipients);
    const age = sealAgeFile(key);
    return Buffer.concat([header, ...age.update(content), age.final()]);
  }

  it.each([
    ['the file is no age file', () => Promise.resolve({ file: randomBytes(500), frames: [100] }), 'damaged header'],
    ['the frame is no zstd frame', async () => ({ file: await ageFile(randomBytes(100)), frames: [100] }), 'frame'],
    [
      'the frame has no checksum',
      async () => ({ file: await ageFile(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0])), frames: [9] }),
      'no checksum',
    ],
    ['the frame is longer than it should be', async () => framed(plain.subarray(0, 2_000)), 'larger|instead of'],
    ['the frame is shorter than it should be', async () => framed(plain.subarray(0, 999)), '999 bytes instead of 1000'],
    [
      'a frame is missing',
      async () => ({ ...(await framed(plain.subarray(0, 1_000))), frames: [2_000] }),
      'ends inside frame 1',
    ],
    [
      'bytes follow the last frame',
      async () => ({
        file: await ageFile(
          Buffer.concat([Buffer.concat(await packFrame(plain.subarray(0, 1_000), 1)), Buffer.from('x')]),
        ),
        frames: [Buffer.concat(await packFrame(plain.subarray(0, 1_000), 1)).byteLength],
      }),
      'follow the last frame',
    ],
    [
      'the list of frames does not fit',
      async () => ({ ...(await framed(plain.subarray(0, 1_000))), frames: [5, 5] }),
      'does not fit',
    ],
  ])('calls it unreadable: %s', async (_, make, message) => {
    const { file, frames } = await make();
    const { error } = await read(store, await forged('points/p/forged', file, { frames }));
    expect(error).toMatchObject({
      code: 'ArtifactUnreadable',
      message: expect.stringMatching(new RegExp(`segment 1 .*frame \\d+: .*(${message})`)) as string,
    });
  });

  async function framed(content: Buffer): Promise<{ file: Buffer; frames: number[] }> {
    const packed = Buffer.concat(await packFrame(content, 1));
    return { file: await ageFile(packed), frames: [packed.byteLength] };
  }

  it('does not take a frame whose checksum is wrong', async () => {
    const packed = Buffer.concat(await packFrame(Buffer.alloc(1_000, 'abc'), 1));
    const { error } = await read(
      store,
      await forged('points/p/forged', await ageFile(flipped(packed, packed.byteLength - 1)), {
        frames: [packed.byteLength],
      }),
    );
    expect(error).toMatchObject({ code: 'ArtifactUnreadable' });
  });
});
