import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect } from 'vitest';
import { isFailureCode, LifeboatFailure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { type Artifact, Manifest } from '../../model/recovery-point.ts';
import { AgeError, newAgeFile, openAgeDecryptor, sealAgeFile } from '../../transfer/age-stream.ts';
import { linkKey } from '../../transfer/chain.ts';
import { proveEnd } from '../../transfer/end-proof.ts';
import { packFrame, unpackFrame } from '../../transfer/frame.ts';
import { canonicalBytes, parseRecoveryKit, signDocument } from '../../transfer/keys.ts';
import { manifestFolder } from '../../transfer/point-names.ts';
import { readChain } from '../../transfer/points.ts';
import { readArtifact } from '../../transfer/read-artifact.ts';
import { openDocument } from '../../transfer/signed-documents.ts';
import type { Store } from '../../transfer/store.ts';
import type { TrailerRule } from '../../transfer/trailers/trailer.ts';
import { trailerCheck } from '../../transfer/trailers/trailer-check.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { commitWithObjects, release, testKit } from '../transfer/test-points.ts';
import { bytesSource, sha256, testStore } from '../transfer/test-sources.ts';
import { experiment, type Seed } from './experiment.ts';
import { withFakeS3 } from './fake-s3.ts';

const mib = 1024 * 1024;
/** Of each case. */
const runs = 1_000;
/** What a parser may keep of so small an input. */
const mostMemoryBytes = 200 * mib;

let kit: RecoveryKit;
let store: Store;
let manifest: { bytes: Buffer; document: Manifest };
let artifact: Artifact;

beforeAll(async () => {
  kit = await testKit();
  store = testStore();
  const { manifest: document } = await commitWithObjects(store, kit, 0);
  manifest = { bytes: await store.get(linkKey(manifestFolder(release), 1)), document };
  artifact = await writeArtifact({
    ...{ store, prefix: 'points/fuzz', name: 'db', source: bytesSource(Buffer.alloc(150_000, 'rows and rows ')) },
    ...{ recipients: kit.recipients, minimumProofs: ['status'], restoreCommand: 'cat', frameBytes: 40_000 },
  });
});

/** Bytes with some of them changed, doubled, cut out, or cut off. */
function damaged(whole: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat({ max: Math.max(0, whole.byteLength - 1) });
  const change = fc.record({ at, length: fc.nat({ max: 40 }), bytes: fc.uint8Array({ maxLength: 40 }) });
  const changed = fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce<Buffer>(
        (bytes, each) => Buffer.concat([bytes.subarray(0, each.at), each.bytes, bytes.subarray(each.at + each.length)]),
        whole,
      ),
    );
  const flipped = fc.tuple(at, fc.nat({ max: 7 })).map(([offset, bit]) => {
    const copy = Buffer.from(whole);
    copy[offset] = (copy[offset] ?? 0) ^ (1 << bit);
    return copy;
  });
  const cut = at.map((length) => whole.subarray(0, length));
  return fc.oneof(
    changed,
    flipped,
    cut,
    fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  );
}

