import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { assertConditional, openStore } from '../../activities/open-store.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { collectGarbage } from '../../transfer/collect-garbage.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { release, testKit } from '../transfer/test-points.ts';
import { bytesSource, contentsOf } from '../transfer/test-sources.ts';
import { type BackupToMake, backUp, pointOf } from './back-up.ts';
import { experiment, type Seed } from './experiment.ts';
import { withFakeS3 } from './fake-s3.ts';
import { expectFailure, expectInvariants, rejectionOf } from './invariants.ts';

const mib = 1024 * 1024;
const hourMs = 3_600_000;

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

afterEach(() => {
  vi.unstubAllEnvs();
});

function backupOf(seed: Seed, plain: Buffer, minute = 0): Omit<BackupToMake, 'store'> {
  const rules = { engine: 'inline' as const };
  return { kit, id: pointOf(seed, minute), source: () => bytesSource(plain), rules };
}

describe('a server that shows old lists', () => {
  experiment(
    {
      number: 21,
      holds:
        'makes no second point of a number, and nothing that is young goes with the garbage; all is right once they are new',
      small: 3,
      full: 200,
      atOnce: 2,
    },
    async (seed) => {
      await withFakeS3({}, async (fake) => {
        const store = await fake.open();
        const plains = [seed.bytes(seed.whole(1, 50_000)), seed.bytes(seed.whole(1, 50_000))] as const;
        const [one, other] = [backupOf(seed, plains[0], 0), backupOf(seed, plains[1], 1)];
        const isFirstUnseen = seed.random() < 0.5;
        if (isFirstUnseen) fake.bucket.freezeLists();
        await backUp({ ...one, store }).catch((error: unknown) => expectFailure(error, ['ObjectNotFound']));
        for (let index = 0; index < seed.pick([0, 1_005]); index += 1)
          fake.bucket.put(`dr/runs/old/${String(index)}`, Buffer.from('x'), false);
        fake.bucket.freezeLists();
        await backUp({ ...other, store }).catch((error: unknown) =>
          expectFailure(error, ['ObjectNotFound', 'ObjectExists']),
        );
        const before = fake.bucket.objects.size;
        const run = { workflowId: 'seeded', runId: 'seeded' };
        const now = new Date(Date.now() + seed.whole(0, 23) * hourMs);
        await collectGarbage({ store, kit, platform: 'shop', releases: [release], run, now, dryRun: false });
        expect(fake.bucket.objects.size).toBe(before);

        fake.bucket.thawLists();
        await backUp({ ...one, store, attempt: 2 });
        await backUp({ ...other, store, attempt: 2 });
        for (const key of await contentsOf(store)) if (key.startsWith('runs/')) await store.delete(key);
        const points = [
          { id: one.id, plain: plains[0] },
          { id: other.id, plain: plains[1] },
        ];
        await expectInvariants({ store, kit, points, killed: true });
      });
    },
  );
});

describe('a server that can less', () => {
  it.each(['ignored', 'refused'] as const)(
    'is refused by the probe where the condition of a PUT is %s (experiment 22)',
    async (conditions) => {
      await withFakeS3({ profile: { conditions } }, async (fake) => {
        const store = await fake.open();
        expectFailure(
          await rejectionOf(assertConditional(store)),
          ['StoreNotConditional'],
          /honour|keep a second writer/,
        );
        expect(await contentsOf(store)).toEqual([]);
      });
    },
  );

  it('fails a backup by name where it knows no lists of uploads (experiment 22)', async () => {
    await withFakeS3({ profile: { uploadLists: false } }, async (fake) => {
      const store = await fake.open();
      const failed = await rejectionOf(store.listOpenUploads(''));
      expectFailure(failed, ['StoreUnreachable'], /list uploads .*NotImplemented/);
    });
  });

  experiment(
    {
      number: 22,
      holds:
        'holds whole points alone, also where checksums of parts are ignored or refused, and a bit is flipped on its way',
      small: 3,
      full: 100,
      atOnce: 2,
    },
    async (seed) => {
      const checksums = seed.pick(['ignored', 'refused'] as const);
      await withFakeS3({ profile: { checksums } }, async (fake) => {
        const store = await fake.open('worker');
        const plain = seed.bytes(seed.whole(9, 18) * mib);
        const backup = { ...backupOf(seed, plain), store };
        expect((await store.probe()).checksums).toBe(false);
        let left = seed.random() < 0.6 ? 1 : 0;
        const isFlipped = left === 1;
        fake.decide = ({ operation }) => {
          if (operation !== 'UploadPart' || left === 0) return undefined;
          left -= 1;
          return { kind: 'flip', bit: seed.whole(0, 8 * mib) };
        };
        if (isFlipped) {
          const failed = await rejectionOf(backUp(backup));
          // where the server checks nothing the read-back does
          if (checksums === 'ignored') expectFailure(failed, ['ArtifactDigestMismatch'], /is not what was written/);
          else expectFailure(failed, ['StoreUnreachable'], /XAmzContentSHA256Mismatch/);
          await expectInvariants({ store, kit, points: [], killed: true });
          // what was damaged is captured again under another point
          const next = { ...backup, id: pointOf(seed, 1) };
          await backUp(next);
          await expectInvariants({ store, kit, points: [{ id: next.id, plain }], killed: true });
          return;
        }
        await backUp(backup);
        await expectInvariants({ store, kit, points: [{ id: backup.id, plain }] });
      });
    },
  );
});

