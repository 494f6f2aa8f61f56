import { beforeEach, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { checkStore, type StoreCheck } from '../../transfer/check-store.ts';
import { commitPlatformPoint } from '../../transfer/platform-points.ts';
import { manifestFolder, newPointId, pointPrefix } from '../../transfer/point-names.ts';
import type { CommittedManifest } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { writeTombstone } from '../../transfer/tombstones.ts';
import { commitWithObjects, describedArtifact, release, testKit } from './test-points.ts';
import { testStore } from './test-sources.ts';

const day = 24 * 60 * 60 * 1_000;
let store: Store;
let kit: RecoveryKit;

const entry = { tier: 1, requires: [] };

const config = describedArtifact('platforms/shop', 'config', 10);

type PlatformReleases = Parameters<typeof commitPlatformPoint>[0]['draft']['releases'];

/** A platform point that names this point of the release, and others before it. */
async function commitPlatform({ manifest, sha256 }: CommittedManifest, others: PlatformReleases = []): Promise<void> {
  const { id, sequence, capturedAt } = manifest;
  const point = { id, sequence, manifestSha256: sha256, capturedAt };
  for (const { key, storedBytes } of config.segments) await store.put(key, Buffer.alloc(storedBytes));
  await commitPlatformPoint({
    ...{ store, kit },
    draft: {
      ...{ id: newPointId(), platform: 'shop', skewSeconds: 0, complete: true, configSha256: 'b'.repeat(64) },
      config,
      releases: [...others, { ...entry, release, point }],
    },
  });
}

async function commitPoint(minute: number): Promise<CommittedManifest> {
  return await commitWithObjects(store, kit, minute);
}

async function check(now = new Date()): Promise<StoreCheck> {
  const trustedKeys = [kit.signing.publicKey];
  return await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now });
}

