import type { Client } from '@temporalio/client';
import { failure } from '../../model/failures.ts';
import { platformReleases } from '../../model/platform.ts';
import { findRelease, releasePath } from '../../model/release-name.ts';
import type { Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';
import { findRun } from './messages.ts';

/** `lifeboat repair` */
export const repair: Verb = (program) => {
  program
    .command('repair')
    .description(
      'find volumes set aside, fences, stopped workloads, quiesces, helper pods and drill namespaces that a run left; undo them',
    )
    .option('--dry-run', 'only show them')
    .option('--all', 'undo also what belongs to no run that Temporal knows: its run is gone for good')
    .option('--run <id>', 'only what this run left: its run id, or its workflow id where Temporal knows it')
    .action(
      act<{ dryRun?: boolean; all?: boolean; run?: string }>(async (session, options) => {
        const client = await session.client().catch(() => undefined);
        const { repair: repairCluster } = await import('../../activities/repair.ts');
        const found = await repairCluster(await session.backends(), client, {
          all: options.all === true,
          dryRun: options.dryRun === true,
          run: options.run === undefined ? undefined : await runIdOf(session, client, options.run),
        });
        const { terminal } = session;
        if (terminal.json) terminal.printJson(found);
        else if (found.length === 0)
          terminal.print(`nothing was left behind${options.run === undefined ? '' : ` by ${options.run}`}`);
        for (const each of terminal.json ? [] : found) {
          const state = each.undone
            ? '✓ undone'
            : each.problem !== null
              ? `✗ ${each.problem}`
              : each.reason === null
                ? '! kept: its run may go on'
                : '! would be undone';
          terminal.print(
            `${state}   ${each.what} on ${each.object}, of run ${each.run}${each.reason === null ? '' : ` (${each.reason})`}`,
          );
        }
        const kept = found.filter((each) => !each.undone);
        if (kept.length > 0 && client === undefined && options.all !== true)
          terminal.note(
            'Temporal does not answer, so only deadlines count; when its runs are gone for good: lifeboat repair --all',
          );
        return kept.length === 0 || options.dryRun === true ? 0 : 1;
      }),
    );
};

/** The run id, by which all that a run leaves is marked. @throws InputInvalid where it is another id that Temporal does not know */
async function runIdOf(session: Session, client: Client | undefined, asked: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(asked)) return asked;
  if (client === undefined)
    throw failure('InputInvalid', {
      message: `repair --run ${asked}: Temporal does not answer, so name the run id; lifeboat repair --dry-run shows it`,
    });
  return (await (await findRun(session, asked)).describe()).runId;
}

/** `lifeboat unlock RELEASE` */
export const unlock: Verb = (program) => {
  program
    .command('unlock')
    .description('take the lock of a release from a run that is gone for good')
    .argument('[release]', 'default: shows the locks that are held')
    .option('--by <name>')
    .option('--reason <text>')
    .action(
      act<{ by?: string; reason?: string }>(async (session, options, [name] = []) => {
        const backends = await session.backends();
        const { listLocks, releaseLock } = await import('../../activities/clients/leases.ts');
        const locks = await listLocks(backends.kubernetes);
        if (name === undefined) {
          if (session.terminal.json) session.terminal.printJson(locks);
          else
            session.terminal.print(
              locks.length === 0
                ? 'no release is locked'
                : locks
                    .map((lock) => `${lock.release}  held by ${lock.holder.workflowId} since ${lock.since}`)
                    .join('\n'),
            );
          return 0;
        }
        if (options.by === undefined || options.reason === undefined)
          throw failure('InputInvalid', { message: 'unlock: say who and why: --by NAME --reason TEXT' });
        const release = findRelease(name, platformReleases(backends.platform));
        if (typeof release === 'string') throw failure('ReleaseUnknown', { message: release });
        const held = await releaseLock(backends.kubernetes, releasePath(release), null);
        if (held === undefined) throw failure('InputInvalid', { message: `unlock ${name}: nobody holds it` });
        const record = {
          release: held.release,
          from: held.holder,
          by: options.by,
          reason: options.reason,
          at: new Date().toISOString(),
        };
        await backends.store.put(
          `unlocks/${held.release}/${record.at.replaceAll(':', '')}.json`,
          Buffer.from(JSON.stringify(record)),
        );
        if (session.terminal.json) session.terminal.printJson(record);
        else session.terminal.print(`took the lock of ${held.release} from ${held.holder.workflowId}`);
        return 0;
      }),
    );
};
