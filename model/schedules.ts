import { CronExpressionParser } from 'cron-parser';
import { z } from 'zod';
import { Duration, durationMs, formatDuration } from './duration.ts';
import { Percent } from './percent.ts';
import { Tier } from './recovery-plan.ts';
import { label } from './release-name.ts';

/** Minute, hour, day of month, month, day of week; the two kinds of day cannot be mixed: servers read that in two ways. */
const Cron = z.string().superRefine((text, context) => {
  const problem = cronProblem(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const TimeZone = z.string().refine((zone) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}, 'a time zone of the IANA database, such as Europe/Paris');

/** One line of `schedules` in lifeboat.yaml: what runs by itself, and when. */
export const PlatformSchedule = z.strictObject({
  /** Name of the schedule; Temporal knows it as `<platform>-<name>`. */
  name: z.string().regex(label),
  /** What runs: a backup of the platform, a verification of its newest points, a drill, the expiry of points by `retention`, or their replication. */
  run: z.enum(['backup', 'verify', 'drill', 'expire', 'replicate']),
  /** Five fields: minute, hour, day of month, month, day of week. */
  cron: Cron,
  timezone: TimeZone.default('UTC'),
  /** Of a verification: only so many of the frames of each point, chosen at random, `5%`; default: every byte. */
  sample: Percent.optional(),
  /** Of a backup or a drill: only releases of this tier. */
  tier: Tier.optional(),
  /** Of a backup or a drill: only these, as `namespace/name`. */
  releases: z.array(z.string()).min(1).optional(),
  /** Of a drill: each time the one release of which a point was restored longest ago, or never. */
  longestNotDrilled: z.literal(true).optional(),
  /** Of a drill: the name of the cluster, where its network does not keep a drill from what is live. */
  acceptNotIsolated: z.string().regex(label).optional(),
  /** A start is moved by up to so much, so that platforms do not start all at once. */
  jitter: Duration.default('1m'),
  /** A start that was missed, because Temporal was down, is made up for within so much. */
  catchUp: Duration.default('6h'),
});
export type PlatformSchedule = z.infer<typeof PlatformSchedule>;

/** A release as its schedules are judged. */
export type ScheduledRelease = { readonly release: string; readonly tier: number; readonly rpo: Duration };

const dayMs = 86_400_000;

/** Starts of one schedule that are looked at, at most: one each minute of a week, and more. */
const mostStarts = 20_000;

/** Why a cron line cannot be used; undefined where it can. */
function cronProblem(text: string): string | undefined {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) return 'five fields: minute, hour, day of month, month, day of week, such as 0 2 * * *';
  if (fields[2] !== '*' && fields[4] !== '*') return 'name a day of the month or a day of the week, not both';
  try {
    CronExpressionParser.parse(text).next();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether a schedule backs a release up. */
export function covers(schedule: PlatformSchedule, release: Pick<ScheduledRelease, 'release' | 'tier'>): boolean {
  return (
    schedule.run === 'backup' &&
    (schedule.tier === undefined || schedule.tier === release.tier) &&
    (schedule.releases === undefined || schedule.releases.includes(release.release))
  );
}

/**
 * The longest time between two starts of any of the schedules from `from` on, in milliseconds: as the lines say it, so
 * without the jitter, and without the hour that a day has more when the clocks are put back.
 */
export function longestGapMs(schedules: readonly PlatformSchedule[], from: Date): number {
  const zones = new Set(schedules.map(({ timezone }) => timezone));
  // A line without days of the month and months is the same each week.
  const isWeekly = schedules.every(({ cron }) => cron.trim().split(/\s+/).slice(2, 4).join('') === '**');
  const end = from.getTime() + (isWeekly ? 15 : 800) * dayMs;
  const perSchedule = schedules.map(({ cron, timezone }) => {
    const lines = CronExpressionParser.parse(cron, { currentDate: from, tz: zones.size === 1 ? 'UTC' : timezone });
    const starts = [lines.next().getTime()];
    while ((starts.at(-1) ?? end) < end && starts.length < mostStarts) starts.push(lines.next().getTime());
    return starts;
  });
  // Beyond the last start of the one that was followed least far, starts of that one would be missing.
  const until = Math.min(...perSchedule.map((starts) => starts.at(-1) ?? 0));
  const all = perSchedule
    .flat()
    .filter((start) => start <= until)
    .sort((a, b) => a - b);
  return all.reduce((longest, start, index) => Math.max(longest, start - (all[index - 1] ?? start)), 0);
}

/**
 * What is wrong with the schedules of a platform, one sentence each: an objective that no schedule can meet, a release
 * that none backs up, a name that is there twice, a release that lifeboat.yaml does not have.
 */
export function scheduleProblems(
  schedules: readonly PlatformSchedule[],
  releases: readonly ScheduledRelease[],
  from: Date,
  names: readonly string[] = releases.map(({ release }) => release),
): string[] {
  const problems: string[] = [];
  const known = new Set(names);
  for (const [index, schedule] of schedules.entries()) {
    if (schedules.findIndex(({ name }) => name === schedule.name) !== index)
      problems.push(`schedule ${schedule.name}: the name is there twice`);
    if (
      ['verify', 'expire', 'replicate'].includes(schedule.run) &&
      (schedule.tier !== undefined || schedule.releases !== undefined)
    )
      problems.push(`schedule ${schedule.name}: tier and releases are for backups and drills`);
    const selections = [schedule.tier, schedule.releases, schedule.longestNotDrilled];
    if (schedule.run === 'drill' && selections.filter((each) => each !== undefined).length > 1)
      problems.push(`schedule ${schedule.name}: a drill takes one of tier, releases and longestNotDrilled`);
    for (const key of ['acceptNotIsolated', 'longestNotDrilled'] as const)
      if (schedule.run !== 'drill' && schedule[key] !== undefined)
        problems.push(`schedule ${schedule.name}: ${key} is for drills`);
    if (schedule.run !== 'verify' && schedule.sample !== undefined)
      problems.push(`schedule ${schedule.name}: sample is for verifications`);
    for (const release of schedule.releases ?? [])
      if (!known.has(release)) problems.push(`schedule ${schedule.name}: ${release} is not in releases`);
  }
  if (problems.length > 0 || !schedules.some(({ run }) => run === 'backup')) return problems;
  for (const each of releases) {
    const covering = schedules.filter((schedule) => covers(schedule, each));
    if (covering.length === 0) {
      problems.push(`${each.release} is in no backup schedule`);
      continue;
    }
    const gap = longestGapMs(covering, from);
    if (gap > durationMs(each.rpo))
      problems.push(
        `${each.release}: up to ${formatDuration(gap)} between two backups by ${covering.map(({ name }) => name).join(', ')}, its RPO objective is ${each.rpo}`,
      );
  }
  return problems;
}
