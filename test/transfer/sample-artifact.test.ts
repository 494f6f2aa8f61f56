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
});
