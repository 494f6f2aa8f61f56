import { failure } from '../../model/failures.ts';
import { platformReleases } from '../../model/platform.ts';
import { findRelease, releaseTitle } from '../../model/release-name.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import type { Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';

/** Names of releases as lifeboat.yaml has them. @throws ReleaseUnknown */
export async function namedReleases(session: Session, names: readonly string[]): Promise<string[]> {
  const { platform } = await session.platform();
  return names.map((name) => {
    const found = findRelease(name, platformReleases(platform));
    if (typeof found === 'string') throw failure('ReleaseUnknown', { message: found });
    return releaseTitle(found);
  });
}

/** The tier that `--tier` names. @throws InputInvalid */
export function tierOf(text: string | undefined): number | undefined {
  const tier = text === undefined ? undefined : Number(text);
  if (tier !== undefined && ![1, 2, 3, 4].includes(tier))
    throw failure('InputInvalid', { message: `read --tier: it is 1, 2, 3 or 4, not ${String(text)}` });
  return tier;
}

/** `lifeboat backup [RELEASE…] [--tier N]` */
export const backup: Verb = (program) => {
  program
    .command('backup')
    .description('back up the platform, a tier of it or some releases')
    .argument('[release...]', 'namespace/name, or a name that is unique; default: every release of lifeboat.yaml')
    .option('--tier <1-4>', 'only the releases of one tier')
    .option('--dry-run', 'show what would be captured')
    .action(
      act<{ tier?: string; dryRun?: boolean }>(async (session, options, names = []) => {
        const { platform } = await session.platform();
        const tier = tierOf(options.tier);
        const releases = await namedReleases(session, names);
        const dryRun = options.dryRun === true;
        const at = basicTime(new Date());
        const [only] = releases;
        if (releases.length === 1 && only !== undefined) {
          const workflowId = `backup-${only.replace('/', '-')}-${at}`;
          return await conductRun(session, {
            type: 'backUpRelease',
            workflowId,
            input: { release: only, dryRun },
            summary: `Back up ${only}`,
          });
        }
        return await conductRun(session, {
          type: 'backUpPlatform',
          workflowId: `backup-${platform.platform}-${at}`,
          input: { dryRun, ...(releases.length === 0 ? {} : { releases }), ...(tier === undefined ? {} : { tier }) },
          summary: `Back up platform ${platform.platform}`,
        });
      }),
    );
};
