import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Artifact } from '../../model/recovery-point.ts';
import { createRecoveryKit, type NewRecoveryKit } from '../../transfer/keys.ts';
import { sampleArtifact } from '../../transfer/sample-artifact.ts';
import { memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { testStore } from './test-sources.ts';

const frameBytes = 50_000;
let made: NewRecoveryKit;
let store: Store;
let artifact: Artifact;

/** Stores bytes in frames of 50 kB, five to a segment. */
async function write(bytes: Buffer): Promise<void> {
  artifact = await writeArtifact({
    store,
    prefix: 'points/p',
    name: 'db.dump',
    source: memorySource(bytes),
    recipients: made.kit.recipients,
    minimumProofs: ['count'],
    restoreCommand: 'cat',
    frameBytes,
    segmentBytes: 5 * frameBytes,
  });
}

const sample = async (share: number, identity = made.kit.identity) =>
  await sampleArtifact({ store, artifact, identity, share });

/** Changes one byte of a segment, counted from its end where negative. */
async function damage(segment: number, at: number): Promise<void> {
  const key = artifact.segments[segment]?.key ?? '';
  const bytes = await store.get(key);
  const place = at < 0 ? bytes.byteLength + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await store.put(key, bytes);
}

describe('sampleArtifact', () => {
  beforeAll(async () => {
    made = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } });
  });

  beforeEach(() => {
    store = testStore();
  });

  it.each([0, 1, 49_999, 65_536, 131_072, 612_345])(
    'reads every frame of %i bytes where it is asked for all',
    async (size) => {
      await write(randomBytes(size));
      const frames = Math.max(1, Math.ceil(size / frameBytes));
      expect(await sample(1)).toMatchObject({ frames, ofFrames: frames });
    },
  );

  it('reads about as much as the share, and at least one frame', async () => {
    await write(randomBytes(1_000_000));
    expect(await sample(0.25)).toMatchObject({ frames: 5, ofFrames: 20 });
    const { frames, storedBytes } = await sample(0.001);
    expect(frames).toBe(1);
    // The chunks of 64 KiB that a frame touches.
    expect(storedBytes).toBeLessThan(4 * 65_552);
    expect(storedBytes).toBeGreaterThan(frameBytes);
  });

  it('takes each frame in its turn', async () => {
    await write(randomBytes(500_000));
    await damage(1, 100_000);
    let found = 0;
    for (let round = 0; round < 60; round += 1)
      await sample(0.1).catch(() => {
        found += 1;
      });
    // One frame of ten is read, and the damaged chunk holds parts of two or three of them.
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(60);
  });

  it('names object, segment and frame of what it cannot open, at the beginning, inside and at the end', async () => {
    for (const at of [-1, 200_000, -70_000]) {
      await write(randomBytes(500_000));
      await damage(1, at);
      await expect(sample(1)).rejects.toMatchObject({
        code: 'ArtifactUnreadable',
        message: expect.stringMatching(
          /segment 2 \(points\/p\/db\.dump\/0002\.zst\.age\), frame [1-5]: damaged chunk/,
        ) as string,
      });
    }
  });

  it('finds an object that is cut or gone, whichever frames it reads', async () => {
    await write(randomBytes(500_000));
    const [first = '', second = ''] = artifact.segments.map(({ key }) => key);
    await store.put(second, (await store.get(second)).subarray(0, -1));
    await expect(sample(0.01)).rejects.toMatchObject({ code: 'ArtifactTruncated' });
    await store.delete(first);
    await expect(sample(0.01)).rejects.toMatchObject({ code: 'ObjectNotFound' });
  });

  it('cannot tell a segment from another one of its size, which a read of the whole can', async () => {
    await write(randomBytes(500_000));
    const [first = '', second = ''] = artifact.segments.map(({ key }) => key);
    const other = await store.get(second);
    await write(randomBytes(500_000));
    await store.put(first, other);
    await expect(sample(1)).resolves.toMatchObject({ frames: 10 });
  });

  it('says that the identity is none of its recipients', async () => {
    await write(randomBytes(1_000));
    const other = await createRecoveryKit({ platform: 'other', store: { url: 'file:///none', region: 'us-east-1' } });
    await expect(sample(1, other.kit.identity)).rejects.toMatchObject({ code: 'KeyMissing' });
  });

  it('reads as many different frames as it says, in their order, and tells how far it is', async () => {
    await write(randomBytes(1_000_000));
    const ranges: { key: string; offset: number }[] = [];
    const watched: Store = {
      ...store,
      read: (key, range) => {
        if (range !== undefined && range.offset > 0) ranges.push({ key, offset: range.offset });
        return store.read(key, range);
      },
    };
    const progress: number[] = [];
    const onProgress = (bytes: number): void => {
      progress.push(bytes);
    };
    for (let round = 0; round < 10; round += 1) {
      ranges.length = 0;
      progress.length = 0;
      const read = await sampleArtifact({
        ...{ store: watched, artifact, identity: made.kit.identity },
        ...{ share: 0.5, onProgress },
      });
      expect(read).toMatchObject({ frames: 10, ofFrames: 20 });
      expect(progress).toHaveLength(10);
      expect(progress).toEqual([...progress].sort((one, other) => one - other));
      expect(progress.at(-1)).toBe(read.storedBytes);
      const places = ranges.map(({ key, offset }) => `${key} ${String(offset).padStart(9, '0')}`);
      expect(places).toEqual([...places].sort());
    }
  });

  it('gives each frame its turn, the first and the last too', async () => {
    await write(randomBytes(200_000));
    const [{ key, storedBytes } = { key: '', storedBytes: 0 }] = artifact.segments;
    const seen = new Set<number>();
    const watched: Store = {
      ...store,
      read: (of, range) => {
        if (of === key && range !== undefined && range.offset > 0) seen.add(range.offset);
        return store.read(of, range);
      },
    };
    for (let round = 0; round < 60; round += 1)
      await sampleArtifact({ store: watched, artifact, identity: made.kit.identity, share: 0.3 });
    expect(Math.max(...seen)).toBeLessThan(storedBytes);
    // Four frames in chunks of 64 KiB begin in the first to the third chunk, and each of these was read.
    expect(seen.size).toBeGreaterThanOrEqual(3);
  });

  it('says what is wrong with the size of an object', async () => {
    await write(randomBytes(300_000));
    const [first = '', second = ''] = artifact.segments.map((segment) => segment.key);
    const bytes = await store.get(second);
    const sizes = (size: number) =>
      `sample artifact db.dump: segment 2 (${second}) has ${String(size)} of ${String(bytes.byteLength)} bytes`;
    await store.put(second, Buffer.concat([bytes, Buffer.from('x')]));
    await expect(sample(0.01)).rejects.toMatchObject({
      code: 'ArtifactDigestMismatch',
      message: sizes(bytes.byteLength + 1),
      subject: second,
    });
    await store.put(second, bytes.subarray(1));
    await expect(sample(0.01)).rejects.toMatchObject({
      code: 'ArtifactTruncated',
      message: sizes(bytes.byteLength - 1),
      subject: second,
    });
    await store.delete(first);
    await expect(sample(0.01)).rejects.toMatchObject({
      code: 'ObjectNotFound',
      message: `sample artifact db.dump: segment 1: ${first} is not in ${store.address}`,
      subject: first,
    });
  });

  it('stops when it is cancelled, also before the first frame of a segment', async () => {
    await write(randomBytes(500_000));
    const cancel = new AbortController();
    const read = sampleArtifact({
      ...{ store, artifact, identity: made.kit.identity, share: 1, signal: cancel.signal },
      onProgress: () => {
        cancel.abort(new Error('cancelled by a test'));
      },
    });
    await expect(read).rejects.toThrow('cancelled by a test');
    const heads: string[] = [];
    const watched: Store = {
      ...store,
      head: (key) => {
        heads.push(key);
        return store.head(key);
      },
    };
    const signal = AbortSignal.abort(new Error('cancelled by a test'));
    await expect(
      sampleArtifact({ store: watched, artifact, identity: made.kit.identity, share: 1, signal }),
    ).rejects.toThrow('cancelled by a test');
    expect(heads).toEqual([]);
  });
});
