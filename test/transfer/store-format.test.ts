import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter } from 'age-encryption';
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import { pointPrefix } from '../../transfer/point-names.ts';
import { commitManifest } from '../../transfer/points.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { describedComponent, draftAt, release, testKit } from './test-points.ts';
import { bytesSource, testStore } from './test-sources.ts';

type Signed = { document: unknown; publicKey: string; signature: string };
type Segment = { key: string; storedBytes: number; storedSha256: string; frameBytes: number; frames: number[] };
type Artifact = { name: string; plainBytes: number; plainSha256: string; segments: Segment[] };
type Manifest = {
  formatVersion: number;
  sequence: number;
  previous: { sha256: string } | null;
  components: { artifacts: Artifact[] }[];
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A reader that was written by docs/reference/store-format.md alone: it imports nothing of Lifeboat's. */
class Stranger {
  readonly #directory: string;
  readonly #kit: { identity: string; signing: { publicKey: string } };

  constructor(directory: string, kit: { identity: string; signing: { publicKey: string } }) {
    this.#directory = directory;
    this.#kit = kit;
  }

  manifest(path: string, sequence: number): { manifest: Manifest; stored: string } {
    const bytes = this.#object(`manifests/${path}/${String(sequence).padStart(10, '0')}.json`);
    const { document, signature } = JSON.parse(bytes.toString('utf8')) as Signed;
    const key = createPublicKey(this.#kit.signing.publicKey);
    expect(verify(null, Buffer.from(canonicalize(document) ?? ''), key, Buffer.from(signature, 'base64'))).toBe(true);
    const manifest = document as Manifest;
    expect(manifest).toMatchObject({ formatVersion: 1, sequence });
    return { manifest, stored: sha256(bytes) };
  }

  async read(artifact: Artifact): Promise<Buffer> {
    const plain: Buffer[] = [];
    for (const segment of artifact.segments) {
      const object = this.#object(segment.key);
      expect([object.byteLength, sha256(object)]).toEqual([segment.storedBytes, segment.storedSha256]);
      const decrypter = new Decrypter();
      decrypter.addIdentity(this.#kit.identity);
      const packed = Buffer.from(await decrypter.decrypt(object));
      expect(object.byteLength).toBe(sealedBytes(object, packed.byteLength));
      expect(packed.byteLength).toBe(segment.frames.reduce((sum, length) => sum + length, 0));
      let offset = 0;
      for (const [index, length] of segment.frames.entries()) {
        const frame = zstdDecompressSync(packed.subarray(offset, offset + length));
        if (index < segment.frames.length - 1) expect(frame.byteLength).toBe(segment.frameBytes);
        plain.push(frame);
        offset += length;
      }
    }
    const whole = Buffer.concat(plain);
    expect([whole.byteLength, sha256(whole)]).toEqual([artifact.plainBytes, artifact.plainSha256]);
    return whole;
  }

  #object(key: string): Buffer {
    return readFileSync(join(this.#directory, key));
  }
}

/** Bytes of an age file by the page's formula. */
function sealedBytes(object: Buffer, packedBytes: number): number {
  const header = object.indexOf('\n', object.indexOf('\n--- ') + 1) + 1;
  return header + 16 + packedBytes + 16 * Math.max(1, Math.ceil(packedBytes / 65_536));
}

describe('the store, as its page describes it', () => {
  it('is read by a reader that knows the page alone', async () => {
    const kit = await testKit();
    const store = testStore();
    const contents = [Buffer.concat([randomBytes(300_000), Buffer.alloc(200_000, 'rows ')]), Buffer.alloc(0)];
    for (const minute of [0, 1]) {
      const draft = draftAt(minute);
      const prefix = pointPrefix(release, draft.id);
      const artifacts = [];
      for (const [index, bytes] of contents.entries())
        artifacts.push(
          await writeArtifact({
            ...{ store, prefix, name: `databases.dump-${String(index)}`, source: bytesSource(bytes) },
            ...{ recipients: kit.recipients, minimumProofs: ['status'], restoreCommand: 'cat' },
            ...{ segmentBytes: 200_000, frameBytes: 70_000 },
          }),
        );
      const components = [{ ...describedComponent(prefix, 1), artifacts }];
      await commitManifest({ store, kit, draft: { ...draft, components } });
    }

    const stranger = new Stranger(new URL(store.address).pathname, kit);
    const path = `${release.cluster}/${release.namespace}/${release.name}`;
    const [first, second] = [stranger.manifest(path, 1), stranger.manifest(path, 2)];

    expect(first.manifest.previous).toBeNull();
    expect(second.manifest.previous?.sha256).toBe(first.stored);
    const read = await Promise.all(
      second.manifest.components.flatMap(({ artifacts }) => artifacts).map((artifact) => stranger.read(artifact)),
    );
    expect(read.map((bytes, index) => bytes.equals(contents[index] ?? Buffer.alloc(1)))).toEqual([true, true]);
  });
});
