import { isDeepStrictEqual } from 'node:util';
import { type ScheduleDescription, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { CronExpressionParser } from 'cron-parser';
import { durationMs, formatDuration } from '../model/duration.ts';
import type { PlatformSchedule } from '../model/schedules.ts';

/** How a pause by `lifeboat schedules pause` is told from one by others: it says who wanted it, and why. */
const ownPause = / \(.+, lifeboat schedules pause\)$/;

/** The note of a pause that `apply` leaves alone. */
export function pauseNote(by: string, reason: string): string {
  return `${reason} (${by}, lifeboat schedules pause)`;
}

/** Whether a schedule is paused in a way that `apply` leaves alone. */
export function isOwnPause({ paused, note }: Pick<ScheduleDescription['state'], 'paused' | 'note'>): boolean {
  return paused && ownPause.test(note ?? '');
}

/** A part of a schedule: as its line makes it, and as Temporal has it. */
type Part = readonly [what: string, made: unknown, live: unknown];

/**
 * What of a schedule is not as its line makes it, one text each: what somebody changed in the Temporal UI or by
 * `temporal schedule`. Temporal keeps a cron line as sets of minutes, hours and days: these are compared.
 */
export function scheduleEdits(live: ScheduleDescription, line: PlatformSchedule, made: ScheduleOptions): string[] {
  const { spec, action, policies, state } = live;
  const starts = [
    ...(live.raw.schedule?.spec?.structuredCalendar ?? []).map(calendarText),
    ...(spec.intervals ?? []).map(({ every }) => `every ${formatDuration(every)}`),
    ...(spec.startAt === undefined ? [] : [`from ${spec.startAt.toISOString()}`]),
    ...(spec.endAt === undefined ? [] : [`until ${spec.endAt.toISOString()}`]),
    ...(spec.skip === undefined || spec.skip.length === 0 ? [] : ['but not at times of its own']),
  ];
  const zone = spec.timezone ?? '';
  const parts: Part[] = [
    ['starts', cronText(line.cron), starts.length === 0 ? 'never' : starts.join(', ')],
    ['timezone', line.timezone, zone === '' ? 'UTC' : zone],
    ['jitter', durationMs(line.jitter), spec.jitter ?? 0],
    ['catchUp', durationMs(line.catchUp), policies.catchupWindow],
    ['overlap', ScheduleOverlapPolicy.SKIP, policies.overlap],
    ['pause after a failure', false, policies.pauseOnFailure],
    ['starts that are left', 'all', state.remainingActions ?? 'all'],
    ['workflow', made.action.workflowType, action.workflowType],
    ['workflow id', made.action.workflowId, action.workflowId],
    ['task queue', made.action.taskQueue, action.taskQueue],
    ['input', made.action.args, action.args ?? []],
    ['mark', made.action.memo, action.memo ?? {}],
    ['execution timeout', 0, Number(action.workflowExecutionTimeout ?? 0)],
    ['run timeout', 0, Number(action.workflowRunTimeout ?? 0)],
    ['retries', 'none', action.retry === undefined ? 'none' : action.retry],
  ];
  return [
    ...parts.flatMap(([what, is, was]) => (isDeepStrictEqual(is, was) ? [] : [`${what} ${shown(was)} → ${shown(is)}`])),
    ...(state.paused && !isOwnPause(state) ? [`paused${said(state.note)} → on`] : []),
  ];
}

function said(note: string | undefined): string {
  return note === undefined || note === '' ? '' : ` (${note})`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Values of one field of a calendar; `all` is how many there can be. */
type Field = { readonly values: readonly number[]; readonly all: number };

type Ranges = readonly { start?: number | null; end?: number | null; step?: number | null }[] | null | undefined;
type Calendar = { second?: Ranges; minute?: Ranges; hour?: Ranges; year?: Ranges } & {
  [key in 'dayOfMonth' | 'month' | 'dayOfWeek']?: Ranges;
};

/** A calendar of Temporal as a cron line: equal for all ways to write the same starts. */
function calendarText({ second, minute, hour, dayOfMonth, month, dayOfWeek, year }: Calendar): string {
  const fields = [
    { values: valuesOf(minute), all: 60 },
    { values: valuesOf(hour), all: 24 },
    { values: valuesOf(dayOfMonth), all: 31 },
    { values: valuesOf(month), all: 12 },
    { values: valuesOf(dayOfWeek), all: 7 },
  ];
  const seconds = valuesOf(second);
  return [
    fields.map(fieldText).join(' '),
    ...(seconds.length === 1 && seconds[0] === 0 ? [] : [`at second ${seconds.join(',')}`]),
    ...(year === undefined || year === null || year.length === 0 ? [] : [`in ${valuesOf(year).join(',')}`]),
  ].join(' ');
}

function cronText(cron: string): string {
  const { minute, hour, dayOfMonth, month, dayOfWeek } = CronExpressionParser.parse(cron).fields;
  const values = (field: { values: readonly (number | string)[] }): number[] => field.values.map(Number);
  const days = [...new Set(values(dayOfWeek).map((day) => day % 7))].sort((a, b) => a - b);
  return [
    { values: values(minute), all: 60 },
    { values: values(hour), all: 24 },
    { values: values(dayOfMonth), all: 31 },
    { values: values(month), all: 12 },
    { values: days, all: 7 },
  ]
    .map(fieldText)
    .join(' ');
}

function valuesOf(ranges: Ranges): number[] {
  const values = new Set<number>();
  for (const { start, end, step } of ranges ?? []) {
    const from = start ?? 0;
    for (let value = from; value <= Math.max(end ?? 0, from); value += Math.max(step ?? 1, 1)) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

function fieldText({ values, all }: Field): string {
  if (values.length === all) return '*';
  const [first = 0, second] = values;
  const step = (second ?? first) - first;
  // All of them at the same distance, as `*/6` says it.
  if (step > 1 && values.length === Math.ceil(all / step) && values.every((value, n) => value === n * step))
    return `*/${String(step)}`;
  return values.join(',');
}
