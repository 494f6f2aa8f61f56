import { z } from 'zod';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration as people write it: `"90s"`, `"15m"`, `"24h"`, `"7d"`. Parsed to milliseconds by `durationMs`. */
export const Duration = z
  .string()
  .regex(/^[1-9][0-9]*(ms|s|m|h|d)$/, 'a duration is a whole number and a unit: 90s, 15m, 24h, 7d');
export type Duration = z.infer<typeof Duration>;

/** Milliseconds of a valid duration. */
export function durationMs(duration: Duration): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(duration);
  if (match?.[1] === undefined) throw new Error(`not a duration: ${duration}`);
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}

/** Milliseconds as a person reads them: `412 ms`, `9 s`, `1m 32s`, `3h 5m`, `2d 4h`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${String(Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${String(minutes)}m` : `${String(minutes)}m ${String(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${String(hours)}h` : `${String(hours)}h ${String(minutes % 60)}m`;
  return hours % 24 === 0
    ? `${String(Math.floor(hours / 24))}d`
    : `${String(Math.floor(hours / 24))}d ${String(hours % 24)}h`;
}

/** Bytes as a person reads them, in IEC units: `512 B`, `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? String(Math.round(value)) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
