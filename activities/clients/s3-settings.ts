import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type LifecycleRule,
  type ObjectLockConfiguration,
} from '@aws-sdk/client-s3';
import type { BucketSettings } from '../../model/store-specs.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { isS3Error, s3Failure, statusOf } from './s3-failure.ts';

/** The settings of a bucket that decide what becomes of objects; `unknown` where it is not said to these credentials. */
export async function readBucketSettings({ bucket: Bucket, control }: S3Bucket): Promise<BucketSettings> {
  const [versioning, lock, lifecycle] = await Promise.all([
    asked('versioning', () => control.send(new GetBucketVersioningCommand({ Bucket }))),
    asked('Object Lock', () => control.send(new GetObjectLockConfigurationCommand({ Bucket }))),
    asked('lifecycle', () => control.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))),
  ]);
  return {
    versioning: versioning === 'unknown' ? versioning : versioningOf(versioning?.Status),
    objectLock: lock === 'unknown' ? lock : lockOf(lock?.ObjectLockConfiguration),
    abortsUploadsAfterDays: lifecycle === 'unknown' ? lifecycle : abortDays(lifecycle?.Rules),
  };
}

/** An answer; undefined where there is no such setting. */
async function asked<Answer>(what: string, ask: () => Promise<Answer>): Promise<Answer | undefined | 'unknown'> {
  try {
    return await ask();
  } catch (error) {
    const none = [
      'ObjectLockConfigurationNotFoundError',
      'NoSuchLifecycleConfiguration',
      'NoSuchObjectLockConfiguration',
    ];
    if (none.some((code) => isS3Error(error, code)) || statusOf(error) === 404) return undefined;
    const status = statusOf(error);
    if (status !== undefined && [400, 403, 405, 501].includes(status)) return 'unknown';
    throw s3Failure(error, `read ${what} of the bucket`);
  }
}

function versioningOf(status: string | undefined): BucketSettings['versioning'] {
  if (status === undefined) return 'off';
  return status === 'Enabled' ? 'on' : 'suspended';
}

function lockOf(configuration: ObjectLockConfiguration | undefined): string {
  if (configuration?.ObjectLockEnabled !== 'Enabled') return 'off';
  const { Mode, Days, Years } = configuration.Rule?.DefaultRetention ?? {};
  if (Mode === undefined) return 'enabled';
  return Years === undefined ? `${Mode} ${String(Days ?? 0)} days` : `${Mode} ${String(Years)} years`;
}

/** The shortest of the rules: a rule may be for a part of the bucket. */
function abortDays(rules: readonly LifecycleRule[] | undefined): number | null {
  const days = (rules ?? []).flatMap(({ Status, AbortIncompleteMultipartUpload }) =>
    Status === 'Enabled' ? (AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? []) : [],
  );
  return days.length === 0 ? null : Math.min(...days);
}
