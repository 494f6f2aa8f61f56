import type { Command } from 'commander';
import type { PointArchive } from '../../activities/point-archive.ts';
import type { ArchiveMember } from '../../model/archive-index.ts';
import { formatBytes } from '../../model/duration.ts';
import { exitCodes } from '../../model/outcome.ts';
import type { Manifest } from '../../model/recovery-point.ts';
import type { Session } from '../session.ts';
import { table } from '../terminal.ts';
import { act } from '../verb.ts';

/** How a point is found by its id. @throws PointUnknown */
type FindPoint = (session: Session, id: string) => Promise<{ readonly manifest: Manifest }>;

const componentOption = ['--component <name>', 'the component, where a point holds several archives of files'] as const;

/** Adds `lifeboat points files ID` and `lifeboat points extract ID PATH…`. */
export function addFileCommands(command: Command, findPoint: FindPoint): void {
  command
    .command('files')
    .description('list the files of an archive in a point: paths with mode, owner, size and time of change')
    .argument('<id>')
    .argument('[prefix]', 'only paths that begin so')
    .option(...componentOption)
    .action(
      act<{ component?: string }>(async (session, { component }, [id = ''] = [], [prefix = ''] = []) => {
        const { record, index } = await openArchive(session, findPoint, { id, component });
        const { membersBelow } = await import('../../activities/facts/choose-members.ts');
        const members = membersBelow(index, prefix);
        if (session.terminal.json)
          session.terminal.printJson({ point: id, component: record.component, files: members.map(described) });
        else session.terminal.print(fileTable(members));
        return 0;
      }),
    );

  command
    .command('extract')
    .description('write files out of an archive in a point into a new directory, reading only the parts that hold them')
    .argument('<id>')
    .argument('<path...>', 'as `points files` lists it, a directory with all below it, `.` for everything')
    .requiredOption('--to <directory>', 'a directory that is empty or not there yet')
    .option(...componentOption)
    .action(
      act<{ component?: string; to: string }>(
        async (session, { component, to }, [id = ''] = [], paths = []) =>
          await extract(session, findPoint, { id, component, to, paths }),
      ),
    );
}

type Asked = { readonly id: string; readonly component: string | undefined };

async function openArchive(session: Session, findPoint: FindPoint, { id, component }: Asked): Promise<PointArchive> {
  const [{ openPointArchive }, store, kit, { manifest }] = await Promise.all([
    import('../../activities/point-archive.ts'),
    session.store(),
    session.kit(),
    findPoint(session, id),
  ]);
  const note = (line: string): void => {
    session.terminal.note(line);
  };
  return await openPointArchive({ store, kit, manifest, component, note });
}

async function extract(
  session: Session,
  findPoint: FindPoint,
  of: Asked & { readonly to: string; readonly paths: readonly string[] },
): Promise<number> {
  const { terminal } = session;
  const archive = await openArchive(session, findPoint, of);
  const [{ chooseMembers }, { extractFiles }, { readCapturedFacts }] = await Promise.all([
    import('../../activities/facts/choose-members.ts'),
    import('../../activities/extract-files.ts'),
    import('../../activities/captured-facts.ts'),
  ]);
  const chosen = chooseMembers(archive.index, of.paths);
  const facts = await readCapturedFacts({ store: await session.store(), kit: await session.kit() }, archive.record);
  let drawnAt = 0;
  const extracted = await extractFiles({
    ...{ archive, chosen, facts, to: of.to },
    onProgress: (files, bytes) => {
      if (Date.now() - drawnAt < 200) return;
      drawnAt = Date.now();
      terminal.draw([`extract ${String(files)} files, ${formatBytes(bytes)}`]);
    },
  });
  terminal.draw([]);
  const bare = chosen.members.filter(
    ({ path }) => (facts[`attributes/${path}`] ?? facts[`acl/${path}`]) !== undefined,
  ).length;
  const notes =
    bare === 0 ? [] : [`extended attributes and ACLs of ${String(bare)} paths are not set; a restore sets them`];
  const { cost } = archive.content;
  if (terminal.json)
    terminal.printJson({
      point: of.id,
      component: archive.record.component,
      to: of.to,
      ...extracted,
      read: cost,
      notes,
    });
  else
    terminal.print(
      `extracted ${String(extracted.files)} files, ${formatBytes(extracted.bytes)}, each with the captured digest, ` +
        `${String(extracted.directories)} directories and ${String(extracted.links)} links to ${of.to}; ` +
        `read ${String(cost.frames)} frames, ${formatBytes(cost.storedBytes)}`,
    );
  for (const { path, reason } of extracted.skipped) terminal.note(`! ${path}: ${reason}`);
  for (const note of notes) terminal.note(`! ${note}`);
  return extracted.skipped.length === 0 ? exitCodes.complete : exitCodes.partial;
}

function described({ path, type, mode, uid, gid, sizeBytes, mtime, target }: ArchiveMember): object {
  return {
    ...{ path, type, mode: mode.toString(8).padStart(4, '0'), uid, gid, sizeBytes },
    modifiedAt: new Date(mtime * 1000).toISOString(),
    ...(target === undefined ? {} : { target }),
  };
}

const typeMarks = { file: '-', hardlink: '-', symlink: 'l', directory: 'd', character: 'c', block: 'b', pipe: 'p' };

function fileTable(members: readonly ArchiveMember[]): string {
  const rows = members.map(({ path, type, mode, uid, gid, sizeBytes, mtime, target }) => [
    `${typeMarks[type]} ${mode.toString(8).padStart(4, '0')}`,
    `${String(uid)}:${String(gid)}`,
    type === 'file' ? formatBytes(sizeBytes) : '',
    new Date(mtime * 1000).toISOString().slice(0, 16).replace('T', ' '),
    target === undefined ? path : `${path} ${type === 'symlink' ? '->' : 'is also'} ${target}`,
  ]);
  return table(['MODE', 'OWNER', 'SIZE', 'CHANGED (UTC)', 'PATH'], rows);
}
