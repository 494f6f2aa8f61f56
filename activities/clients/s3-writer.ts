import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { failure } from '../../model/failures.ts';
import { release } from '../../transfer/buffers.ts';
import { SharedLimit } from '../../transfer/shared-limit.ts';
import type { ObjectWriter } from '../../transfer/store.ts';
import { abortUpload, crc32Header, leaveBodyUnsigned, moveBytes, openUploads, type S3Bucket } from './s3-bucket.ts';
import { isS3Error, s3Failure } from './s3-failure.ts';

/** Every part but the last has this size: R2 demands equal ones. */
const partBytes = 8 * 1024 * 1024;
/** Parts of all uploads of the process, the ones that are being filled with those in flight. One processor fills no more than three. */
const parts = new SharedLimit(availableParallelism() > 1 ? 5 : 3, 1);
const partLimit = 10_000;

type Upload = { readonly id: string; readonly checksums: boolean };
type Part = { readonly number: number; readonly sizeBytes: number; readonly etag: string; readonly crc32: string };

/**
 * Writes an object to S3: one PUT up to 8 MiB, a multipart upload above, of several parts at once, fewer where others write, too.
 * The completion names every part with its checksum, and the server refuses one that it lost; the size of the object is compared after
 * it.
 */
export class S3Writer implements ObjectWriter {
  readonly #at: S3Bucket;
  readonly #key: string;
  readonly #cancel = new AbortController();
  readonly #parts: Part[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  /** Buffers of parts that were sent: each is used again. */
  readonly #free: Buffer[] = [];
  #buffer: Buffer | undefined;
  #used = 0;
  #sentParts = 0;
  #sizeBytes = 0;
  /** Begun with the first part that is full; the second one is filled meanwhile. */
  #creating: Promise<Upload> | undefined;
  #upload: Upload | undefined;
  /** What is waited for before anything is taken back: the server may do it though nobody hears its answer. */
  #unanswered: Promise<unknown> | undefined;
  #failed: { error: unknown } | undefined;
  #leave: (() => void) | undefined;

