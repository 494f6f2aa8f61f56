import { beforeEach, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Verification } from '../../model/recovery-point.ts';
import { safetyCopyTrigger } from '../../model/run-names.ts';
import { linkKey } from '../../transfer/chain.ts';
import { manifestFolder, pointPrefix } from '../../transfer/point-names.ts';
import {
  findPoint,
  isDefaultPoint,
  isSafetyCopy,
  type ManifestDraft,
  missingPoint,
  newestPoint,
  readChain,
  readLivePoints,
} from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { writeTombstone } from '../../transfer/tombstones.ts';
import { writeVerification } from '../../transfer/verifications.ts';
import { memoryStore } from '../models/memory-store.ts';
import { commitAll, draftAt, release, testKit } from './test-points.ts';

let store: Store;
let kit: RecoveryKit;

beforeEach(async () => {
  store = memoryStore({ objects: new Map(), now: () => new Date() });
  kit = await testKit();
});

const asked = () => ({ store, trustedKeys: [kit.signing.publicKey], release });
const find = (point: string, to?: string) => findPoint({ ...asked(), point, to });
const keyOf = (sequence: number): string => linkKey(manifestFolder(release), sequence);

async function commit(...drafts: ManifestDraft[]): Promise<string[]> {
  return (await commitAll(store, kit, drafts)).map(({ manifest }) => manifest.id);
}

async function verify(point: string, more: Partial<Verification>): Promise<void> {
  const verification: Verification = {
    apiVersion: 'lifeboat/v1',
    kind: 'Verification',
    point,
    release,
    at: '2026-11-24T12:00:00.000Z',
    outcome: 'usable',
    proof: 'read-back',
    plainBytes: 1,
    storedBytes: 1,
    failure: null,
    run: 'r',
    ...more,
  };
  await writeVerification({ store, kit, verification });
}

const acknowledged = { proof: 'acknowledged' } as const;
const safetyCopy = { run: { workflowId: 'w', runId: 'r', trigger: safetyCopyTrigger } };

