// long because each failure of the write path stands beside its twin
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { createRecoveryKit, type NewRecoveryKit } from '../../transfer/keys.ts';
import { readArtifact, readBytes, verifyArtifact } from '../../transfer/read-artifact.ts';
import { memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import type { StreamEngine } from '../../transfer/threads/stream-threads.ts';
import { type ArtifactToWrite, writeArtifact } from '../../transfer/write-artifact.ts';
import {
  bytesOf,
  bytesSource,
  commandSource,
  contentsOf,
  missingTools,
  sha256,
  testFolder,
  testStore,
} from './test-sources.ts';

let made: NewRecoveryKit;
let engine: StreamEngine;

beforeAll(async () => {
  made = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } });
});

function toWrite(
  store: Store,
  source: ArtifactToWrite['source'],
  more: Partial<ArtifactToWrite> = {},
): ArtifactToWrite {
  return {
    store,
    prefix: 'points/p',
    name: 'db.dump',
    source,
    recipients: made.kit.recipients,
    minimumProofs: ['status'],
    restoreCommand: 'cat',
    engine,
    ...more,
  };
}

/** Bytes that compress about as a dump does. */
function dumpLike(size: number): Buffer {
  const row = (index: number): string =>
    `${String(index)}\t${randomBytes(9).toString('base64')}\tstate=open\t2026-11-24\n`;
  return Buffer.concat(Array.from({ length: Math.ceil(size / 30) }, (_, index) => Buffer.from(row(index)))).subarray(
    0,
    size,
  );
}

