import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { findTool } from '../workers/tools/find-tool.ts';
import { startDaemon, waitForDaemon } from './daemon.ts';
import { addresses, type Layout, layout } from './layout.ts';
import type { Progress } from './run.ts';

/** An S3 server and the key to it. `podEndpoint` is the same server as pods reach it. */
export type ObjectStore = {
  readonly endpoint: string;
  readonly podEndpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

/**
 * Starts the S3 server over a directory of the sandbox and waits until it answers.
 * @param bridged - whether pods shall reach it, which needs the bridge
 */
export async function startObjectStore(at: Layout, bridged: boolean, progress: Progress): Promise<ObjectStore> {
  const versitygw = await findTool('versitygw', progress);
  const store = await describeStore(at);
  await mkdir(at.store, { recursive: true });
  const hosts = ['127.0.0.1', ...(bridged ? [addresses.gateway] : [])];
  await startDaemon(at, {
    name: 'versitygw',
    file: versitygw,
    ports: hosts.map((host) => ({ host, port: addresses.storePort })),
    args: [
      ...hosts.flatMap((host) => ['--port', `${host}:${String(addresses.storePort)}`]),
      '--region',
      store.region,
      'posix',
      at.store,
    ],
    env: { ROOT_ACCESS_KEY: store.accessKeyId, ROOT_SECRET_KEY: store.secretAccessKey },
  });
  const answers = async (): Promise<boolean> => (await fetch(store.endpoint)).status > 0;
  await waitForDaemon(at, 'versitygw', answers, 30_000);
  return store;
}

/** Address and key of the sandbox's S3 server, running or not; the key is made once. */
export async function describeStore(at: Layout = layout()): Promise<ObjectStore> {
  const known = await readFile(at.storeKey, 'utf8').catch(() => undefined);
  const secretAccessKey =
    known === undefined ? randomBytes(24).toString('base64url') : (JSON.parse(known) as { secret: string }).secret;
  if (known === undefined) {
    await mkdir(at.directory, { recursive: true });
    await writeFile(at.storeKey, JSON.stringify({ secret: secretAccessKey }), { mode: 0o600 });
  }
  const port = String(addresses.storePort);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    podEndpoint: `http://${addresses.gateway}:${port}`,
    region: 'us-east-1',
    accessKeyId: 'lifeboat',
    secretAccessKey,
  };
}

/** Makes a bucket; one that is there is a success. */
export async function createBucket(sandbox: { readonly s3: ObjectStore }, name: string): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey } = sandbox.s3;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }));
  } catch (error) {
    if (!(error instanceof Error) || !/^BucketAlready(OwnedByYou|Exists)$/.test(error.name)) throw error;
  } finally {
    client.destroy();
  }
}