describe('findPoint', () => {
  it('takes a point for verified once its bytes were read back, by its capture or by a verification', async () => {
    const [id = ''] = await commit(draftAt(0, 1_000, acknowledged));
    await expect(find('latest-verified')).rejects.toMatchObject({ code: 'PointNotVerified' });
    await verify(id, { proof: 'acknowledged' });
    await expect(find('latest-verified')).rejects.toMatchObject({ code: 'PointNotVerified' });
    await verify(id, { proof: 'restored', at: '2026-11-24T13:00:00.000Z' });
    expect((await find('latest-verified')).manifest.id).toBe(id);
    await verify(id, { outcome: 'damaged', proof: 'read-back', at: '2026-11-24T14:00:00.000Z' });
    await expect(find('latest-verified')).rejects.toMatchObject({ code: 'PointNotVerified' });
    await verify(id, { at: '2026-11-24T15:00:00.000Z' });
    expect((await find('latest-verified')).verifications).toHaveLength(4);
  });

  it('names what it passes over for the newest verified point, and why', async () => {
    const [good, odd, damaged = '', unread, , newest] = await commit(
      draftAt(0),
      draftAt(1, 1_000, { suspect: 'it is odd' }),
      draftAt(2),
      draftAt(3, 1_000, acknowledged),
      draftAt(4, 1_000, safetyCopy),
      draftAt(5),
    );
    expect(await find('latest-verified')).toMatchObject({ manifest: { id: newest }, passedOver: [] });
    await verify(damaged, { outcome: 'damaged', failure: { code: 'ArtifactTruncated', message: 'half of it' } });
    await store.put(keyOf(6), Buffer.from('{'));
    const passedOver = [
      { point: 'number 6', why: `read manifest ${keyOf(6)}: it is not JSON` },
      { point: unread, why: 'it has not passed verification' },
      { point: damaged, why: 'ArtifactTruncated, half of it' },
      { point: odd, why: 'it is odd' },
    ];
    expect(await find('latest-verified')).toMatchObject({ manifest: { id: good }, passedOver });
    expect((await find(good ?? '')).passedOver).toEqual([]);
  });

  it('takes a safety copy by its id alone', async () => {
    const [backup, copy = ''] = await commit(draftAt(0), draftAt(1, 1_000, safetyCopy));
    expect((await find('latest')).manifest.id).toBe(backup);
    expect((await find('latest-verified')).manifest.id).toBe(backup);
    const found = await find(copy);
    expect(isSafetyCopy(found.manifest)).toBe(true);
    expect(isDefaultPoint(found)).toBe(false);
    expect(isDefaultPoint(await find('latest'))).toBe(true);
  });

  it('measures the next point by no safety copy, no suspect one and none that cannot be read', async () => {
    const drafts = [draftAt(0, 1_000), draftAt(1, 10, safetyCopy), draftAt(2, 400), draftAt(3, 5_000)];
    const committed = await commitAll(store, kit, drafts);
    expect(committed.map(({ manifest }) => manifest.suspect !== null)).toEqual([false, true, true, false]);
    await store.put(keyOf(4), Buffer.from('rubbish'));
    const [small] = await commitAll(store, kit, [draftAt(4, 400)]);
    expect(small?.manifest.suspect).toMatch(/^stored 420 bytes, under half of the 1020 of 20261124T100000Z-/);
  });

  it('takes a point of exactly half the size for a good one', async () => {
    const half = await commitAll(store, kit, [draftAt(0, 1_000), draftAt(1, 490), draftAt(2, 234)]);
    expect(half.map(({ manifest }) => manifest.suspect !== null)).toEqual([false, false, true]);
  });

  it('finds up to an instant, that instant too', async () => {
    const [first, second] = await commit(draftAt(0), draftAt(30));
    expect((await find('latest', '2026-11-24T10:30:00Z')).manifest.id).toBe(second);
    expect((await find('latest-verified', '2026-11-24T10:29:59.999Z')).manifest.id).toBe(first);
    await expect(find(second ?? '', '2026-11-24T10:29:59Z')).rejects.toMatchObject({
      code: 'PointUnknown',
      message: `find point of prod/data/postgresql: no ${second ?? ''}, it has ${first ?? ''} up to 2026-11-24T10:29:59Z`,
    });
  });

  it('passes over a link that cannot be read, whatever is asked for', async () => {
    const [id = ''] = await commit(draftAt(0), draftAt(1));
    await store.put(keyOf(2), Buffer.from('{'));
    expect((await find(id)).manifest.id).toBe(id);
    expect((await find('latest-verified', '2026-11-24T10:00:00Z')).manifest.id).toBe(id);
    await expect(find('latest', '2026-11-24T10:00:00Z')).rejects.toMatchObject({ code: 'ManifestInvalid' });
  });

  it('gives no point whose removal has begun, and one that has only expired', async () => {
    const [id = '', newest] = await commit(draftAt(0), draftAt(1));
    const { manifest, sha256 } = await find(id);
    const bury = (stage: 'expired' | 'removing', at: string) =>
      writeTombstone({
        store,
        kit,
        tombstone: {
          ...{ stage, release, at, run: { workflowId: 'w', runId: 'r' } },
          points: [{ id, manifest: { sequence: manifest.sequence, sha256 } }],
        },
      });
    await bury('expired', '2026-11-25T10:00:00Z');
    expect((await find(id)).manifest.id).toBe(id);
    expect((await readLivePoints(asked())).chain.map(({ sequence }) => sequence)).toEqual([2, 1]);
    await bury('removing', '2026-11-26T10:00:00Z');
    expect((await readLivePoints(asked())).chain.map(({ sequence }) => sequence)).toEqual([2]);
    await expect(find(id)).rejects.toMatchObject({ code: 'PointExpired', subject: id });
    expect((await find('latest')).manifest.id).toBe(newest);
    await store.delete(keyOf(1));
    expect((await find('latest')).manifest.id).toBe(newest);
  });
});

describe('a long chain', () => {
  const length = 40;
  let ids: string[];
  let reads: number;

  beforeEach(async () => {
    ids = await commit(...Array.from({ length }, (_, index) => draftAt(index)));
    const of = store;
    reads = 0;
    store = {
      ...of,
      get: async (key) => {
        if (key.startsWith('manifests/')) reads += 1;
        return await of.get(key);
      },
    };
  });

  it('is not read for its newest point', async () => {
    expect((await find('latest')).manifest.id).toBe(ids.at(-1));
    expect((await find('latest-verified')).manifest.id).toBe(ids.at(-1));
    expect((await newestPoint(asked()))?.manifest.id).toBe(ids.at(-1));
    expect(reads).toBe(3);
  });

  it('is read from its newest end until the point is found', async () => {
    expect((await find(ids.at(-6) ?? '')).manifest.id).toBe(ids.at(-6));
    expect(reads).toBe(7);
    reads = 0;
    expect((await newestPoint(asked(), ({ id }) => id === ids[0]))?.manifest.id).toBe(ids[0]);
    expect(reads).toBe(length);
    expect(await newestPoint(asked(), () => false)).toBeUndefined();
  });

  it('costs the next point no more than a short one, whose size is measured by the newest that is good', async () => {
    await commit(draftAt(length, 400));
    const ofGood = reads;
    reads = 0;
    const [small] = await commitAll(store, kit, [draftAt(length + 1, 400)]);
    expect(small?.manifest.suspect).toMatch(new RegExp(`of ${ids.at(-1) ?? ''}$`));
    expect(ofGood).toBeLessThan(15);
    expect(reads).toBeLessThan(15);
  });
});