  constructor(at: S3Bucket, key: string) {
    this.#at = at;
    this.#key = key;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.byteLength; ) {
      if (this.#used === partBytes) await this.#sendPart();
      this.#buffer ??= await this.#nextBuffer();
      const part = bytes.subarray(offset, offset + partBytes - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.byteLength;
      offset += part.byteLength;
    }
    this.#sizeBytes += bytes.byteLength;
    this.#throwIfFailed();
  }

  async commit(): Promise<{ sizeBytes: number }> {
    try {
      if (this.#sentParts === 0) await this.#putWhole();
      else await this.#complete();
      await this.#assertSize();
      for (const buffer of this.#free.splice(0)) release(buffer);
      return { sizeBytes: this.#sizeBytes };
    } catch (error) {
      throw s3Failure(error, `write ${this.#key}`, this.#key);
    } finally {
      this.#leave?.();
    }
  }

  async abort(): Promise<void> {
    this.#cancel.abort();
    this.#leave?.();
    await Promise.allSettled([...this.#inFlight, this.#unanswered]);
    if (this.#upload === undefined) return;
    await abortUpload(this.#at, this.#key, this.#upload.id);
    this.#upload = undefined;
  }

  get #target(): { Bucket: string; Key: string } {
    return { Bucket: this.#at.bucket, Key: this.#at.prefix + this.#key };
  }

  #throwIfFailed(): void {
    if (this.#failed !== undefined) throw s3Failure(this.#failed.error, `write ${this.#key}`, this.#key);
  }

  async #putWhole(): Promise<void> {
    const body = this.#buffer?.subarray(0, this.#used) ?? Buffer.alloc(0);
    const command = new PutObjectCommand({ ...this.#target, Body: body, ChecksumCRC32: crc32Header(body) });
    this.#unanswered = moveBytes(this.#at, undefined, (abortSignal) => this.#at.data.send(command, { abortSignal }));
    await this.#unanswered;
  }

  /** Room for the next part, once few enough are in flight. */
  async #nextBuffer(): Promise<Buffer> {
    if (this.#creating !== undefined) this.#leave ??= parts.enter();
    while (this.#inFlight.size >= parts.share) await Promise.race(this.#inFlight);
    this.#throwIfFailed();
    const buffer = this.#free.pop();
    for (const spare of this.#free.splice(0)) release(spare);
    return buffer ?? Buffer.allocUnsafeSlow(partBytes);
  }

  /** Starts the upload of the part that is full. */
  async #sendPart(): Promise<void> {
    await this.#creating;
    this.#cancel.signal.throwIfAborted();
    this.#throwIfFailed();
    this.#sentParts += 1;
    if (this.#sentParts > partLimit)
      throw new Error(`object ${this.#key} needs more than ${String(partLimit)} parts: use smaller segments`);
    const buffer = this.#buffer ?? Buffer.alloc(0);
    const body = buffer.subarray(0, this.#used);
    this.#buffer = undefined;
    this.#used = 0;
    this.#unanswered = this.#creating ??= this.#create();
    const sending = this.#uploadPart(this.#creating, this.#sentParts, body)
      .then(
        () => {
          // One that failed is not used again: a request that was given up may still read it.
          this.#free.push(buffer);
        },
        (error: unknown) => {
          this.#failed ??= { error };
        },
      )
      .finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  /** Servers that know no checksums of uploads answer NotImplemented; the signature still covers each part's SHA-256. */
  async #create(): Promise<Upload> {
    const create = async (checksums: boolean): Promise<Upload> => {
      const command = new CreateMultipartUploadCommand({
        ...this.#target,
        ...(checksums ? { ChecksumAlgorithm: 'CRC32' } : {}),
      });
      const { UploadId: id, $metadata } = await this.#at.control.send(command);
      if (id === undefined)
        throw failure('StoreUnreachable', { message: `write ${this.#key}: the server gave no upload id` });
      this.#upload = { id, checksums };
      if (($metadata.attempts ?? 1) > 1) await this.#abortOthers(id);
      return this.#upload;
    };
    try {
      return await create(true).catch((error: unknown) =>
        isS3Error(error, 'NotImplemented', 501) ? create(false) : Promise.reject(error as Error),
      );
    } catch (error) {
      throw s3Failure(error, `write ${this.#key}`, this.#key);
    }
  }

  /** An upload whose answer was lost is begun a second time: the first one is nobody's. */
  async #abortOthers(own: string): Promise<void> {
    for (const { key, id } of await openUploads(this.#at, this.#key))
      if (key === this.#key && id !== own) await abortUpload(this.#at, key, id);
  }

  async #uploadPart(creating: Promise<Upload>, number: number, body: Buffer): Promise<void> {
    const upload = await creating;
    const crc32 = crc32Header(body);
    const command = new UploadPartCommand({
      ...this.#target,
      UploadId: upload.id,
      PartNumber: number,
      Body: body,
      ...(upload.checksums ? { ChecksumCRC32: crc32 } : {}),
    });
    if (upload.checksums) leaveBodyUnsigned(command);
    const { ETag: etag } = await moveBytes(this.#at, this.#cancel.signal, (abortSignal) =>
      this.#at.data.send(command, { abortSignal }),
    );
    if (etag === undefined)
      throw failure('StoreUnreachable', {
        message: `write ${this.#key}: the server gave no ETag for part ${String(number)}`,
      });
    this.#parts.push({ number, sizeBytes: body.byteLength, etag, crc32 });
  }

  async #complete(): Promise<void> {
    await this.#sendPart();
    await Promise.all(this.#inFlight);
    this.#throwIfFailed();
    const upload = this.#upload;
    if (upload === undefined) throw new Error('complete needs an upload');
    this.#parts.sort((one, other) => one.number - other.number);
    const parts = this.#parts.map(({ number, etag, crc32 }) => ({
      PartNumber: number,
      ETag: etag,
      ...(upload.checksums ? { ChecksumCRC32: crc32 } : {}),
    }));
    const command = new CompleteMultipartUploadCommand({
      ...this.#target,
      UploadId: upload.id,
      MultipartUpload: { Parts: parts },
    });
    try {
      this.#cancel.signal.throwIfAborted();
      this.#unanswered = moveBytes(this.#at, undefined, (abortSignal) => this.#at.data.send(command, { abortSignal }));
      await this.#unanswered;
    } catch (error) {
      // the answer to the first attempt was lost: the upload is gone because it was completed, if the object is ours
      if (!isS3Error(error, 'NoSuchUpload') || !(await this.#isOurs())) throw error;
    }
    this.#upload = undefined;
  }

  async #isOurs(): Promise<boolean> {
    const found = await this.#at.control.send(new HeadObjectCommand(this.#target)).catch(() => undefined);
    const digests = this.#parts.map((part) => /^"?([0-9a-f]{32})"?$/.exec(part.etag)?.[1]);
    const expected = `"${createHash('md5')
      .update(Buffer.from(digests.join(''), 'hex'))
      .digest('hex')}-${String(digests.length)}"`;
    return found?.ContentLength === this.#sizeBytes && (found.ETag === expected || digests.includes(undefined));
  }

  async #assertSize(): Promise<void> {
    const { ContentLength: found } = await this.#at.control.send(new HeadObjectCommand(this.#target));
    if (found === this.#sizeBytes) return;
    throw failure('StoreUnreachable', {
      message: `write ${this.#key}: the store has ${String(found)} of ${String(this.#sizeBytes)} bytes`,
    });
  }
}
