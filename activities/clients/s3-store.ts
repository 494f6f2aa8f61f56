import { setTimeout as pause } from 'node:timers/promises';
import { DeleteObjectCommand, HeadObjectCommand, PutObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { failure } from '../../model/failures.ts';
import type { StoreConfig } from '../../model/platform.ts';
import { probeStore } from '../../transfer/probe-store.ts';
import type { ObjectInfo, Store } from '../../transfer/store.ts';
import { assertKey, compareKeys } from '../../transfer/store-key.ts';
import {
  abortUpload,
  assertAnswers,
  crc32Header,
  moveBytes,
  openUploads,
  type S3Bucket,
  type S3Credentials,
  s3Bucket,
} from './s3-bucket.ts';
import { isS3Error, s3Failure, statusOf } from './s3-failure.ts';
import { readObject } from './s3-reader.ts';
import { readBucketSettings } from './s3-settings.ts';
import { S3Writer } from './s3-writer.ts';

const conflictAttempts = 5;
const smallObjectBytes = 64 * 1024 * 1024;

/**
 * A store in a bucket, `s3://bucket/prefix`, of AWS or of any server that speaks its protocol. Objects are written by one
 * PUT or a checked multipart upload; a commit is one conditional PUT, because some servers ignore the condition elsewhere.
 * @throws StoreNotFound, StoreDenied, StoreUnreachable within 10 s; each call throws as Store says
 */
export async function openS3Store(config: StoreConfig, credentials?: S3Credentials): Promise<Store> {
  const at = s3Bucket(config, credentials);
  await assertAnswers(at);
  const store: Store = {
    address: at.address,
    put: async (key, bytes, options) => {
      assertKey(key);
      if (options?.ifAbsent !== true) return putObject(at, key, bytes);
      if (await putIfAbsent(at, key, bytes)) return;
      // the answer to our own first attempt may have been lost
      if (!(await store.get(key)).equals(bytes))
        throw failure('ObjectExists', { message: `write ${key}: it exists in ${at.address}`, subject: key });
    },
    openWriter: (key) => {
      assertKey(key);
      return new S3Writer(at, key);
    },
    get: async (key) => {
      assertKey(key);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of readObject(at, key)) {
        size += chunk.byteLength;
        if (size > smallObjectBytes)
          throw new Error(`object ${key} is larger than ${String(smallObjectBytes)} bytes, read it as a stream`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    read: (key, range) => {
      assertKey(key);
      return readObject(at, key, range);
    },
    head: async (key) => {
      assertKey(key);
      try {
        const found = await at.control.send(new HeadObjectCommand(target(at, key)));
        return {
          key,
          sizeBytes: found.ContentLength ?? 0,
          modifiedAt: (found.LastModified ?? new Date(0)).toISOString(),
        };
      } catch (error) {
        if (isS3Error(error, 'NotFound', 404)) return undefined;
        throw s3Failure(error, `look at ${key}`, key);
      }
    },
    list: (prefix) => listObjects(at, prefix),
    delete: async (key) => {
      assertKey(key);
      try {
        await at.control.send(new DeleteObjectCommand(target(at, key)));
      } catch (error) {
        if (!isS3Error(error, 'NoSuchKey')) throw s3Failure(error, `delete ${key}`, key);
      }
    },
    listOpenUploads: async (prefix, which) =>
      (await openUploads(at, prefix, which)).map((upload) => upload.key).sort(compareKeys),
    abortOpenUploads: async (prefix, which) => {
      for (const { key, id } of await openUploads(at, prefix, which)) await abortUpload(at, key, id);
    },
    probe: () => probeStore(store, (key) => refusesBadChecksum(at, key)),
    settings: () => readBucketSettings(at),
  };
  return store;
}

function target(at: S3Bucket, key: string): { Bucket: string; Key: string } {
  return { Bucket: at.bucket, Key: at.prefix + key };
}

async function putObject(at: S3Bucket, key: string, bytes: Uint8Array): Promise<void> {
  const command = new PutObjectCommand({ ...target(at, key), Body: bytes, ChecksumCRC32: crc32Header(bytes) });
  try {
    await moveBytes(at, undefined, (abortSignal) => at.data.send(command, { abortSignal }));
  } catch (error) {
    throw s3Failure(error, `write ${key}`, key);
  }
}

/** One conditional PUT; false where the object exists. 409 says that another one is under way: its end decides. */
async function putIfAbsent(at: S3Bucket, key: string, bytes: Uint8Array): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const command = new PutObjectCommand({
        ...target(at, key),
        Body: bytes,
        ChecksumCRC32: crc32Header(bytes),
        IfNoneMatch: '*',
      });
      await moveBytes(at, undefined, (abortSignal) => at.data.send(command, { abortSignal }));
      return true;
    } catch (error) {
      if (isS3Error(error, 'PreconditionFailed', 412)) return false;
      if (statusOf(error) === 409 && attempt < conflictAttempts) {
        await pause(50 * attempt + Math.random() * 50);
        continue;
      }
      if (isS3Error(error, 'NotImplemented', 501) || statusOf(error) === 304) {
        throw failure('StoreNotConditional', {
          message: `write ${key}: ${at.address} does not honour If-None-Match`,
          cause: error,
        });
      }
      throw s3Failure(error, `write ${key}`, key);
    }
  }
}

async function* listObjects(at: S3Bucket, prefix: string): AsyncGenerator<ObjectInfo, void> {
  try {
    for await (const page of paginateListObjectsV2(
      { client: at.control },
      { Bucket: at.bucket, Prefix: at.prefix + prefix },
    )) {
      for (const found of page.Contents ?? []) {
        const key = (found.Key ?? '').slice(at.prefix.length);
        // some servers list their folders, too
        if (key === '' || key.endsWith('/')) continue;
        yield { key, sizeBytes: found.Size ?? 0, modifiedAt: (found.LastModified ?? new Date(0)).toISOString() };
      }
    }
  } catch (error) {
    throw s3Failure(error, `list ${prefix}`);
  }
}

/** Sends bytes under the checksum of others. */
async function refusesBadChecksum(at: S3Bucket, key: string): Promise<boolean> {
  try {
    await at.control.send(
      new PutObjectCommand({
        ...target(at, key),
        Body: Buffer.from('these bytes'),
        ChecksumCRC32: crc32Header(Buffer.from('those bytes')),
      }),
    );
    return false;
  } catch (error) {
    const status = statusOf(error);
    if (status !== undefined && status >= 400 && status < 500 && status !== 403) return true;
    throw s3Failure(error, `probe store ${at.address}`);
  }
}
