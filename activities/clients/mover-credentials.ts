import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { StoreConfig } from '../../model/platform.ts';
import { placeOf, type S3Credentials, withoutUndefined } from './s3-bucket.ts';
import { s3Failure } from './s3-failure.ts';

/** A role whose credentials are asked of STS: AWS's own, or that of a server which has one, as Ceph and MinIO. */
export type AssumedRole = {
  readonly store: StoreConfig;
  /** `arn:aws:iam::123456789012:role/lifeboat-mover` */
  readonly role: string;
  /** Address of STS; that of AWS where it and the store's endpoint are not given. */
  readonly sts: string | undefined;
  readonly seconds: number;
  /** The only folder of the store that they are for, without a slash at its end. */
  readonly folder: string;
  /** Who asks; default: the SDK's chain. */
  readonly as: S3Credentials | undefined;
};

/**
 * Credentials that expire, and that are good for one folder of the store alone, whatever the role may do beside it.
 * @throws StoreDenied, StoreUnreachable
 */
export async function assumeRole({ store, role, sts, seconds, folder, as }: AssumedRole): Promise<S3Credentials> {
  const endpoint = sts ?? store.endpoint;
  const provide = fromTemporaryCredentials({
    params: {
      RoleArn: role,
      RoleSessionName: 'lifeboat-mover',
      DurationSeconds: seconds,
      Policy: JSON.stringify(sessionPolicy(store, role, folder)),
    },
    ...(as === undefined ? {} : { masterCredentials: withoutUndefined(as) }),
    clientConfig: { region: store.region, ...(endpoint === undefined ? {} : { endpoint }) },
  });
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await provide();
    return { accessKeyId, secretAccessKey, sessionToken };
  } catch (error) {
    const doing = `assume role ${role} for a mover`;
    const known = s3Failure(error, doing);
    if (known instanceof LifeboatFailure || !(error instanceof Error)) throw known;
    // A role that is not there is 404 to Ceph and a refusal to AWS; a session that is too long is 400.
    throw failure('StoreDenied', { message: `${doing}: ${error.name}, ${error.message}`, cause: error });
  }
}

/** What is left of the rights of the role: the objects of the folder, and which there are in the bucket. */
function sessionPolicy(store: StoreConfig, role: string, folder: string): object {
  const place = placeOf(store);
  const bucket = `arn:${role.split(':')[1] ?? 'aws'}:s3:::${place.bucket}`;
  const objects = ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload', 'ListMultipartUploadParts'];
  const lists = ['ListBucket', 'ListBucketMultipartUploads'];
  const allow = (actions: readonly string[], resource: string): object => ({
    Effect: 'Allow',
    Action: actions.map((action) => `s3:${action}`),
    Resource: resource,
  });
  return {
    Version: '2012-10-17',
    Statement: [
      allow(objects, [bucket, place.folder, folder, '*'].filter((part) => part !== '').join('/')),
      allow(lists, bucket),
    ],
  };
}
