import { pipeline, type Readable, Transform } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';

const unpackedChunkBytes = 1024 * 1024;
const headerLimit = 256;

/** The bytes of a command in a pod, as they were before they were packed for their way. */
export type PodStream = {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What the packed bytes were not: set where they ended early or were damaged on their way. */
  readonly problem: () => string | undefined;
  /** Lets the stream come to its end where nobody reads it to there. */
  readonly drop: () => void;
  /** Takes nothing more of the stream, whoever reads it: a reader who waits for its beginning would keep it from flowing. */
  readonly discard: () => void;
};

/**
 * Takes the header off a stream from a pod, `<nonce> zstd` or `<nonce> plain` and a line feed, and unpacks what follows, up to
 * its last line, `<nonce> end`. A stream without a header has no bytes. One that breaks ends, and its proof decides: what was
 * hashed in the pod is not what came.
 * @param onWhole - called when the last line is here
 */
export function openPodStream(stdout: Readable, nonce: string, onWhole: () => void): PodStream {
  let problem: string | undefined;
  // What a process wrote before anybody reads is thrown away, unless somebody waits for it.
  const waiting = (): void => undefined;
  stdout.on('readable', waiting);
  return {
    problem: () => problem,
    drop: () => {
      stdout.off('readable', waiting).resume();
    },
    discard: () => {
      stdout.destroy();
    },
    bytes: (async function* () {
      const { encoding, rest } = await readHeader(stdout, nonce);
      stdout.off('readable', waiting);
      if (encoding === undefined) {
        problem = 'no byte of the command arrived';
        return;
      }
      if (rest.byteLength > 0) stdout.unshift(rest);
      const packed = withoutLastLine(Buffer.from(`\n${nonce} end\n`), onWhole);
      const bytes = encoding === 'plain' ? packed : createZstdDecompress({ chunkSize: unpackedChunkBytes });
      pipeline(bytes === packed ? [stdout, packed] : [stdout, packed, bytes], (error) => {
        if (error instanceof Error) problem = error.message;
      });
      try {
        yield* bytes as AsyncIterable<Uint8Array>;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    })(),
  };
}

async function readHeader(
  stdout: Readable,
  nonce: string,
): Promise<{ encoding: 'zstd' | 'plain' | undefined; rest: Buffer }> {
  let seen: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await nextChunk(stdout);
    if (chunk === undefined) return { encoding: undefined, rest: seen };
    seen = Buffer.concat([seen, chunk]);
    const end = seen.indexOf('\n');
    if (end === -1 && seen.byteLength < headerLimit) continue;
    const [said, encoding] = seen.toString('latin1', 0, Math.max(0, end)).split(' ');
    const isKnown = said === nonce && (encoding === 'zstd' || encoding === 'plain');
    return { encoding: isKnown ? encoding : undefined, rest: seen.subarray(end + 1) };
  }
}

/** The next chunk; undefined at the end. The stream stays usable, as it does not after a loop that was left. */
async function nextChunk(stdout: Readable): Promise<Buffer | undefined> {
  for (;;) {
    const chunk = stdout.read() as Buffer | null;
    if (chunk !== null) return chunk;
    if (stdout.readableEnded || stdout.destroyed) return undefined;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        for (const event of ['readable', 'end', 'close', 'error']) stdout.off(event, done);
        resolve();
      };
      for (const event of ['readable', 'end', 'close', 'error']) stdout.on(event, done);
    });
  }
}

/** Passes everything on but the last line, which it holds back as far as it is here. */
function withoutLastLine(line: Buffer, onWhole: () => void): Transform {
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const bytes = held.byteLength === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = bytes.byteLength - beginningAtEnd(bytes, line);
      held = bytes.subarray(end);
      if (held.byteLength === line.byteLength) onWhole();
      done(null, bytes.subarray(0, end));
    },
    flush(done) {
      done(null, held.byteLength === line.byteLength ? undefined : held);
    },
  });
}

/** How many of the last bytes a line could begin with. */
function beginningAtEnd(bytes: Buffer, line: Buffer): number {
  const first = line.readUInt8(0);
  let at = bytes.indexOf(first, Math.max(0, bytes.byteLength - line.byteLength));
  while (at !== -1 && !bytes.subarray(at).equals(line.subarray(0, bytes.byteLength - at)))
    at = bytes.indexOf(first, at + 1);
  return at === -1 ? 0 : bytes.byteLength - at;
}
