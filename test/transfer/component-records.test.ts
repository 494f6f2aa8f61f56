import { describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { readComponentRecord, writeComponentRecord } from '../../transfer/component-records.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
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

describe('readComponentRecord', () => {
  const key = 'points/a/databases.component.json';
  const record = describedComponent('points/a', 100);

  it.each([
    ['no JSON', Buffer.from('{'), 'ManifestInvalid', `read component record ${key}: it is not JSON`],
    ['nothing signed', Buffer.from('{}'), 'ManifestInvalid', `open ${key}: it is not a signed document`],
    [
      'nothing',
      null,
      'ManifestInvalid',
      `read component record ${key}: it does not have the form of a component record`,
    ],
    [
      'another form',
      { prefix: 'points/a', record: { ...record, artifacts: 1 } },
      'ManifestInvalid',
      `read component record ${key}: it does not have the form of a component record`,
    ],
    [
      'another point',
      { prefix: 'points/b', record },
      'ManifestInvalid',
      `read component record ${key}: it is of another point or component`,
    ],
    [
      'another component',
      { prefix: 'points/a', record: { ...record, component: 'files' } },
      'ManifestInvalid',
      `read component record ${key}: it is of another point or component`,
    ],
  ])('does not take %s', async (_, document, code, message) => {
    const [store, kit] = [testStore(), await testKit()];
    const bytes = Buffer.isBuffer(document) ? document : canonicalBytes(signDocument(kit, document));
    await store.put(key, bytes);
    const asked = { store, trustedKeys: [kit.signing.publicKey], prefix: 'points/a', component: 'databases' };
    await expect(readComponentRecord(asked)).rejects.toMatchObject({ code, message, subject: key });
  });

  it('takes no other failure of the store for a capture that left nothing yet', async () => {
    for (const error of [failure('StoreDenied', { message: 'get: denied' }), new Error('a defect')]) {
      const store = { ...testStore(), get: () => Promise.reject(error) };
      await expect(
        readComponentRecord({ store, trustedKeys: [], prefix: 'points/a', component: 'databases' }),
      ).rejects.toBe(error);
    }
  });
});
