import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamFromPod } from '../../activities/executors/pod-exec.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { ByteSource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { localKubectl, localPod } from '../activities/local-kubectl.ts';
import { testKit } from '../transfer/test-points.ts';
import { bytesSource, contentsOf, testStore } from '../transfer/test-sources.ts';
import { experiment, type Seed } from './experiment.ts';
import type { FakeRequest } from './fake-request.ts';
import { type FakeS3, startFakeS3 } from './fake-s3.ts';

const mib = 1024 * 1024;
const quietMs = 5_000;

let kit: RecoveryKit;
let fake: FakeS3;
let s3: Store;
let before: Held;
let isSlow = false;
let onArrival: (request: FakeRequest) => void = () => undefined;

/** What a process holds. */
type Held = { readonly files: number; readonly threads: number };

function held(): Held {
  return { files: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length };
}

/** Processes that this one started and that have not ended. */
function children(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => {
      try {
        return readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ');
      } catch {
        return [];
      }
    })
    .filter((pid) => pid !== '')
    .map(Number);
}

beforeAll(async () => {
  kit = await testKit();
  fake = await startFakeS3({
    latencyMs: (request) => {
      onArrival(request);
      return request.operation === 'UploadPart' && isSlow ? 8_000 : (request.number * 7) % 40;
    },
  });
  s3 = await fake.open();
});

afterAll(() => fake.stop());

async function sourceOf(seed: Seed, least: number): Promise<ByteSource> {
  const size = seed.whole(least, 20 * mib);
  if (seed.random() < 0.7) return bytesSource(seed.bytes(size));
  return streamFromPod(await localKubectl(), localPod, ['head', '-c', String(size), '/dev/urandom']);
}

describe('a capture that is cancelled', () => {
  experiment(
    {
      number: 26,
      holds: 'is quiet within 5 s at whatever moment: no open upload, no object, no process of its own',
      small: 15,
      full: 500,
    },
    async (seed) => {
      // now and then each part takes longer than a cancellation may
      isSlow = seed.seed % 5 === 0;
      const store = isSlow || seed.random() < 0.8 ? s3 : testStore();
      const cancel = new AbortController();
      const reason = new Error('cancelled by an experiment');
      let since = Number.POSITIVE_INFINITY;
      const stop = (): void => {
        if (cancel.signal.aborted) return;
        since = Date.now();
        cancel.abort(reason);
      };
      const source = await sourceOf(seed, isSlow ? 17 * mib : 1);
      const moment = isSlow
        ? 'late'
        : seed.pick(['time', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'HeadObject']);
      // The server has the whole request and does it, whether anybody waits for its answer or not.
      onArrival = ({ operation }) => {
        if (operation === moment) stop();
      };
      const writing = writeArtifact({
        ...{ store, prefix: `points/${String(seed.seed)}`, name: 'db', source, recipients: kit.recipients },
        ...{ minimumProofs: ['status'], restoreCommand: 'cat', signal: cancel.signal },
        engine: seed.pick(['inline', 'threads'] as const),
        segmentBytes: isSlow ? 64 * mib : seed.pick([3 * mib, 64 * mib]),
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      const timer = setTimeout(stop, seed.whole(0, moment === 'time' ? seed.pick([30, 300, 900]) : 3_000));
      const end = await writing;
      clearTimeout(timer);
      if (cancel.signal.aborted) expect(Date.now() - since).toBeLessThan(quietMs);
      onArrival = () => undefined;
      isSlow = false;
      if (end === undefined) {
        for (const key of await contentsOf(store)) await store.delete(key);
      } else expect(end).toBe(reason);
      // what the server was told before it was cancelled may be done after it
      await pause(60);
      expect(await contentsOf(store)).toEqual([]);
      for (let left = quietMs / 20; children().length > 0 && left > 0; left -= 1) await pause(20);
      expect(children()).toEqual([]);
      if (seed.seed === 5) before = held();
    },
  );

  it('keeps no file and no thread open, however often that was', async () => {
    await pause(200);
    const after = held();
    expect(after.files).toBeLessThanOrEqual(before.files + 10);
    expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
  });
});
