import { basename } from 'node:path';
import { failure } from '../model/failures.ts';
import type { Platform } from '../model/platform.ts';
import { scheduleProblems } from '../model/schedules.ts';
import type { PlanCatalogue } from './plan-catalogue.ts';

/**
 * Refuses schedules that cannot meet the objectives of the releases. An objective comes from lifeboat.yaml, else from the
 * plan of the chart that it names or that is live; a release of which neither is known is not judged.
 * @param live - charts by `namespace/name`, as Helm knows them
 * @throws ScheduleUnfit listing every problem
 */
export function checkSchedules(
  platform: Pick<Platform, 'releases' | 'schedules' | 'retention' | 'replica'>,
  plans: PlanCatalogue,
  live: ReadonlyMap<string, string> = new Map(),
): void {
  const releases = platform.releases.flatMap((entry) => {
    const chart = live.get(entry.release) ?? (entry.chart === undefined ? undefined : chartName(entry.chart));
    const plan = chart === undefined ? undefined : plans.all().find((each) => each.plan.charts.includes(chart))?.plan;
    const rpo = entry.objectives?.rpo ?? plan?.objectives.rpo;
    const tier = entry.tier ?? plan?.tier;
    return rpo === undefined || tier === undefined ? [] : [{ release: entry.release, tier, rpo }];
  });
  const known = platform.releases.map(({ release }) => release);
  const problems = scheduleProblems(platform.schedules, releases, new Date(), known);
  for (const { name, run } of platform.schedules)
    if (run === 'expire' && platform.retention === undefined)
      problems.push(`schedule ${name}: lifeboat.yaml has no retention, so nothing expires`);
  for (const { name, run } of platform.schedules)
    if (run === 'replicate' && platform.replica === undefined)
      problems.push(`schedule ${name}: lifeboat.yaml has no replica to copy to`);
  if (problems.length > 0)
    throw failure('ScheduleUnfit', { message: `check schedules of lifeboat.yaml: ${problems.join('; ')}` });
}

/** The name of a chart by its reference: a directory, `oci://…/name`, `repo/name`, or an archive `name-1.2.3.tgz`. */
function chartName(reference: string): string {
  return basename(reference)
    .replace(/(-[0-9].*)?\.tgz$/, '')
    .replace(/[:@].*$/, '');
}
