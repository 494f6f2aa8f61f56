import { basename } from 'node:path';
import { failure } from '../model/failures.ts';
import type { Platform } from '../model/platform.ts';
import { scheduleProblems } from '../model/schedules.ts';
import type { PlanCatalogue } from './plan-catalogue.ts';

/**
 * Refuses schedules that cannot meet the objectives of the releases. An objective comes from lifeboat.yaml, else from the
 * plan of the chart that it names; a release of which neither is known is not judged.
 * @throws ScheduleUnfit listing every problem
 */
export function checkSchedules(
  platform: Pick<Platform, 'releases' | 'schedules' | 'retention' | 'replica'>,
  plans: PlanCatalogue,
): void {
  const releases = platform.releases.flatMap((entry) => {
    const plan = entry.chart === undefined ? undefined : planOf(entry.chart, plans);
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

/** The plan of a chart by its reference: a directory, `oci://…/name`, `repo/name`, or an archive `name-1.2.3.tgz`. */
function planOf(reference: string, plans: PlanCatalogue): ReturnType<PlanCatalogue['find']>['plan'] | undefined {
  const name = basename(reference)
    .replace(/(-[0-9].*)?\.tgz$/, '')
    .replace(/[:@].*$/, '');
  return plans.all().find(({ plan }) => plan.charts.includes(name))?.plan;
}
