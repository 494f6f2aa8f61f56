import { beforeEach, describe, expect, it } from 'vitest';
import { artifactsOf } from '../../model/recovery-point.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import type { ManifestDraft } from '../../transfer/points.ts';
import type { ObjectInfo, Store } from '../../transfer/store.ts';
import {
  comparePoint,
  countUploads,
  isBeingWritten,
  keysBeside,
  requireStored,
  startOfWriting,
  takeInventory,
} from '../../transfer/store-inventory.ts';
import { memoryStore } from '../models/memory-store.ts';
import { commitWithObjects, draftAt, release, testKit } from './test-points.ts';

const now = new Date('2026-11-28T12:00:00.000Z');
let store: Store;

beforeEach(() => {
  store = memoryStore({ objects: new Map(), now: () => now });
});

async function objectsUnder(prefix: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list(prefix)) found.push(object);
  return found;
}

describe('takeInventory', () => {
  it('knows the releases that are asked for and those of the keys, and the objects of each point', async () => {
    const keys = [
      'points/prod/data/mysql/p1/a',
      'points/prod/data/mysql/p1/deep/b',
      'points/prod/data/mysql/p2/a',
      'manifests/prod/web/shop/0000000001.json',
      'verifications/prod/web/other/p/1.json',
      'points/prod/data/p3',
      'manifests/prod/data',
      'points',
    ];
    for (const [at, key] of keys.entries()) await store.put(key, Buffer.alloc(at + 1));
    const { releases, folders, objects, storedBytes } = await takeInventory(store, [release]);
    expect([...releases]).toEqual([
      ['prod/data/postgresql', release],
      ['prod/web/shop', { cluster: 'prod', namespace: 'web', name: 'shop' }],
      ['prod/data/mysql', { cluster: 'prod', namespace: 'data', name: 'mysql' }],
    ]);
    expect([...folders].map(([folder, found]) => [folder, found.map(({ key }) => key)])).toEqual([
      ['points/prod/data/mysql/p1', keys.slice(0, 2)],
      ['points/prod/data/mysql/p2', keys.slice(2, 3)],
    ]);
    expect([objects, storedBytes]).toEqual([8, 36]);
  });
});

describe('isBeingWritten', () => {
  it('looks at the newest object, and gives a day', () => {
    const at = (modifiedAt: string): ObjectInfo => ({ key: 'k', sizeBytes: 1, modifiedAt });
    expect(isBeingWritten([at('2026-11-27T12:00:00.001Z')], now)).toBe(true);
    expect(isBeingWritten([at('2026-11-27T12:00:00.000Z')], now)).toBe(false);
    expect(
      isBeingWritten([at('2026-11-01T00:00:00Z'), at('2026-11-28T00:00:00Z'), at('2026-11-02T00:00:00Z')], now),
    ).toBe(true);
    expect(startOfWriting(now).toISOString()).toBe('2026-11-27T12:00:00.000Z');
  });
});

describe('countUploads', () => {
  it('counts the open uploads of each point that are old enough', async () => {
    const prefix = 'points/prod/data/postgresql/';
    const asked: unknown[] = [];
    const open: Store = {
      ...store,
      listOpenUploads: (...args) => {
        asked.push(args);
        return Promise.resolve([`${prefix}p1/a`, `${prefix}p2/a`, `${prefix}p1/deep/b`]);
      },
    };
    expect([...(await countUploads(open, release, now))]).toEqual([
      ['p1', 2],
      ['p2', 1],
    ]);
    expect(asked).toEqual([[prefix, { begunBefore: now }]]);
  });
});

describe('comparePoint', () => {
  it('finds a point whole, and names each object that is not there, or not in its size', async () => {
    const { manifest } = await commitWithObjects(store, await testKit(), 0);
    const found = await objectsUnder(`${pointPrefix(release, manifest.id)}/`);
    expect(comparePoint(manifest, found)).toEqual({ missing: [], strange: [] });
    const segments = artifactsOf(manifest).flatMap((artifact) => artifact.segments.map(({ key }) => key));
    const { guide, records } = keysBeside(manifest);
    for (const { key, sizeBytes } of found) {
      const without = comparePoint(
        manifest,
        found.filter((each) => each.key !== key),
      );
      const other = comparePoint(
        manifest,
        found.map((each) => (each.key === key ? { ...each, sizeBytes: 5 } : each)),
      );
      const says = (message: string) => [{ kind: 'damage', subject: key, message, bytes: 0 }];
      const isSegment = segments.includes(key);
      expect(other.missing).toEqual(isSegment ? says(`it has 5 of ${String(sizeBytes)} bytes of ${manifest.id}`) : []);
      if (isSegment) expect(without.missing).toEqual(says(`it is missing from ${manifest.id}`));
      else if (records.includes(key)) expect(without.missing).toEqual([]);
      else
        expect(without.missing).toEqual(
          says(`it is missing from ${manifest.id}; the data can be restored by lifeboat`),
        );
    }
    expect([...segments, ...guide, ...records].sort()).toEqual(found.map(({ key }) => key).sort());
  });

  it('gives what no manifest names', async () => {
    const { manifest } = await commitWithObjects(store, await testKit(), 0);
    const folder = pointPrefix(release, manifest.id);
    for (const name of ['attempt-2/data', 'other.component.json'])
      await store.put(`${folder}/${name}`, Buffer.from('x'));
    const { missing, strange } = comparePoint(manifest, await objectsUnder(`${folder}/`));
    expect(missing).toEqual([]);
    expect(strange.map(({ key }) => key)).toEqual([`${folder}/attempt-2/data`, `${folder}/other.component.json`]);
  });
});

describe('requireStored', () => {
  const stored = async (draft: ManifestDraft): Promise<void> => {
    const prefix = pointPrefix(release, draft.id);
    await requireStored({ store, prefix, point: draft.id, artifacts: artifactsOf(draft) });
  };

  it('wants every object of a point in its size', async () => {
    const draft = draftAt(0);
    await expect(stored(draft)).rejects.toMatchObject({ code: 'ObjectNotFound' });
    const segments = artifactsOf(draft).flatMap((artifact) => artifact.segments);
    for (const { key, storedBytes } of segments) await store.put(key, Buffer.alloc(storedBytes));
    await stored(draft);
    for (const { key, storedBytes } of segments) {
      await store.put(key, Buffer.alloc(storedBytes - 1));
      await expect(stored(draft)).rejects.toMatchObject({
        code: 'ObjectNotFound',
        message: `commit point ${draft.id}: ${key}: it has ${String(storedBytes - 1)} of ${String(storedBytes)} bytes of ${draft.id}`,
      });
      await store.put(key, Buffer.alloc(storedBytes));
    }
  });

  it('looks in the folder of the point alone', async () => {
    const draft = draftAt(0);
    for (const { key, storedBytes } of artifactsOf(draft).flatMap((artifact) => artifact.segments))
      await store.put(key, Buffer.alloc(storedBytes));
    const listed: string[] = [];
    const watched: Store = {
      ...store,
      list: (prefix) => {
        listed.push(prefix);
        return store.list(prefix);
      },
    };
    const prefix = pointPrefix(release, draft.id);
    await requireStored({ store: watched, prefix, point: draft.id, artifacts: artifactsOf(draft) });
    expect(listed).toEqual([`${prefix}/`]);
  });
});
