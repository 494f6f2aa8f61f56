import { type Platform, requireReplica, requireRetention } from '../../model/platform.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

/** `lifeboat expire [RELEASE…]` */
export const expire = pointsRun({
  name: 'expire',
  type: 'expireRecoveryPoints',
  description: 'expire recovery points as `retention` of lifeboat.yaml says, and remove those whose grace is over',
  dryRun: 'show for each point what keeps it, or that it expires',
  summary: (platform) => `Expire points of ${platform}`,
  require: requireRetention,
});

/** `lifeboat replicate [RELEASE…]` */
export const replicate = pointsRun({
  name: 'replicate',
  type: 'replicateRecoveryPoints',
  description: 'copy every point that the replica of lifeboat.yaml lacks, and read it back there',
  dryRun: 'show what would be copied',
  summary: (platform) => `Replicate ${platform}`,
  require: requireReplica,
});

/** A verb that starts a run over the points of some releases. `require` throws where lifeboat.yaml does not ask for it. */
function pointsRun(of: {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly dryRun: string;
  readonly summary: (platform: string) => string;
  readonly require: (platform: Platform) => unknown;
}): Verb {
  return (program) => {
    program
      .command(of.name)
      .description(of.description)
      .argument('[release...]', 'namespace/name, or a name that is unique; default: every release of lifeboat.yaml')
      .option('--dry-run', of.dryRun)
      .action(
        act<{ dryRun?: boolean }>(async (session, options, names = []) => {
          const { platform } = await session.platform();
          of.require(platform);
          const releases = await namedReleases(session, names);
          return await conductRun(session, {
            type: of.type,
            workflowId: `${of.name}-${platform.platform}-${basicTime(new Date())}`,
            input: { dryRun: options.dryRun === true, ...(releases.length === 0 ? {} : { releases }) },
            summary: of.summary(platform.platform),
          });
        }),
      );
  };
}
