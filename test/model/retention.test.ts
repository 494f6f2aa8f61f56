import { describe, expect, it } from 'vitest';
import {
  Hold,
  isHeld,
  type JudgedPoint,
  judgeRetention,
  Keep,
  keepOf,
  Retention,
  Tombstone,
} from '../../model/retention.ts';

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
    const reasons = (keep: Partial<Keep>): string[] =>
      Object.values(kept(judged, keep)).map((each) => each.at(-1) ?? '');
    expect(reasons({ hourly: 2 })).toEqual(['hourly 2026-11-27T01', 'hourly 2026-11-27T02']);
    expect(reasons({ monthly: 2 })).toEqual(['monthly 2025-06', 'monthly 2026-11']);
    expect(reasons({ yearly: 3 })).toEqual(['yearly 2024', 'yearly 2025', 'yearly 2026']);
  });

  it('keeps everything that is young', () => {
    const judged = points('2026-11-26T11:59:00Z', '2026-11-26T12:01:00Z', '2026-11-28T11:00:00Z');
    expect(kept(judged, { all: '2d' })).toEqual({
      '2026-11-26T12:01:00Z': ['younger than 2d'],
      '2026-11-28T11:00:00Z': ['younger than 2d', 'newest usable', 'last 1'],
    });
  });

  it('takes a point of exactly that age for young no more', () => {
    const judged = points(
      '2026-11-26T12:00:00Z',
      ['2026-11-26T12:00:00.001Z', { usable: false }],
      '2026-11-28T11:00:00Z',
    );
    expect(Object.keys(kept(judged, { all: '2d' }, '1m'))).toEqual([
      '2026-11-26T12:00:00.001Z',
      '2026-11-28T11:00:00Z',
    ]);
    const other = points(['2026-11-26T12:00:00Z', { usable: false }], '2026-11-28T11:00:00Z');
    expect(kept(other, {}, '2d')).not.toHaveProperty('2026-11-26T12:00:00Z');
  });

  it('goes by the clock within a day, also where the clock was put back', () => {
    const judged = points(
      '2026-11-27T10:00:00Z',
      '2026-11-28T10:00:00Z',
      ['2026-11-28T01:00:00Z', { restored: true }],
      '2026-11-01T01:00:00Z',
    );
    const reasons = kept(judged, { daily: 2 });
    expect(reasons['2026-11-28T10:00:00Z']).toEqual(['daily 2026-11-28']);
    expect(reasons['2026-11-28T01:00:00Z']).toEqual(['newest that was restored']);
    expect(reasons['2026-11-01T01:00:00Z']).toEqual(['newest usable', 'last 1']);
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

  it('keeps the newest that lacks nothing, however many come after it that lack something', () => {
    const lacks = { lacks: 1 };
    const judged = points(
      '2026-10-01T00:00:00Z',
      '2026-10-02T00:00:00Z',
      ['2026-11-27T00:00:00Z', lacks],
      ['2026-11-28T11:00:00Z', lacks],
    );
    expect(kept(judged, { last: 2 })).toEqual({
      '2026-10-02T00:00:00Z': ['newest that lacks nothing'],
      '2026-11-27T00:00:00Z': ['last 2'],
      '2026-11-28T11:00:00Z': expect.arrayContaining(['newest usable', 'last 2']) as string[],
    });
  });

  it('keeps one point of a day of which none is whole', () => {
    const lacks = { lacks: 1 };
    const judged = points(['2026-11-20T01:00:00Z', lacks], ['2026-11-20T02:00:00Z', lacks], '2026-11-28T11:00:00Z');
    expect(kept(judged, { daily: 2 })).toEqual({
      '2026-11-20T02:00:00Z': ['daily 2026-11-20'],
      '2026-11-28T11:00:00Z': ['newest usable', 'last 1', 'daily 2026-11-28'],
    });
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

describe('Retention', () => {
  it('keeps two days, three points, and what is not usable for two weeks, where nothing is said', () => {
    const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    expect(Retention.parse({})).toEqual({ all: '2d', last: 3, ...none, others: '14d', grace: '1d', tiers: {} });
    expect(Retention.parse({ tiers: { '4': {} } }).tiers).toEqual({ '4': { all: '2d', last: 3, ...none } });
  });

  it.each(['hourly', 'daily', 'weekly', 'monthly', 'yearly'])('takes a whole number of %s points', (line) => {
    expect(Retention.safeParse({ [line]: 1 }).success).toBe(true);
    for (const wrong of [-1, 1.5]) expect(Retention.safeParse({ [line]: wrong }).success).toBe(false);
  });

  it('knows four tiers', () => {
    for (const tier of ['1', '2', '3', '4']) expect(Retention.safeParse({ tiers: { [tier]: {} } }).success).toBe(true);
    expect(Retention.safeParse({ tiers: { '': {} } }).success).toBe(false);
    expect(Retention.safeParse({ tiers: { '1': { others: '1d' } } }).success).toBe(false);
  });
});

describe('isHeld', () => {
  it('counts a hold until its instant, and one without an end for ever', () => {
    expect(isHeld({ until: null }, now)).toBe(true);
    expect(isHeld({ until: '2026-11-28T12:00:00.001Z' }, now)).toBe(true);
    expect(isHeld({ until: '2026-11-28T12:00:00Z' }, now)).toBe(false);
  });
});

describe.each([
  [
    'Hold',
    Hold,
    { kind: 'Hold', point: 'p', by: 'somebody', run: null, reason: '', at: '2026-11-28T12:00:00Z', until: null },
  ],
  [
    'Tombstone',
    Tombstone,
    {
      kind: 'Tombstone',
      stage: 'removing',
      at: '2026-11-28T12:00:00Z',
      run: { workflowId: 'w', runId: 'r' },
      points: [{ id: 'p', manifest: { sequence: 1, sha256: 'a' } }],
    },
  ],
] as const)('%s', (_, schema, fields) => {
  const document = { apiVersion: 'lifeboat/v1', release: { cluster: 'c', namespace: 'n', name: 'r' }, ...fields };

  it('is taken whole, and with nothing that is missing, foreign or of another version', () => {
    expect(schema.safeParse(document)).toEqual({ success: true, data: document });
    for (const field of Object.keys(document))
      expect(schema.safeParse({ ...document, [field]: undefined }).success, field).toBe(false);
    expect(schema.safeParse({ ...document, extra: 1 }).success).toBe(false);
    expect(schema.safeParse({ ...document, apiVersion: 'lifeboat/v2' }).success).toBe(false);
    expect(schema.safeParse({ ...document, at: 'yesterday' }).success).toBe(false);
  });
});

describe('Tombstone', () => {
  const tombstone = (stage: string, points: unknown[]): boolean =>
    Tombstone.safeParse({
      apiVersion: 'lifeboat/v1',
      kind: 'Tombstone',
      stage,
      release: { cluster: 'c', namespace: 'n', name: 'r' },
      at: '2026-11-28T14:00:00+02:00',
      run: { workflowId: 'w', runId: 'r' },
      points,
    }).success;

  it('has three stages, and at least one point with its link, or with none', () => {
    for (const stage of ['expired', 'kept', 'removing'])
      expect(tombstone(stage, [{ id: 'p', manifest: null }])).toBe(true);
    expect(tombstone('', [{ id: 'p', manifest: null }])).toBe(false);
    expect(tombstone('kept', [])).toBe(false);
    expect(tombstone('kept', [{ id: 'p', manifest: { sequence: 0, sha256: 'a' } }])).toBe(false);
    expect(tombstone('kept', [{ id: 'p', manifest: { sequence: 1 } }])).toBe(false);
    expect(tombstone('kept', [{ id: 'p' }])).toBe(false);
  });
});
