import { describe, expect, it } from 'vitest';
import { readComponentRecord, writeComponentRecord } from '../../transfer/component-records.ts';
import { describedComponent, testKit } from './test-points.ts';
import { contentsOf, testStore } from './test-sources.ts';

describe('writeComponentRecord', () => {
  it('keeps what a capture found, for this point and component only', async () => {
    const store = testStore();
    const kit = await testKit();
    const trustedKeys = [kit.signing.publicKey];
    const record = describedComponent('points/a', 100);
    expect(
      await readComponentRecord({ store, trustedKeys, prefix: 'points/a', component: 'databases' }),
    ).toBeUndefined();
    await writeComponentRecord({ store, kit, prefix: 'points/a', record });
    await writeComponentRecord({ store, kit, prefix: 'points/a', record });
    expect(await contentsOf(store)).toEqual(['points/a/databases.component.json']);
    expect(await readComponentRecord({ store, trustedKeys, prefix: 'points/a', component: 'databases' })).toEqual(
      record,
    );
    const stored = await store.get('points/a/databases.component.json');
    await store.put('points/b/databases.component.json', stored);
    await expect(
      readComponentRecord({ store, trustedKeys, prefix: 'points/b', component: 'databases' }),
    ).rejects.toMatchObject({ code: 'ManifestInvalid' });
    await store.put('points/a/databases.component.json', Buffer.from(stored.toString().replace('2026', '2027')));
    await expect(
      readComponentRecord({ store, trustedKeys, prefix: 'points/a', component: 'databases' }),
    ).rejects.toMatchObject({ code: 'SignatureInvalid' });
    const strangers = [(await testKit()).signing.publicKey];
    await store.put('points/a/databases.component.json', stored);
    await expect(
      readComponentRecord({ store, trustedKeys: strangers, prefix: 'points/a', component: 'databases' }),
    ).rejects.toMatchObject({ code: 'SignerUnknown' });
  });
});
