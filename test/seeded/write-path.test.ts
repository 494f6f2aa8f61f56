import { beforeAll, describe, expect } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { readChain } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { Killed } from '../models/retention-world.ts';
import { release, testKit } from '../transfer/test-points.ts';
import { bytesSource, testStore } from '../transfer/test-sources.ts';
import { backUp, pointOf } from './back-up.ts';
import { experiment, type Seed } from './experiment.ts';
import type { FakeRequest, Operation } from './fake-request.ts';
import { type FakeS3, withFakeS3 } from './fake-s3.ts';
import { expectFailure, expectInvariants } from './invariants.ts';
import { storeInTurns, Turns } from './turns.ts';

const mib = 1024 * 1024;

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

/** Where a worker is killed: before a request reaches the store, or after the store has done it. */
type KillPoint = { readonly operation: Operation; readonly key: RegExp; readonly after: boolean };

const writes: readonly (readonly [Operation, RegExp])[] = [
  ['CreateMultipartUpload', /dump/],
  ['UploadPart', /dump/],
  ['CompleteMultipartUpload', /dump/],
  ['PutObject', /\.component\.json$/],
  ['PutObject', /RESTORE\.md$/],
  ['PutObject', /\/manifests\//],
];
const killPoints: readonly KillPoint[] = writes.flatMap(([operation, key]) => [
  { operation, key, after: false },
  { operation, key, after: true },
]);

/** From the n-th request at this point on nothing of this worker reaches the store. */
function killAt(fake: FakeS3, worker: string, point: KillPoint, times: number): { readonly dead: boolean } {
  const state = { dead: false };
  let left = times;
  const isPoint = ({ operation, key }: FakeRequest): boolean => operation === point.operation && point.key.test(key);
  fake.decide = (request) => {
    if (request.accessKeyId !== worker) return undefined;
    if (state.dead) return { kind: 'answer', status: 403, code: 'AccessDenied' };
    if (!isPoint(request)) return undefined;
    left -= 1;
    if (left > 0) return undefined;
    state.dead = true;
    return point.after ? { kind: 'lose-answer' } : { kind: 'answer', status: 403, code: 'AccessDenied' };
  };
  return state;
}

describe('a worker that is killed while it writes a point', () => {
  experiment(
    {
      number: 8,
      holds:
        'leaves one manifest once it was tried again, and else objects that are all collected, whichever of 12 points it was at',
      small: 12,
      full: 120,
      atOnce: 2,
    },
    async (seed) => {
      await withFakeS3({}, async (fake) => {
        const point = killPoints[(seed.seed - 1) % killPoints.length] as KillPoint;
        const plain = seed.bytes(seed.whole(17, 20) * mib);
        const id = pointOf(seed);
        const source = (): ReturnType<typeof bytesSource> => bytesSource(plain);
        const times = point.operation === 'UploadPart' ? seed.whole(1, 2) : 1;
        const engine = seed.pick(['inline', 'threads'] as const);
        const rules = { engine, segmentBytes: seed.pick([12 * mib, 64 * mib]) };
        const first = killAt(fake, 'first', point, times);

        await backUp({ store: await fake.open('first'), kit, id, source, rules }).catch(() => undefined);

        expect(first.dead).toBe(true);
        const isTriedAgain = seed.random() < 0.7;
        if (isTriedAgain) await backUp({ store: await fake.open('second'), kit, id, source, rules, attempt: 2 });
        const isCommitted = isTriedAgain || (point.after && point.key.test('/manifests/'));
        const points = isCommitted ? [{ id, plain }] : [];
        await expectInvariants({ store: await fake.open(), kit, points, killed: true });
      });
    },
  );
});

describe('two workers at once', () => {
  experiment(
    {
      number: 11,
      holds:
        'make one manifest of each point, however their calls fall between each other, and each keeps its own objects alone',
      small: 20,
      full: 1_000,
    },
    async (seed) => {
      if (seed.random() < 0.2) await race(seed, testStore());
      else await withFakeS3({}, async (fake) => race(seed, await fake.open()));
    },
  );
});

/** Two attempts of one point, or two points of one chain; sometimes one of them is killed. */
async function race(seed: Seed, store: Store): Promise<void> {
  const isOnePoint = seed.random() < 0.6;
  const ids = isOnePoint ? [pointOf(seed)] : [pointOf(seed, 0), pointOf(seed, 1)];
  const plains = new Map(ids.map((id) => [id, seed.bytes(seed.whole(1, 40_000))]));
  const workers = ['first', 'second'].map((who, index) => ({
    who,
    attempt: isOnePoint ? index + 1 : 1,
    id: ids[index] ?? ids[0] ?? '',
    killedAt: seed.random() < 0.2 ? seed.whole(1, 60) : Number.POSITIVE_INFINITY,
  }));
  const turns = new Turns(
    seed.random,
    workers.map(({ who }) => who),
  );
  const rules = { engine: 'inline' as const };
  const ends = await Promise.allSettled(
    workers.map(async ({ who, id, attempt, killedAt }) => {
      const own = storeInTurns(store, turns, who, killedAt);
      const source = (): ReturnType<typeof bytesSource> => bytesSource(plains.get(id) ?? Buffer.alloc(0));
      return await backUp({ store: own, kit, id, source, attempt, rules }).finally(() => {
        turns.leave(who);
      });
    }),
  );
  const chain = await readChain({ store, trustedKeys: [kit.signing.publicKey], release });
  const points = chain.map(({ document }) => document?.id ?? '').reverse();
  let killed = 0;
  for (const [index, end] of ends.entries()) {
    if (end.status === 'fulfilled') expect(points).toContain(end.value.manifest.id);
    else if (end.reason instanceof Killed) killed += 1;
    // The other attempt has written its RESTORE.md over this one's, and has its turn.
    else expectFailure(end.reason, isOnePoint ? ['ArtifactDigestMismatch'] : [], /RESTORE\.md|SHA256SUMS/);
    if (end.status === 'rejected' && !isOnePoint) expect(workers[index]?.killedAt).not.toBe(Number.POSITIVE_INFINITY);
  }
  if (killed === 0) expect(new Set(points)).toEqual(new Set(ids));
  expect(points.length).toBe(new Set(points).size);
  await expectInvariants({
    store,
    kit,
    points: points.map((id) => ({ id, plain: plains.get(id) ?? Buffer.alloc(0) })),
    killed: true,
    ...(isOnePoint && killed > 0 ? { isGuideOpen: true } : {}),
  });
}
