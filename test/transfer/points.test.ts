import { beforeEach, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { Verification } from '../../model/recovery-point.ts';
import { checkChain, linkKey } from '../../transfer/chain.ts';
import { canonicalBytes, createRecoveryKit, signDocument } from '../../transfer/keys.ts';
import { manifestFolder, newPointId, pointPrefix } from '../../transfer/point-names.ts';
import { type ChainPoint, commitManifest, findPoint, readChain } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { readVerifications, writeVerification } from '../../transfer/verifications.ts';
import { commitAll, draftAt, release, testKit } from './test-points.ts';
import { contentsOf, testStore } from './test-sources.ts';

let store: Store;
let kit: RecoveryKit;

beforeEach(async () => {
  store = testStore();
  kit = await testKit();
});

const keyOf = (sequence: number): string => linkKey(manifestFolder(release), sequence);
const chain = (trustedKeys = [kit.signing.publicKey]): Promise<ChainPoint[]> =>
  readChain({ store, trustedKeys, release });
const find = (point: string, to?: string) =>
  findPoint({ store, trustedKeys: [kit.signing.publicKey], release, point, to });

async function overwrite(
  sequence: number,
  change: (signed: { document: Record<string, unknown> }) => unknown,
): Promise<void> {
  await store.put(
    keyOf(sequence),
    canonicalBytes(
      change(JSON.parse((await store.get(keyOf(sequence))).toString()) as { document: Record<string, unknown> }),
    ),
  );
}

describe('newPointId', () => {
  it('is the time and six characters', () => {
    expect(newPointId(new Date('2026-11-23T22:41:07.123Z'), Buffer.from([10, 3, 33, 9, 16, 0]))).toBe(
      '20261123T224107Z-kd7jqa',
    );
    expect(pointPrefix(release, newPointId())).toMatch(/^points\/prod\/data\/postgresql\/\d{8}T\d{6}Z-[a-z0-9]{6}$/);
  });
});

describe('commitManifest', () => {
  it('numbers the points and links each to the one before', async () => {
    const [first, second] = await commitAll(store, kit, [draftAt(0), draftAt(1)]);
    expect(first?.manifest).toMatchObject({
      sequence: 1,
      previous: null,
      suspect: null,
      storedBytes: 1_020,
      plainBytes: 2_040,
    });
    expect(second?.manifest).toMatchObject({
      sequence: 2,
      previous: { id: first?.manifest.id, sequence: 1, sha256: first?.sha256 },
    });
    expect(await contentsOf(store)).toEqual([
      'manifests/prod/data/postgresql/0000000001.json',
      'manifests/prod/data/postgresql/0000000002.json',
    ]);
  });

  it('gives the same answer to a second attempt, also after others have committed', async () => {
    const draft = draftAt(0);
    const first = await commitManifest({ store, kit, draft });
    expect(await commitManifest({ store, kit, draft, now: new Date(0) })).toEqual(first);
    await commitAll(store, kit, [draftAt(1), draftAt(2)]);
    expect(await commitManifest({ store, kit, draft, now: new Date(0) })).toEqual(first);
    expect(await contentsOf(store)).toHaveLength(3);
  });

  it('keeps one chain when several write at once, and commits each exactly once', async () => {
    const drafts = Array.from({ length: 6 }, (_, index) => draftAt(index));
    await Promise.all([...drafts, ...drafts].map((draft) => commitManifest({ store, kit, draft })));
    const entries = await chain();
    expect(checkChain(entries)).toEqual([]);
    expect(entries).toHaveLength(drafts.length);
    expect(new Set(entries.map((entry) => entry.document?.id))).toEqual(new Set(drafts.map((draft) => draft.id)));
  });

  it('takes an attempt whose answer was lost as its own success', async () => {
    const draft = draftAt(0);
    const lossy: Store = {
      ...store,
      put: async (key, bytes, options) => {
        await store.put(key, bytes, options);
        throw new Error('the answer was lost');
      },
    };
    await expect(commitManifest({ store: lossy, kit, draft })).rejects.toThrow('lost');
    expect((await commitManifest({ store, kit, draft })).manifest.sequence).toBe(1);
  });

  it('marks a point under half of the last that is not suspect', async () => {
    const committed = await commitAll(store, kit, [
      draftAt(0, 1_000),
      draftAt(1, 400),
      draftAt(2, 480),
      draftAt(3, 600),
      draftAt(4, 300),
      draftAt(5, 1_000, { suspect: 'the caller says so' }),
    ]);
    expect(committed.map(({ manifest }) => manifest.suspect !== null)).toEqual([false, true, true, false, false, true]);
    expect(committed[1]?.manifest.suspect).toContain('under half of the 1020');
  });

  it('goes on behind a head that is damaged', async () => {
    await commitManifest({ store, kit, draft: draftAt(0) });
    await store.put(keyOf(1), Buffer.from('rubbish'));
    expect((await commitManifest({ store, kit, draft: draftAt(1) })).manifest).toMatchObject({
      sequence: 2,
      previous: { id: 'unreadable', sequence: 1 },
    });
    expect((await chain()).map((entry) => entry.failure?.code)).toEqual([undefined, 'ManifestInvalid']);
  });
});

describe('readChain', () => {
  it('lists every link newest first, with what is wrong with it', async () => {
    await commitAll(
      store,
      kit,
      [0, 1, 2, 3, 4, 5, 6, 7].map((minute) => draftAt(minute)),
    );
    await overwrite(2, (signed) => ({ ...signed, document: { ...signed.document, tier: 4 } }));
    await store.delete(keyOf(4));
    await store.put(keyOf(6), Buffer.from('{}'));
    await store.put(keyOf(7), canonicalBytes(signDocument(kit, { formatVersion: 2 })));
    const entries = await chain();
    expect(entries.map((entry) => [entry.sequence, entry.document !== undefined, entry.failure?.code])).toEqual([
      [8, true, 'ChainBroken'],
      [7, false, 'ManifestNewer'],
      [6, false, 'ManifestInvalid'],
      [5, true, undefined],
      [4, false, 'ChainBroken'],
      [3, true, 'ChainBroken'],
      [2, false, 'SignatureInvalid'],
      [1, true, undefined],
    ]);
    expect(checkChain(entries).map((problem) => problem.code)).toEqual([
      'SignatureInvalid',
      'ChainBroken',
      'ChainBroken',
      'ManifestInvalid',
      'ManifestNewer',
      'ChainBroken',
    ]);
  });

  it('refuses a manifest of another release, one that was copied to another number, and an unknown signer', async () => {
    await commitAll(store, kit, [draftAt(0)]);
    const foreign = await commitManifest({
      store,
      kit,
      draft: draftAt(1, 1_000, { release: { ...release, name: 'mysql' } }),
    });
    await store.put(keyOf(2), canonicalBytes(signDocument(kit, { ...foreign.manifest, sequence: 2 })));
    await store.put(keyOf(3), await store.get(keyOf(1)));
    expect((await chain()).map((entry) => entry.failure?.code)).toEqual([
      'ManifestInvalid',
      'ManifestInvalid',
      undefined,
    ]);
    expect((await chain([(await testKit()).signing.publicKey])).map((entry) => entry.failure?.code)).toEqual([
      'SignerUnknown',
      'SignerUnknown',
      'SignerUnknown',
    ]);
  });

  it('shows a removed or replaced newest link only against what is known outside', async () => {
    const [, second] = await commitAll(store, kit, [draftAt(0), draftAt(1)]);
    const known = { sequence: 2, sha256: second?.sha256 ?? '' };
    expect(checkChain(await chain(), known)).toEqual([]);
    await store.delete(keyOf(2));
    expect(checkChain(await chain())).toEqual([]);
    expect(checkChain(await chain(), known)).toMatchObject([
      { code: 'ChainBroken', message: expect.stringContaining('newest link is number 1') as string },
    ]);
    await commitAll(store, kit, [draftAt(5)]);
    expect(checkChain(await chain(), known)).toMatchObject([
      { code: 'ChainBroken', message: expect.stringContaining('not the one that is known') as string },
    ]);
    expect(checkChain([], known)).toMatchObject([{ code: 'ChainBroken' }]);
  });
});

describe('findPoint', () => {
  const verified = (
    point: string,
    at: string,
    outcome: Verification['outcome'],
    proof: Verification['proof'] = 'read-back',
  ): Verification => ({
    apiVersion: 'lifeboat/v1',
    kind: 'Verification',
    point,
    release,
    at,
    outcome,
    proof,
    plainBytes: 1,
    storedBytes: 1,
    failure: null,
    run: 'r',
  });

  it('finds the newest, one by its id, and the newest up to an instant', async () => {
    const [first, second] = await commitAll(store, kit, [draftAt(0), draftAt(30)]);
    expect((await find('latest')).sha256).toBe(second?.sha256);
    expect((await find(first?.manifest.id ?? '')).sha256).toBe(first?.sha256);
    expect((await find('latest', '2026-11-24T10:29:59Z')).sha256).toBe(first?.sha256);
    expect((await find('latest', '2026-11-24T12:30:00+02:00')).sha256).toBe(second?.sha256);
    await expect(find('latest', '2026-11-24T09:00:00Z')).rejects.toMatchObject({ code: 'PointUnknown' });
    await expect(find('20260101T000000Z-aaaaaa')).rejects.toMatchObject({ code: 'PointUnknown' });
  });

  it('takes as verified what is not suspect, was read back, and was not found damaged since', async () => {
    const [good, acknowledged, damaged, small] = await commitAll(store, kit, [
      draftAt(0),
      draftAt(1, 1_000, { proof: 'acknowledged' }),
      draftAt(2),
      draftAt(3, 100),
    ]);
    expect(small?.manifest.suspect).not.toBeNull();
    await writeVerification({
      store,
      kit,
      verification: verified(damaged?.manifest.id ?? '', '2026-11-24T11:00:00.000Z', 'usable'),
    });
    await writeVerification({
      store,
      kit,
      verification: verified(damaged?.manifest.id ?? '', '2026-11-24T12:00:00.000Z', 'damaged'),
    });
    expect((await find('latest-verified')).manifest.id).toBe(good?.manifest.id);
    await writeVerification({
      store,
      kit,
      verification: verified(acknowledged?.manifest.id ?? '', '2026-11-24T12:00:00.000Z', 'usable'),
    });
    const found = await find('latest-verified');
    expect(found.manifest.id).toBe(acknowledged?.manifest.id);
    expect(found.verifications).toHaveLength(1);
    await expect(find('latest-verified', '2026-11-24T09:00:00Z')).rejects.toMatchObject({ code: 'PointNotVerified' });
  });

  it('passes over points that cannot be trusted, and throws what is wrong with one that was asked for', async () => {
    const [first] = await commitAll(store, kit, [draftAt(0), draftAt(1)]);
    await overwrite(2, (signed) => ({ ...signed, document: { ...signed.document, tier: 4 } }));
    expect((await find('latest-verified')).manifest.id).toBe(first?.manifest.id);
    await expect(find('latest')).rejects.toMatchObject({ code: 'SignatureInvalid' });
  });

  it('says that a point has lost its manifest, and whose key signed where none can be trusted', async () => {
    const [only] = await commitAll(store, kit, [draftAt(0)]);
    const id = only?.manifest.id ?? '';
    await store.put(`${pointPrefix(release, id)}/app.dump/0.zst.age`, Buffer.from('x'));
    const { kit: other } = await createRecoveryKit({ platform: 'other', store: kit.store });
    const foreign = { store, trustedKeys: [other.signing.publicKey], release };
    await expect(findPoint({ ...foreign, point: 'latest-verified' })).rejects.toMatchObject({ code: 'SignerUnknown' });
    await store.delete(linkKey(manifestFolder(release), 1));
    for (const point of ['latest', 'latest-verified', id]) {
      await expect(find(point)).rejects.toMatchObject({
        code: 'ManifestMissing',
        message: expect.stringContaining(id) as string,
      });
    }
  });

  it('ignores verifications that no trusted key has signed', async () => {
    const [point] = await commitAll(store, kit, [draftAt(0)]);
    const id = point?.manifest.id ?? '';
    await writeVerification({
      store,
      kit: await testKit(),
      verification: verified(id, '2026-11-24T12:00:00.000Z', 'damaged'),
    });
    await store.put(`verifications/prod/data/postgresql/${id}/rubbish.json`, Buffer.from('{'));
    expect((await find('latest-verified')).verifications).toEqual([]);
  });

  it('keeps verifications in order, and takes the same one twice', async () => {
    const id = '20261124T100000Z-aaaaaa';
    for (const at of ['2026-11-24T12:00:00.000Z', '2026-11-24T11:00:00.000Z', '2026-11-24T12:00:00.000Z'])
      await writeVerification({ store, kit, verification: verified(id, at, 'usable') });
    const read = await readVerifications({ store, trustedKeys: [kit.signing.publicKey], release, point: id });
    expect(read.map((verification) => verification.at)).toEqual([
      '2026-11-24T12:00:00.000Z',
      '2026-11-24T11:00:00.000Z',
    ]);
  });
});
