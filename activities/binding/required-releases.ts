import type { BoundPlan } from '../../model/bound-plan.ts';
import { splitChart } from '../../model/chart-name.ts';
import { type Platform, type PlatformRelease, platformReleases } from '../../model/platform.ts';
import { releasePath } from '../../model/release-name.ts';
import type { ReleaseReader } from '../clients/helm.ts';

/**
 * The releases that must serve before one recovers, as paths: those that hold data of it, those that lifeboat.yaml
 * names, and those of the charts that its plan requires. Of a chart that holds data of it only the release that does.
 */
export async function requiredReleases(
  { platform, read }: { platform: Platform; read: ReleaseReader },
  { release, plan, hosts }: Pick<BoundPlan, 'release' | 'plan' | 'hosts'>,
  entry: Pick<PlatformRelease, 'requires'> | undefined,
): Promise<string[]> {
  const holding = Object.values(hosts).map((host) => releasePath(host.release));
  const named = (entry?.requires ?? []).map((title) => `${platform.cluster.name}/${title}`);
  const ofCharts: string[] = [];
  for (const chart of plan.requires) {
    const paths = (await releasesOf(chart, platform, read)).filter((path) => path !== releasePath(release));
    const own = paths.filter((path) => holding.includes(path));
    ofCharts.push(...(own.length > 0 ? own : paths));
  }
  return [...new Set([...holding, ...named, ...ofCharts])];
}

async function releasesOf(chart: string, platform: Platform, read: ReleaseReader): Promise<string[]> {
  const found: string[] = [];
  for (const each of platformReleases(platform)) {
    const live = await read(each.namespace, each.name);
    if (live !== undefined && splitChart(live.chart).name === chart) found.push(releasePath(each));
  }
  return found;
}
