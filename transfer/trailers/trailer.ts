/** How the end of a format is recognised in its own bytes. */
export type TrailerRule =
  /** `pg_dump -Fc`: every data block that its table of contents names is there and complete. */
  | { readonly kind: 'pg-custom-toc' }
  /** The text stands in the last 512 bytes, `-- Dump completed`. */
  | { readonly kind: 'text'; readonly endsWith: string }
  /** Every member is complete and two zero blocks follow. */
  | { readonly kind: 'tar' }
  /** Redis magic, EOF opcode and a CRC-64 that fits. */
  | { readonly kind: 'rdb' }
  /** One whole JSON text, up to 64 MiB. */
  | { readonly kind: 'json' };

/**
 * What a format's own bytes say of their end: `whole`; `cut` contradicts a complete stream and always fails a capture;
 * `unknown` (a newer version of the format, a checksum that is switched off) fails only where the plan demands a trailer.
 */
export type TrailerVerdict = { readonly end: 'whole' } | { readonly end: 'cut' | 'unknown'; readonly reason: string };

/** Watches a stream of plaintext for its trailer; `update` never throws, whatever the bytes are. */
export type TrailerCheck = {
  update(chunk: Uint8Array): void;
  /** The verdict, after the last byte. */
  end(): TrailerVerdict;
};
