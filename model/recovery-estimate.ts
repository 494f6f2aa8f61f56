/** What the time of a recovery depends on. */
export type RecoverySize = {
  /** The objective of the platform or the release: what it may take. */
  readonly rtoMs: number;
  readonly plainBytes: number;
  /** Whether live data is overwritten: a safety copy is taken then, and put back when a step fails. */
  readonly live: boolean;
};

/** A slow link to a pod, and a slow store. */
const bytesPerSecond = 10 * 1024 * 1024;
/** Read back, restored, compared; over live data captured, read back and put back too. */
const passes = { gone: 3, live: 6 } as const;
/** Charts, pods that start, logins. */
const restMs = 10 * 60_000;

/**
 * How long a recovery may take, on the safe side: its objective, or what its bytes take over a slow link where that is
 * more. It is a guess, for refusing what cannot work; no report shows it as a figure.
 */
export function estimateRecoveryMs({ rtoMs, plainBytes, live }: RecoverySize): number {
  const bytesMs = ((live ? passes.live : passes.gone) * plainBytes * 1_000) / bytesPerSecond;
  return Math.max(rtoMs, Math.ceil(bytesMs) + restMs);
}
