import { createHash } from 'node:crypto';
import type {
  CaptureContext,
  Captured,
  Method,
  MethodContext,
  RestoreContext,
} from '../../activities/methods/method.ts';
import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import { trailerCheck } from '../../transfer/trailers/trailer-check.ts';

/** A point in memory: what a method stored, held to the same proofs as a real one. */
export type MemoryPoint = {
  readonly streams: ReadonlyMap<string, Buffer>;
  readonly restoreCommands: ReadonlyMap<string, string>;
  readonly captured: Captured;
};

/** Captures a component into memory. @throws what a real store's writer throws for a stream without its proofs */
export async function captureInMemory<Options>(
  method: Method<Options>,
  context: MethodContext<Options>,
): Promise<MemoryPoint> {
  const streams = new Map<string, Buffer>();
  const restoreCommands = new Map<string, string>();
  const keep = (name: string, bytes: Buffer, restoreCommand: string): Artifact => {
    if (streams.has(name)) throw new Error(`stream ${name} is written twice`);
    streams.set(name, bytes);
    restoreCommands.set(name, restoreCommand);
    return {
      name,
      plainBytes: bytes.byteLength,
      plainSha256: sha256(bytes),
      storedBytes: 0,
      segments: [],
      endProof: { status: true, trailer: true, count: true, digest: true },
      restoreCommand,
    };
  };
  const capture: CaptureContext<Options> = {
    ...context,
    write: async (name, source, rules) => {
      const chunks: Buffer[] = [];
      const trailer = rules.trailer === undefined ? undefined : trailerCheck(rules.trailer);
      try {
        for await (const chunk of source.bytes) {
          chunks.push(Buffer.from(chunk));
          trailer?.update(chunk);
          rules.tap?.(chunk);
        }
      } catch (error) {
        source.cancel();
        await source.end().catch(() => undefined);
        throw error;
      }
      const bytes = Buffer.concat(chunks);
      const report = await source.end();
      const said = `exit ${String(report.exitCode)}, ${report.lastLine ?? ''}`;
      if (report.exitCode === 127) throw failure('CaptureToolMissing', { message: `write ${name}: ${said}` });
      if (report.exitCode !== 0) throw failure('DumpFailed', { message: `write ${name}: ${said}` });
      const verdict = trailer?.end();
      if (!report.statusSeen || verdict?.end === 'cut')
        throw failure('DumpEndedEarly', {
          message: `write ${name}: ${verdict?.end === 'cut' ? verdict.reason : 'no status'}`,
        });
      if (report.digestSha256 !== undefined && report.digestSha256 !== sha256(bytes))
        throw failure('DumpEndedEarly', { message: `write ${name}: the digest does not fit` });
      return keep(name, bytes, rules.restoreCommand);
    },
    writeBytes: (name, bytes, restoreCommand) => Promise.resolve(keep(name, Buffer.from(bytes), restoreCommand)),
    readBack: (artifact) => pieces(streams.get(artifact.name) ?? Buffer.alloc(0)),
  };
  return { captured: await method.capture(capture), streams, restoreCommands };
}

/** What a restore is given. With `damaged`, that stream ends as a real damaged artifact does: bytes first, then the failure. */
export function restoreContextOf<Options>(
  context: MethodContext<Options>,
  point: MemoryPoint,
  of: { damaged?: string; facts?: Facts } = {},
): RestoreContext<Options> {
  const find = (name: string): Buffer => {
    const bytes = point.streams.get(name);
    if (bytes === undefined) throw failure('ObjectNotFound', { message: `read ${name}: not stored` });
    return bytes;
  };
  return {
    ...context,
    capturedIn: context.bound.release.namespace,
    streams: [...point.streams.keys()],
    read: (name) => {
      const bytes = find(name);
      return { bytes: pieces(bytes, of.damaged === name), sha256: sha256(bytes), sizeBytes: bytes.byteLength };
    },
    readText: async (name) => {
      const chunks: Buffer[] = [];
      for await (const chunk of pieces(find(name), of.damaged === name)) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString('utf8');
    },
    capturedFacts: of.facts ?? point.captured.facts,
  };
}

async function* pieces(bytes: Buffer, isDamaged = false): AsyncGenerator<Uint8Array> {
  const size = 64 * 1024;
  const end = isDamaged ? Math.floor(bytes.byteLength * 0.7) : bytes.byteLength;
  for (let offset = 0; offset < end; offset += size)
    // each chunk belongs to who reads it
    yield await Promise.resolve(new Uint8Array(bytes.subarray(offset, Math.min(offset + size, end))));
  if (isDamaged)
    throw failure('ArtifactDigestMismatch', {
      message: 'read stream: the stored bytes are not the ones that were written',
    });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
