import { describe, expect, it } from 'vitest';
import type { Verification } from '../../model/recovery-point.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import {
  readLastRestored,
  readVerifications,
  readVerificationsOf,
  writeVerification,
} from '../../transfer/verifications.ts';
import { release, testKit } from './test-points.ts';
import { contentsOf, testStore } from './test-sources.ts';

const verified = (point: string, at: string, proof: Verification['proof'] = 'read-back'): Verification => ({
  apiVersion: 'lifeboat/v1',
  kind: 'Verification',
  point,
  release,
  at,
  outcome: 'usable',
  proof,
  plainBytes: 1,
  storedBytes: 1,
  failure: null,
  run: 'r',
});

describe('readLastRestored', () => {
  it('knows when a release was last restored, whichever point that was, by trusted signatures alone', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const last = (): Promise<string | null> =>
      readLastRestored({ store, trustedKeys: [kit.signing.publicKey], release });
    const [older, newer] = ['20261124T100000Z-aaaaaa', '20261124T103000Z-bbbbbb'];
    await writeVerification({ store, kit, verification: verified(newer, '2026-11-24T14:00:00.000Z') });
    expect(await last()).toBeNull();

    for (const [point, at] of [
      [older, '2026-11-24T13:00:00.000Z'],
      [newer, '2026-11-24T12:00:00.000Z'],
    ] as const)
      await writeVerification({ store, kit, verification: verified(point, at, 'restored') });
    const forged = verified(newer, '2026-11-24T15:00:00.000Z', 'restored');
    await writeVerification({ store, kit: await testKit(), verification: forged });

    expect(await last()).toBe('2026-11-24T13:00:00.000Z');
  });
});

describe('readLastRestored', () => {
  const point = '20261124T100000Z-aaaaaa';
  const other = { ...release, name: 'mysql' };

  it('counts no restore that found damage, and none of another release', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const asked = { store, trustedKeys: [kit.signing.publicKey], release };
    const damaged = verified(point, '2026-11-24T15:00:00.000Z', 'restored');
    await writeVerification({ store, kit, verification: { ...damaged, outcome: 'damaged' } });
    await writeVerification({ store, kit, verification: verified(point, '2026-11-24T12:00:00.000Z', 'restored') });
    await writeVerification({
      ...{ store, kit },
      verification: { ...verified(point, '2026-11-24T14:00:00.000Z', 'restored'), release: other },
    });
    const foreign = `verifications/prod/data/mysql/${point}/20261124T140000000Z.json`;
    await store.put(foreign.replace('mysql', 'postgresql'), await store.get(foreign));
    expect(await readLastRestored(asked)).toBe('2026-11-24T12:00:00.000Z');
    expect(await readLastRestored({ ...asked, release: other })).toBe('2026-11-24T14:00:00.000Z');
    expect(await readLastRestored({ ...asked, release: { ...release, name: 'post' } })).toBeNull();
  });

  it('reads no more than it needs, the newest first, whichever point that is of', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const instants = ['2026-11-24T11:00:00.000Z', '2026-11-24T13:00:00.000Z', '2026-11-24T12:00:00.000Z'];
    for (const [at, instant] of instants.entries())
      await writeVerification({
        store,
        kit,
        verification: verified(`20261124T10000${String(at)}Z-aaaaaa`, instant, 'restored'),
      });
    const got: string[] = [];
    const watched = {
      ...store,
      get: (key: string) => {
        got.push(key);
        return store.get(key);
      },
    };
    const last = await readLastRestored({ store: watched, trustedKeys: [kit.signing.publicKey], release });
    expect(last).toBe('2026-11-24T13:00:00.000Z');
    expect(got).toEqual(['verifications/prod/data/postgresql/20261124T100001Z-aaaaaa/20261124T130000000Z.json']);
  });
});

describe('readVerifications', () => {
  it('counts those of the point and the release alone, newest first', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const [point, other] = ['20261124T100000Z-aaaaaa', '20261124T110000Z-bbbbbb'];
    const folder = `verifications/prod/data/postgresql/${point}`;
    for (const at of ['2026-11-24T12:00:00+01:00', '2026-11-24T11:30:00.000Z', '2026-11-24T10:00:00.000Z'])
      await writeVerification({ store, kit, verification: verified(point, at) });
    const copied = { ...verified(point, '2026-11-24T16:00:00.000Z'), release: { ...release, name: 'mysql' } };
    await store.put(`${folder}/1.json`, canonicalBytes(signDocument(kit, verified(other, '2026-11-24T15:00:00.000Z'))));
    await store.put(`${folder}/2.json`, canonicalBytes(signDocument(kit, copied)));
    const read = await readVerifications({ store, trustedKeys: [kit.signing.publicKey], release, point });
    expect(read.map(({ at }) => at)).toEqual([
      '2026-11-24T11:30:00.000Z',
      '2026-11-24T12:00:00+01:00',
      '2026-11-24T10:00:00.000Z',
    ]);
  });

  it('are read of many points by one list, and of no other point', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const points = ['20261124T100000Z-aaaaaa', '20261124T110000Z-bbbbbb', '20261124T120000Z-cccccc'] as const;
    for (const [point, at] of [
      [points[0], '2026-11-24T12:00:00.000Z'],
      [points[0], '2026-11-24T13:00:00.000Z'],
      [points[1], '2026-11-24T12:30:00.000Z'],
      [points[2], '2026-11-24T14:00:00.000Z'],
    ] as const)
      await writeVerification({ store, kit, verification: verified(point, at) });
    const asked: string[] = [];
    const watched = {
      ...store,
      get: async (key: string) => {
        asked.push(key);
        return await store.get(key);
      },
      list: (prefix: string) => {
        asked.push(prefix);
        return store.list(prefix);
      },
    };
    const trustedKeys = [kit.signing.publicKey];
    const of = await readVerificationsOf({ store: watched, trustedKeys, release, points: points.slice(0, 2) });
    expect(points.map((point) => of(point).map(({ at }) => at.slice(11, 16)))).toEqual([
      ['13:00', '12:00'],
      ['12:30'],
      [],
    ]);
    expect(asked[0]).toBe('verifications/prod/data/postgresql/');
    expect(asked.slice(1).map((key) => key.split('/').at(-2))).toEqual([points[0], points[0], points[1]]);
  });

  it('keeps another verification of the same instant from taking the place of one', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const first = verified('20261124T100000Z-aaaaaa', '2026-11-24T12:00:00.000Z');
    await writeVerification({ store, kit, verification: first });
    await expect(
      writeVerification({ store, kit, verification: { ...first, outcome: 'damaged' } }),
    ).rejects.toMatchObject({ code: 'ObjectExists' });
    expect(await contentsOf(store)).toEqual([
      'verifications/prod/data/postgresql/20261124T100000Z-aaaaaa/20261124T120000000Z.json',
    ]);
  });
});
