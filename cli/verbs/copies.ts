import type { SafetyCopy } from '../../activities/safety-copies.ts';
import { table } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';

type Row = SafetyCopy & { readonly removed: boolean; readonly problem: string | null };

/** `lifeboat copies` */
export const copies: Verb = (program) => {
  program
    .command('copies')
    .description('what restores and upgrades replaced and keep in the cluster: volumes and databases')
    .option('--remove', 'remove those whose time (keepFor in lifeboat.yaml) has passed')
    .action(
      act<{ remove?: boolean }>(async (session, options) => {
        const { terminal } = session;
        const { findCopies } = await import('../../activities/safety-copies.ts');
        const found = await findCopies(await session.backends(), new Date());
        const rows: Row[] = [];
        for (const { remove, ...copy } of found.copies) {
          if (!copy.due || options.remove !== true) {
            rows.push({ ...copy, removed: false, problem: null });
            continue;
          }
          const problem = await remove().then(
            () => null,
            (error: unknown) => (error instanceof Error ? error.message : String(error)),
          );
          rows.push({ ...copy, removed: problem === null, problem });
        }
        if (terminal.json) terminal.printJson({ copies: rows, problems: found.problems });
        else {
          terminal.print(
            rows.length === 0
              ? 'nothing that was replaced is kept'
              : table(['of', 'what', 'name', 'kept until', 'state'], rows.map(describe)),
          );
          for (const { release, why } of found.problems) terminal.note(`not looked at: ${release}: ${why}`);
        }
        return rows.some(({ problem }) => problem !== null) || found.problems.length > 0 ? 1 : 0;
      }),
    );
};

function describe({ of, what, name, until, due, removed, problem }: Row): string[] {
  const state = removed
    ? '✓ removed'
    : problem !== null
      ? `✗ ${problem}`
      : until === null
        ? 'kept; since when is not known: look, then delete it yourself'
        : due
          ? 'its time has passed: lifeboat copies --remove'
          : 'kept';
  return [of, what, name, until === null ? '-' : until.slice(0, 16).replace('T', ' '), state];
}
