import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assumeRole } from '../../activities/clients/mover-credentials.ts';
import { openStore } from '../../activities/open-store.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { replicateRelease } from '../../transfer/replicate.ts';
import type { Store } from '../../transfer/store.ts';
import { takeSpecs } from '../../transfer/store-specs.ts';
import { type BackupToMake, backUp, capture, pointOf } from '../seeded/back-up.ts';
import { seedOf } from '../seeded/experiment.ts';
import { expectFailure, expectInvariants, rejectionOf } from '../seeded/invariants.ts';
import { release, testKit } from '../transfer/test-points.ts';
import { bytesOf, bytesSource, contentsOf, testStore } from '../transfer/test-sources.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { describeS3Faults } from './s3-faults.ts';
import { describeStore } from './store-contract.ts';
import { radosgwStores } from './test-stores.ts';

const mib = 1024 * 1024;
const stores = await radosgwStores();

/** The server is ended once, after all tests of the file. */
const shared = { ...stores, stop: () => Promise.resolve() };

describeStore(shared);
describeS3Faults(shared);

describe.skipIf(stores.skipped !== undefined)(`recovery points: ${stores.name}`, () => {
  let kit: RecoveryKit;
  let store: Store;

  beforeAll(async () => {
    kit = await testKit();
    store = await stores.open();
  });

  afterAll(() => stores.stop());

  const seed = seedOf(1);
  const plains = [seed.bytes(30 * mib), seed.bytes(3 * mib)] as const;
  const ids = [pointOf(seed, 0), pointOf(seed, 1)] as const;
  const points = [
    { id: ids[0], plain: plains[0] },
    { id: ids[1], plain: plains[1] },
  ];
  const backupOf = (which: 0 | 1, to: Store): BackupToMake => ({
    ...{ store: to, kit, id: ids[which], source: () => bytesSource(plains[which]) },
    rules: { segmentBytes: 20 * mib },
  });

  it('are whole, and nothing else is there after the collection of garbage', async () => {
    await backUp(backupOf(0, store));
    const cut = { ...backupOf(1, store), source: () => bytesSource(plains[1], { statusSeen: false }) };
    expectFailure(await rejectionOf(capture(cut)), ['DumpEndedEarly']);
    await backUp(backupOf(1, store));

    await expectInvariants({ store, kit, points });
  });

  it('are not made of a part of which a bit was flipped on its way', async () => {
    const config = await stores.config();
    const proxy = await startFaultProxy(config.endpoint ?? '', (line) =>
      line.includes('partNumber=2') ? { kind: 'flip-bit' } : undefined,
    );
    try {
      const through = await openStore({ ...config, endpoint: proxy.endpoint }, stores.credentials);
      expectFailure(await rejectionOf(backUp(backupOf(0, through))), ['ArtifactDigestMismatch']);
    } finally {
      await proxy.stop();
    }
    // The capture is whole for who wrote it; nothing is made of it.
    await expectInvariants({ store: await openStore(config, stores.credentials), kit, points: [], killed: true });
  });

  it.each([
    ['to another store', false],
    ['from another store', true],
  ])('are copied %s', async (_, isTarget) => {
    const [from, to] = isTarget ? [testStore(), await stores.open()] : [store, testStore()];
    if (isTarget) for (const which of [0, 1] as const) await backUp(backupOf(which, from));
    const trustedKeys = [kit.signing.publicKey];
    const copied = await replicateRelease({ from, to, trustedKeys, release, hold: () => Promise.resolve() });

    expect(copied).toMatchObject({ points: 2, newest: ids[1], damaged: [] });
    await expectInvariants({ store: to, kit, points });
  });

  it('can be given to a mover by credentials that expire, of one folder alone', async () => {
    const config = await stores.config();
    const role = await stores.makeRole('mover');
    const asked = { store: config, role, sts: undefined, seconds: 900, folder: 'points/one', as: stores.credentials };
    const given = await assumeRole(asked);
    expect(given.sessionToken).toMatch(/./);
    const mover = await openStore(config, given);

    await mover.put('points/one/small', Buffer.from('x'));
    const writer = mover.openWriter('points/one/large');
    await writer.write(plains[0]);
    await writer.commit();
    expect((await bytesOf(mover.read('points/one/large'))).equals(plains[0])).toBe(true);
    await mover.delete('points/one/small');

    const whole = await openStore(config, stores.credentials);
    await whole.put('points/other/small', Buffer.from('y'));
    for (const refused of [
      () => mover.get('points/other/small'),
      () => mover.put('points/other/mine', Buffer.from('x')),
      () => mover.put('manifests/1.json', Buffer.from('x'), { ifAbsent: true }),
      () => mover.delete('points/other/small'),
    ])
      await expect(refused()).rejects.toMatchObject({ code: 'StoreDenied' });
    expect(await contentsOf(whole)).toEqual(['points/one/large', 'points/other/small']);
    await expect(assumeRole({ ...asked, role: 'arn:aws:iam:::role/nobody' })).rejects.toMatchObject({
      code: 'StoreDenied',
    });
  });

  it('are kept with what the store can do: no checksums of parts, no versions, no locks', async () => {
    const { specs } = await takeSpecs({ store, kit, now: new Date() });
    expect(specs).toMatchObject({ conditionalPut: true, checksums: false, deletes: true, uploads: true });
    expect(specs).toMatchObject({ versioning: 'off', objectLock: 'off' });
  });
});
