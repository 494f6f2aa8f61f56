import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Compensation,
  exitCodes,
  joinCompensations,
  joinOutcomes,
  measureObjective,
  Outcome,
  objectivesMet,
} from '../../model/outcome.ts';

describe('joinOutcomes', () => {
  it.each([
    [[], 'failed'],
    [['complete', 'complete'], 'complete'],
    [['complete', 'failed'], 'partial'],
    [['complete', 'refused'], 'partial'],
    [['complete', 'cancelled'], 'partial'],
    [['partial', 'partial'], 'partial'],
    [['failed', 'failed'], 'failed'],
    [['failed', 'refused'], 'failed'],
    [['refused', 'refused'], 'refused'],
    [['cancelled', 'cancelled'], 'failed'],
    [['cancelled', 'failed'], 'failed'],
  ] as const)('makes %j %s', (outcomes, joined) => {
    expect(joinOutcomes(outcomes)).toBe(joined);
  });

  it('is complete only where every release is, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Outcome.options), { minLength: 1 }), (outcomes) => {
        expect(joinOutcomes(outcomes) === 'complete').toBe(outcomes.every((outcome) => outcome === 'complete'));
        expect(joinOutcomes([...outcomes].reverse())).toBe(joinOutcomes(outcomes));
      }),
    );
  });
});

describe('joinCompensations', () => {
  it('is the worst one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...Compensation.options)), (all) => {
        const ranks = all.map((each) => Compensation.options.indexOf(each));
        expect(joinCompensations(all)).toBe(Compensation.options[Math.max(0, ...ranks)]);
      }),
    );
  });
});

describe('objectivesMet', () => {
  const [met, missed, unmeasured] = [
    measureObjective(1_000, 500),
    measureObjective(1_000, 1_500),
    measureObjective(1_000, null),
  ];

  it('is null where nothing was measured', () => {
    expect(objectivesMet([])).toBeNull();
    expect(objectivesMet([{ outcome: 'complete', rpo: unmeasured, rto: unmeasured }])).toBeNull();
  });

  it('is true only where every measured one was met', () => {
    expect(objectivesMet([{ outcome: 'complete', rpo: met, rto: unmeasured }])).toBe(true);
    expect(
      objectivesMet([
        { outcome: 'complete', rpo: met, rto: met },
        { outcome: 'complete', rpo: unmeasured, rto: missed },
      ]),
    ).toBe(false);
  });

  it('counts a service that was stopped for longer than it may be', () => {
    expect(objectivesMet([{ outcome: 'complete', rpo: met, rto: unmeasured, downtime: met }])).toBe(true);
    expect(objectivesMet([{ outcome: 'complete', rpo: met, rto: unmeasured, downtime: missed }])).toBe(false);
  });

  it('counts what is partial by its figures, and takes nothing else that did not end well', () => {
    expect(objectivesMet([{ outcome: 'partial', rpo: met, rto: met }])).toBe(true);
    expect(objectivesMet([{ outcome: 'partial', rpo: met, rto: missed }])).toBe(false);
    for (const outcome of ['failed', 'refused', 'cancelled'] as const)
      expect(objectivesMet([{ outcome, rpo: met, rto: met }])).toBe(false);
  });

  it('is false where a release failed beside one that met them', () => {
    expect(
      objectivesMet([
        { outcome: 'complete', rpo: met, rto: met },
        { outcome: 'failed', rpo: unmeasured, rto: unmeasured },
      ]),
    ).toBe(false);
  });
});

describe('measureObjective', () => {
  it('gives seconds with one decimal, and counts the objective itself as met', () => {
    expect(measureObjective(60_000, 60_000)).toEqual({ objectiveSeconds: 60, achievedSeconds: 60, met: true });
    expect(measureObjective(60_000, 60_049)).toEqual({ objectiveSeconds: 60, achievedSeconds: 60, met: false });
    expect(measureObjective(60_000, 1_260)).toEqual({ objectiveSeconds: 60, achievedSeconds: 1.3, met: true });
    expect(measureObjective(60_000, null)).toEqual({ objectiveSeconds: 60, achievedSeconds: null, met: null });
  });
});

describe('exitCodes', () => {
  it('has one of its own for each outcome, none of them 2', () => {
    expect(exitCodes).toEqual({ complete: 0, failed: 1, partial: 3, refused: 4, cancelled: 5 });
    expect(Object.keys(exitCodes).sort()).toEqual([...Outcome.options].sort());
  });
});
