import { failure } from '../../model/failures.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases, tierOf } from './backup.ts';

type Options = {
  tier?: string;
  platform?: boolean;
  longestNotDrilled?: boolean;
  point?: string;
  acceptNotIsolated?: string;
  dryRun?: boolean;
};

/** `lifeboat drill [RELEASE…] [--tier N] [--platform] [--longest-not-drilled]` */
export const drill: Verb = (program) => {
  program
    .command('drill')
    .description('prove that releases can be recovered: in scratch namespaces, cut off from what is live')
    .argument('[release...]', 'namespace/name, or a name that is unique; default: every release of lifeboat.yaml')
    .option('--tier <1-4>', 'only the releases of one tier, and what they require')
    .option('--platform', 'every release')
    .option('--longest-not-drilled', 'the one release of which a point was restored longest ago, or never')
    .option('--point <id>', 'a platform point, or a point of the one release; default: the newest verified ones')
    .option(
      '--accept-not-isolated <cluster>',
      'drill also where the network does not keep the drill from what is live: the name of the cluster, as lifeboat.yaml has it',
    )
    .option('--dry-run', 'show what would be drilled, and what cannot be')
    .action(
      act<Options>(async (session, options, names = []) => {
        const { platform } = await session.platform();
        const tier = tierOf(options.tier);
        const longest = options.longestNotDrilled === true;
        if ([names.length > 0, tier !== undefined, options.platform === true, longest].filter(Boolean).length > 1)
          throw failure('InputInvalid', {
            message: 'drill: name releases, or --tier, or --platform, or --longest-not-drilled, one of them',
          });
        const releases = await namedReleases(session, names);
        const accepted = options.acceptNotIsolated;
        if (accepted !== undefined && accepted !== platform.cluster.name)
          throw failure('InputInvalid', {
            message: `drill: --accept-not-isolated takes the name of the cluster, ${platform.cluster.name}, not ${accepted}`,
          });
        const [only] = releases;
        const of = releases.length === 1 && only !== undefined ? only.replace('/', '-') : platform.platform;
        return await conductRun(session, {
          type: 'runDrill',
          workflowId: `drill-${of}-${basicTime(new Date())}`,
          input: {
            dryRun: options.dryRun === true,
            ...(releases.length === 0 ? {} : { releases }),
            ...(tier === undefined ? {} : { tier }),
            ...(longest ? { longestNotDrilled: true } : {}),
            ...(options.point === undefined ? {} : { point: options.point }),
            ...(accepted === undefined ? {} : { acceptNotIsolated: accepted }),
          },
          summary: `Drill ${longest ? 'the release longest not drilled' : releases.length === 0 ? `platform ${platform.platform}` : releases.join(', ')}`,
        });
      }),
    );
};
