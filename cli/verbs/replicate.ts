import { failure } from '../../model/failures.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

/** `lifeboat replicate [RELEASE…]` */
export const replicate: Verb = (program) => {
  program
    .command('replicate')
    .description('copy every point that the replica of lifeboat.yaml lacks, and read it back there')
    .argument('[release...]', 'namespace/name, or a name that is unique; default: every release of lifeboat.yaml')
    .option('--dry-run', 'show what would be copied')
    .action(
      act<{ dryRun?: boolean }>(async (session, options, names = []) => {
        const { platform } = await session.platform();
        if (platform.replica === undefined)
          throw failure('ConfigInvalid', {
            message: 'replicate recovery points: lifeboat.yaml has no `replica`, a second store',
          });
        const releases = await namedReleases(session, names);
        return await conductRun(session, {
          type: 'replicateRecoveryPoints',
          workflowId: `replicate-${platform.platform}-${basicTime(new Date())}`,
          input: { dryRun: options.dryRun === true, ...(releases.length === 0 ? {} : { releases }) },
          summary: `Replicate ${platform.platform}`,
        });
      }),
    );
};
