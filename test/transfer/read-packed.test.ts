import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Artifact } from '../../model/recovery-point.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { readPacked } from '../../transfer/read-artifact.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { bytesSource, testStore } from './test-sources.ts';

const plain = randomBytes(230_000);
const store = testStore();
let identity: string;
let artifact: Artifact;

beforeAll(async () => {
  const { kit } = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } });
  ({ identity } = kit);
  artifact = await writeArtifact({
    ...{ store, prefix: 'points/p', name: 'db', recipients: kit.recipients, restoreCommand: 'cat' },
    source: bytesSource(plain),
    minimumProofs: ['status'],
    frameBytes: 50_000,
    segmentBytes: 120_000,
  });
});

describe.each(['inline', 'threads'] as const)('readPacked, %s', (engine) => {
  it('gives the stored frames, which stock zstd unpacks to the plaintext', async () => {
    const chunks: Uint8Array[] = [];
    for await (const frame of readPacked({ store, artifact, identity, engine })) chunks.push(frame);

    expect(chunks).toHaveLength(artifact.segments.flatMap(({ frames }) => frames).length);
    const unpacked = execFileSync('zstd', ['-q', '-d', '-c'], { input: Buffer.concat(chunks) });
    expect(unpacked.equals(plain)).toBe(true);
  });

  it('gives no frame whose plaintext is not the captured one', async () => {
    const [first] = artifact.segments;
    const bytes = await store.get(first?.key ?? '');
    const at = bytes.byteLength - 200;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const damaged = {
      ...store,
      async *read(key: string) {
        if (key === first?.key) yield await Promise.resolve(bytes);
        else yield* store.read(key);
      },
    };
    let given = 0;

    await expect(
      (async () => {
        for await (const frame of readPacked({ store: damaged, artifact, identity, engine }))
          given += frame.byteLength > 0 ? 1 : 0;
      })(),
    ).rejects.toMatchObject({ code: 'ArtifactDigestMismatch' });
    expect(given).toBeLessThan(first?.frames.length ?? 0);
  });
});
