import { failure, type LifeboatFailure } from '../model/failures.ts';
import type { EndProof } from '../model/recovery-point.ts';
import type { EndProofKind, EndReport } from './source.ts';
import type { TrailerVerdict } from './trailers/trailer.ts';

/** What a shell, or the runtime of containers, answers for a command that is not there or cannot be run. */
const commandMissing = new Set([126, 127]);

/** What is known of a stream after its last byte. */
export type StreamEnd = {
  readonly name: string;
  readonly report: EndReport;
  /** What arrived here. */
  readonly plainBytes: number;
  readonly plainSha256: string;
  readonly trailer: TrailerVerdict | undefined;
  readonly minimumProofs: readonly EndProofKind[];
};

/**
 * Decides whether a stream is whole. A contradiction (exit code, count, digest, trailer) always fails; a proof that is
 * missing fails where the plan demands it.
 * @throws DumpFailed, DumpEndedEarly, CaptureToolMissing, DiskFull
 */
export function proveEnd(of: StreamEnd): EndProof {
  const { name, report, plainBytes, plainSha256, trailer } = of;
  if (report.exitCode !== null && report.exitCode !== 0) throw exitFailure(name, report.exitCode, report.lastLine);
  const early = (reason: string): LifeboatFailure =>
    failure('DumpEndedEarly', { message: `capture ${name}: ${reason}` });
  if (report.countBytes !== undefined && report.countBytes !== plainBytes) {
    throw early(`the source counted ${String(report.countBytes)} bytes, ${String(plainBytes)} arrived`);
  }
  if (report.digestSha256 !== undefined && report.digestSha256 !== plainSha256) {
    throw early(`the ${String(plainBytes)} bytes that arrived are not the ones that the source hashed`);
  }
  if (trailer?.end === 'cut') throw early(`after ${String(plainBytes)} bytes ${trailer.reason}`);
  const proof: EndProof = {
    status: report.statusSeen && report.exitCode === 0,
    trailer: trailer === undefined ? report.trailerSeen : trailer.end === 'whole',
    count: report.countBytes !== undefined,
    digest: report.digestSha256 !== undefined,
  };
  const missing = of.minimumProofs.filter((kind) => !proof[kind]);
  if (missing.length === 0) return proof;
  const why = missing.includes('trailer') && trailer?.end === 'unknown' ? `, ${trailer.reason}` : '';
  throw early(`the stream ended after ${String(plainBytes)} bytes without its proof of ${missing.join(' and ')}${why}`);
}

function exitFailure(name: string, exitCode: number, lastLine: string | undefined): LifeboatFailure {
  const said = lastLine === undefined || lastLine === '' ? '' : `, ${lastLine}`;
  const message = `capture ${name}: exit ${String(exitCode)}${said}`;
  if (/no space left on device/i.test(said)) return failure('DiskFull', { message });
  if (commandMissing.has(exitCode) || /executable file not found/i.test(said))
    return failure('CaptureToolMissing', { message });
  return failure('DumpFailed', { message });
}
