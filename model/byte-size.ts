import { z } from 'zod';

const unitBytes = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** A size as people write it: `"512MiB"`, `"10GiB"`. Parsed to bytes by `sizeBytes`. */
export const ByteSize = z
  .string()
  .regex(/^[1-9][0-9]*(KiB|MiB|GiB|TiB)$/, 'a size is a whole number and a unit: 512MiB, 10GiB');
export type ByteSize = z.infer<typeof ByteSize>;

/** Bytes of a valid size. */
export function sizeBytes(size: ByteSize): number {
  const match = /^([1-9][0-9]*)(KiB|MiB|GiB|TiB)$/.exec(size);
  if (match?.[1] === undefined) throw new Error(`not a size: ${size}`);
  return Number(match[1]) * unitBytes[match[2] as keyof typeof unitBytes];
}