describe.each(['inline', 'threads'] as const)('writeArtifact (%s)', (packed) => {
  beforeAll(() => {
    engine = packed;
  });

  it('gives back what was written, however it was cut into chunks, frames and segments', async () => {
    const store = testStore();
    const sizes = fc.record({
      size: fc.integer({ min: 0, max: 200_000 }),
      chunkBytes: fc.integer({ min: 1, max: 100_000 }),
      frameBytes: fc.integer({ min: 1_000, max: 100_000 }),
      segmentBytes: fc.integer({ min: 30_000, max: 150_000 }),
      random: fc.boolean(),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(sizes, async ({ size, chunkBytes, frameBytes, segmentBytes, random }) => {
        const plain = random ? randomBytes(size) : dumpLike(size);
        const source = bytesSource(
          plain,
          { countBytes: size, digestSha256: sha256(plain) },
          Math.max(chunkBytes, size / 1_000),
        );
        run += 1;
        const artifact = await writeArtifact(
          toWrite(store, source, {
            prefix: `points/${String(run)}`,
            frameBytes,
            segmentBytes,
            minimumProofs: ['status', 'count', 'digest'],
          }),
        );
        expect(artifact).toMatchObject({
          name: 'db.dump',
          plainBytes: size,
          plainSha256: sha256(plain),
          endProof: { status: true, trailer: false, count: true, digest: true },
        });
        expect(artifact.segments).toHaveLength(Math.max(1, Math.ceil(size / segmentBytes)));
        const read = await bytesOf(readArtifact({ store, artifact, identity: made.kit.identity }));
        expect(read.equals(plain)).toBe(true);
      }),
      { numRuns: 25 },
    );
  }, 30_000);

  it('cuts segments by plaintext and names them by number', async () => {
    const store = testStore();
    const artifact = await writeArtifact(
      toWrite(store, bytesSource(dumpLike(250_000)), { frameBytes: 30_000, segmentBytes: 100_000 }),
    );
    expect(artifact.segments.map((segment) => segment.key)).toEqual([
      'points/p/db.dump/0001.zst.age',
      'points/p/db.dump/0002.zst.age',
      'points/p/db.dump/0003.zst.age',
    ]);
    expect(artifact.segments.map((segment) => segment.plainBytes)).toEqual([100_000, 100_000, 50_000]);
    expect(artifact.segments.map((segment) => segment.frames.length)).toEqual([4, 4, 2]);
    expect(artifact.storedBytes).toBe(artifact.segments.reduce((sum, segment) => sum + segment.storedBytes, 0));
    for (const segment of artifact.segments)
      expect(await store.head(segment.key)).toMatchObject({ sizeBytes: segment.storedBytes });
  });

  it('tells its progress and shows each chunk to the tap', async () => {
    const plain = dumpLike(200_000);
    const seen: Buffer[] = [];
    const progress: number[] = [];
    await writeArtifact(
      toWrite(testStore(), bytesSource(plain), {
        tap: (chunk) => seen.push(Buffer.from(chunk)),
        onProgress: (bytes) => progress.push(bytes),
      }),
    );
    expect(Buffer.concat(seen).equals(plain)).toBe(true);
    expect(progress.at(-1)).toBe(200_000);
  });

  it('stores bytes in memory, and none at all', async () => {
    const store = testStore();
    for (const plain of [Buffer.from('{"a":1}'), Buffer.alloc(0)]) {
      const artifact = await writeArtifact(
        toWrite(store, memorySource(plain, sha256(plain)), { minimumProofs: ['status', 'count', 'digest'] }),
      );
      expect((await readBytes({ store, artifact, identity: made.kit.identity })).equals(plain)).toBe(true);
      expect(await verifyArtifact({ store, artifact, identity: made.kit.identity })).toEqual({
        plainBytes: plain.byteLength,
        storedBytes: artifact.storedBytes,
      });
    }
  });

  it('takes away what an attempt that was killed has left, and nothing else', async () => {
    const store = testStore();
    await store.put('points/p/db.dump/0002.zst.age', Buffer.from('old'));
    await store.put('points/p/db.dump2/0001.zst.age', Buffer.from('another'));
    const left = store.openWriter('points/p/db.dump/0001.zst.age');
    await left.write(Buffer.from('half'));
    await writeArtifact(toWrite(store, bytesSource(dumpLike(100))));
    expect(await contentsOf(store)).toEqual(['points/p/db.dump/0001.zst.age', 'points/p/db.dump2/0001.zst.age']);
    await left.abort();
  });

  describe.skipIf(missingTools('that stock age and zstd read an artifact', 'age', 'zstd'))('with stock tools', () => {
    it.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])(
      'is read by age and zstd, by operations and by escrow (%i bytes)',
      async (size) => {
        const folder = testFolder();
        const store = testStore();
        const plain = size === 1_000_000 ? dumpLike(size) : randomBytes(size);
        const artifact = await writeArtifact(
          toWrite(store, bytesSource(plain), { frameBytes: 60_000, segmentBytes: 400_000 }),
        );
        for (const identity of [made.kit.identity, made.escrowIdentity ?? '']) {
          writeFileSync(join(folder, 'key.txt'), `${identity}\n`);
          const files = artifact.segments
            .map((segment) => `'${store.address.slice('file://'.length)}/${segment.key}'`)
            .join(' ');
          const opened = execFileSync(
            'bash',
            ['-euo', 'pipefail', '-c', `for f in ${files}; do age -d -i key.txt "$f" | zstd -d -c; done`],
            { cwd: folder },
          );
          expect(opened.equals(plain)).toBe(true);
        }
      },
    );
  });
});

