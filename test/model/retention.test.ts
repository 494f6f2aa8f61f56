import { describe, expect, it } from 'vitest';
import { type JudgedPoint, judgeRetention, Keep, keepOf, Retention } from '../../model/retention.ts';

const now = new Date('2026-11-28T12:00:00Z');

/** Points of these instants, oldest first, usable and whole unless `more` says otherwise. */
function points(...given: (string | [string, Partial<JudgedPoint>])[]): JudgedPoint[] {
  return given.map((each, index) => {
    const [capturedAt, more] = typeof each === 'string' ? [each, {}] : each;
    return {
      id: capturedAt,
      sequence: index + 1,
      capturedAt,
      usable: true,
      restored: false,
      lacks: 0,
      heldBy: null,
      ...more,
    };
  });
}

/** What keeps each point, by id; those that expire are left out. */
function kept(judged: readonly JudgedPoint[], keep: Partial<Keep>, others = '1m'): Record<string, readonly string[]> {
  const rules = Keep.parse({ all: '1m', last: 1, ...keep });
  const verdicts = judgeRetention(judged, { keep: rules, others, now });
  return Object.fromEntries(verdicts.filter((each) => each.keep.length > 0).map((each) => [each.id, each.keep]));
}

describe('judgeRetention', () => {
  it('keeps the newest usable point of each of the last days that have one, and expires the others', () => {
    const judged = points(
      '2026-11-20T02:00:00Z',
      '2026-11-24T02:00:00Z',
      '2026-11-24T14:00:00Z',
      '2026-11-27T02:00:00Z',
      '2026-11-27T14:00:00Z',
    );
    expect(kept(judged, { daily: 2 })).toEqual({
      '2026-11-24T14:00:00Z': ['daily 2026-11-24'],
      '2026-11-27T14:00:00Z': ['newest usable', 'last 1', 'daily 2026-11-27'],
    });
  });

  it('begins a week on Monday, in UTC', () => {
    const judged = points('2026-11-22T23:59:59Z', '2026-11-23T00:00:00Z', '2026-11-27T01:00:00+02:00');
    expect(kept(judged, { weekly: 2 })).toMatchObject({
      '2026-11-22T23:59:59Z': ['weekly week of 2026-11-16'],
      '2026-11-27T01:00:00+02:00': ['newest usable', 'last 1', 'weekly week of 2026-11-23'],
    });
    expect(Object.keys(kept(judged, { weekly: 2 }))).toHaveLength(2);
  });

  it('keeps hours, months and years', () => {
    const judged = points(
      '2024-05-05T05:05:00Z',
      '2025-06-01T00:00:00Z',
      '2026-11-27T01:10:00Z',
      '2026-11-27T02:10:00Z',
    );
    expect(Object.keys(kept(judged, { hourly: 2 }))).toHaveLength(2);
    expect(Object.keys(kept(judged, { monthly: 2 }))).toEqual(['2025-06-01T00:00:00Z', '2026-11-27T02:10:00Z']);
    expect(Object.keys(kept(judged, { yearly: 3 }))).toHaveLength(3);
  });

  it('keeps everything that is young', () => {
    const judged = points('2026-11-26T11:59:00Z', '2026-11-26T12:01:00Z', '2026-11-28T11:00:00Z');
    expect(Object.keys(kept(judged, { all: '2d' }))).toEqual(['2026-11-26T12:01:00Z', '2026-11-28T11:00:00Z']);
  });

  it('keeps the newest usable point, however old, and what is newer than it', () => {
    const damaged = { usable: false };
    const judged = points(
      '2020-01-01T00:00:00Z',
      '2020-01-02T00:00:00Z',
      ['2020-01-03T00:00:00Z', damaged],
      ['2020-01-04T00:00:00Z', damaged],
    );
    expect(kept(judged, {})).toEqual({
      '2020-01-02T00:00:00Z': ['newest usable', 'last 1'],
      '2020-01-03T00:00:00Z': ['newer than the newest usable one'],
      '2020-01-04T00:00:00Z': ['newer than the newest usable one'],
    });
  });

  it('expires nothing of a release of which no point is usable', () => {
    const judged = points(['2020-01-01T00:00:00Z', { usable: false }], ['2020-01-02T00:00:00Z', { usable: false }]);
    expect(Object.values(kept(judged, {}))).toEqual([
      ['no point of its release is usable'],
      ['no point of its release is usable'],
    ]);
  });

  it('lets a point that is not usable fill no place, and keeps it for a while', () => {
    const suspect = { usable: false };
    const judged = points('2026-11-20T01:00:00Z', ['2026-11-20T02:00:00Z', suspect], '2026-11-28T11:00:00Z');
    expect(kept(judged, { daily: 2 }, '1h')).not.toHaveProperty('2026-11-20T02:00:00Z');
    expect(kept(judged, { daily: 2 }, '1h')).toHaveProperty('2026-11-20T01:00:00Z');
    expect(kept(judged, {}, '30d')).toMatchObject({ '2026-11-20T02:00:00Z': ['not usable, younger than 30d'] });
  });

  it('keeps beside one that lacks something the newest of its day that lacks nothing', () => {
    const judged = points(
      '2026-11-20T01:00:00Z',
      '2026-11-20T02:00:00Z',
      ['2026-11-20T03:00:00Z', { lacks: 1 }],
      '2026-11-28T11:00:00Z',
    );
    expect(Object.keys(kept(judged, { daily: 2 }))).toEqual([
      '2026-11-20T02:00:00Z',
      '2026-11-20T03:00:00Z',
      '2026-11-28T11:00:00Z',
    ]);
  });

  it('keeps what is held, and the newest that was restored', () => {
    const judged = points(
      ['2026-10-01T00:00:00Z', { heldBy: 'somebody' }],
      ['2026-10-02T00:00:00Z', { restored: true }],
      ['2026-10-03T00:00:00Z', { restored: true }],
      '2026-11-28T11:00:00Z',
    );
    expect(kept(judged, {})).toMatchObject({
      '2026-10-01T00:00:00Z': ['held by somebody'],
      '2026-10-03T00:00:00Z': ['newest that was restored'],
    });
    expect(kept(judged, {})).not.toHaveProperty('2026-10-02T00:00:00Z');
  });

  it('goes by the order of the commits for the newest ones: a clock that was put back hides none', () => {
    const judged = points('2026-11-27T00:00:00Z', '2026-11-28T00:00:00Z', '2026-01-01T00:00:00Z');
    expect(Object.keys(kept(judged, { last: 2 }))).toEqual(['2026-11-28T00:00:00Z', '2026-01-01T00:00:00Z']);
  });
});

describe('keepOf', () => {
  it('takes the lines of a tier, else those of the platform', () => {
    const retention = Retention.parse({ daily: 7, tiers: { '1': { daily: 30 } } });
    expect(keepOf(retention, 1)).toMatchObject({ daily: 30, last: 3, all: '2d' });
    expect(keepOf(retention, 2)).toMatchObject({ daily: 7 });
    expect(keepOf(retention, 2)).not.toHaveProperty('grace');
  });

  it('is refused with a line that nobody knows, and without any last point', () => {
    expect(Retention.safeParse({ dayly: 7 }).success).toBe(false);
    expect(Retention.safeParse({ last: 0 }).success).toBe(false);
    expect(Retention.safeParse({ tiers: { '5': {} } }).success).toBe(false);
  });
});