describe('findPoint, where none can be used, says why', () => {
  const none = (of: number, why: string) => ({
    code: 'PointNotVerified',
    subject: 'prod/data/postgresql',
    message: `find point of prod/data/postgresql: none of ${String(of)} has passed verification${why}`,
  });

  it('only that there is none where nothing speaks against the newest', async () => {
    await commit(draftAt(0, 1_000, acknowledged), draftAt(1, 1_000, acknowledged));
    await expect(find('latest-verified')).rejects.toMatchObject(none(2, ''));
    await expect(find('latest-verified', '2026-11-24T10:00:00Z')).rejects.toMatchObject(
      none(1, ' up to 2026-11-24T10:00:00Z'),
    );
    await expect(find('latest-verified', '2026-11-24T09:00:00Z')).rejects.toMatchObject({
      code: 'PointNotVerified',
      message: 'find point of prod/data/postgresql: it has none up to 2026-11-24T09:00:00Z',
    });
  });

  it('the suspicion, or the damage before it', async () => {
    const [id = ''] = await commit(draftAt(0, 1_000, { suspect: 'it is odd' }));
    await expect(find('latest-verified')).rejects.toMatchObject(none(1, `; the newest, ${id}: it is odd`));
    await verify(id, { outcome: 'damaged', failure: { code: 'ArtifactTruncated', message: 'half of it' } });
    await expect(find('latest-verified')).rejects.toMatchObject(
      none(1, `; the newest, ${id}: ArtifactTruncated, half of it`),
    );
  });

  it('what is wrong with the newest link beside one that can be read', async () => {
    await commit(draftAt(0, 1_000, acknowledged), draftAt(1));
    await store.put(keyOf(2), Buffer.from('{'));
    await expect(find('latest-verified')).rejects.toMatchObject(
      none(2, `; the newest: read manifest ${keyOf(2)}: it is not JSON`),
    );
    await store.put(keyOf(1), Buffer.from('{'));
    await expect(find('latest-verified')).rejects.toMatchObject({ code: 'ManifestInvalid' });
  });

  it('that the predecessor of the newest was replaced', async () => {
    await commit(draftAt(0, 1_000, acknowledged), draftAt(1, 1_000, acknowledged));
    await store.put(keyOf(1), Buffer.from('{'));
    await expect(find('latest-verified')).rejects.toMatchObject({
      code: 'PointNotVerified',
      message: expect.stringMatching(
        /none of 2 .*; the newest, 20261124T100100Z-\w+: read manifest .* stood before it$/,
      ) as string,
    });
  });
});

describe('missingPoint', () => {
  const missing = async (point: string, to?: string) =>
    await missingPoint({ ...asked(), point, to, chain: await readChain(asked()) });
  const title = 'find point of prod/data/postgresql:';

  it('lists what there is, five at most', async () => {
    expect(await missing('latest')).toMatchObject({ code: 'PointUnknown', message: `${title} it has none` });
    const ids = await commit(...[0, 1, 2, 3, 4, 5].map((minute) => draftAt(minute)));
    const has = `it has ${ids.reverse().slice(0, 5).join(', ')}`;
    expect(await missing('latest')).toMatchObject({ subject: 'prod/data/postgresql', message: `${title} ${has}` });
    expect((await missing('x')).message).toBe(`${title} no x, ${has}`);
    expect((await missing('x', '2026')).message).toBe(`${title} no x, ${has} up to 2026`);
  });

  it('names the gap in which a point may have been, and the objects that lack their manifest', async () => {
    const [first = '', second = ''] = await commit(draftAt(0), draftAt(1), draftAt(2));
    await store.delete(keyOf(2));
    const gap = `read manifest ${keyOf(2)}: it is missing from its chain`;
    expect((await missing(second)).message).toMatch(new RegExp(`^${title} no ${second}, it has .*; ${gap}$`));
    expect((await missing('latest')).message).not.toContain(gap);
    await store.put(`${pointPrefix(release, first)}/data`, Buffer.from('x'));
    expect(await missing(second)).toMatchObject({ code: 'PointUnknown' });
    await store.put(`${pointPrefix(release, second)}/data`, Buffer.from('x'));
    expect(await missing(second)).toMatchObject({
      code: 'ManifestMissing',
      subject: 'prod/data/postgresql',
      message: `${title} ${second} has objects and no manifest; ${gap}`,
    });
    expect(await missing('latest')).toMatchObject({
      code: 'ManifestMissing',
      message: `${title} ${second} has objects and no manifest`,
    });
    expect(await missing(second, '2026-11-24T10:00:00Z')).toMatchObject({ code: 'PointUnknown' });
  });
});
