import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import type { Refusal } from './fake-bucket.ts';

/** What a client of S3 wants. */
export type Operation =
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjectsV2'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'CreateBucket';

/** A request before its body was read. */
export type FakeRequest = {
  /** Number of the request, from 1. */
  readonly number: number;
  readonly operation: Operation;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Who signed it: each worker of an experiment has a key of its own. */
  readonly accessKeyId: string;
};

/** What happens to a request; undefined does what it says. */
export type FakeFault =
  /** It is answered like this and not done; with a status of 200 the error is in the body, as of a completion. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** It is answered with this text and not done. */
  | { readonly kind: 'say'; readonly status: number; readonly body: string | Buffer }
  /** It is done, and the answer is lost. */
  | { readonly kind: 'lose-answer' }
  /** The connection breaks after so many bytes of its body, and it is not done. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** The connection breaks after so many bytes of the answer. */
  | { readonly kind: 'break-answer'; readonly afterBytes: number }
  /** A part is acknowledged and lost; a completion leaves out what was lost. */
  | { readonly kind: 'drop' }
  /** One bit of the body is flipped on its way to the server; with `ofAnswer` on its way back. */
  | { readonly kind: 'flip'; readonly bit: number; readonly ofAnswer?: boolean }
  /** Nobody answers. */
  | { readonly kind: 'silence' };

/** What the server can do, as servers differ. */
export type Profile = {
  /** `If-None-Match: *` of a PUT: honoured, ignored, or refused as not implemented. */
  readonly conditions: 'honoured' | 'ignored' | 'refused';
  /** CRC32 of bodies: checked; ignored; or refused for uploads as not implemented. */
  readonly checksums: 'checked' | 'ignored' | 'refused';
  /** Whether ListParts, AbortMultipartUpload and ListMultipartUploads are there. */
  readonly uploadLists: boolean;
};

/** As AWS S3 does it. */
export const wholeProfile: Profile = { conditions: 'honoured', checksums: 'checked', uploadLists: true };

/** Reads the line and the headers of a request. */
export function readRequest(incoming: IncomingMessage, number: number): FakeRequest {
  const url = new URL(incoming.url ?? '/', 'http://host');
  const [, bucket = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  const headers = incoming.headers as Record<string, string | undefined>;
  const key = rest.join('/');
  return {
    number,
    operation: operationOf(incoming.method ?? '', key, url.searchParams),
    bucket,
    key,
    query: url.searchParams,
    headers,
    accessKeyId: /Credential=([^/]+)\//.exec(headers['authorization'] ?? '')?.[1] ?? '',
  };
}

function operationOf(method: string, key: string, query: URLSearchParams): Operation {
  if (key === '')
    return method === 'PUT' ? 'CreateBucket' : query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  const ofUpload = query.has('uploadId');
  switch (method) {
    case 'PUT':
      return ofUpload ? 'UploadPart' : 'PutObject';
    case 'POST':
      return ofUpload ? 'CompleteMultipartUpload' : 'CreateMultipartUpload';
    case 'DELETE':
      return ofUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return ofUpload ? 'ListParts' : 'GetObject';
  }
}

/** Compares a body with the digests in its headers. */
export function refuseBody({ headers }: FakeRequest, body: Buffer, { checksums }: Profile): Refusal | undefined {
  if (headers['content-encoding']?.includes('aws-chunked') === true)
    return { status: 411, code: 'MissingContentLength' };
  const sha256 = headers['x-amz-content-sha256'] ?? '';
  if (/^[0-9a-f]{64}$/.test(sha256) && createHash('sha256').update(body).digest('hex') !== sha256)
    return { status: 400, code: 'XAmzContentSHA256Mismatch' };
  const md5 = headers['content-md5'];
  if (md5 !== undefined && createHash('md5').update(body).digest('base64') !== md5)
    return { status: 400, code: 'BadDigest' };
  const stated = headers['x-amz-checksum-crc32'];
  if (checksums !== 'checked' || stated === undefined) return undefined;
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return sum.toString('base64') === stated ? undefined : { status: 400, code: 'BadDigest' };
}

/** A copy with one bit flipped; of no bytes it stays none. */
export function flipBit(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = Math.floor(bit / 8) % Math.max(1, copy.byteLength);
  if (copy.byteLength > 0) copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8));
  return copy;
}
