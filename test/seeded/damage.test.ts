import { beforeAll, describe, expect } from 'vitest';
import type { FailureCode } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { artifactsOf } from '../../model/recovery-point.ts';
import { type Manifest, type Segment } from '../../model/recovery-point.ts';
import { linkKey } from '../../transfer/chain.ts';
import { checkStore } from '../../transfer/check-store.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import { commitPlatformPoint } from '../../transfer/platform-points.ts';
import { manifestFolder } from '../../transfer/point-names.ts';
import { type CommittedManifest, findPoint } from '../../transfer/points.ts';
import { readArtifact, verifyArtifact } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import { describedArtifact, draftAt, release, testKit } from '../transfer/test-points.ts';
import { bytesSource } from '../transfer/test-sources.ts';
import { backUp, pointOf } from './back-up.ts';
import { experiment, type Seed, seedOf } from './experiment.ts';
import { flipBit } from './fake-request.ts';
import { type FakeS3, withFakeS3 } from './fake-s3.ts';
import { expectFailure, rejectionOf } from './invariants.ts';

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

/** Two points of one chain, each of some segments. */
type Ground = { readonly fake: FakeS3; readonly store: Store; readonly points: readonly CommittedManifest[] };

type Made = { readonly objects: FakeS3['bucket']['objects']; readonly points: readonly CommittedManifest[] };

const grounds = 8;
const made = new Map<number, Promise<Made>>();

/** What is damaged is a copy: a few grounds serve all cases. */
function withPoints(work: (seed: Seed, ground: Ground) => Promise<void>): (seed: Seed) => Promise<void> {
  return async (seed) => {
    const which = seed.seed % grounds;
    const making = made.get(which) ?? makePoints(seedOf(which));
    made.set(which, making);
    const { objects, points } = await making;
    await withFakeS3({}, async (fake) => {
      for (const [key, object] of objects) fake.bucket.objects.set(key, { ...object });
      await work(seed, { fake, store: await fake.open(), points });
    });
  };
}

async function makePoints(seed: Seed): Promise<Made> {
  return await withFakeS3({}, async (fake) => {
    const store = await fake.open();
    const points: CommittedManifest[] = [];
    for (const minute of [0, 1]) {
      const plain = seed.bytes(seed.whole(100_000, 250_000));
      const rules = { engine: 'inline' as const, frameBytes: seed.whole(10_000, 60_000), segmentBytes: 90_000 };
      points.push(await backUp({ store, kit, id: pointOf(seed, minute), source: () => bytesSource(plain), rules }));
    }
    return { objects: fake.bucket.objects, points };
  });
}

function dumpOf({ manifest }: CommittedManifest): ReturnType<typeof artifactsOf>[number] {
  return manifest.components[0]?.artifacts[0] ?? describedArtifact('none', 'none', 1);
}

/** Changes an object at rest. */
function change({ fake }: Ground, key: string, make: (bytes: Buffer) => Buffer): void {
  const object = fake.bucket.objects.get(`dr/${key}`);
  if (object === undefined) throw new Error(`${key} is not there`);
  object.bytes = make(object.bytes);
}

/** Reads a point as a restore does; `given` counts what its target would have been given. */
async function restore(of: Ground, point: CommittedManifest, identity = kit.identity): Promise<{ given: number }> {
  const read = { given: 0 };
  const artifact = dumpOf(point);
  await verifyArtifact({ store: of.store, artifact, identity });
  for await (const bytes of readArtifact({ store: of.store, artifact, identity })) read.given += bytes.byteLength;
  return read;
}

async function findings({ store }: Ground): Promise<string[]> {
  const trustedKeys = [kit.signing.publicKey];
  const checked = await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now: new Date() });
  return checked.findings
    .filter(({ kind }) => kind === 'damage')
    .map(({ subject, message }) => `${subject}: ${message}`);
}

function lookUp({ store }: Ground, point: string, trustedKeys = [kit.signing.publicKey]): Promise<unknown> {
  return findPoint({ store, trustedKeys, release, point });
}

const damages: Readonly<
  Record<string, { codes: readonly FailureCode[]; do: (of: Ground, at: Segment, seed: Seed) => void }>
> = {
  deleted: {
    codes: ['ObjectNotFound'],
    do: ({ fake }, { key }) => fake.bucket.objects.delete(`dr/${key}`),
  },
  cut: {
    codes: ['ArtifactTruncated'],
    do: (of, { key }, seed) => {
      change(of, key, (bytes) => bytes.subarray(0, seed.whole(0, bytes.byteLength - 1)));
    },
  },
  lengthened: {
    codes: ['ArtifactDigestMismatch'],
    do: (of, { key }, seed) => {
      change(of, key, (bytes) => Buffer.concat([bytes, seed.bytes(seed.whole(1, 70_000))]));
    },
  },
  'swapped with a segment of the other point': {
    codes: ['ArtifactDigestMismatch', 'ArtifactTruncated'],
    do: (of, { key }) => {
      const [, newer] = of.points;
      const foreign = of.fake.bucket.objects.get(
        `dr/${newer === undefined ? '' : (dumpOf(newer).segments[0]?.key ?? '')}`,
      );
      change(of, key, () => foreign?.bytes ?? Buffer.alloc(0));
    },
  },
};

