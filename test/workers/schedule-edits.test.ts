import type { ScheduleDescription, ScheduleOptions } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { PlatformSchedule } from '../../model/schedules.ts';
import { isOwnPause, pauseNote, scheduleEdits } from '../../workers/schedule-edits.ts';

const range = (start: number, end = 0, step = 0) => ({ start, end, step });
const every = {
  second: [range(0)],
  dayOfMonth: [range(1, 31, 1)],
  month: [range(1, 12, 1)],
  dayOfWeek: [range(0, 6, 1)],
};
const action = {
  type: 'startWorkflow',
  workflowType: 'backUpPlatform',
  workflowId: 'backup-shop-nightly',
  taskQueue: 'lifeboat',
  args: [{ trigger: 'schedule' }],
  memo: { mark: 'ours' },
} as const;
const made = { scheduleId: 'shop-nightly', spec: {}, action } as unknown as ScheduleOptions;

/** A schedule as Temporal describes it, with these calendars and what else is not as it was made. */
function described(calendars: object[], of: { spec?: object; action?: object; state?: object } = {}) {
  return {
    spec: { intervals: [], skip: [], timezone: 'UTC', jitter: 60_000, ...of.spec },
    action: { ...action, ...of.action },
    policies: { overlap: 'SKIP', catchupWindow: 6 * 3_600_000, pauseOnFailure: false },
    state: { paused: false, ...of.state },
    raw: { schedule: { spec: { structuredCalendar: calendars } } },
  } as unknown as ScheduleDescription;
}
const line = (cron: string): PlatformSchedule => PlatformSchedule.parse({ name: 'nightly', run: 'backup', cron });

describe('scheduleEdits', () => {
  it.each([
    ['0 2 * * *', { minute: [range(0)], hour: [range(2)], ...every }],
    ['*/15 * * * *', { minute: [range(0, 59, 15)], hour: [range(0, 23, 1)], ...every }],
    ['0 2,14 * * *', { minute: [range(0)], hour: [range(2), range(14)], ...every }],
    ['0 2 * * 1-5', { minute: [range(0)], hour: [range(2)], ...every, dayOfWeek: [range(1, 5, 1)] }],
    ['0 2 * * 7', { minute: [range(0)], hour: [range(2)], ...every, dayOfWeek: [range(0)] }],
    [
      '30 1 1 */3 *',
      { minute: [range(30)], hour: [range(1)], ...every, dayOfMonth: [range(1)], month: [range(1, 12, 3)] },
    ],
  ])('finds none in %s as Temporal keeps it', (cron, calendar) => {
    expect(scheduleEdits(described([calendar]), line(cron), made)).toEqual([]);
  });

  it('finds other starts, however they are written', () => {
    const nightly = { minute: [range(0)], hour: [range(2)], ...every };
    expect(scheduleEdits(described([{ ...nightly, hour: [range(3)] }]), line('0 2 * * *'), made)).toEqual([
      'starts 0 3 * * * → 0 2 * * *',
    ]);
    expect(scheduleEdits(described([nightly, nightly]), line('0 2 * * *'), made)).toHaveLength(1);
    expect(scheduleEdits(described([]), line('0 2 * * *'), made)).toEqual(['starts never → 0 2 * * *']);
    const often = described([], { spec: { intervals: [{ every: 600_000 }] } });
    expect(scheduleEdits(often, line('0 2 * * *'), made)).toEqual(['starts every 10m → 0 2 * * *']);
    const once = described([{ ...nightly, year: [range(2027)] }], { spec: { endAt: new Date(0) } });
    expect(scheduleEdits(once, line('0 2 * * *'), made)).toEqual([
      'starts 0 2 * * * in 2027, until 1970-01-01T00:00:00.000Z → 0 2 * * *',
    ]);
  });

  it('finds another input, a lost mark, a limit and a timeout', () => {
    const nightly = { minute: [range(0)], hour: [range(2)], ...every };
    const live = described([nightly], {
      action: { args: [{ trigger: 'schedule', tier: 1 }], memo: {}, workflowExecutionTimeout: 60_000 },
      state: { remainingActions: 3 },
    });
    expect(scheduleEdits(live, line('0 2 * * *'), made)).toEqual([
      'starts that are left 3 → all',
      'input [{"trigger":"schedule","tier":1}] → [{"trigger":"schedule"}]',
      'mark {} → {"mark":"ours"}',
      'execution timeout 60000 → 0',
    ]);
  });

  it('tells a pause by Lifeboat from one by others', () => {
    const nightly = { minute: [range(0)], hour: [range(2)], ...every };
    const edits = (state: object): string[] => scheduleEdits(described([nightly], { state }), line('0 2 * * *'), made);
    expect(edits({ paused: true, note: pauseNote('ann', 'the store moves') })).toEqual([]);
    expect(edits({ paused: true, note: 'Paused via UI' })).toEqual(['paused (Paused via UI) → on']);
    expect(edits({ paused: true })).toEqual(['paused → on']);
    expect(isOwnPause({ paused: false, note: pauseNote('ann', 'over') })).toBe(false);
  });
});