async function fuzz<Value>(
  seed: Seed,
  values: fc.Arbitrary<Value>,
  run: (value: Value) => Promise<void> | void,
): Promise<void> {
  const before = process.memoryUsage().rss;
  await fc.assert(
    fc.asyncProperty(values, async (value) => {
      await run(value);
    }),
    { numRuns: runs, seed: seed.seed, endOnFailure: true },
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(mostMemoryBytes);
}

function expectTyped(error: unknown): void {
  if (error instanceof LifeboatFailure && isFailureCode(error.code)) return;
  throw error;
}

/** A small and a full count of cases of 1,000 inputs each. */
const counts = { number: 35, small: 1, full: 100 };

describe('a parser that is given damaged bytes', () => {
  experiment({ ...counts, holds: 'makes an entry of the chain with its failure of a manifest' }, async (seed) => {
    await fuzz(seed, damaged(manifest.bytes), async (bytes) => {
      const [entry] = await readChain({ store: storeOf(bytes), trustedKeys: [kit.signing.publicKey], release });
      expect((entry?.failure === undefined) === (entry?.document !== undefined)).toBe(true);
      expectTyped(entry?.failure ?? new LifeboatFailure('ManifestInvalid', '', 'no', undefined, undefined));
    });
  });

  experiment(
    { ...counts, holds: 'makes a failure of a manifest that is signed and has not the form of one' },
    async (seed) => {
      const key = fc.constantFrom(...Object.keys(manifest.document), 'other', '__proto__');
      await fuzz(seed, fc.array(fc.tuple(key, fc.jsonValue()), { minLength: 1, maxLength: 3 }), async (changes) => {
        const document: unknown = JSON.parse(JSON.stringify({ ...manifest.document, ...Object.fromEntries(changes) }));
        const bytes = canonicalBytes(signDocument(kit, document));
        const [entry] = await readChain({ store: storeOf(bytes), trustedKeys: [kit.signing.publicKey], release });
        if (entry?.failure !== undefined) expectTyped(entry.failure);
        else expect(Manifest.safeParse(entry?.document).success).toBe(true);
      });
    },
  );

  experiment({ ...counts, holds: 'makes nothing of a signed document, and a failure of a kit' }, async (seed) => {
    const trustedKeys = [kit.signing.publicKey];
    const kitBytes = Buffer.from(JSON.stringify(kit));
    await fuzz(seed, fc.tuple(damaged(manifest.bytes), damaged(kitBytes)), async ([bytes, ofKit]) => {
      openDocument(bytes, { trustedKeys, key: 'k', schema: Manifest });
      await parseRecoveryKit(ofKit.toString()).catch(expectTyped);
    });
  });

  experiment({ ...counts, holds: 'says what is wrong with an age file' }, async (seed) => {
    const { header, key } = await newAgeFile(kit.recipients);
    const sealer = sealAgeFile(key);
    const file = Buffer.concat([header, ...sealer.update(seed.bytes(70_000)), sealer.final()]);
    await fuzz(seed, fc.tuple(damaged(file), fc.integer({ min: 1, max: 80_000 })), async ([bytes, step]) => {
      const age = openAgeDecryptor(kit.identity);
      try {
        for (let at = 0; at < bytes.byteLength; at += step)
          for (const opened of await age.update(bytes.subarray(at, at + step))) expect(opened).toHaveLength(65_536);
        age.final();
      } catch (error) {
        if (!(error instanceof AgeError)) throw error;
      }
    });
  });

  experiment({ ...counts, holds: 'gives no more of a frame than it should have' }, async (seed) => {
    const frame = Buffer.concat(await packFrame(Buffer.alloc(100_000, 'rows '), 1));
    await fuzz(seed, fc.tuple(damaged(frame), fc.nat({ max: 200_000 })), async ([bytes, plainBytes]) => {
      const plain = await unpackFrame(bytes, plainBytes).catch((error: unknown) => error as Error);
      if (plain instanceof Error) expect(plain.message).not.toBe('');
      else expect(plain.byteLength).toBe(plainBytes);
    });
  });

  experiment(
    { ...counts, full: 20, holds: 'makes a failure of a segment whose digest fits and whose content does not' },
    async (seed) => {
      const [segment] = artifact.segments;
      if (segment === undefined) throw new Error('no segment');
      const whole = await store.get(segment.key);
      const frames = fc.oneof(
        fc.constant(segment.frames),
        fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 5 }),
      );
      await fuzz(seed, fc.tuple(damaged(whole), frames), async ([bytes, index]) => {
        const changed = { ...segment, storedBytes: bytes.byteLength, storedSha256: sha256(bytes), frames: index };
        const read = readArtifact({
          ...{ store: storeOf(bytes), identity: kit.identity },
          artifact: { ...artifact, segments: [changed] },
        });
        const given: Uint8Array[] = [];
        try {
          for await (const chunk of read) given.push(chunk);
          expect(sha256(Buffer.concat(given))).toBe(artifact.plainSha256);
        } catch (error) {
          expectTyped(error);
        }
      });
    },
  );

  experiment(
    { ...counts, full: 400, holds: 'gives a verdict on the end of a dump, an archive, a snapshot and a text' },
    async (seed) => {
      const fixture = (name: string): Buffer =>
        readFileSync(join(import.meta.dirname, '../transfer/trailers/fixtures', name));
      const rules: readonly (readonly [TrailerRule, Buffer])[] = [
        [{ kind: 'pg-custom-toc' }, fixture('postgresql-15-plain.dump')],
        [{ kind: 'pg-custom-toc' }, fixture('postgresql-15-gzip.dump')],
        [{ kind: 'rdb' }, fixture('redis.rdb')],
        [{ kind: 'tar' }, tarOf(seed)],
        [{ kind: 'text', endsWith: '-- Dump completed' }, Buffer.from('INSERT;\n-- Dump completed on 2026-11-24\n')],
        [{ kind: 'json' }, Buffer.from('{"silences":[{"id":"a"}]}')],
      ];
      const inputs = rules.map(([rule, whole]) => fc.tuple(fc.constant(rule), damaged(whole)));
      const steps = fc.integer({ min: 1, max: 5_000 });
      await fuzz(seed, fc.tuple(fc.oneof(...inputs), steps), ([[rule, bytes], step]) => {
        const check = trailerCheck(rule);
        for (let at = 0; at < bytes.byteLength; at += step) check.update(bytes.subarray(at, at + step));
        const verdict = check.end();
        expect(['whole', 'cut', 'unknown']).toContain(verdict.end);
        if (verdict.end !== 'whole') expect(verdict.reason).not.toBe('');
      });
    },
  );

  experiment({ ...counts, holds: 'proves no end by what contradicts it' }, async (seed) => {
    const report = fc.record(
      {
        exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
        statusSeen: fc.boolean(),
        trailerSeen: fc.boolean(),
        digestSha256: fc.constantFrom('a'.repeat(64), 'b'.repeat(64)),
        countBytes: fc.nat({ max: 3 }),
        lastLine: fc.string({ maxLength: 300 }),
      },
      { requiredKeys: ['exitCode', 'statusSeen', 'trailerSeen'] },
    );
    const kinds = fc.subarray(['status', 'trailer', 'count', 'digest'] as const);
    await fuzz(seed, fc.tuple(report, kinds), ([said, minimumProofs]) => {
      const end = { name: 'db', plainBytes: 2, plainSha256: 'a'.repeat(64), trailer: undefined };
      try {
        proveEnd({ ...end, report: said, minimumProofs });
      } catch (error) {
        expectTyped(error);
        return;
      }
      expect(said.exitCode ?? 0).toBe(0);
      expect(said.countBytes ?? 2).toBe(2);
      expect(said.digestSha256 ?? 'a'.repeat(64)).toBe('a'.repeat(64));
      if (minimumProofs.includes('status')) expect(said.statusSeen).toBe(true);
    });
  });

  experiment(
    {
      number: 35,
      small: 30,
      full: 2_000,
      atOnce: 8,
      holds: 'makes a failure, or the error of the client, of what a server says',
    },
    async (seed) => {
      await withFakeS3({}, async (fake) => {
        const own = await fake.open();
        const xml = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>m</Message></Error>';
        const body = fc.sample(damaged(Buffer.from(xml)), { numRuns: 1, seed: seed.seed })[0] ?? '';
        const status = seed.pick([200, 204, 304, 400, 403, 404, 409, 412, 416, 429, 500, 501, 503, 507]);
        fake.decide = () => ({ kind: 'say', status, body });
        const calls: readonly (() => Promise<unknown>)[] = [
          () => own.put('a', Buffer.from('x')),
          () => own.put('a', Buffer.from('x'), { ifAbsent: true }),
          () => own.get('a'),
          () => own.head('a'),
          () => own.listOpenUploads(''),
          () => own.delete('a'),
        ];
        const end = await seed
          .pick(calls)()
          .catch((error: unknown) => error);
        if (end instanceof Error) expect(end.message.length).toBeLessThan(3_000);
      });
    },
  );
});

/** A store with these bytes in the place of every object. */
function storeOf(bytes: Buffer): Store {
  return {
    ...store,
    async *list() {
      yield await Promise.resolve({ key: linkKey(manifestFolder(release), 1), sizeBytes: 1, modifiedAt: '' });
    },
    get: () => Promise.resolve(bytes),
    async *read() {
      yield await Promise.resolve(bytes);
    },
  };
}

/** One file in a tar archive, with its two zero blocks. */
function tarOf(seed: Seed): Buffer {
  const header = Buffer.alloc(512);
  const content = seed.bytes(700);
  header.write('file', 0);
  header.write(content.byteLength.toString(8).padStart(11, '0'), 124);
  header.write('0', 156);
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc(324 + 1_024)]);
}
