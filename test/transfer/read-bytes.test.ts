import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { readArtifact, readBytes, readPacked, verifyArtifact } from '../../transfer/read-artifact.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { testKit } from './test-points.ts';
import { bytesOf, bytesSource, sha256, testStore } from './test-sources.ts';

const store = testStore();
const plain = randomBytes(12_000);
let kit: RecoveryKit;
let artifact: Artifact;

async function write(name: string, bytes: Buffer): Promise<Artifact> {
  return await writeArtifact({
    ...{ store, prefix: 'points/p', name, recipients: kit.recipients, restoreCommand: 'cat' },
    source: bytesSource(bytes),
    minimumProofs: ['status'],
    frameBytes: 1_000,
    segmentBytes: 5_000,
  });
}

beforeAll(async () => {
  kit = await testKit();
  artifact = await write('db', plain);
});

const reading = (of: Artifact = artifact) => ({ store, artifact: of, identity: kit.identity });

describe('readBytes', () => {
  it('reads what is as large as it may be, and nothing larger', async () => {
    expect((await readBytes({ ...reading(), maxBytes: 12_000 })).equals(plain)).toBe(true);
    expect((await readBytes(reading())).equals(plain)).toBe(true);
    await expect(readBytes({ ...reading(), maxBytes: 11_999 })).rejects.toThrow(
      'artifact db has 12000 bytes, read it as a stream',
    );
    const described = { ...artifact, segments: [], plainBytes: 64 * 1024 * 1024 };
    await expect(readBytes(reading(described))).rejects.toMatchObject({ code: 'ArtifactTruncated' });
    await expect(readBytes(reading({ ...described, plainBytes: described.plainBytes + 1 }))).rejects.toThrow(
      'as a stream',
    );
  });
});

describe('readArtifact, against what the manifest says of the whole', () => {
  const short = { ...{ plainBytes: 11_999 }, plainSha256: sha256(plain.subarray(0, 11_999)) };

  it.each([
    [
      'more bytes than were captured',
      short,
      {
        code: 'ArtifactDigestMismatch',
        subject: 'db',
        message: 'read artifact db: its segments hold 12000 of 11999 bytes, and they are not the captured ones',
      },
    ],
    ['more bytes under their digest', { plainBytes: 11_999 }, { code: 'ArtifactDigestMismatch' }],
    [
      'fewer bytes than were captured',
      { plainBytes: 12_001 },
      {
        code: 'ArtifactTruncated',
        subject: 'db',
        message: 'read artifact db: its segments hold 12000 of 12001 bytes',
      },
    ],
    ['other bytes', { plainSha256: sha256(Buffer.from('other')) }, { code: 'ArtifactDigestMismatch' }],
  ] as const)('does not take %s', async (_, more, error) => {
    await expect(readBytes(reading({ ...artifact, ...more }))).rejects.toMatchObject(error);
    await expect(verifyArtifact(reading({ ...artifact, ...more }))).rejects.toMatchObject(error);
    await expect(bytesOf(readPacked(reading({ ...artifact, ...more })))).rejects.toMatchObject(error);
  });

  it('does not take segments in another order', async () => {
    const [first, second, third] = artifact.segments;
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are three');
    const swapped = { ...artifact, segments: [second, first, third] };
    await expect(readBytes(reading(swapped))).rejects.toMatchObject({ code: 'ArtifactDigestMismatch' });
  });

  it('gives nothing of an artifact without a byte but its one frame', async () => {
    const empty = await write('empty', Buffer.alloc(0));
    const given: Uint8Array[] = [];
    for await (const chunk of readArtifact(reading(empty))) given.push(chunk);
    expect(given).toEqual([]);
    expect((await bytesOf(readPacked(reading(empty)))).byteLength).toBe(empty.segments[0]?.frames[0]);
    expect(await verifyArtifact(reading(empty))).toEqual({ plainBytes: 0, storedBytes: empty.storedBytes });
  });

  it('wants a key for each segment, and names the one that has none', async () => {
    const { identity } = kit;
    const read = (keys: readonly string[]) => bytesOf(readArtifact({ store, artifact, identity: keys }));
    expect((await read([identity, identity, identity])).equals(plain)).toBe(true);
    await expect(read([identity, identity])).rejects.toMatchObject({
      code: 'KeyMissing',
      subject: 'db',
      message: 'read artifact db: no key for segment 3',
    });
  });

  it('stops between two frames when it is cancelled', async () => {
    for (const at of [1, 2, 5, 6, 11]) {
      const cancel = new AbortController();
      let given = 0;
      await expect(
        (async () => {
          for await (const chunk of readArtifact({ ...reading(), signal: cancel.signal })) {
            given += chunk.byteLength;
            if (given === at * 1_000) cancel.abort(new Error('cancelled by a test'));
          }
        })(),
      ).rejects.toThrow('cancelled by a test');
      expect(given).toBe(at * 1_000);
    }
  });
});
