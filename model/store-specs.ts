import { z } from 'zod';

/** What a store keeps to, as it was found out: by trying it, and by asking the bucket for its settings. */
export const StoreSpecs = z.strictObject({
  apiVersion: z.literal('lifeboat/v1'),
  kind: z.literal('StoreSpecs'),
  /** ISO-8601 UTC. */
  at: z.iso.datetime(),
  address: z.string(),
  /** Two racing writers of one key had exactly one winner. */
  conditionalPut: z.boolean(),
  /** Bytes whose checksum did not fit were refused. */
  checksums: z.boolean(),
  /** What was deleted, or taken back, was gone after it; `false` where the credentials may only add. */
  deletes: z.boolean(),
  /** Uploads in parts: begun, listed, taken back, and gone. */
  uploads: z.boolean(),
  /** Old versions of what is overwritten or deleted are kept. */
  versioning: z.enum(['on', 'suspended', 'off', 'unknown']),
  /** What the bucket locks every new object for: `COMPLIANCE 30 days`; `enabled` without a default; `off`. */
  objectLock: z.string(),
  /** Days after which the bucket itself takes back uploads that nobody ended; null: never; `unknown` where it does not say. */
  abortsUploadsAfterDays: z.union([z.number().int(), z.null(), z.literal('unknown')]),
});
export type StoreSpecs = z.infer<typeof StoreSpecs>;

/** Settings of a bucket; of a directory all is off. */
export type BucketSettings = Pick<StoreSpecs, 'versioning' | 'objectLock' | 'abortsUploadsAfterDays'>;

/** What a person should know of a store with these specs, worst first. */
export function judgeSpecs(specs: StoreSpecs): { readonly fits: boolean; readonly said: string }[] {
  const said = (fits: boolean, text: string): { fits: boolean; said: string }[] => [{ fits, said: text }];
  return [
    ...(specs.conditionalPut
      ? []
      : said(false, 'two writers of one name can both succeed: it is refused (StoreNotConditional)')),
    ...(specs.uploads ? [] : said(false, 'it does not keep to the protocol of uploads in parts')),
    ...(specs.checksums ? [] : said(true, 'it does not check what arrives: only the read-back of each backup does')),
    ...(specs.deletes
      ? []
      : said(true, 'these credentials may not delete: backups work, expiry and `store gc` need others')),
    ...(specs.objectLock === 'off' || specs.objectLock === 'unknown' || specs.objectLock === 'enabled'
      ? []
      : said(true, `objects are locked (${specs.objectLock}): expiry frees no space before that`)),
    ...(specs.versioning === 'on' && specs.objectLock === 'off'
      ? said(true, 'old versions are kept: expiry frees no space until a lifecycle rule removes them')
      : []),
    ...(specs.abortsUploadsAfterDays === null
      ? said(true, 'no lifecycle rule takes back uploads that a dead worker left; Lifeboat does at the next backup')
      : []),
  ];
}

/** What changed since, one line each: `versioning: off → on`. */
export function compareSpecs(before: StoreSpecs, now: StoreSpecs): string[] {
  const keys = [
    'conditionalPut',
    'checksums',
    'deletes',
    'uploads',
    'versioning',
    'objectLock',
    'abortsUploadsAfterDays',
  ] as const;
  return keys
    .filter((key) => before[key] !== now[key])
    .map((key) => `${key}: ${String(before[key])} → ${String(now[key])}`);
}
