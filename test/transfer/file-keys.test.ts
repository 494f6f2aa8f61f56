import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { readFileKeys } from '../../transfer/file-keys.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { readArtifact } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { bytesSource, testStore } from './test-sources.ts';

const plain = randomBytes(230_000);
const store = testStore();
let kit: RecoveryKit;
let artifact: Artifact;

beforeAll(async () => {
  ({ kit } = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } }));
  artifact = await write('db');
});

async function write(name: string): Promise<Artifact> {
  return await writeArtifact({
    ...{ store, prefix: 'points/p', name, recipients: kit.recipients, restoreCommand: 'cat' },
    source: bytesSource(plain),
    minimumProofs: ['status'],
    frameBytes: 50_000,
    segmentBytes: 120_000,
  });
}

async function readBy(keys: readonly Buffer[], of: Artifact = artifact, from: Store = store): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const identity = keys.map((fileKey) => ({ fileKey }));
  for await (const chunk of readArtifact({ store: from, artifact: of, identity })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('the file keys of an artifact', () => {
  it('open it, one for each segment', async () => {
    const keys = await readFileKeys({ store, artifact, identity: kit.identity });
    expect(keys.map((key) => key.byteLength)).toEqual([16, 16]);
    expect((await readBy(keys)).equals(plain)).toBe(true);
  });

  it('open no other artifact, nor each other’s segments', async () => {
    const keys = await readFileKeys({ store, artifact, identity: kit.identity });
    await expect(readBy(keys, await write('other'))).rejects.toMatchObject({ code: 'ArtifactUnreadable' });
    await expect(readBy(keys.toReversed())).rejects.toMatchObject({ code: 'ArtifactUnreadable' });
    await expect(readBy(keys.slice(0, 1))).rejects.toMatchObject({ code: 'KeyMissing' });
  });

  it('are had by nobody without the identity', async () => {
    const other = await createRecoveryKit({ platform: 'x', store: { url: 'file:///none', region: 'us-east-1' } });
    await expect(readFileKeys({ store, artifact, identity: other.kit.identity })).rejects.toMatchObject({
      code: 'KeyMissing',
    });
  });

  it('of a header that is damaged are none', async () => {
    const damaged: Store = {
      ...store,
      read: (key, range) =>
        (async function* () {
          for await (const chunk of store.read(key, range)) {
            const bytes = Buffer.from(chunk);
            const mac = bytes.indexOf('\n--- ');
            if (mac !== -1) bytes[mac + 10] = (bytes[mac + 10] ?? 0) ^ 1;
            yield bytes;
          }
        })(),
    };
    await expect(readFileKeys({ store: damaged, artifact, identity: kit.identity })).rejects.toMatchObject({
      code: 'ArtifactUnreadable',
    });
  });
});
