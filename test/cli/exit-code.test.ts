import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../cli/exit-code.ts';
import { type FailureCode, failure, failures } from '../../model/failures.ts';

describe('exitCodeOf', () => {
  it('is 2 for what was wrong before any contact, else 1, and never 0', () => {
    const before = (Object.keys(failures) as FailureCode[]).filter(
      (code) => exitCodeOf(failure(code, { message: 'a test' })) === 2,
    );
    expect(before.sort()).toEqual([
      'ConfigInvalid',
      'InputInvalid',
      'KeyInvalid',
      'PlanInvalid',
      'PlanNotFound',
      'RecipientInvalid',
      'ReleaseUnknown',
      'ScheduleUnfit',
      'ToolMissing',
      'ToolTooOld',
    ]);
    expect(exitCodeOf(failure('DumpFailed', { message: 'a test' }))).toBe(1);
  });

  it('is 1 for a defect, also for one that bears the name of a failure', () => {
    expect(exitCodeOf(new Error('a defect'))).toBe(1);
    expect(exitCodeOf(Object.assign(new Error('a defect'), { code: 'ConfigInvalid' }))).toBe(1);
    expect(exitCodeOf(undefined)).toBe(1);
  });
});