describe.each(['inline', 'threads'] as const)('writeArtifact, when the end is not proven (%s)', (packed) => {
  beforeAll(() => {
    engine = packed;
  });

  // The head of an archive of version 1.16 in the custom format: by chance it would be of an unknown version, once in 256 runs.
  const plain = Buffer.concat([Buffer.from('PGDMP\x01\x10\x00\x04\x08\x01'), randomBytes(299_994)]);
  const other = sha256(Buffer.from('other'));

  it.each([
    [
      'the command failed',
      { exitCode: 1, lastLine: 'pg_dump: error: connection to server was lost' },
      'DumpFailed',
      'connection to server was lost',
    ],
    ['the command was killed', { exitCode: 137 }, 'DumpFailed', 'exit 137'],
    [
      'the command was killed after it had counted and hashed',
      { exitCode: 143, countBytes: 300_005, digestSha256: sha256(plain) },
      'DumpFailed',
      'exit 143',
    ],
    [
      'the tool is missing',
      { exitCode: 127, lastLine: 'sh: 1: pg_dump: not found' },
      'CaptureToolMissing',
      'pg_dump: not found',
    ],
    [
      'the container has no shell',
      { exitCode: 1, lastLine: 'exec: "sh": executable file not found in $PATH: unknown' },
      'CaptureToolMissing',
      'executable file not found',
    ],
    [
      'the disk is full',
      { exitCode: 1, lastLine: 'write error: No space left on device' },
      'DiskFull',
      'No space left',
    ],
    ['no status arrived', { exitCode: null, statusSeen: false }, 'DumpEndedEarly', 'without its proof of status'],
    ['the count differs', { countBytes: 300_006 }, 'DumpEndedEarly', 'counted 300006 bytes, 300005 arrived'],
    ['the digest differs', { digestSha256: other }, 'DumpEndedEarly', 'not the ones that the source hashed'],
  ] as const)('fails and leaves nothing: %s', async (_, report, code, message) => {
    const store = testStore();
    const source = bytesSource(plain, report);
    const writing = writeArtifact(toWrite(store, source, { frameBytes: 20_000, segmentBytes: 100_000 }));
    await expect(writing).rejects.toMatchObject({
      code,
      changed: 'no',
      message: expect.stringContaining(message) as string,
    });
    expect(source.cancelled).toBe(true);
    expect(await contentsOf(store)).toEqual([]);
  });

  it.each(['a\0b', '../up', 'a//b'])(
    'refuses the name %j before the store is touched, and ends the source',
    async (name) => {
      const source = bytesSource(plain);
      const untouched = {} as Store;
      await expect(writeArtifact(toWrite(untouched, source, { name }))).rejects.toMatchObject({ code: 'InputInvalid' });
      expect(source.cancelled).toBe(true);
    },
  );

  it.each(['trailer', 'count', 'digest'] as const)('demands the proof %s where the plan does', async (kind) => {
    const store = testStore();
    await expect(writeArtifact(toWrite(store, bytesSource(plain), { minimumProofs: [kind] }))).rejects.toMatchObject({
      code: 'DumpEndedEarly',
      message: expect.stringContaining(`proof of ${kind}`) as string,
    });
    expect(await contentsOf(store)).toEqual([]);
  });

  it('fails by a trailer that contradicts, also where the plan demands none', async () => {
    const store = testStore();
    await expect(
      writeArtifact(toWrite(store, bytesSource(plain), { trailer: { kind: 'pg-custom-toc' } })),
    ).rejects.toMatchObject({ code: 'DumpEndedEarly' });
    expect(await contentsOf(store)).toEqual([]);
  });

  it('records the proofs that held', async () => {
    const text = Buffer.from('CREATE TABLE t ();\n-- Dump completed on 2026-11-24\n');
    const artifact = await writeArtifact(
      toWrite(testStore(), bytesSource(text, { exitCode: null, statusSeen: false }), {
        minimumProofs: ['trailer'],
        trailer: { kind: 'text', endsWith: '-- Dump completed' },
      }),
    );
    expect(artifact.endProof).toEqual({ status: false, trailer: true, count: false, digest: false });
  });
});

