import { isDeepStrictEqual } from 'node:util';
import { type Client, ScheduleNotFoundError, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { z } from 'zod';
import type { Platform } from '../model/platform.ts';
import { controlQueue } from '../model/run-names.ts';
import { PlatformSchedule } from '../model/schedules.ts';

/** Key of the memo that marks a schedule as ours, on it and on every run that it starts. */
const memoKey = 'lifeboatSchedule';

const Memo = z.looseObject({ [memoKey]: z.strictObject({ platform: z.string(), line: PlatformSchedule }) });

/** What `apply` would do to one schedule. */
export type ScheduleChange = {
  readonly id: string;
  readonly name: string;
  readonly change: 'create' | 'update' | 'remove' | 'none';
  /** As lifeboat.yaml has it; null where it is to be removed. */
  readonly wanted: PlatformSchedule | null;
  /** As Temporal has it; null where it is not there. */
  readonly current: PlatformSchedule | null;
};

/** A schedule as Temporal runs it. */
export type LiveSchedule = {
  readonly id: string;
  readonly name: string;
  readonly line: PlatformSchedule;
  readonly paused: boolean;
  readonly note: string;
  /** ISO-8601 UTC. */
  readonly next: string | null;
  readonly last: { readonly at: string; readonly workflowId: string } | null;
  /** Starts that fell away: the run before was still going, or Temporal was down for longer than catchUp. */
  readonly skipped: { readonly overlap: number; readonly missed: number };
};

/** The id of a schedule in Temporal. */
export function scheduleId(platform: string, name: string): string {
  return `${platform}-${name}`;
}

/** Compares the schedules of lifeboat.yaml with those of Temporal; changes nothing. */
export async function planSchedules(client: Client, platform: Platform): Promise<ScheduleChange[]> {
  const live = new Map((await listSchedules(client, platform.platform)).map((each) => [each.name, each.line]));
  const wanted = new Set(platform.schedules.map(({ name }) => name));
  const changes = platform.schedules.map((line): ScheduleChange => {
    const current = live.get(line.name) ?? null;
    const change = current === null ? 'create' : isDeepStrictEqual(current, line) ? 'none' : 'update';
    return { id: scheduleId(platform.platform, line.name), name: line.name, change, wanted: line, current };
  });
  const gone = [...live].filter(([name]) => !wanted.has(name));
  return [
    ...changes,
    ...gone.map(([name, current]): ScheduleChange => {
      return { id: scheduleId(platform.platform, name), name, change: 'remove', wanted: null, current };
    }),
  ];
}

/** Makes one change. Whether somebody paused a schedule, and why, stays as it is. */
export async function applyChange(client: Client, platform: string, change: ScheduleChange): Promise<void> {
  const handle = client.schedule.getHandle(change.id);
  if (change.wanted === null) {
    await handle.delete();
    return;
  }
  const options = scheduleOptions(platform, change.wanted);
  if (change.change === 'create') await client.schedule.create(options);
  if (change.change === 'update')
    await handle.update(({ state }) => {
      const { spec, action, policies } = options;
      return { spec, action, state, ...(policies === undefined ? {} : { policies }) };
    });
}

/** The schedules of a platform, by name. Those that others made in the same namespace are not touched, nor shown. */
export async function listSchedules(client: Client, platform: string): Promise<LiveSchedule[]> {
  const found: LiveSchedule[] = [];
  for await (const { scheduleId: id, memo } of client.schedule.list()) {
    // The memo of the schedule cannot be changed: it says whose it is, and the one of its action what it does.
    if (Memo.safeParse(memo).data?.[memoKey].platform !== platform) continue;
    const live = await readSchedule(client, id);
    if (live !== undefined) found.push(live);
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** One schedule of ours; undefined where it is not there. */
export async function readSchedule(client: Client, id: string): Promise<LiveSchedule | undefined> {
  try {
    const { action, state, info } = await client.schedule.getHandle(id).describe();
    const memo = Memo.safeParse(action.memo);
    if (!memo.success) return undefined;
    const { line } = memo.data[memoKey];
    const last = info.recentActions.at(-1);
    return {
      id,
      name: line.name,
      line,
      paused: state.paused,
      note: state.note ?? '',
      next: info.nextActionTimes[0]?.toISOString() ?? null,
      last: last === undefined ? null : { at: last.takenAt.toISOString(), workflowId: last.action.workflow.workflowId },
      skipped: { overlap: info.numActionsSkippedOverlap, missed: info.numActionsMissedCatchupWindow },
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

function scheduleOptions(platform: string, line: PlatformSchedule): ScheduleOptions {
  const memo = { [memoKey]: { platform, line } };
  const { workflowType, input } = actionOf(line);
  return {
    scheduleId: scheduleId(platform, line.name),
    spec: { cronExpressions: [line.cron], timezone: line.timezone, jitter: line.jitter },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: line.catchUp },
    memo,
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: `${line.run}-${platform}-${line.name}`,
      taskQueue: controlQueue,
      args: [input],
      memo,
      staticSummary: `${verbs[line.run]} ${platform}, schedule ${line.name}`,
    },
  };
}

const verbs = { backup: 'Back up', verify: 'Verify', drill: 'Drill' } as const satisfies Record<
  PlatformSchedule['run'],
  string
>;

function actionOf({ run, tier, releases, longestNotDrilled, acceptNotIsolated }: PlatformSchedule): {
  workflowType: string;
  input: object;
} {
  if (run === 'verify') return { workflowType: 'verifyRecoveryPoint', input: {} };
  const selection = { ...(tier === undefined ? {} : { tier }), ...(releases === undefined ? {} : { releases }) };
  const input = { trigger: 'schedule', ...selection };
  if (run === 'backup') return { workflowType: 'backUpPlatform', input };
  return {
    workflowType: 'runDrill',
    input: {
      ...input,
      ...(longestNotDrilled === undefined ? {} : { longestNotDrilled }),
      ...(acceptNotIsolated === undefined ? {} : { acceptNotIsolated }),
    },
  };
}
