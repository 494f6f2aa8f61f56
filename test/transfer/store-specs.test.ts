import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../activities/open-store.ts';
import { failure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { compareSpecs, judgeSpecs } from '../../model/store-specs.ts';
import { type OwnObjectStore, startOwnObjectStore } from '../../sandbox/own-object-store.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import type { Store } from '../../transfer/store.ts';
import { takeSpecs } from '../../transfer/store-specs.ts';
import { findVersitygw } from '../conformance/test-stores.ts';
import { testStore } from './test-sources.ts';

const credentials = { accessKeyId: 'lifeboat-test', secretAccessKey: 'lifeboat-test-secret' };
let kit: RecoveryKit;

beforeAll(async () => {
  ({ kit } = await createRecoveryKit({ platform: 'test', store: { url: 'file:///none', region: 'us-east-1' } }));
});

async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

describe('the specs of a store', () => {
  it('are found, compared with the last ones, and kept in it, and nothing else is', async () => {
    const store = testStore();
    const first = await takeSpecs({ store, kit, now: new Date('2026-11-24T10:00:00Z') });
    const second = await takeSpecs({ store, kit, now: new Date('2026-11-25T10:00:00Z') });

    expect(first.changed).toBeNull();
    expect(second.changed).toEqual([]);
    expect(second.specs).toMatchObject({ conditionalPut: true, deletes: true, uploads: true, objectLock: 'off' });
    expect(await keysOf(store)).toEqual(['specs/20261124T100000000Z.json', 'specs/20261125T100000000Z.json']);
  });

  it('tell of credentials that may only add, and of what has changed', async () => {
    const store = testStore();
    await takeSpecs({ store, kit, now: new Date('2026-11-24T10:00:00Z') });
    const adding: Store = {
      ...store,
      delete: (key) => Promise.reject(failure('StoreDenied', { message: `delete ${key}: access denied` })),
      settings: () =>
        Promise.resolve({ versioning: 'on', objectLock: 'COMPLIANCE 30 days', abortsUploadsAfterDays: 7 }),
    };

    const { specs, changed } = await takeSpecs({ store: adding, kit, now: new Date('2026-11-25T10:00:00Z') });

    expect(changed).toEqual([
      'deletes: true → false',
      'versioning: off → on',
      'objectLock: off → COMPLIANCE 30 days',
      'abortsUploadsAfterDays: null → 7',
    ]);
    expect(judgeSpecs(specs).map(({ fits }) => fits)).not.toContain(false);
    expect(
      judgeSpecs(specs)
        .map(({ said }) => said)
        .join('\n'),
    ).toMatch(/may not delete[\s\S]*COMPLIANCE 30 days/);
  });

  it('of another key are not compared with', async () => {
    const store = testStore();
    const other = await createRecoveryKit({ platform: 'x', store: { url: 'file:///none', region: 'us-east-1' } });
    await takeSpecs({ store, kit: other.kit, now: new Date('2026-11-24T10:00:00Z') });

    expect((await takeSpecs({ store, kit, now: new Date('2026-11-25T10:00:00Z') })).changed).toBeNull();
  });

  it('that do not fit are said', async () => {
    const { specs } = await takeSpecs({ store: testStore(), kit, now: new Date('2026-11-24T10:00:00Z') });
    const bad = { ...specs, conditionalPut: false, uploads: false };

    expect(judgeSpecs(bad).filter(({ fits }) => !fits)).toHaveLength(2);
    expect(compareSpecs(specs, bad)).toEqual(['conditionalPut: true → false', 'uploads: true → false']);
  });
});

const versitygw = await findVersitygw();
if (versitygw === undefined) process.stderr.write('SKIPPED: the specs of a real bucket: there is no versitygw\n');

describe.skipIf(versitygw === undefined)('the specs of a real bucket', () => {
  let server: OwnObjectStore;
  let client: S3Client;

  beforeAll(async () => {
    server = await startOwnObjectStore(versitygw ?? '', credentials, { versions: true });
    client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  });

  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  async function bucket(locked: boolean): Promise<string> {
    const Bucket = `specs-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: locked }));
    return Bucket;
  }

  const open = (name: string): Promise<Store> =>
    openStore({ url: `s3://${name}/dr`, endpoint: server.endpoint, region: 'us-east-1' }, credentials);

  it('are those of a plain one', async () => {
    const store = await open(await bucket(false));
    const { specs } = await takeSpecs({ store, kit, now: new Date() });

    expect(specs).toMatchObject({ conditionalPut: true, checksums: true, deletes: true, uploads: true });
    expect(specs).toMatchObject({ versioning: 'off', objectLock: 'off' });
  });

  it('name versions and locks, and a locked object outlives its deletion', async () => {
    const Bucket = await bucket(true);
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const DefaultRetention = { Mode: 'COMPLIANCE', Days: 1 } as const;
    await client.send(
      new PutObjectLockConfigurationCommand({
        Bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention } },
      }),
    );
    const store = await open(Bucket);
    const { specs } = await takeSpecs({ store, kit, now: new Date() });
    expect(specs).toMatchObject({ versioning: 'on', objectLock: 'COMPLIANCE 1 days' });

    const bytes = Buffer.from('what a point needs');
    await store.put('points/p/a', bytes);
    await store.delete('points/p/a').catch(() => undefined);
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'dr/points/p/a' }));
    const VersionId = Versions[0]?.VersionId;
    expect(Versions).toHaveLength(1);
    await expect(
      client.send(new DeleteObjectCommand({ Bucket, Key: 'dr/points/p/a', VersionId })),
    ).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    const left = await client.send(new GetObjectCommand({ Bucket, Key: 'dr/points/p/a', VersionId }));
    expect(Buffer.from((await left.Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
  });
});
