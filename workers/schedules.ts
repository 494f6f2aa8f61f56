import { isDeepStrictEqual } from 'node:util';
import { type Client, ScheduleNotFoundError, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { z } from 'zod';
import type { Platform } from '../model/platform.ts';
import { controlQueue } from '../model/run-names.ts';
import { PlatformSchedule } from '../model/schedules.ts';
import { isOwnPause, scheduleEdits } from './schedule-edits.ts';

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
  /** What somebody changed in Temporal since it was applied, one text each. */
  readonly edited: readonly string[];
};

/** A schedule as Temporal runs it. */
export type LiveSchedule = {
  readonly id: string;
  readonly name: string;
  readonly line: PlatformSchedule;
  /** What is not as the line makes it: somebody changed it in Temporal. */
  readonly edited: readonly string[];
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
  const live = new Map((await listSchedules(client, platform.platform)).map((each) => [each.name, each]));
  const wanted = new Set(platform.schedules.map(({ name }) => name));
  const changes = platform.schedules.map((line): ScheduleChange => {
    const found = live.get(line.name);
    const edited = found?.edited ?? [];
    const isAsWanted = edited.length === 0 && isDeepStrictEqual(found?.line, line);
    const change = found === undefined ? 'create' : isAsWanted ? 'none' : 'update';
    const current = found?.line ?? null;
    return { id: scheduleId(platform.platform, line.name), name: line.name, change, wanted: line, current, edited };
  });
  const gone = [...live].filter(([name]) => !wanted.has(name));
  return [
    ...changes,
    ...gone.map(([name, { line, edited }]): ScheduleChange => {
      return { id: scheduleId(platform.platform, name), name, change: 'remove', wanted: null, current: line, edited };
    }),
  ];
}

/** Makes one change. What was paused by `lifeboat schedules pause` stays paused. */
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
      const { paused, note = '' } = state;
      return {
        spec,
        action,
        state: isOwnPause(state) ? { paused, note } : { paused: false, note: paused ? 'resumed by apply' : note },
        ...(policies === undefined ? {} : { policies }),
      };
    });
}

/** The schedules of a platform, by name. Those that others made in the same namespace are not touched, nor shown. */
export async function listSchedules(client: Client, platform: string): Promise<LiveSchedule[]> {
  const found: LiveSchedule[] = [];
  for await (const { scheduleId: id, memo } of client.schedule.list()) {
    // The memo of the schedule cannot be changed: it says whose it is, and the one of its action what it does.
    if (Memo.safeParse(memo).data?.[memoKey].platform !== platform) continue;
    const live = await readSchedule(client, platform, id);
    if (live !== undefined) found.push(live);
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** One schedule of ours; undefined where it is not there. */
export async function readSchedule(client: Client, platform: string, id: string): Promise<LiveSchedule | undefined> {
  try {
    const described = await client.schedule.getHandle(id).describe();
    const { action, state, info } = described;
    const own = Memo.safeParse(described.memo).data?.[memoKey];
    if (own?.platform !== platform) return undefined;
    // An editor may have dropped the memo of the action: then the line is the one that the schedule was made with.
    const { line } = Memo.safeParse(action.memo).data?.[memoKey] ?? own;
    const last = info.recentActions.at(-1);
    return {
      id,
      name: line.name,
      line,
      edited: scheduleEdits(described, line, scheduleOptions(platform, line)),
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

const verbs = {
  backup: 'Back up',
  verify: 'Verify',
  drill: 'Drill',
  expire: 'Expire points of',
  replicate: 'Replicate',
} as const satisfies Record<PlatformSchedule['run'], string>;

function actionOf({ run, tier, releases, longestNotDrilled, acceptNotIsolated, sample }: PlatformSchedule): {
  workflowType: string;
  input: object;
} {
  if (run === 'replicate') return { workflowType: 'replicateRecoveryPoints', input: { trigger: 'schedule' } };
  if (run === 'expire') return { workflowType: 'expireRecoveryPoints', input: { trigger: 'schedule' } };
  if (run === 'verify') return { workflowType: 'verifyRecoveryPoint', input: sample === undefined ? {} : { sample } };
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
