import { failure } from '../model/failures.ts';
import type { StoreConfig } from '../model/platform.ts';
import { filesystemStore } from '../transfer/filesystem-store.ts';
import type { Store, StoreProbe } from '../transfer/store.ts';
import { type S3Credentials, s3Store } from './clients/s3-store.ts';

/**
 * Opens the store of a configuration and makes sure that its bucket or directory is there.
 * @param credentials - of an S3 store; default: the environment (AWS_*), then the SDK's own chain
 * @throws StoreNotFound, StoreDenied, StoreUnreachable within 10 s
 */
export async function openStore(config: StoreConfig, credentials?: S3Credentials): Promise<Store> {
  const store = config.url.startsWith('file://') ? filesystemStore(new URL(config.url).pathname) : s3Store(config, credentials);
  await store.head('probe/none');
  return store;
}

/** Refuses a store on which two writers could overwrite each other. @throws StoreNotConditional */
export async function assertConditional(store: Store): Promise<StoreProbe> {
  const probe = await store.probe();
  if (!probe.conditionalPut) {
    throw failure('StoreNotConditional', { message: `probe store ${store.address}: two writers of one name were both told that they won` });
  }
  return probe;
}