describe('a store whose objects are damaged at rest', () => {
  experiment(
    {
      number: 18,
      holds: 'has each flipped bit of an object found, with its object, segment and frame',
      small: 15,
      full: 1_000,
      atOnce: 2,
    },
    withPoints(async (seed, ground) => {
      const [point] = ground.points as [CommittedManifest];
      const index = seed.whole(0, dumpOf(point).segments.length - 1);
      const segment = dumpOf(point).segments[index] as Segment;
      const bit = seed.whole(0, segment.storedBytes * 8 - 1);
      change(ground, segment.key, (bytes) => flipBit(bytes, bit));
      const failed = expectFailure(await rejectionOf(restore(ground, point)), ['ArtifactDigestMismatch']);
      expect(failed.message).toContain(segment.key);
      expect(failed.message).toContain(`segment ${String(index + 1)}`);
      expect(failed.message).toMatch(/first noticed at frame [0-9]+/);
    }),
  );

  experiment(
    {
      number: 18,
      holds: 'takes no manifest that a flipped bit has changed for a point, and tells of the bit',
      small: 15,
      full: 1_000,
      atOnce: 2,
    },
    withPoints(async (seed, ground) => {
      const [point] = ground.points as [CommittedManifest];
      const key = linkKey(manifestFolder(release), 1);
      const bit = seed.whole(0, (await ground.store.get(key)).byteLength * 8 - 1);
      change(ground, key, (bytes) => flipBit(bytes, bit));
      const found = await lookUp(ground, point.manifest.id).catch((error: unknown) => error);
      // Some bits of base64 say nothing: the signature still holds, and of the same document. The next link tells of them.
      if (found instanceof Error) expectFailure(found, ['PointUnknown', 'ManifestMissing']);
      else expect(found).toMatchObject({ manifest: point.manifest });
      const told = found instanceof Error ? key : linkKey(manifestFolder(release), 2);
      expect((await findings(ground)).some((line) => line.startsWith(told))).toBe(true);
      await lookUp(ground, 'latest');
    }),
  );

  experiment(
    {
      number: 19,
      holds: 'has a segment named that is gone, cut, lengthened or another one',
      small: 12,
      full: 500,
      atOnce: 2,
    },
    withPoints(async (seed, ground) => {
      const [point] = ground.points as [CommittedManifest];
      const segment = seed.pick(dumpOf(point).segments);
      const { codes, do: damage } = damages[seed.pick(Object.keys(damages))] as (typeof damages)[string];
      damage(ground, segment, seed);
      const failed = expectFailure(await rejectionOf(restore(ground, point)), codes);
      expect(failed.subject).toBe(segment.key);
      expect(failed.message).toContain(segment.key);
      expect((await restore(ground, ground.points[1] as CommittedManifest)).given).toBeGreaterThan(0);
    }),
  );

  experiment(
    {
      number: 20,
      holds: 'has a manifest missed that was removed, or rolled back to an older one',
      small: 10,
      full: 300,
      atOnce: 2,
    },
    withPoints(async (seed, ground) => {
      await commitHead(ground);
      const [first, second] = [1, 2].map((sequence) => linkKey(manifestFolder(release), sequence)) as [string, string];
      const old = ground.fake.bucket.objects.get(`dr/${first}`)?.bytes ?? Buffer.alloc(0);
      const removed = seed.pick([first, second]);
      if (seed.random() < 0.5) await ground.store.delete(removed);
      else change(ground, second, () => old);
      const found = await findings(ground);
      expect(found.join('\n')).toMatch(
        /missing from its chain|known and is not there|copied to this name|not the one that is known/,
      );
      expect(found.join('\n')).toContain('manifests/prod/data/postgresql');
    }),
  );
});

/** A platform point knows the newest manifest: without it nothing shows that the newest link is gone. */
async function commitHead({ store, points }: Ground): Promise<void> {
  const [, newest] = points as [CommittedManifest, CommittedManifest];
  const { id, sequence, capturedAt } = newest.manifest;
  await commitPlatformPoint({
    ...{ store, kit },
    draft: {
      ...{ id: draftAt(5).id, platform: 'shop', skewSeconds: 0, complete: true },
      releases: [
        { release, tier: 1, point: { id, sequence, manifestSha256: newest.sha256, capturedAt }, requires: [] },
      ],
      ...{ config: describedArtifact('platforms/shop/objects', 'config', 1), configSha256: 'a'.repeat(64) },
    },
  });
}

describe('a restore that must not begin', () => {
  experiment(
    {
      number: 28,
      holds: 'is refused before its target is given a byte: wrong key, missing recipient, newer format, unknown signer',
      small: 8,
      full: 200,
      atOnce: 2,
    },
    withPoints(async (seed, ground) => {
      const stranger = await testKit();
      const [, point] = ground.points as [CommittedManifest, CommittedManifest];
      const read = { given: 0 };
      const restoreWith = async (identity: string): Promise<void> => {
        for await (const bytes of readArtifact({ store: ground.store, artifact: dumpOf(point), identity }))
          read.given += bytes.byteLength;
      };
      expectFailure(await rejectionOf(restoreWith(stranger.identity)), ['KeyMissing'], /is none of its recipients/);
      expect(read.given).toBe(0);
      expectFailure(await rejectionOf(lookUp(ground, 'latest', [stranger.signing.publicKey])), ['SignerUnknown']);
      await rewrite(ground, point.manifest, { formatVersion: seed.whole(2, 9) });
      expectFailure(await rejectionOf(lookUp(ground, 'latest')), ['ManifestNewer'], /is newer than 1/);
      await rewrite(ground, point.manifest, { [`key${String(seed.seed)}`]: seed.whole(0, 9) });
      expectFailure(await rejectionOf(lookUp(ground, 'latest')), ['ManifestInvalid']);
    }),
  );
});

/** Writes the manifest anew as its author would: with a good signature. */
async function rewrite({ store }: Ground, manifest: Manifest, more: object): Promise<void> {
  const bytes = canonicalBytes(signDocument(kit, { ...manifest, ...more }));
  await store.put(linkKey(manifestFolder(release), manifest.sequence), bytes);
}
