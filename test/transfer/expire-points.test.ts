import { beforeEach, describe, expect, it } from 'vitest';
import type { ExpiryReport } from '../../model/outcome.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { Retention } from '../../model/retention.ts';
import { type KnownHead, linkKey } from '../../transfer/chain.ts';
import { checkStore } from '../../transfer/check-store.ts';
import { expirePoints, judgePoints } from '../../transfer/expire-points.ts';
import { endRunHolds, holdPoint, readHolds } from '../../transfer/holds.ts';
import { manifestFolder, pointPrefix, tombstoneFolder } from '../../transfer/point-names.ts';
import { findPoint } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { commitWithObjects, objectsOf, release, testKit } from './test-points.ts';
import { testStore } from './test-sources.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 10, 24, 10);
const retention = Retention.parse({ all: '30m', last: 1, grace: '1h' });
let store: Store;
let kit: RecoveryKit;

async function commit(minute: number): Promise<string> {
  return (await commitWithObjects(store, kit, minute)).manifest.id;
}

/** Expires at so many hours after the start. */
async function expire(
  hours: number,
  more: { retention?: Retention; only?: ReadonlySet<string>; known?: KnownHead } = {},
): Promise<ExpiryReport> {
  const now = new Date(start + hours * hour);
  const run = { workflowId: 'expire', runId: `run-${String(hours)}` };
  return await expirePoints({ store, kit, release, tier: 1, retention, now, run, ...more });
}

async function check(): Promise<Awaited<ReturnType<typeof checkStore>>> {
  const trustedKeys = [kit.signing.publicKey];
  return await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now: new Date() });
}

function holdOf(point: string, run: string | null = 'reader'): Parameters<typeof holdPoint>[0]['hold'] {
  return { point, release, by: run ?? 'somebody', run, reason: 'test' };
}

beforeEach(async () => {
  store = testStore();
  kit = await testKit();
});

