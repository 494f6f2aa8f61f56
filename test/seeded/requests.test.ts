import { beforeAll, describe, expect } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { testKit } from '../transfer/test-points.ts';
import { bytesSource } from '../transfer/test-sources.ts';
import { type BackupToMake, backUp, pointOf, retrying } from './back-up.ts';
import { experiment, type Seed } from './experiment.ts';
import type { FakeFault, FakeRequest, Operation } from './fake-request.ts';
import { type FakeS3, withFakeS3 } from './fake-s3.ts';
import { expectFailure, expectInvariants, rejectionOf } from './invariants.ts';

const mib = 1024 * 1024;
const partBytes = 8 * mib;

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

/** A backup of three or four parts by a worker whose requests meet the faults. */
type Case = { readonly fake: FakeS3; readonly plain: Buffer; readonly backup: BackupToMake };

function withBackup(work: (seed: Seed, of: Case) => Promise<void>): (seed: Seed) => Promise<void> {
  return async (seed) => {
    await withFakeS3({}, async (fake) => {
      const plain = seed.bytes(seed.whole(17, 26) * mib);
      const store = await fake.open('worker');
      const rules = { engine: seed.pick(['inline', 'threads'] as const) };
      await work(seed, {
        fake,
        plain,
        backup: { store, kit, id: pointOf(seed), source: () => bytesSource(plain), rules },
      });
    });
  };
}

/** Makes faults of the requests of the worker, the observer has none. */
function faultOf(fake: FakeS3, decide: (request: FakeRequest) => FakeFault | undefined): void {
  fake.decide = (request) => (request.accessKeyId === 'worker' ? decide(request) : undefined);
}

/** The fault of the first requests of a kind for the dump. */
function first(fake: FakeS3, operation: Operation, times: number, fault: FakeFault, key = /dump/): void {
  let left = times;
  faultOf(fake, (request) => {
    if (request.operation !== operation || !key.test(request.key) || left === 0) return undefined;
    left -= 1;
    return fault;
  });
}

async function expectDone({ fake, plain, backup: { id } }: Case, killed = false): Promise<void> {
  await expectInvariants({ store: await fake.open(), kit, points: [{ id, plain }], killed });
}

