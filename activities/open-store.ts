import { fileURLToPath } from 'node:url';
import { durationMs } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import { type Platform, requireReplica, type StoreConfig } from '../model/platform.ts';
import { filesystemStore } from '../transfer/filesystem-store.ts';
import type { Store, StoreProbe } from '../transfer/store.ts';
import { assumeRole } from './clients/mover-credentials.ts';
import { currentCredentials, type S3Credentials } from './clients/s3-bucket.ts';
import { openS3Store } from './clients/s3-store.ts';

/**
 * Opens the store of a configuration and makes sure that its bucket or directory is there.
 * @param credentials - of an S3 store; default: the environment (AWS_*), then the SDK's own chain
 * @throws StoreNotFound, StoreDenied, StoreUnreachable within 10 s
 */
export async function openStore(config: StoreConfig, credentials?: S3Credentials): Promise<Store> {
  if (config.url.startsWith('s3:')) return openS3Store(config, credentials);
  const store = filesystemStore(fileURLToPath(config.url));
  await store.head('probe');
  return store;
}

/**
 * The credentials that a mover gets: its own of the environment, else those that the worker's chain gives at this moment; with a
 * role in lifeboat.yaml, credentials of that, for which these ask.
 * @param folder - of the store, where the mover reads and writes
 * @throws StoreDenied where there are none; StoreUnreachable
 */
export async function moverCredentials(
  { store, mover }: Pick<Platform, 'store' | 'mover'>,
  folder: string,
): Promise<S3Credentials> {
  const own = credentialsOf('LIFEBOAT_MOVER');
  if (mover?.role === undefined) return own ?? (await currentCredentials(store));
  const { role, sts, session } = mover;
  return await assumeRole({ store, role, sts, seconds: durationMs(session) / 1_000, folder, as: own });
}

/** Credentials of the environment under a prefix of names. */
function credentialsOf(prefix: 'LIFEBOAT_REPLICA' | 'LIFEBOAT_MOVER'): S3Credentials | undefined {
  const accessKeyId = process.env[`${prefix}_ACCESS_KEY_ID`];
  const secretAccessKey = process.env[`${prefix}_SECRET_ACCESS_KEY`];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: process.env[`${prefix}_SESSION_TOKEN`] };
}

/** Opens the replica of a platform. @throws ConfigInvalid where lifeboat.yaml has none; as `openStore` */
export async function openReplica(platform: Pick<Platform, 'replica'>): Promise<Store> {
  const replica = requireReplica(platform);
  return await openStore(replica, credentialsOf('LIFEBOAT_REPLICA'));
}

/** Refuses a store on which two writers could overwrite each other. @throws StoreNotConditional */
export async function assertConditional(store: Store): Promise<StoreProbe> {
  const probe = await store.probe();
  if (probe.conditionalPut) return probe;
  throw failure('StoreNotConditional', {
    message: `probe store ${store.address}: it does not keep a second writer of one name out`,
  });
}
