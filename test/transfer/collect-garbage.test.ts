import { beforeEach, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { artifactsOf } from '../../model/recovery-point.ts';
import { linkKey } from '../../transfer/chain.ts';
import { checkStore } from '../../transfer/check-store.ts';
import { collectGarbage, type GarbageCollection } from '../../transfer/collect-garbage.ts';
import { endRunHolds, holdPoint } from '../../transfer/holds.ts';
import { manifestFolder, newPointId, pointPrefix } from '../../transfer/point-names.ts';
import type { Store } from '../../transfer/store.ts';
import { requireClock } from '../../transfer/store-clock.ts';
import { requireStored } from '../../transfer/store-inventory.ts';
import { commitWithObjects, draftAt, objectsOf, release, testKit } from './test-points.ts';
import { testStore } from './test-sources.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 10, 24, 10);
let store: Store;
let kit: RecoveryKit;

async function commit(minute: number): Promise<string> {
  return (await commitWithObjects(store, kit, minute)).manifest.id;
}

async function check(): Promise<Awaited<ReturnType<typeof checkStore>>> {
  const trustedKeys = [kit.signing.publicKey];
  return await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now: new Date() });
}

async function collect(days: number, dryRun = false): Promise<GarbageCollection> {
  const now = new Date(Date.now() + days * 24 * hour);
  const run = { workflowId: 'gc', runId: 'gc' };
  return await collectGarbage({ store, kit, platform: 'shop', releases: [release], run, now, dryRun });
}

function holdOf(point: string, run: string | null = 'reader'): Parameters<typeof holdPoint>[0]['hold'] {
  return { point, release, by: run ?? 'somebody', run, reason: 'test' };
}

beforeEach(async () => {
  store = testStore();
  kit = await testKit();
});

describe('collectGarbage', () => {
  it('touches nothing of a release whose chain is in doubt', async () => {
    await commit(0);
    await commit(2);
    await commit(5);
    await store.put(`${pointPrefix(release, newPointId(new Date(start)))}/x`, Buffer.alloc(100));
    await store.delete(linkKey(manifestFolder(release), 2));
    const collected = await collect(30);
    expect(collected.garbage).toEqual([]);
    expect(collected.inDoubt).toMatchObject([{ release: 'prod/data/postgresql' }]);
  });

  it('removes a backup that was never committed, when it is a day old and nobody holds it', async () => {
    await commit(0);
    const id = newPointId(new Date(start));
    await store.put(`${pointPrefix(release, id)}/databases.app/0001.zst.age`, Buffer.alloc(100));

    expect((await collect(0)).garbage).toEqual([]);
    expect((await collect(2, true)).garbage).toMatchObject([{ objects: 1, bytes: 100 }]);
    expect(await objectsOf(store, id)).toBe(1);
    await holdPoint({ store, kit, hold: holdOf(id), uncommitted: true, now: new Date() });
    expect((await collect(2)).garbage).toEqual([]);
    await endRunHolds({ store, runId: 'reader' });
    expect((await collect(2)).garbage).toMatchObject([{ objects: 1, bytes: 100 }]);
    expect(await objectsOf(store, id)).toBe(0);
  });

  it('lets a run that slept too long not commit what was removed', async () => {
    await commit(0);
    const id = newPointId(new Date(start));
    await store.put(`${pointPrefix(release, id)}/databases.app/0001.zst.age`, Buffer.alloc(100));
    await collect(2);
    const of = { store, kit, hold: holdOf(id), uncommitted: true, now: new Date() };
    await expect(holdPoint(of)).rejects.toMatchObject({ code: 'PointExpired' });
  });

  it('leaves for two weeks what lacks only its manifest', async () => {
    await commit(0);
    const id = newPointId(new Date(start));
    await store.put(`${pointPrefix(release, id)}/RESTORE.md`, Buffer.from('guide'));
    expect((await collect(13)).garbage).toEqual([]);
    expect((await collect(15)).garbage).toHaveLength(1);
  });

  it('takes back uploads that did not end, of points with and without a manifest, unless they are young or held', async () => {
    const committed = await commit(0);
    const never = newPointId(new Date(start));
    const open = [committed, never].map((id) => `${pointPrefix(release, id)}/attempt-2/databases.app/0001.zst.age`);
    for (const key of open) await store.openWriter(key).write(Buffer.from('half'));

    expect((await collect(0)).garbage).toEqual([]);
    expect((await check()).findings).toEqual([]);
    const why = 'uploads that did not end';
    expect((await collect(2, true)).garbage).toMatchObject([{ why }, { why }]);
    expect(await store.listOpenUploads('')).toEqual([...open].sort());
    await holdPoint({ store, kit, hold: holdOf(never), uncommitted: true, now: new Date() });
    expect((await collect(2)).garbage).toMatchObject([{ why, subject: pointPrefix(release, committed), objects: 1 }]);
    await endRunHolds({ store, runId: 'reader' });
    const trustedKeys = [kit.signing.publicKey];
    const later = new Date(Date.now() + 48 * hour);
    const checked = await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now: later });
    expect(checked.findings).toMatchObject([{ kind: 'leftover', subject: pointPrefix(release, never) }]);
    expect((await collect(2)).garbage).toMatchObject([{ why, subject: pointPrefix(release, never) }]);
    expect(await store.listOpenUploads('')).toEqual([]);
  });

  it('removes objects of repeated attempts, and lapsed holds, and touches no object of a point', async () => {
    const id = await commit(0);
    await store.put(`${pointPrefix(release, id)}/attempt-2/databases.app/0001.zst.age`, Buffer.alloc(10));
    await holdPoint({ store, kit, hold: holdOf(id), now: new Date() });
    expect((await collect(2)).garbage).toMatchObject([{ objects: 1, why: 'of attempts that were repeated' }]);
    expect((await collect(5)).garbage).toMatchObject([{ objects: 1, why: 'holds that have lapsed' }]);
    expect(await objectsOf(store, id)).toBe(7);
    expect((await check()).findings).toEqual([]);
  });
});

describe('requireStored', () => {
  it('names the first object that is gone or cut since it was read back', async () => {
    const draft = draftAt(0);
    const id = await commit(0);
    const own = { ...draft, id };
    const prefix = pointPrefix(release, id);
    const artifacts = artifactsOf(own).map((each) => ({
      ...each,
      segments: each.segments.map((segment) => ({ ...segment, key: segment.key.replace(draft.id, id) })),
    }));
    await requireStored({ store, prefix, point: id, artifacts });
    await store.put(artifacts[0]?.segments[0]?.key ?? '', Buffer.from('cut'));
    await expect(requireStored({ store, prefix, point: id, artifacts })).rejects.toMatchObject({
      code: 'ObjectNotFound',
      message: expect.stringContaining('it has 3 of 1000 bytes') as string,
    });
  });
});

describe('requireClock', () => {
  it('refuses a clock that is minutes off, before and after', async () => {
    await store.put('runs/r/expiry.json', Buffer.from('{}'));
    const at = (minutes: number) => ({
      store,
      key: 'runs/r/expiry.json',
      now: new Date(Date.now() + minutes * 60_000),
    });
    await requireClock(at(0));
    await requireClock(at(4));
    await expect(requireClock(at(6))).rejects.toMatchObject({ code: 'ClockSkew' });
    await expect(requireClock(at(-6))).rejects.toMatchObject({ code: 'ClockSkew' });
  });
});
