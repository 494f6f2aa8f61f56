import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { checkout } from '../layout.ts';
import type { Progress } from '../run.ts';
import { type InstallOptions, installRelease } from './install-release.ts';
import type { ClusterOfSandbox } from './kubectl.ts';
import { releaseLabel, type SandboxRelease } from './release.ts';

/** Installs and fills a set of releases side by side, each after those its plan requires. Idempotent. */
export async function installPlatform(
  sandbox: ClusterOfSandbox,
  platform: readonly SandboxRelease[],
  options: InstallOptions = {},
  progress: Progress = () => undefined,
): Promise<void> {
  const started = new Map<SandboxRelease, Promise<void>>();
  const install = (release: SandboxRelease, above: readonly SandboxRelease[]): Promise<void> => {
    if (above.includes(release))
      throw new Error(`install ${releaseLabel(release)}: it requires itself: ${above.map(releaseLabel).join(' → ')}`);
    const known = started.get(release);
    if (known !== undefined) return known;
    const done = (async (): Promise<void> => {
      const required = await requiredCharts(release.chart);
      const needed = platform.filter(
        (other) => other.namespace === release.namespace && required.includes(other.chart),
      );
      await Promise.all(needed.map((other) => install(other, [...above, release])));
      await installRelease(sandbox, release, options, progress);
    })();
    started.set(release, done);
    return done;
  };
  const results = await Promise.allSettled(platform.map((release) => install(release, [])));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Charts that the recovery plan of a chart requires. */
async function requiredCharts(chart: string): Promise<readonly string[]> {
  const plan = parse(await readFile(join(checkout, 'charts', chart, 'recovery.yaml'), 'utf8')) as unknown;
  return z.object({ requires: z.array(z.string()).default([]) }).parse(plan).requires;
}
