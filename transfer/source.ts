import { createHash } from 'node:crypto';

/** The kinds of proof that a stream can give of its end; a plan's method states the minimum. */
export type EndProofKind = 'status' | 'trailer' | 'count' | 'digest';

/** What a source says after its last byte. A clean end of the bytes alone proves nothing. */
export type EndReport = {
  /** Exit code of the command that made the bytes; null where no status arrived. */
  readonly exitCode: number | null;
  readonly statusSeen: boolean;
  readonly trailerSeen: boolean;
  /** SHA-256 of the plaintext, taken beside the command. */
  readonly digestSha256?: string;
  /** Bytes that the source counted. */
  readonly countBytes?: number;
  /** The tool's own last line, for the message of a failure. */
  readonly lastLine?: string;
};

/** Bytes and, after the last one, the report of their end. */
export type ByteSource = {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Nobody else uses a chunk once it was read, as with the output of a process: it may be moved to another thread. */
  readonly disposable?: boolean;
  /** Ends the source early; `end` still resolves. */
  cancel(): void;
  /** Resolves once the source has ended; called after the last byte was read. */
  end(): Promise<EndReport>;
};

/** Bytes that are in memory already: their end needs no proof but their own count and digest. */
export function memorySource(bytes: Uint8Array, sha256 = createHash('sha256').update(bytes).digest('hex')): ByteSource {
  return {
    bytes: (async function* () {
      if (bytes.byteLength > 0) yield await Promise.resolve(bytes);
    })(),
    cancel: () => undefined,
    end: () =>
      Promise.resolve({
        exitCode: 0,
        statusSeen: true,
        trailerSeen: false,
        digestSha256: sha256,
        countBytes: bytes.byteLength,
      }),
  };
}
