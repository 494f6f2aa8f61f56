import { describe, expect, it } from 'vitest';
import { durationMs } from '../../model/duration.ts';
import { covers, longestGapMs, PlatformSchedule, scheduleProblems } from '../../model/schedules.ts';

const from = new Date('2026-01-01T00:00:00Z');
const schedule = (of: Partial<PlatformSchedule> = {}): PlatformSchedule =>
  PlatformSchedule.parse({ name: 'nightly', run: 'backup', cron: '0 2 * * *', ...of });
const release = (name: string, rpo: string, tier = 1) => ({ release: name, tier, rpo });

describe('PlatformSchedule', () => {
  it.each([
    ['0 2 * *', /five fields/],
    ['0 25 * * *', /Constraint error|range/],
    ['@daily', /five fields/],
    ['0 2 13 * 5', /a day of the month or a day of the week/],
  ])('refuses the cron line %s', (cron, message) => {
    expect(() => schedule({ cron })).toThrow(message);
  });

  it('refuses a time zone that there is not', () => {
    expect(() => schedule({ timezone: 'Europe/Atlantis' })).toThrow(/IANA/);
  });
});

describe('longestGapMs', () => {
  it.each([
    [['0 2 * * *'], '24h'],
    [['0 */6 * * *'], '6h'],
    [['0 2,3 * * *'], '23h'],
    [['0 2 * * 1-5'], '72h'],
    [['0 2 * * *', '0 14 * * *'], '12h'],
    [['0 0 1 * *'], '31d'],
  ])('of %j is %s', (crons, gap) => {
    expect(
      longestGapMs(
        crons.map((cron) => schedule({ cron })),
        from,
      ),
    ).toBe(durationMs(gap));
  });

  it('does not count the hour that a day has more when the clocks are put back', () => {
    expect(longestGapMs([schedule({ timezone: 'Europe/Paris' })], from)).toBe(durationMs('24h'));
  });

  it('looks at the starts of several time zones where they are', () => {
    const both = [schedule({ timezone: 'UTC' }), schedule({ timezone: 'Asia/Tokyo' })];
    expect(longestGapMs(both, from)).toBe(durationMs('15h'));
  });
});

describe('covers', () => {
  it('tells a backup of the tier or of the release from the others', () => {
    const of = { release: 'a/b', tier: 2 };
    expect(covers(schedule(), of)).toBe(true);
    expect(covers(schedule({ tier: 2 }), of)).toBe(true);
    expect(covers(schedule({ tier: 1 }), of)).toBe(false);
    expect(covers(schedule({ releases: ['a/c'] }), of)).toBe(false);
    expect(covers(schedule({ run: 'verify' }), of)).toBe(false);
  });
});

describe('scheduleProblems', () => {
  it('names the objective that a schedule cannot meet', () => {
    expect(scheduleProblems([schedule()], [release('a/b', '6h'), release('a/c', '24h')], from)).toEqual([
      'a/b: up to 1d between two backups by nightly, its RPO objective is 6h',
    ]);
  });

  it('finds nothing where another schedule comes in between', () => {
    const often = schedule({ name: 'often', cron: '30 */6 * * *', releases: ['a/b'] });
    expect(scheduleProblems([schedule(), often], [release('a/b', '6h'), release('a/c', '24h')], from)).toEqual([]);
  });

  it('names a release that no backup covers, but only where there are backups at all', () => {
    expect(scheduleProblems([schedule({ tier: 1 })], [release('a/b', '24h', 2)], from)).toEqual([
      'a/b is in no backup schedule',
    ]);
    expect(scheduleProblems([schedule({ run: 'verify' })], [release('a/b', '1h')], from)).toEqual([]);
  });

  it('names what is there twice, unknown or out of place', () => {
    const wrong = [
      schedule({ releases: ['x/y'] }),
      schedule({ run: 'verify', tier: 1 }),
      schedule({ name: 'other', sample: '5%' }),
    ];
    expect(scheduleProblems(wrong, [release('a/b', '24h')], from)).toEqual([
      'schedule nightly: x/y is not in releases',
      'schedule nightly: the name is there twice',
      'schedule nightly: tier and releases are for backups and drills',
      'schedule other: sample is for verifications',
    ]);
    expect(scheduleProblems([schedule({ run: 'verify', sample: '5%' })], [release('a/b', '24h')], from)).toEqual([]);
  });

  it('takes a tier or releases for a drill, and the acceptance of its network for nothing else', () => {
    const drill = schedule({ run: 'drill', name: 'drill', tier: 1, acceptNotIsolated: 'east' });
    expect(scheduleProblems([drill], [release('a/b', '1h')], from)).toEqual([]);
    const wrong = [
      schedule({ run: 'drill', name: 'both', tier: 1, releases: ['a/b'] }),
      schedule({ acceptNotIsolated: 'east' }),
      schedule({ run: 'drill', name: 'either', tier: 1, longestNotDrilled: true }),
      schedule({ run: 'verify', name: 'check', longestNotDrilled: true }),
    ];
    expect(scheduleProblems(wrong, [release('a/b', '24h')], from)).toEqual([
      'schedule both: a drill takes one of tier, releases and longestNotDrilled',
      'schedule nightly: acceptNotIsolated is for drills',
      'schedule either: a drill takes one of tier, releases and longestNotDrilled',
      'schedule check: longestNotDrilled is for drills',
    ]);
  });
});