describe('expirePoints', () => {
  it('expires what no line keeps, leaves its data for the time of grace, then removes all of it but its manifest', async () => {
    const [old, newest] = [await commit(0), await commit(5)];

    expect(await expire(1)).toMatchObject({ kept: 1, expired: [old], removed: [], waiting: 1 });
    expect(await objectsOf(store, old)).toBe(7);
    expect(await expire(1.9)).toMatchObject({ expired: [], removed: [], waiting: 1 });
    expect(await expire(2)).toMatchObject({ kept: 1, expired: [], removed: [old], waiting: 0 });

    expect(await objectsOf(store, old)).toBe(0);
    expect(await objectsOf(store, newest)).toBe(7);
    expect(await check()).toMatchObject({ findings: [], releases: [{ points: 1, newest }] });
    expect(await expire(3)).toMatchObject({ kept: 1, expired: [], removed: [], removedBytes: 0, waiting: 0 });
  });

  it('expires nothing where the newest manifest that is known from outside is gone', async () => {
    await commit(0);
    await commit(5);
    const { manifest, sha256 } = await commitWithObjects(store, kit, 10);
    await store.delete(linkKey(manifestFolder(release), manifest.sequence));
    const known = { sequence: manifest.sequence, sha256 };

    await expect(expire(1, { known })).rejects.toMatchObject({ code: 'ChainBroken' });
    expect((await expire(1)).expired).toHaveLength(1);
  });

  it('makes a chain no longer to read for its removed points', async () => {
    const old = await commit(0);
    const newest = await commit(5);
    await expire(1);
    await expire(2);
    const read: string[] = [];
    const counted: Store = {
      ...store,
      get: async (key) => {
        if (key.startsWith('manifests/')) read.push(key);
        return await store.get(key);
      },
    };
    const of = { store: counted, trustedKeys: [kit.signing.publicKey], release };
    expect((await findPoint({ ...of, point: 'latest-verified' })).manifest.id).toBe(newest);
    expect(read).toEqual([linkKey(manifestFolder(release), 2)]);
    await expect(findPoint({ ...of, point: old })).rejects.toMatchObject({ code: 'PointExpired' });
  });

  it('tells the bytes that it removed', async () => {
    const old = await commit(0);
    await commit(5);
    let bytes = 0;
    for await (const { sizeBytes } of store.list(`${pointPrefix(release, old)}/`)) bytes += sizeBytes;
    await expire(1);
    expect((await expire(2)).removedBytes).toBe(bytes);
  });

  it('keeps an expired point again that somebody holds, and gives it a new grace when the hold has ended', async () => {
    const old = await commit(0);
    await commit(5);
    await expire(1);
    const key = await holdPoint({ store, kit, hold: holdOf(old, null), now: new Date(start + 1.5 * hour) });

    expect(await expire(2)).toMatchObject({ kept: 2, keptAgain: [old], removed: [] });
    await store.delete(key);
    expect(await expire(3)).toMatchObject({ kept: 1, expired: [old], removed: [] });
    expect(await expire(4)).toMatchObject({ removed: [old] });
  });

  it('keeps expired points again where the rules keep them by now', async () => {
    const old = await commit(0);
    await commit(5);
    await expire(1);
    const more = Retention.parse({ all: '30m', last: 2, grace: '1h' });
    expect(await expire(3, { retention: more })).toMatchObject({ kept: 2, keptAgain: [old], removed: [] });
  });

  it('removes nothing that a run reads; after its death the hold counts for three days', async () => {
    const old = await commit(0);
    await commit(5);
    await expire(1);
    await holdPoint({ store, kit, hold: holdOf(old), now: new Date(start + 1.5 * hour) });

    expect(await expire(2)).toMatchObject({ removed: [], keptAgain: [old] });
    await expire(3 * 24 + 2);
    expect(await expire(3 * 24 + 4)).toMatchObject({ removed: [old] });
  });

  it('lets a run begin to read an expired point, and none whose removal has begun', async () => {
    const old = await commit(0);
    await commit(5);
    await expire(1);
    const now = new Date(start + 1.2 * hour);
    await holdPoint({ store, kit, hold: holdOf(old), now });
    await endRunHolds({ store, runId: 'reader' });
    await expire(2);

    await expect(holdPoint({ store, kit, hold: holdOf(old), now })).rejects.toMatchObject({ code: 'PointExpired' });
    expect((await readHolds({ store, trustedKeys: [kit.signing.publicKey], release, now })).size).toBe(0);
  });

  it('counts a hold that no trusted key signed: what cannot be read must not let data be removed', async () => {
    const old = await commit(0);
    await commit(5);
    const forged = await testKit();
    await holdPoint({ store, kit: forged, hold: holdOf(old, null), now: new Date(start) });
    expect(await expire(1)).toMatchObject({ kept: 2, expired: [] });
  });

  it('goes by no tombstone that no trusted key signed', async () => {
    const old = await commit(0);
    await commit(5);
    const own = kit;
    kit = await testKit();
    const { manifestSha256 } = await judged(own, old);
    await writeForged(old, manifestSha256);
    kit = own;
    expect(await expire(2)).toMatchObject({ removed: [], expired: [old] });
  });

  it('expires only what was planned', async () => {
    await commit(0);
    const second = await commit(2);
    await commit(5);
    expect(await expire(1, { only: new Set([second]) })).toMatchObject({ expired: [second] });
  });

  it('expires nothing of a release whose chain is in doubt', async () => {
    await commit(0);
    await commit(2);
    await commit(5);
    await store.delete(linkKey(manifestFolder(release), 2));
    await expect(expire(1)).rejects.toMatchObject({ code: 'ChainBroken' });
  });

  it('finishes the removal that a run before it began', async () => {
    const old = await commit(0);
    await commit(5);
    await expire(1);
    const signal = AbortSignal.abort(new Error('killed'));
    const now = new Date(start + 2 * hour);
    const run = { workflowId: 'expire', runId: 'killed' };
    await expect(expirePoints({ store, kit, release, tier: 1, retention, now, run, signal })).rejects.toThrow('killed');
    expect(await objectsOf(store, old)).toBe(7);
    expect((await check()).findings).toMatchObject([
      { kind: 'leftover', message: expect.stringContaining('expired') as string },
    ]);

    expect(await expire(3)).toMatchObject({ removed: [old] });
    expect((await check()).findings).toEqual([]);
  });

  async function judged(own: RecoveryKit, id: string): Promise<{ manifestSha256: string }> {
    const of = { store, kit: own, release, tier: 1, retention, now: new Date(start + hour) };
    const found = (await judgePoints(of)).points.find(({ manifest }) => manifest.id === id);
    return { manifestSha256: found?.manifestSha256 ?? '' };
  }

  async function writeForged(id: string, manifestSha256: string): Promise<void> {
    const { writeTombstone } = await import('../../transfer/tombstones.ts');
    const at = new Date(start).toISOString();
    const run = { workflowId: 'forged', runId: 'forged' };
    const tombstone = {
      stage: 'removing' as const,
      release,
      at,
      run,
      points: [{ id, manifest: { sequence: 1, sha256: manifestSha256 } }],
    };
    await writeTombstone({ store, kit, tombstone });
    let there = 0;
    for await (const _ of store.list(`${tombstoneFolder(release)}/`)) there += 1;
    expect(there).toBe(1);
  }
});
