import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Duration, durationMs, formatBytes, formatDuration } from '../../model/duration.ts';

describe('Duration', () => {
  it.each(['90s', '15m', '24h', '7d', '250ms'])('takes %s', (text) => {
    expect(Duration.parse(text)).toBe(text);
  });

  it.each(['0s', '90', 's', '1.5h', '-1s', '1h30m', ' 1s', '1 s', '1w', '01s', ''])('refuses "%s"', (text) => {
    expect(Duration.safeParse(text).success).toBe(false);
  });
});

describe('durationMs', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('reads %s as %d', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it('throws on what is no duration', () => {
    expect(() => durationMs('soon')).toThrow('not a duration: soon');
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [412, '412 ms'],
    [999.6, '1 s'],
    [9_400, '9 s'],
    [59_499, '59 s'],
    [59_600, '1m'],
    [92_000, '1m 32s'],
    [3_600_000, '1h'],
    [11_100_000, '3h 5m'],
    [86_400_000, '1d'],
    [187_200_000, '2d 4h'],
  ])('shows %d as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('never shows a part that is as large as the next unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 86_400_000 }), (ms) => {
        const [, minutes, seconds] = /^(?:(\d+)m)?(?: ?(\d+) ?s)?$/.exec(formatDuration(ms)) ?? [];
        expect(Number(minutes ?? 0)).toBeLessThan(60);
        expect(Number(seconds ?? 0)).toBeLessThan(60);
        expect(formatDuration(ms)).not.toMatch(/^1000 ms|24h$| 60/);
      }),
    );
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1024, '1.0 KiB'],
    [1_503_238_554, '1.4 GiB'],
    [200 * 1024 ** 2, '200 MiB'],
    [1024 ** 2 - 1, '1.0 MiB'],
    [1024 ** 3 - 1, '1.0 GiB'],
    [5 * 1024 ** 5, '5120 TiB'],
  ])('shows %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
