import { failure } from '../../model/failures.ts';
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
    .action(
      act<{ release?: string; all?: boolean }>(async (session, options, [id] = []) => {
        if (id !== undefined && options.all === true)
          throw failure('InputInvalid', { message: 'verify: name a point or --all, not both' });
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
          },
          summary: `Verify ${id ?? (options.all === true ? 'every point' : 'the newest points')}`,
        });
      }),
    );
};
