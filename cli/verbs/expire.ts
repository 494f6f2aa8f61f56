import { failure } from '../../model/failures.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

/** `lifeboat expire [RELEASE…]` */
export const expire: Verb = (program) => {
  program
    .command('expire')
    .description('expire recovery points as `retention` of lifeboat.yaml says, and remove those whose grace is over')
    .argument('[release...]', 'namespace/name, or a name that is unique; default: every release of lifeboat.yaml')
    .option('--dry-run', 'show for each point what keeps it, or that it expires')
    .action(
      act<{ dryRun?: boolean }>(async (session, options, names = []) => {
        const { platform } = await session.platform();
        if (platform.retention === undefined)
          throw failure('ConfigInvalid', {
            message: 'expire recovery points: lifeboat.yaml has no `retention`, so every point is kept',
          });
        const releases = await namedReleases(session, names);
        return await conductRun(session, {
          type: 'expireRecoveryPoints',
          workflowId: `expire-${platform.platform}-${basicTime(new Date())}`,
          input: { dryRun: options.dryRun === true, ...(releases.length === 0 ? {} : { releases }) },
          summary: `Expire points of ${platform.platform}`,
        });
      }),
    );
};
