import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { runInPod, streamToPod } from './pod-exec.ts';

/** A stored stream, as a restore reads it: one of the two is read, once. The chunks belong to who reads. */
export type StoredStream = {
  /** Verified plaintext. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** The zstd frames of it, each given once its plaintext was verified. */
  readonly packed?: AsyncIterable<Uint8Array>;
  /** Of the plaintext. */
  readonly sha256: string;
};

const canUnpack = 'for tool in zstd tee sha256sum; do command -v $tool >/dev/null || exit 1; done';

/**
 * Feeds a stored stream to a command in a container, as `streamToPod` does: packed, as it is stored, where the container can
 * unpack it, for less than half of it crosses the API server then. @throws as `streamToPod`
 */
export async function storedToPod(
  access: ClusterAccess,
  at: PodAddress,
  command: readonly string[],
  { bytes, packed, sha256 }: StoredStream,
  signal?: AbortSignal,
): Promise<{ stdout: string; stderr: string }> {
  const isPacked =
    packed !== undefined && (await runInPod(access, at, ['sh', '-c', canUnpack], { signal })).exitCode === 0;
  return isPacked
    ? await streamToPod(access, at, command, packed, { sha256, packed: true, disposable: true }, signal)
    : await streamToPod(access, at, command, bytes, { sha256, disposable: true }, signal);
}
