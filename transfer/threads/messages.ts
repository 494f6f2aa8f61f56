import type { AgeIdentity } from '../age-identity.ts';
import type { OpenedFrame, Problem, SegmentShape, Stored, Wanted } from '../opening/stream-opener.ts';
import type { PackingRules, PlainSums, SegmentSums } from '../packing/stream-packer.ts';

/*
 * What a stream thread is told and what it answers. Buffers are moved, not copied. `stream` is the number of a stream on its
 * thread, which is either packed or opened.
 */

export type ToPackedStream =
  | { readonly kind: 'data'; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: 'age'; readonly header: Uint8Array; readonly key: Uint8Array }
  /** A block that was written, to be filled again. */
  | { readonly kind: 'free'; readonly block: ArrayBuffer }
  | { readonly kind: 'end' };

export type FromPackedStream =
  /** So many bytes of plaintext were taken: there is room for as many. */
  | { readonly kind: 'taken'; readonly bytes: number }
  /** It needs the next age file. */
  | { readonly kind: 'age' }
  | { readonly kind: 'block'; readonly block: ArrayBuffer; readonly bytes: number }
  | { readonly kind: 'segment'; readonly sums: SegmentSums }
  | { readonly kind: 'end'; readonly sums: PlainSums };

export type ToOpenedStream =
  | { readonly kind: 'segment'; readonly segment: SegmentShape; readonly identity: AgeIdentity }
  /** Stored bytes of the segment, in a block that comes back. */
  | { readonly kind: 'block'; readonly block: ArrayBuffer; readonly bytes: number }
  | { readonly kind: 'segment end' }
  /** A frame was used: there is room for another one. */
  | { readonly kind: 'used' }
  | { readonly kind: 'end' };

export type FromOpenedStream =
  | { readonly kind: 'free'; readonly block: ArrayBuffer }
  | { readonly kind: 'frame'; readonly frame: OpenedFrame<Uint8Array> }
  /** All stored bytes of the segment were seen; its last frames follow, and what became of it. */
  | { readonly kind: 'stored'; readonly stored: Stored }
  | { readonly kind: 'opened'; readonly problem: Problem | undefined }
  | { readonly kind: 'end'; readonly sums: PlainSums };

/** How a stream on a thread answers. */
export type Line<Message> = {
  readonly say: (message: Message, moved?: ArrayBuffer[]) => void;
  readonly fail: (error: unknown) => void;
};

/** What begins a stream on a thread. */
export type Begin =
  | { readonly kind: 'pack'; readonly rules: PackingRules }
  | { readonly kind: 'open'; readonly wanted: Wanted };

export type ToThread =
  | { readonly kind: 'begin'; readonly stream: number; readonly begin: Begin }
  | { readonly kind: 'tell'; readonly stream: number; readonly message: ToPackedStream | ToOpenedStream }
  | { readonly kind: 'drop'; readonly stream: number };

export type FromThread =
  | { readonly kind: 'says'; readonly stream: number; readonly message: FromPackedStream | FromOpenedStream }
  | { readonly kind: 'failed'; readonly stream: number; readonly message: string };
