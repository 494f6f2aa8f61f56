import { fileURLToPath } from 'node:url';
import { failure } from '../model/failures.ts';
import { type Platform, requireReplica, type StoreConfig } from '../model/platform.ts';
import { filesystemStore } from '../transfer/filesystem-store.ts';
import type { Store, StoreProbe } from '../transfer/store.ts';
import type { S3Credentials } from './clients/s3-bucket.ts';
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

/** Opens the replica of a platform. @throws ConfigInvalid where lifeboat.yaml has none; as `openStore` */
export async function openReplica(platform: Pick<Platform, 'replica'>): Promise<Store> {
  const replica = requireReplica(platform);
  const {
    LIFEBOAT_REPLICA_ACCESS_KEY_ID: accessKeyId,
    LIFEBOAT_REPLICA_SECRET_ACCESS_KEY: secretAccessKey,
    LIFEBOAT_REPLICA_SESSION_TOKEN: sessionToken,
  } = process.env;
  const isOwn = accessKeyId !== undefined && secretAccessKey !== undefined;
  return await openStore(replica, isOwn ? { accessKeyId, secretAccessKey, sessionToken } : undefined);
}

/** Refuses a store on which two writers could overwrite each other. @throws StoreNotConditional */
export async function assertConditional(store: Store): Promise<StoreProbe> {
  const probe = await store.probe();
  if (probe.conditionalPut) return probe;
  throw failure('StoreNotConditional', {
    message: `probe store ${store.address}: it does not keep a second writer of one name out`,
  });
}
