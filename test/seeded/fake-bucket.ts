import { createHash, randomUUID } from 'node:crypto';
import { compareKeys } from '../../transfer/store-key.ts';

/** An object, or a part of one, as the bucket keeps it. */
type Kept = { bytes: Buffer; etag: string; modifiedAt: Date };

/** A multipart upload that was begun. */
type Upload = { readonly key: string; readonly startedAt: Date; readonly parts: Map<number, Kept> };

/** What a request that cannot be done is answered. */
export type Refusal = { readonly status: number; readonly code: string };

const smallestPart = 5 * 1024 * 1024;

/** What a bucket of S3 holds, with the rules of S3: an upload is no object before it is completed. All of it is in memory. */
export class FakeBucket {
  readonly objects = new Map<string, Kept>();
  readonly uploads = new Map<string, Upload>();
  readonly #now: () => Date;
  #frozen: readonly ListedObject[] | undefined;

  constructor(now: () => Date) {
    this.#now = now;
  }

  put(key: string, bytes: Buffer, ifAbsent: boolean): Kept | Refusal {
    if (ifAbsent && this.objects.has(key)) return { status: 412, code: 'PreconditionFailed' };
    const kept = this.#keep(bytes, `"${md5(bytes).toString('hex')}"`);
    this.objects.set(key, kept);
    return kept;
  }

  beginUpload(key: string): string {
    const id = randomUUID();
    this.uploads.set(id, { key, startedAt: this.#now(), parts: new Map() });
    return id;
  }

  /** @param drop - answer as if it were kept, and lose it */
  putPart(id: string, number: number, bytes: Buffer, drop: boolean): Kept | Refusal {
    const upload = this.uploads.get(id);
    if (upload === undefined) return { status: 404, code: 'NoSuchUpload' };
    const kept = this.#keep(bytes, `"${md5(bytes).toString('hex')}"`);
    if (!drop) upload.parts.set(number, kept);
    return kept;
  }

  /**
   * @param named - numbers and ETags of the parts, as the client lists them
   * @param leaveOut - what of it was lost, where it ought to be refused
   */
  complete(id: string, named: readonly { number: number; etag: string }[], leaveOut: boolean): Kept | Refusal {
    const upload = this.uploads.get(id);
    if (upload === undefined) return { status: 404, code: 'NoSuchUpload' };
    const parts: Kept[] = [];
    for (const [index, { number, etag }] of named.entries()) {
      const part = upload.parts.get(number);
      if (part === undefined && leaveOut) continue;
      if (part?.etag !== etag) return { status: 400, code: 'InvalidPart' };
      if (number <= (named[index - 1]?.number ?? 0)) return { status: 400, code: 'InvalidPartOrder' };
      if (index < named.length - 1 && part.bytes.byteLength < smallestPart)
        return { status: 400, code: 'EntityTooSmall' };
      parts.push(part);
    }
    const digests = parts.map(({ etag }) => Buffer.from(etag.slice(1, -1), 'hex'));
    const etag = `"${md5(Buffer.concat(digests)).toString('hex')}-${String(parts.length)}"`;
    const kept = this.#keep(Buffer.concat(parts.map(({ bytes }) => bytes)), etag);
    this.objects.set(upload.key, kept);
    this.uploads.delete(id);
    return kept;
  }

  /** One page of the objects under a prefix, after a key. */
  list(prefix: string, after: string, most: number): { page: ListedObject[]; more: boolean } {
    const found = (this.#frozen ?? this.#listing()).filter(
      ({ key }) => key.startsWith(prefix) && compareKeys(key, after) > 0,
    );
    return { page: found.slice(0, most), more: found.length > most };
  }

  /** Lists show from now on what they show now, whatever is written and deleted. */
  freezeLists(): void {
    this.#frozen = this.#listing();
  }

  thawLists(): void {
    this.#frozen = undefined;
  }

  #listing(): ListedObject[] {
    return [...this.objects]
      .sort(([one], [other]) => compareKeys(one, other))
      .map(([key, { bytes, etag, modifiedAt }]) => ({ key, sizeBytes: bytes.byteLength, etag, modifiedAt }));
  }

  #keep(bytes: Buffer, etag: string): Kept {
    return { bytes, etag, modifiedAt: this.#now() };
  }
}

type ListedObject = {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedAt: Date;
};

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}
