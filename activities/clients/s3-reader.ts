import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { assertAnswers, moveBytes, type S3Bucket } from './s3-bucket.ts';
import { isS3Error, s3Failure } from './s3-failure.ts';

/** A body that gives no byte for so long is asked for again from where it stopped. */
const bodyStallMs = 10_000;
const resumeLimit = 4;

/**
 * The bytes of an object, or of a range of it. A connection that breaks is taken up again where it broke, and only on
 * the same version of the object.
 * @throws ObjectNotFound, ArtifactDigestMismatch when the object was replaced meanwhile, Store*
 */
export async function* readObject(
  at: S3Bucket,
  key: string,
  range?: { readonly offset: number; readonly length: number },
): AsyncGenerator<Uint8Array, void> {
  let position = range?.offset ?? 0;
  let end = range === undefined ? undefined : range.offset + range.length;
  let etag: string | undefined;
  for (let broken = 0; end === undefined || position < end; ) {
    try {
      const answer = await getObject(at, key, { position, end, etag });
      if (answer === undefined) return;
      etag = answer.ETag;
      end = position + (answer.ContentLength ?? 0);
      for await (const chunk of bodyOf(answer)) {
        broken = 0;
        position += chunk.byteLength;
        yield chunk;
      }
      if (position < end) throw failure('StoreUnreachable', { message: `read ${key}: the body ended early` });
    } catch (error) {
      const meaning = s3Failure(error, `read ${key}`, key);
      broken += 1;
      if (!(meaning instanceof LifeboatFailure) || meaning.code !== 'StoreUnreachable' || broken > resumeLimit)
        throw meaning;
      await assertAnswers(at);
    }
  }
}

type Place = { readonly position: number; readonly end: number | undefined; readonly etag: string | undefined };

async function getObject(
  at: S3Bucket,
  key: string,
  { position, end, etag }: Place,
): Promise<GetObjectCommandOutput | undefined> {
  const whole = position === 0 && end === undefined;
  const command = new GetObjectCommand({
    Bucket: at.bucket,
    Key: at.prefix + key,
    ...(whole ? {} : { Range: `bytes=${String(position)}-${end === undefined ? '' : String(end - 1)}` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  try {
    return await moveBytes(at, undefined, (abortSignal) => at.data.send(command, { abortSignal }));
  } catch (error) {
    if (isS3Error(error, 'InvalidRange', 416)) return undefined;
    if (etag !== undefined && isS3Error(error, 'PreconditionFailed', 412)) {
      throw failure('ArtifactDigestMismatch', {
        message: `read ${key}: the object was replaced while it was read`,
        subject: key,
      });
    }
    if (isS3Error(error, 'NoSuchKey'))
      throw failure('ObjectNotFound', { message: `read ${key}: it is not in ${at.address}`, subject: key });
    throw error;
  }
}

/** The chunks of a body; one that stalls is broken off. Our own reader may be as slow as it likes. */
async function* bodyOf(answer: GetObjectCommandOutput): AsyncGenerator<Uint8Array, void> {
  const body = answer.Body as (AsyncIterable<Uint8Array> & { destroy(error?: Error): void }) | undefined;
  if (body === undefined) return;
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => {
        body.destroy(Object.assign(new Error('no byte arrived'), { code: 'ETIMEDOUT' }));
      }, bodyStallMs);
      const next = await iterator.next().finally(() => {
        clearTimeout(timer);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    body.destroy();
  }
}
