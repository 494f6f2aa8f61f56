import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  S3Client,
  type S3ClientConfig,
  type UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { StoreConfig } from '../../model/platform.ts';
import type { WhichUploads } from '../../transfer/store.ts';
import { isS3Error, s3Failure } from './s3-failure.ts';

/** Three attempts of these bounds and the pauses between them end within 10 s. */
const controlAttempts = 3;
const connectMs = 2_500;
const controlAnswerMs = 2_800;
/** A part may be slow on a thin link; whether anybody is there at all is asked beside it. */
const dataAttempts = 4;
const dataAnswerMs = 120_000;
const askAfterMs = 5_000;
/** How often an upload is aborted, and how long a part that was on its way may take to land. */
const abortAttempts = 5;
const partLandsMs = 150;

/** Credentials of an S3 store, where they do not come from the environment. */
export type S3Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

/** A bucket, and the folder in it that is the store. */
export type S3Bucket = {
  readonly address: string;
  readonly bucket: string;
  /** Put before every key: empty, or ends in `/`. */
  readonly prefix: string;
  /** For calls that are answered at once: that nobody answers is known within 10 s. */
  readonly control: S3Client;
  /** For calls that move bytes. */
  readonly data: S3Client;
};

/** The bucket that a store is in, and its folder there: empty where the store is the whole bucket. */
export function placeOf({ url }: Pick<StoreConfig, 'url'>): { readonly bucket: string; readonly folder: string } {
  const { hostname, pathname } = new URL(url);
  return { bucket: hostname, folder: decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '') };
}

/**
 * The clients of a bucket. Retries are the SDK's (standard mode), bounded. The SDK's own checksums are off, because some
 * servers refuse its trailers: each request is signed over the SHA-256 of its body, a part over its CRC32.
 */
export function s3Bucket(config: StoreConfig, credentials: S3Credentials | undefined): S3Bucket {
  const { bucket, folder } = placeOf(config);
  const common: S3ClientConfig = {
    region: config.region,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    retryMode: 'standard',
    expectContinueHeader: false,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials: withoutUndefined(credentials) }),
  };
  const client = (maxAttempts: number, requestTimeout: number): S3Client =>
    new S3Client({
      ...common,
      maxAttempts,
      requestHandler: { connectionTimeout: connectMs, requestTimeout, throwOnRequestTimeout: true, socketTimeout: 0 },
    });
  return {
    address: `s3://${bucket}${folder === '' ? '' : `/${folder}`}`,
    bucket,
    prefix: folder === '' ? '' : `${folder}/`,
    control: client(controlAttempts, controlAnswerMs),
    data: client(dataAttempts, dataAnswerMs),
  };
}

/** The credentials that the SDK's chain gives at this moment: the environment, a profile, a role. @throws StoreDenied */
export async function currentCredentials(config: StoreConfig): Promise<S3Credentials> {
  const client = new S3Client({ region: config.region });
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return { accessKeyId, secretAccessKey, sessionToken };
  } catch (error) {
    throw s3Failure(error, `find credentials of ${config.url}`);
  } finally {
    client.destroy();
  }
}

/** As the SDK takes them. */
export function withoutUndefined({ accessKeyId, secretAccessKey, sessionToken }: S3Credentials): {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
} {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/**
 * Waits for a call that moves bytes; while it takes long, asks whether the server answers at all, and ends it when not.
 * @throws StoreUnreachable, StoreDenied, StoreNotFound, StoreFull; an error of the SDK that the caller knows
 */
export async function moveBytes<Answer>(
  at: S3Bucket,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const silence = new AbortController();
  const timer = setInterval(() => {
    assertAnswers(at).catch((error: unknown) => {
      silence.abort(error);
    });
  }, askAfterMs);
  try {
    return await call(signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]));
  } catch (error) {
    throw silence.signal.aborted ? silence.signal.reason : error;
  } finally {
    clearInterval(timer);
  }
}

/** Makes sure that the bucket is there and answers. @throws StoreNotFound, StoreDenied, StoreUnreachable within 10 s */
export async function assertAnswers(at: S3Bucket): Promise<void> {
  try {
    // not HeadBucket: without a body its 404 may be a missing bucket or, in versitygw, an unknown access key
    await at.control.send(new ListObjectsV2Command({ Bucket: at.bucket, Prefix: `${at.prefix}probe/`, MaxKeys: 1 }));
  } catch (error) {
    throw s3Failure(error, `open store ${at.address}`);
  }
}

/**
 * Takes back an upload that was begun; one that is gone is a success. A part that was on its way may bring it back: S3 says
 * to abort until no part is listed.
 */
export async function abortUpload(at: S3Bucket, key: string, id: string): Promise<void> {
  const target = { Bucket: at.bucket, Key: at.prefix + key, UploadId: id };
  const isGone = async (command: AbortMultipartUploadCommand | ListPartsCommand): Promise<boolean> => {
    try {
      await at.control.send(command);
      return false;
    } catch (error) {
      if (isS3Error(error, 'NoSuchUpload', 404)) return true;
      throw s3Failure(error, `abort upload of ${key}`, key);
    }
  };
  for (let attempt = 1; attempt <= abortAttempts; attempt += 1) {
    if (await isGone(new AbortMultipartUploadCommand(target))) return;
    await pause(partLandsMs);
    if (await isGone(new ListPartsCommand(target))) return;
  }
}

/** Uploads under a prefix that were begun and neither completed nor aborted. @throws Store* */
export async function openUploads(
  at: S3Bucket,
  prefix: string,
  { begunBefore }: WhichUploads = {},
): Promise<{ key: string; id: string }[]> {
  const uploads: { key: string; id: string }[] = [];
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  try {
    while (marker !== undefined) {
      const page: ListMultipartUploadsCommandOutput = await at.control.send(
        new ListMultipartUploadsCommand({ Bucket: at.bucket, Prefix: at.prefix + prefix, ...marker }),
      );
      for (const upload of page.Uploads ?? [])
        if (begunBefore === undefined || (upload.Initiated ?? new Date()) < begunBefore)
          uploads.push({ key: (upload.Key ?? '').slice(at.prefix.length), id: upload.UploadId ?? '' });
      marker =
        page.IsTruncated === true
          ? { KeyMarker: page.NextKeyMarker ?? '', UploadIdMarker: page.NextUploadIdMarker ?? '' }
          : undefined;
    }
    return uploads;
  } catch (error) {
    throw s3Failure(error, `list uploads under ${prefix}`);
  }
}

/**
 * Signs a part by its headers alone, its CRC32 among them. Its SHA-256 would be taken three times otherwise: for the manifest, for
 * the signature, and by the server. Who changes a part on its way is found out by the read-back, before any point exists.
 */
export function leaveBodyUnsigned(command: UploadPartCommand): void {
  command.middlewareStack.add(
    (next) => async (call) => {
      const { request } = call as { request: { headers: Record<string, string> } };
      request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return await next(call);
    },
    { step: 'build', name: 'leaveBodyUnsigned' },
  );
}

/** CRC32 as S3 writes it. */
export function crc32Header(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString('base64');
}
