import { randomUUID } from 'node:crypto';
import { globSync } from 'node:fs';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Credentials } from '../../activities/clients/s3-bucket.ts';
import { openStore } from '../../activities/open-store.ts';
import type { StoreConfig } from '../../model/platform.ts';
import { startOwnObjectStore } from '../../sandbox/own-object-store.ts';
import type { Store } from '../../transfer/store.ts';
import { type FakeS3, startFakeS3 } from '../seeded/fake-s3.ts';

const accessKeyId = 'lifeboat-test';
const secretAccessKey = 'lifeboat-test-secret';

/** A kind of store under test; undefined where this machine has none, with the reason. */
export type TestStores = {
  readonly name: string;
  readonly skipped: string | undefined;
  /** A new empty store. */
  open(): Promise<Store>;
  config(): Promise<StoreConfig>;
  readonly credentials: S3Credentials | undefined;
  stop(): Promise<void>;
};

/** Directories. */
export function filesystemStores(): TestStores {
  const folders: string[] = [];
  const config = async (): Promise<StoreConfig> => {
    const folder = await mkdtemp(join(tmpdir(), 'lifeboat-store-'));
    folders.push(folder);
    return { url: `file://${folder}`, region: 'us-east-1' };
  };
  return {
    name: 'filesystem',
    skipped: undefined,
    credentials: undefined,
    config,
    open: async () => openStore(await config()),
    stop: async () => {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Buckets of a real versitygw, or of the server named by LIFEBOAT_TEST_S3 with the credentials of AWS_*. */
export async function s3Stores(): Promise<TestStores> {
  const given = process.env['LIFEBOAT_TEST_S3'];
  const binary = given === undefined ? await findVersitygw() : undefined;
  const skipped =
    given === undefined && binary === undefined
      ? 'no versitygw in ~/.cache/lifeboat/tools or PATH, and LIFEBOAT_TEST_S3 is not set'
      : undefined;
  if (skipped !== undefined) process.stderr.write(`SKIPPED: the S3 store was not tested: ${skipped}\n`);
  const credentials = given === undefined ? { accessKeyId, secretAccessKey } : undefined;
  let server: Promise<{ endpoint: string; stop(): Promise<void> }> | undefined;
  const config = async (): Promise<StoreConfig> => {
    server ??=
      given === undefined
        ? startOwnObjectStore(binary ?? '', { accessKeyId, secretAccessKey })
        : Promise.resolve({ endpoint: given, stop: () => Promise.resolve() });
    const { endpoint } = await server;
    const bucket = `lifeboat-${randomUUID()}`;
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      ...(credentials === undefined ? {} : { credentials }),
    });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return { url: `s3://${bucket}/some/prefix`, endpoint, region: 'us-east-1' };
  };
  return {
    name: 's3',
    skipped,
    credentials,
    config,
    open: async () => openStore(await config(), credentials),
    stop: async () => (await server)?.stop(),
  };
}

/** The fake of test/seeded: what the seeded experiments rest on keeps the same contract. */
export function fakeS3Stores(): TestStores {
  const servers: FakeS3[] = [];
  const start = async (): Promise<FakeS3> => {
    const server = await startFakeS3();
    servers.push(server);
    return server;
  };
  return {
    name: 's3 of the fake',
    skipped: undefined,
    credentials: { accessKeyId, secretAccessKey },
    config: async () => (await start()).config,
    open: async () => (await start()).open(),
    stop: async () => {
      for (const server of servers) await server.stop();
    },
  };
}

export async function findVersitygw(): Promise<string | undefined> {
  const candidates = [
    ...globSync(join(homedir(), '.cache/lifeboat/tools/versitygw/*/versitygw')),
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'versitygw')),
  ];
  for (const candidate of candidates) {
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return candidate;
  }
  return undefined;
}