describe('a server that does not believe the client', () => {
  experiment(
    {
      number: 23,
      holds: 'has no point of a backup whose credentials expired on the way, and the next one with good ones is whole',
      small: 3,
      full: 100,
      atOnce: 2,
    },
    async (seed) => {
      const lastRequest = seed.whole(2, 30);
      let expired = 0;
      const refuseCredentials = ({ accessKeyId }: { accessKeyId: string }): string | undefined => {
        if (accessKeyId === 'worker') expired += 1;
        return accessKeyId === 'worker' && expired > lastRequest ? 'ExpiredToken' : undefined;
      };
      await withFakeS3({ refuseCredentials }, async (fake) => {
        const plain = seed.bytes(seed.whole(9, 18) * mib);
        const backup = backupOf(seed, plain);
        const end = await backUp({ ...backup, store: await fake.open('worker') }).catch((error: unknown) => error);
        const isCommitted = [...fake.bucket.objects.keys()].some((key) => key.includes('/manifests/'));
        if (end instanceof Error) expectFailure(end, ['StoreDenied'], /ExpiredToken|HTTP 403/);
        const observer = await fake.open();
        if (!isCommitted) await backUp({ ...backup, store: observer, attempt: 2 });
        await expectInvariants({ store: observer, kit, points: [{ id: backup.id, plain }], killed: true });
      });
    },
  );

  it('is given new credentials of the environment when the old ones expire in an upload (experiment 23)', async () => {
    let issued = 0;
    const lifeMs = 1_000;
    const born = new Map<string, number>();
    const issuer = createServer((_, answer) => {
      issued += 1;
      born.set(`key-${String(issued)}`, Date.now());
      const Expiration = new Date(Date.now() + lifeMs).toISOString();
      const key = `key-${String(issued)}`;
      answer.end(JSON.stringify({ AccessKeyId: key, SecretAccessKey: 'secret', Token: key, Expiration }));
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    const { port } = issuer.address() as AddressInfo;
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${String(port)}/credentials`);
    const refuseCredentials = ({ accessKeyId }: { accessKeyId: string }): string | undefined =>
      accessKeyId !== 'observer' && Date.now() - (born.get(accessKeyId) ?? 0) > lifeMs + 500
        ? 'ExpiredToken'
        : undefined;
    try {
      await withFakeS3({ refuseCredentials, latencyMs: () => 150 }, async (fake) => {
        const seed = { whole: () => 7 } as unknown as Seed;
        const plain = Buffer.alloc(100_000, 'rows');
        const backup = backupOf(seed, plain);
        await backUp({ ...backup, store: await openStore(fake.config) });
        expect(issued).toBeGreaterThan(1);
        await expectInvariants({ store: await fake.open(), kit, points: [{ id: backup.id, plain }] });
      });
    } finally {
      issuer.closeAllConnections();
      await new Promise((resolve) => issuer.close(resolve));
    }
  });

  it.each([-16, 16, 60 * 24])('is believed in its clock, %i minutes off (experiment 23)', async (minutes) => {
    await withFakeS3({ clockAheadMs: minutes * 60_000 }, async (fake) => {
      const store = await fake.open();
      await store.put(`${pointPrefix(release, 'x')}/one`, Buffer.from('bytes'));
      expect((await store.get(`${pointPrefix(release, 'x')}/one`)).toString()).toBe('bytes');
    });
  });

  it('names the clock where it refuses it whatever the client says (experiment 23)', async () => {
    await withFakeS3({ refuseCredentials: () => 'RequestTimeTooSkewed' }, async (fake) => {
      const failed = expectFailure(await rejectionOf(fake.open()), ['ClockSkew'], /RequestTimeTooSkewed/);
      expect(failed.hint).toContain('NTP');
    });
  });
});
