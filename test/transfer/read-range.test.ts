import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { openFrameReader } from '../../transfer/frame-reader.ts';
import { openRangeReader, type RangeReader } from '../../transfer/read-range.ts';
import { memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { testKit } from './test-points.ts';
import { bytesOf, testStore } from './test-sources.ts';

const frameBytes = 50_000;
const plain = randomBytes(1_012_345);
let kit: RecoveryKit;
let store: Store;
let artifact: Artifact;

const open = (): RangeReader =>
  openRangeReader(artifact, openFrameReader({ store, artifact, identity: kit.identity, verb: 'read artifact' }));

describe('openRangeReader', () => {
  beforeAll(async () => {
    kit = await testKit();
    store = testStore();
    artifact = await writeArtifact({
      ...{ store, prefix: 'points/p', name: 'files.tar', source: memorySource(plain) },
      ...{ recipients: kit.recipients, minimumProofs: ['count'], restoreCommand: 'cat' },
      ...{ frameBytes, segmentBytes: 5 * frameBytes },
    });
  });

  it('gives the bytes of any range, over the borders of frames and segments', async () => {
    const reader = open();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: plain.byteLength }),
        fc.integer({ min: 0, max: 400_000 }),
        async (offset, most) => {
          const length = Math.min(most, plain.byteLength - offset);
          const read = await bytesOf(reader.read(offset, length));
          expect(read.equals(plain.subarray(offset, offset + length))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads only the frames that hold the range, and a frame that neighbours share once', async () => {
    const reader = open();
    await bytesOf(reader.read(260_000, 1_000));
    await bytesOf(reader.read(261_000, 30_000));
    expect(reader.cost.frames).toBe(1);
    expect(reader.cost.storedBytes).toBeLessThan(3 * 65_552);
    await bytesOf(reader.read(299_999, 2));
    expect(reader.cost.frames).toBe(2);
  });

  it('names object, segment and frame of what does not open', async () => {
    const key = artifact.segments[1]?.key ?? '';
    const whole = await store.get(key);
    const damaged = Buffer.from(whole);
    damaged[120_000] = (damaged[120_000] ?? 0) ^ 1;
    await store.put(key, damaged);
    await expect(bytesOf(open().read(360_000, 1_000))).rejects.toMatchObject({
      code: 'ArtifactUnreadable',
      message: expect.stringMatching(/segment 2 \(points\/p\/files\.tar\/0002\.zst\.age\), frame 3/) as string,
    });
    await store.put(key, whole);
    await expect(bytesOf(open().read(plain.byteLength - 1, 2))).rejects.toThrow('none at 1012345');
  });
});
