import type { StoreConfig } from '../../model/platform.ts';
import type { Store } from '../../transfer/store.ts';

/** Credentials of an S3 store, where they do not come from the environment. */
export type S3Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };

/** A store in a bucket, `s3://bucket/prefix`. Throws: as Store says. */
export function s3Store(config: StoreConfig, credentials?: S3Credentials): Store {
  throw new Error(`s3Store is not built yet: ${config.url} ${credentials?.accessKeyId ?? ''}`);
}