describe('a store whose requests fail', () => {
  experiment(
    {
      number: 12,
      holds:
        'makes a backup late at one refusal in ten, and late or cleanly not at all at one in two, without sending much twice',
      small: 3,
      full: 200,
      atOnce: 6,
    },
    withBackup(async (seed, of) => {
      const { fake, plain, backup } = of;
      const refused = seed.pick([0.1, 0.5]);
      faultOf(fake, () => {
        if (seed.random() >= refused) return undefined;
        return seed.pick<FakeFault>([
          { kind: 'answer', status: 500, code: 'InternalError' },
          { kind: 'answer', status: 503, code: 'SlowDown' },
        ]);
      });
      let attempts = 0;
      const end = await retrying(refused < 0.5 ? 6 : 3, (attempt) => {
        attempts = attempt;
        return backUp({ ...backup, attempt });
      }).catch((error: unknown) => error);
      const most = (attempts * plain.byteLength) / (1 - refused) + 6 * partBytes;
      expect(fake.receivedBytes).toBeLessThan(most);
      fake.decide = () => undefined;
      if (!(end instanceof Error)) {
        await expectDone(of, true);
        return;
      }
      expect(refused).toBe(0.5);
      expectFailure(end, ['StoreUnreachable'], /InternalError|SlowDown|HTTP 50[03]/);
      const isThere = [...fake.bucket.objects.keys()].some((key) => key.includes('/manifests/'));
      await expectInvariants({
        ...{ store: await fake.open(), kit, killed: true },
        points: isThere ? [{ id: backup.id, plain }] : [],
      });
    }),
  );

  experiment(
    {
      number: 13,
      holds: 'takes a part again, unchanged, whose connection broke in the middle',
      small: 2,
      full: 100,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      let broken = 0;
      faultOf(of.fake, ({ operation, query }) => {
        const isBroken =
          operation === 'UploadPart' && (broken === 0 || seed.random() < 0.2) && query.get('partNumber') !== '1';
        if (!isBroken) return undefined;
        broken += 1;
        return { kind: 'reset', afterBytes: seed.whole(0, 4 * mib) };
      });
      await retrying(3, (attempt) => backUp({ ...of.backup, attempt }));
      expect(broken).toBeGreaterThan(0);
      await expectDone(of);
    }),
  );

  experiment(
    {
      number: 14,
      holds: 'makes no object of parts that it has acknowledged and lost, and the next attempt a point',
      small: 2,
      full: 100,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      const lost = String(seed.whole(1, 3));
      const leavesOut = seed.seed % 2 === 0;
      let left = 1;
      faultOf(of.fake, ({ operation, query }) => {
        if (operation === 'CompleteMultipartUpload' && leavesOut) return { kind: 'drop' };
        if (operation !== 'UploadPart' || query.get('partNumber') !== lost || left === 0) return undefined;
        left -= 1;
        return { kind: 'drop' };
      });
      const failed = await rejectionOf(backUp(of.backup));
      expectFailure(failed, ['StoreUnreachable'], leavesOut ? /the store has \d+ of \d+ bytes/ : /InvalidPart/);
      await expectInvariants({ store: await of.fake.open(), kit, points: [] });
      await backUp({ ...of.backup, attempt: 2 });
      await expectDone(of);
    }),
  );

  experiment(
    {
      number: 15,
      holds: 'has one object and no upload where the answer to its beginning or its completion was lost',
      small: 2,
      full: 60,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      const operation = seed.pick(['CreateMultipartUpload', 'CompleteMultipartUpload'] as const);
      first(of.fake, operation, seed.whole(1, 2), { kind: 'lose-answer' });
      await backUp(of.backup);
      const dumps = [...of.fake.bucket.objects.keys()].filter((key) => key.includes('databases.dump'));
      expect(dumps).toHaveLength(1);
      await expectDone(of);
    }),
  );

  experiment(
    {
      number: 16,
      holds: 'knows the own manifest whose answer was lost, and tells it from that of another writer',
      small: 2,
      full: 60,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      const { fake, backup } = of;
      first(fake, 'PutObject', seed.whole(1, 3), { kind: 'lose-answer' }, /\/manifests\//);
      await backUp(backup);
      await expectDone(of);

      const key = `runs/${backup.id}/plan.json`;
      const other = seed.bytes(seed.whole(1, 500));
      faultOf(fake, (request) => {
        if (request.operation === 'PutObject') fake.bucket.put(request.key, other, false);
        return undefined;
      });
      const failed = await rejectionOf(backup.store.put(key, Buffer.from('mine'), { ifAbsent: true }));
      expectFailure(failed, ['ObjectExists'], /it exists in s3:/);
      expect((await backup.store.get(key)).equals(other)).toBe(true);
    }),
  );

  experiment(
    {
      number: 17,
      holds: 'has no object where its completion answers 200 with an error',
      small: 2,
      full: 60,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      const isForGood = seed.random() < 0.5;
      const code = seed.pick(['InternalError', 'SlowDown']);
      const times = isForGood ? Number.POSITIVE_INFINITY : seed.whole(1, 3);
      first(of.fake, 'CompleteMultipartUpload', times, { kind: 'answer', status: 200, code });
      if (!isForGood) {
        await backUp(of.backup);
        await expectDone(of);
        return;
      }
      expectFailure(await rejectionOf(backUp(of.backup)), ['StoreUnreachable'], new RegExp(code));
      expect([...of.fake.bucket.objects.keys()]).toEqual([]);
      await expectInvariants({ store: await of.fake.open(), kit, points: [] });
    }),
  );

  experiment(
    {
      number: 18,
      holds:
        'keeps no part of which a bit was flipped on its way there, and a bit flipped on its way back makes no point',
      small: 2,
      full: 100,
      atOnce: 4,
    },
    withBackup(async (seed, of) => {
      const ofAnswer = seed.random() < 0.5;
      const bit = seed.whole(0, partBytes * 8 - 1);
      if (ofAnswer) first(of.fake, 'GetObject', 1, { kind: 'flip', bit, ofAnswer });
      else first(of.fake, 'UploadPart', 1, { kind: 'flip', bit });
      const failed = await rejectionOf(backUp(of.backup));
      if (ofAnswer) expectFailure(failed, ['ArtifactDigestMismatch'], /segment 1 .* is not what was written/);
      else expectFailure(failed, ['StoreUnreachable'], /BadDigest/);
      await expectInvariants({ store: await of.fake.open(), kit, points: [], killed: ofAnswer });
      if (ofAnswer) return;
      await backUp({ ...of.backup, attempt: 2 });
      await expectDone(of);
    }),
  );
});