describe.each(['inline', 'threads'] as const)('writeArtifact, when a part fails (%s)', (packed) => {
  beforeAll(() => {
    engine = packed;
  });

  it('sees a real child that is killed half way, and one that ends well too early', async () => {
    for (const [command, code] of [
      ['head -c 3000000 /dev/urandom; kill -9 $$', 'DumpFailed'],
      ['head -c 3000000 /dev/urandom; echo cut here >&2', 'DumpEndedEarly'],
    ] as const) {
      const store = testStore();
      const writing = writeArtifact(
        toWrite(store, commandSource(command), {
          minimumProofs: ['status', 'trailer'],
          frameBytes: 100_000,
          segmentBytes: 1_000_000,
          trailer: { kind: 'text', endsWith: '-- Dump completed' },
        }),
      );
      await expect(writing).rejects.toMatchObject({ code });
      expect(await contentsOf(store)).toEqual([]);
    }
  });

  it('stops a source that stalls, and its process', async () => {
    const store = testStore();
    const source = commandSource('echo begun; exec sleep 60');
    await expect(writeArtifact(toWrite(store, source, { stallMs: 200 }))).rejects.toMatchObject({
      code: 'DumpStalled',
    });
    expect((await source.end()).exitCode).not.toBe(0);
    expect(await contentsOf(store)).toEqual([]);
  });

  it('does not wait for ever for the end of a command whose bytes have ended', async () => {
    const source = { ...bytesSource(Buffer.from('x')), end: () => new Promise<never>(() => undefined) };
    await expect(writeArtifact(toWrite(testStore(), source, { stallMs: 100 }))).rejects.toMatchObject({
      code: 'DumpStalled',
    });
  });

  it('stops at once when it is cancelled', async () => {
    const store = testStore();
    const cancel = new AbortController();
    const source = commandSource('yes');
    const writing = writeArtifact(
      toWrite(store, source, {
        signal: cancel.signal,
        onProgress: (bytes) => {
          if (bytes > 1_000_000) cancel.abort(new Error('cancelled by a test'));
        },
      }),
    );
    await expect(writing).rejects.toThrow('cancelled by a test');
    expect((await source.end()).exitCode).not.toBe(0);
    expect(await contentsOf(store)).toEqual([]);
  });

  it('makes a stream that breaks a failed dump, and leaves a defect as it is', async () => {
    const broken = (error: Error) => ({
      ...bytesSource(Buffer.alloc(0)),
      bytes: (async function* () {
        yield await Promise.resolve(Buffer.from('x'));
        throw error;
      })(),
    });
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    await expect(writeArtifact(toWrite(testStore(), broken(reset)))).rejects.toMatchObject({ code: 'DumpFailed' });
    await expect(writeArtifact(toWrite(testStore(), broken(new TypeError('a bug'))))).rejects.toThrow(TypeError);
    await expect(
      writeArtifact(
        toWrite(testStore(), bytesSource(Buffer.from('x')), {
          tap: () => {
            throw new TypeError('a bug in a tap');
          },
        }),
      ),
    ).rejects.toThrow('a bug in a tap');
  });

  it.each(['write', 'commit'] as const)(
    'leaves nothing when the store is full at a %s of the second segment',
    async (step) => {
      const inner = testStore();
      let writers = 0;
      const store: Store = {
        ...inner,
        openWriter: (key) => {
          const writer = inner.openWriter(key);
          writers += 1;
          const fails = (): Promise<never> => Promise.reject(failure('StoreFull', { message: 'write object: ENOSPC' }));
          return writers < 2
            ? writer
            : {
                ...{
                  write: (bytes: Uint8Array) => writer.write(bytes),
                  commit: () => writer.commit(),
                  abort: () => writer.abort(),
                },
                [step]: fails,
              };
        },
      };
      const source = bytesSource(randomBytes(500_000));
      await expect(
        writeArtifact(toWrite(store, source, { frameBytes: 20_000, segmentBytes: 100_000 })),
      ).rejects.toMatchObject({ code: 'StoreFull' });
      expect(source.cancelled).toBe(true);
      expect(await contentsOf(inner)).toEqual([]);
    },
  );

  it('leaves nothing where the packing itself breaks', async () => {
    const store = testStore();
    const source = bytesSource(randomBytes(100_000));
    await expect(writeArtifact(toWrite(store, source, { frameBytes: -1 }))).rejects.toThrow(/out of range/i);
    expect(source.cancelled).toBe(true);
    expect(await contentsOf(store)).toEqual([]);
  });

  it.each([[[]], [['age1nonsense']], [['ssh-ed25519 AAAA']]])(
    'refuses recipients that are none: %j',
    async (recipients) => {
      const store = testStore();
      await expect(writeArtifact(toWrite(store, bytesSource(Buffer.from('x')), { recipients }))).rejects.toMatchObject({
        code: 'RecipientInvalid',
      });
      expect(await contentsOf(store)).toEqual([]);
    },
  );
});
