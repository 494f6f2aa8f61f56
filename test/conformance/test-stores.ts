import { randomUUID } from 'node:crypto';
import { globSync } from 'node:fs';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Credentials } from '../../activities/clients/s3-bucket.ts';
import { openStore } from '../../activities/open-store.ts';
import type { StoreConfig } from '../../model/platform.ts';
import { aptInstall, checkMachine } from '../../sandbox/machine.ts';
import { startOwnObjectStore } from '../../sandbox/own-object-store.ts';
import type { Store } from '../../transfer/store.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';
import { type FakeS3, startFakeS3 } from '../seeded/fake-s3.ts';
import { type Radosgw, radosgwPackages, startRadosgw } from './radosgw.ts';

const accessKeyId = 'lifeboat-test';
const secretAccessKey = 'lifeboat-test-secret';

/** A kind of store under test; undefined where this machine has none, with the reason. */
export type TestStores = {
  readonly name: string;
  readonly skipped: string | undefined;
  /** Whether it compares checksums of parts itself. */
  readonly checksums: boolean;
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
    checksums: false,
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
  if (given !== undefined)
    return bucketStores({ name: 's3', skipped, checksums: true, credentials: undefined }, () =>
      Promise.resolve({ endpoint: given, stop: () => Promise.resolve() }),
    );
  const credentials = { accessKeyId, secretAccessKey };
  return bucketStores({ name: 's3', skipped, checksums: true, credentials }, () =>
    startOwnObjectStore(binary ?? '', credentials),
  );
}

/** Buckets of a radosgw: a judge from outside, which ignores checksums of parts and allows what versitygw does not. */
export async function radosgwStores(): Promise<TestStores & Pick<Radosgw, 'makeRole'>> {
  const credentials = { accessKeyId, secretAccessKey };
  const skipped = await installRadosgw();
  let server: Promise<Radosgw> | undefined;
  const start = async (): Promise<Radosgw> => await (server ??= startRadosgw(credentials));
  return {
    ...bucketStores({ name: 's3 of radosgw', skipped, checksums: false, credentials }, start),
    makeRole: async (name) => await (await start()).makeRole(name),
  };
}

/** Why there is no radosgw, where there is none. */
async function installRadosgw(): Promise<string | undefined> {
  try {
    await checkMachine();
    if (!(await fileExists('/usr/bin/radosgw'))) await aptInstall(radosgwPackages);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Buckets of a server that is started for the first of them. */
function bucketStores(
  of: Pick<TestStores, 'name' | 'skipped' | 'checksums'> & {
    credentials: Omit<S3Credentials, 'sessionToken'> | undefined;
  },
  start: () => Promise<{ endpoint: string; stop(): Promise<void> }>,
): TestStores {
  const { name, skipped, credentials } = of;
  if (skipped !== undefined) process.stderr.write(`SKIPPED: the store ${name} was not tested: ${skipped}\n`);
  let server: ReturnType<typeof start> | undefined;
  const config = async (): Promise<StoreConfig> => {
    server ??= start();
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
    ...of,
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
    checksums: true,
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
