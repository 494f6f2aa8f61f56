import { failure } from '../../model/failures.ts';
import { Percent } from '../../model/percent.ts';
import { basicTime } from '../../model/run-names.ts';
import { conductRun } from '../follow-run.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';
import { findPointOwner } from './points.ts';

/** `lifeboat verify [ID] [--release R] [--all]` */
export const verify: Verb = (program) => {
  program
    .command('verify')
    .description('read recovery points back out of the store: every byte, decrypted, decompressed and hashed')
    .argument('[id]', 'a point; default: the newest of each release')
    .option('--release <name>', 'only the points of one release')
    .option('--all', 'every point')
    .option(
      '--sample <percent>',
      'only so many of the frames, chosen at random, 5%: finds what is gone or cut, and rot by chance',
    )
    .action(
      act<{ release?: string; all?: boolean; sample?: string }>(async (session, options, [id] = []) => {
        if (id !== undefined && options.all === true)
          throw failure('InputInvalid', { message: 'verify: name a point or --all, not both' });
        if (options.sample !== undefined && !Percent.safeParse(options.sample).success)
          throw failure('InputInvalid', {
            message: `read --sample: a percentage above 0% and at most 100%, such as 5%, not ${options.sample}`,
          });
        const named = options.release === undefined ? undefined : (await namedReleases(session, [options.release]))[0];
        const release = named ?? (id === undefined ? undefined : await findPointOwner(session, id));
        const { platform } = await session.platform();
        return await conductRun(session, {
          type: 'verifyRecoveryPoint',
          workflowId: `verify-${platform.platform}-${basicTime(new Date())}`,
          input: {
            all: options.all === true,
            ...(id === undefined ? {} : { point: id }),
            ...(release === undefined ? {} : { release }),
            ...(options.sample === undefined ? {} : { sample: options.sample }),
          },
          summary: `Verify ${id ?? (options.all === true ? 'every point' : 'the newest points')}`,
        });
      }),
    );
};
