import type { FakeBucket, Refusal } from './fake-bucket.ts';
import type { FakeRequest, Profile } from './fake-request.ts';

/** What a request is answered. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** A request whose body arrived. */
export type Arrived = {
  readonly bucket: FakeBucket;
  readonly request: FakeRequest;
  readonly body: Buffer;
  readonly profile: Profile;
  /** A part is acknowledged and lost; a completion leaves out what was lost. */
  readonly drop: boolean;
};

const pageKeys = 1_000;
const notImplemented: Refusal = { status: 501, code: 'NotImplemented' };

/** Does what a request says, as S3 does it. */
export function answer(of: Arrived): Answer {
  const { bucket, request, profile } = of;
  const { key, query } = request;
  switch (request.operation) {
    case 'CreateBucket':
      return empty(200);
    case 'PutObject':
      return putObject(of);
    case 'GetObject':
    case 'HeadObject':
      return getObject(of);
    case 'DeleteObject':
      bucket.objects.delete(key);
      return empty(204);
    case 'ListObjectsV2':
      return listObjects(of);
    case 'CreateMultipartUpload':
      if (profile.checksums === 'refused' && request.headers['x-amz-checksum-algorithm'] !== undefined)
        return answerError(notImplemented);
      return xml(
        'InitiateMultipartUploadResult',
        `<Bucket>b</Bucket><Key>${escaped(key)}</Key><UploadId>${bucket.beginUpload(key)}</UploadId>`,
      );
    case 'UploadPart':
      return kept(bucket.putPart(query.get('uploadId') ?? '', Number(query.get('partNumber')), of.body, of.drop));
    case 'CompleteMultipartUpload':
      return completeUpload(of);
    case 'ListParts':
    case 'AbortMultipartUpload':
    case 'ListMultipartUploads':
      return profile.uploadLists ? aboutUploads(of) : answerError(notImplemented);
  }
}

/** An error as S3 says it. */
export function answerError({ status, code }: Refusal): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>the fake says ${code}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}

function putObject({ bucket, request, body, profile }: Arrived): Answer {
  const ifAbsent = request.headers['if-none-match'] === '*';
  if (ifAbsent && profile.conditions === 'refused') return answerError(notImplemented);
  return kept(bucket.put(request.key, body, ifAbsent && profile.conditions === 'honoured'));
}

function getObject({ bucket, request }: Arrived): Answer {
  const found = bucket.objects.get(request.key);
  if (found === undefined) return answerError({ status: 404, code: 'NoSuchKey' });
  const { bytes, etag, modifiedAt } = found;
  const ifMatch = request.headers['if-match'];
  if (ifMatch !== undefined && ifMatch !== etag) return answerError({ status: 412, code: 'PreconditionFailed' });
  const headers = { etag, 'last-modified': modifiedAt.toUTCString() };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers['range'] ?? '') ?? [];
  if (from === undefined || request.operation === 'HeadObject') return { status: 200, headers, body: bytes };
  if (Number(from) >= bytes.byteLength) return answerError({ status: 416, code: 'InvalidRange' });
  const part = bytes.subarray(Number(from), to === '' ? undefined : Number(to) + 1);
  const range = `bytes ${from}-${String(Number(from) + part.byteLength - 1)}/${String(bytes.byteLength)}`;
  return { status: 206, headers: { ...headers, 'content-range': range }, body: part };
}

function listObjects({ bucket, request: { query } }: Arrived): Answer {
  const token = query.get('continuation-token');
  const after = token === null ? '' : Buffer.from(token, 'base64').toString();
  const most = Math.min(pageKeys, Number(query.get('max-keys') ?? pageKeys));
  const { page, more } = bucket.list(query.get('prefix') ?? '', after, most);
  const contents = page.map(
    ({ key, sizeBytes, etag, modifiedAt }) =>
      `<Contents><Key>${escaped(key)}</Key><LastModified>${modifiedAt.toISOString()}</LastModified><ETag>${escaped(etag)}</ETag><Size>${String(sizeBytes)}</Size></Contents>`,
  );
  const next = Buffer.from(page.at(-1)?.key ?? '').toString('base64');
  return xml(
    'ListBucketResult',
    `<KeyCount>${String(page.length)}</KeyCount><IsTruncated>${String(more)}</IsTruncated>${more ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''}${contents.join('')}`,
  );
}

function completeUpload({ bucket, request, body, drop }: Arrived): Answer {
  const parts = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: (/<ETag>(.*?)</.exec(part)?.[1] ?? '').replaceAll('&quot;', '"'),
  }));
  const done = bucket.complete(request.query.get('uploadId') ?? '', parts, drop);
  return 'code' in done
    ? answerError(done)
    : xml('CompleteMultipartUploadResult', `<Key>${escaped(request.key)}</Key><ETag>${escaped(done.etag)}</ETag>`);
}

function aboutUploads({ bucket, request }: Arrived): Answer {
  const { operation, query } = request;
  const id = query.get('uploadId') ?? '';
  if (operation === 'ListMultipartUploads') return listUploads(bucket, query);
  const upload = bucket.uploads.get(id);
  if (upload === undefined) return answerError({ status: 404, code: 'NoSuchUpload' });
  if (operation === 'AbortMultipartUpload') {
    bucket.uploads.delete(id);
    return empty(204);
  }
  const after = Number(query.get('part-number-marker') ?? 0);
  const parts = [...upload.parts].filter(([number]) => number > after).sort(([one], [other]) => one - other);
  const page = parts.slice(0, pageKeys);
  const more = parts.length > page.length;
  const rows = page.map(
    ([number, { bytes, etag }]) =>
      `<Part><PartNumber>${String(number)}</PartNumber><ETag>${escaped(etag)}</ETag><Size>${String(bytes.byteLength)}</Size></Part>`,
  );
  return xml(
    'ListPartsResult',
    `<IsTruncated>${String(more)}</IsTruncated><NextPartNumberMarker>${String(page.at(-1)?.[0] ?? 0)}</NextPartNumberMarker>${rows.join('')}`,
  );
}

function listUploads(bucket: FakeBucket, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const place = (key: string, id: string): string => `${key}\0${id}`;
  const after = query.has('key-marker')
    ? place(query.get('key-marker') ?? '', query.get('upload-id-marker') ?? '')
    : '';
  const found = [...bucket.uploads]
    .map(([id, { key, startedAt }]) => ({ id, key, startedAt }))
    .filter(({ id, key }) => key.startsWith(prefix) && place(key, id) > after)
    .sort((one, other) => (place(one.key, one.id) < place(other.key, other.id) ? -1 : 1));
  const page = found.slice(0, pageKeys);
  const more = found.length > page.length;
  const last = page.at(-1);
  const rows = page.map(
    ({ id, key, startedAt }) =>
      `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId><Initiated>${startedAt.toISOString()}</Initiated></Upload>`,
  );
  const next = `<NextKeyMarker>${escaped(last?.key ?? '')}</NextKeyMarker><NextUploadIdMarker>${last?.id ?? ''}</NextUploadIdMarker>`;
  return xml(
    'ListMultipartUploadsResult',
    `<IsTruncated>${String(more)}</IsTruncated>${more ? next : ''}${rows.join('')}`,
  );
}

function kept(done: { etag: string } | Refusal): Answer {
  return 'code' in done ? answerError(done) : { ...empty(200), headers: { etag: done.etag } };
}

function empty(status: number): Answer {
  return { status, headers: {}, body: Buffer.alloc(0) };
}

function xml(name: string, content: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?><${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`;
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(text) };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
