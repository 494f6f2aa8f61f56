import type { PackingRules, PlainSums, SegmentSums } from './stream-packer.ts';

/** What a packing thread is told; buffers are moved, not copied. `stream` is the number of a stream on this thread. */
export type ToThread =
  | { readonly kind: 'open'; readonly stream: number; readonly rules: PackingRules }
  | { readonly kind: 'data'; readonly stream: number; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: 'age'; readonly stream: number; readonly header: Uint8Array; readonly key: Uint8Array }
  /** A block that was written, to be filled again. */
  | { readonly kind: 'free'; readonly stream: number; readonly block: ArrayBuffer }
  | { readonly kind: 'end'; readonly stream: number }
  | { readonly kind: 'drop'; readonly stream: number };

/** What a packing thread answers. */
export type FromThread =
  /** So many bytes of plaintext were taken: there is room for as many. */
  | { readonly kind: 'taken'; readonly stream: number; readonly bytes: number }
  /** It needs the next age file. */
  | { readonly kind: 'age'; readonly stream: number }
  | { readonly kind: 'block'; readonly stream: number; readonly block: ArrayBuffer; readonly bytes: number }
  | { readonly kind: 'segment'; readonly stream: number; readonly sums: SegmentSums }
  | { readonly kind: 'end'; readonly stream: number; readonly sums: PlainSums }
  | { readonly kind: 'failed'; readonly stream: number; readonly message: string };