describe('checkStore', () => {
  beforeEach(async () => {
    store = testStore();
    kit = await testKit();
  });

  it('finds nothing in a store that is whole, and counts what it holds', async () => {
    await commitPoint(0);
    const { manifest } = await commitPoint(1);
    const found = await check(new Date(Date.now() + 2 * day));
    expect(found).toMatchObject({
      findings: [],
      releases: [{ release: 'prod/data/postgresql', points: 2, newest: manifest.id }],
      objects: 16,
    });
    expect(found.releases[0]?.storedBytes).toBe(2 * manifest.storedBytes);
  });

  it('names a platform file that is missing: what a recovery of everything begins with', async () => {
    await commitPlatform(await commitPoint(0));
    expect((await check()).findings).toEqual([]);
    await store.delete(config.segments[0]?.key ?? '');
    expect((await check()).findings).toMatchObject([
      { kind: 'damage', message: expect.stringMatching(/missing from platform point/) as string },
    ]);
  });

  it('names an object that is missing, and one of another size', async () => {
    const { manifest } = await commitPoint(0);
    const [artifact] = manifest.components[0]?.artifacts ?? [];
    const [data = '', plan = ''] = [artifact, manifest.plan].map((each) => each?.segments[0]?.key);
    await store.put(data, Buffer.from('short'));
    await store.delete(plan);
    expect((await check()).findings).toEqual([
      { kind: 'damage', subject: data, message: `it has 5 of 1000 bytes of ${manifest.id}`, bytes: 0 },
      { kind: 'damage', subject: plan, message: `it is missing from ${manifest.id}`, bytes: 0 },
    ]);
  });

  it('names a manifest that is gone in the middle, and one at the end that a platform point knows', async () => {
    await commitPoint(0);
    await commitPoint(1);
    const newest = await commitPoint(2);
    await commitPlatform(newest);
    const folder = manifestFolder(release);
    await store.delete(`${folder}/0000000001.json`);
    await store.delete(`${folder}/0000000003.json`);
    const damaged = (await check()).findings.filter(({ kind }) => kind === 'damage');
    expect(damaged.map(({ message }) => message)).toEqual([
      `read manifest ${folder}/0000000001.json: it is missing from its chain`,
      'check chain: number 3 is known and is not there, its newest link is number 2',
    ]);
  });

  it('counts what no manifest names once it is a day old, and what a repeated attempt left', async () => {
    const { manifest } = await commitPoint(0);
    const folder = pointPrefix(release, manifest.id);
    await store.put(`${folder}/attempt-2/databases.app/0001.zst.age`, Buffer.alloc(70));
    const lost = pointPrefix(release, newPointId());
    await store.put(`${lost}/databases.app/0001.zst.age`, Buffer.alloc(30));
    const repeated = { kind: 'leftover', subject: `${folder}/attempt-2/databases.app/0001.zst.age`, bytes: 70 };
    expect((await check()).findings).toMatchObject([repeated]);
    expect((await check(new Date(Date.now() + day + 1_000))).findings).toMatchObject([
      repeated,
      { kind: 'leftover', subject: lost, bytes: 30 },
    ]);
  });

  it('checks a release that is in the store alone', async () => {
    await commitPoint(0);
    const trustedKeys = [kit.signing.publicKey];
    const found = await checkStore({ store, trustedKeys, platform: 'shop', releases: [], now: new Date() });
    expect(found.releases).toMatchObject([{ release: 'prod/data/postgresql', points: 1 }]);
  });

  it('names every object of a point of which nothing is left', async () => {
    const { manifest } = await commitPoint(0);
    const folder = pointPrefix(release, manifest.id);
    for await (const { key } of store.list(`${folder}/`)) await store.delete(key);
    const { findings } = await check();
    expect(findings.map(({ kind, subject }) => [kind, subject.startsWith(`${folder}/`)])).toEqual(
      Array.from({ length: 6 }, () => ['damage', true]),
    );
  });

  it('names several objects of a repeated attempt by their folder', async () => {
    const { manifest } = await commitPoint(0);
    const folder = pointPrefix(release, manifest.id);
    for (const at of ['1', '2']) await store.put(`${folder}/attempt-2/${at}`, Buffer.alloc(7));
    expect((await check()).findings).toEqual([
      { kind: 'leftover', subject: folder, message: '2 objects of an attempt that was repeated', bytes: 14 },
    ]);
  });

  it('counts no removed point, and names what its removal has left', async () => {
    const [old, kept] = [await commitPoint(0), await commitPoint(1)];
    const { id, sequence } = old.manifest;
    await writeTombstone({
      ...{ store, kit },
      tombstone: {
        ...{ stage: 'removing', release, at: '2026-11-25T10:00:00Z', run: { workflowId: 'w', runId: 'r' } },
        points: [{ id, manifest: { sequence, sha256: old.sha256 } }],
      },
    });
    const folder = pointPrefix(release, id);
    const found = await check(new Date(Date.now() + 2 * day));
    expect(found.releases).toMatchObject([
      { points: 1, newest: kept.manifest.id, storedBytes: kept.manifest.storedBytes },
    ]);
    expect(found.findings).toMatchObject([
      { kind: 'leftover', subject: folder, message: 'it expired, and its removal was not finished' },
    ]);
    expect(found.findings[0]?.bytes).toBeGreaterThan(1_000);
    for await (const { key } of store.list(`${folder}/`)) await store.delete(key);
    expect((await check(new Date(Date.now() + 2 * day))).findings).toEqual([]);
  });

  it('names uploads that did not end once they are a day old', async () => {
    const id = newPointId();
    const writer = store.openWriter(`${pointPrefix(release, id)}/data`);
    await writer.write(Buffer.alloc(10));
    expect((await check()).findings).toEqual([]);
    expect((await check(new Date(Date.now() + day + 60_000))).findings).toEqual([
      { kind: 'leftover', subject: pointPrefix(release, id), message: '1 uploads that did not end', bytes: 0 },
    ]);
    await writer.abort();
  });

  it('names what is wrong with the chain of platform points', async () => {
    await store.put('platforms/shop/0000000001.json', Buffer.from('{'));
    expect((await check()).findings).toEqual([
      {
        kind: 'damage',
        subject: 'platforms/shop/0000000001.json',
        message: 'read platform point platforms/shop/0000000001.json: it is not JSON',
        bytes: 0,
      },
    ]);
  });

  it('goes by the newest platform point, and by releases in the order of their names', async () => {
    const first = await commitPoint(0);
    const second = await commitPoint(1);
    const none = { ...entry, release: { ...release, name: 'mysql' }, point: null };
    await commitPlatform({ ...first, sha256: 'f'.repeat(64) }, [none]);
    await commitPlatform(second, [none]);
    await store.put('manifests/prod/data/mysql/notes.txt', Buffer.from('x'));
    const found = await check();
    expect(found.findings).toEqual([]);
    expect(found.releases.map((each) => [each.release, each.points, each.newest])).toEqual([
      ['prod/data/mysql', 0, null],
      ['prod/data/postgresql', 2, second.manifest.id],
    ]);
  });
});
