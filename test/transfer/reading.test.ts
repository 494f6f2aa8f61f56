import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { failure } from '../../model/failures.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { readArtifact, readPacked } from '../../transfer/read-artifact.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { bytesOf, bytesSource, testStore } from './test-sources.ts';

const mib = 1024 * 1024;
const plain = randomBytes(40 * mib);
const store = testStore();
let identity: string;
let recipients: readonly string[];
let artifact: Artifact;

async function write(name: string, bytes: Buffer): Promise<Artifact> {
  return await writeArtifact({
    ...{ store, prefix: 'points/p', name, recipients, restoreCommand: 'cat' },
    ...{ source: bytesSource(bytes), minimumProofs: ['status'], frameBytes: mib, segmentBytes: 16 * mib },
  });
}

beforeAll(async () => {
  const { kit } = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } });
  ({ identity, recipients } = kit);
  artifact = await write('db', plain);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The store, counting what is read of it; `failAt` bytes of the artifact it cannot be reached any more. */
function watched(failAt = Infinity): { from: Store; seen: { bytes: number; open: number } } {
  const seen = { bytes: 0, open: 0 };
  const from: Store = {
    ...store,
    async *read(key, range) {
      seen.open += 1;
      try {
        for await (const chunk of store.read(key, range)) {
          if (seen.bytes >= failAt) throw failure('StoreUnreachable', { message: 'by a test', subject: key });
          seen.bytes += chunk.byteLength;
          yield chunk;
        }
      } finally {
        seen.open -= 1;
      }
    },
  };
  return { from, seen };
}

/** Waits until a count has not moved for a while. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (count() === last) return last;
    last = count();
  }
}

describe.each(['inline', 'threads'] as const)('reading an artifact (%s)', (engine) => {
  it('is ahead of who uses it by some frames, not by the artifact', async () => {
    const { from, seen } = watched();
    const reading = readArtifact({ store: from, artifact, identity, engine });

    const first = await reading.next();
    expect(first.value?.byteLength).toBe(mib);
    expect(await settled(() => seen.bytes)).toBeLessThan(12 * mib);

    const rest = await bytesOf(reading);
    expect(rest.equals(plain.subarray(mib))).toBe(true);
    expect(seen).toEqual({ bytes: artifact.storedBytes, open: 0 });
  });

  it('gives large frames as they are stored', async () => {
    const plains: Buffer[] = [];
    for await (const frame of readPacked({ store, artifact, identity, engine })) plains.push(zstdDecompressSync(frame));

    expect(Buffer.concat(plains).equals(plain)).toBe(true);
  });

  it('ends its reading of the store when nobody wants more', async () => {
    const { from, seen } = watched();
    for await (const chunk of readArtifact({ store: from, artifact, identity, engine })) {
      expect(chunk.byteLength).toBe(mib);
      break;
    }

    expect(seen.open).toBe(0);
    const { bytes } = seen;
    expect(await settled(() => seen.bytes)).toBe(bytes);
  });

  it('gives only captured bytes before it says that the store is gone', async () => {
    const given: Uint8Array[] = [];

    await expect(
      (async () => {
        for await (const chunk of readArtifact({ store: watched(20 * mib).from, artifact, identity, engine }))
          given.push(chunk);
      })(),
    ).rejects.toMatchObject({ code: 'StoreUnreachable', message: expect.stringContaining('by a test') as string });

    const bytes = Buffer.concat(given);
    expect(bytes.byteLength).toBeGreaterThan(8 * mib);
    expect(bytes.equals(plain.subarray(0, bytes.byteLength))).toBe(true);
  });

  it('stops within a segment when it is cancelled', async () => {
    const { from, seen } = watched();
    const controller = new AbortController();
    const reading = readArtifact({ store: from, artifact, identity, engine, signal: controller.signal });
    await reading.next();

    controller.abort(new Error('cancelled by a test'));

    await expect(bytesOf(reading)).rejects.toThrow('cancelled by a test');
    expect(seen.open).toBe(0);
    expect(seen.bytes).toBeLessThan(16 * mib);
  });

  it('does not mix what is read at once', async () => {
    const many = [1, 2, 3, 4, 5].map((number) => randomBytes(number * mib + number));
    const written: Artifact[] = [];
    for (const [index, bytes] of many.entries()) written.push(await write(`db-${engine}-${String(index)}`, bytes));

    const read = await Promise.all(
      written.map((each) => bytesOf(readArtifact({ store, artifact: each, identity, engine }))),
    );

    expect(read.map((bytes, index) => bytes.equals(many[index] ?? Buffer.alloc(0)))).toEqual(many.map(() => true));
  });
});

describe('a thread that is lost', () => {
  it('fails what was read on it, and the next reading has a new one', async () => {
    const told = vi.spyOn(Worker.prototype, 'postMessage');
    const reading = readArtifact({ store, artifact, identity, engine: 'threads' });
    await reading.next();
    const [thread] = told.mock.contexts as Worker[];
    told.mockRestore();

    await thread?.terminate();

    await expect(bytesOf(reading)).rejects.toThrow('the stream thread ended with');
    const again = await bytesOf(readArtifact({ store, artifact, identity, engine: 'threads' }));
    expect(again.equals(plain)).toBe(true);
  });

  it('fails what was packed on it, and leaves nothing of that', async () => {
    const told = vi.spyOn(Worker.prototype, 'postMessage');
    const source = bytesSource(plain);
    let seen = 0;
    const writing = writeArtifact({
      ...{ store, prefix: 'points/lost', name: 'db', recipients, restoreCommand: 'cat' },
      ...{ source, minimumProofs: ['status'], engine: 'threads' },
      tap: (chunk) => {
        seen += chunk.byteLength;
        const [thread] = told.mock.contexts as Worker[];
        if (seen <= 4 * mib || thread === undefined) return;
        seen = -Infinity;
        void thread.terminate();
      },
    });

    await expect(writing).rejects.toThrow('the stream thread ended with');
    const left: string[] = [];
    for await (const { key } of store.list('points/lost/')) left.push(key);
    expect([...left, ...(await store.listOpenUploads('points/lost/'))]).toEqual([]);
  });
});
