import { ArchiveIndexHeader, ArchiveMember } from '../../model/archive-index.ts';
import { failure } from '../../model/failures.ts';
import { pathSegment } from './path-segment.ts';
import { type TarMember, trimmed } from './tar.ts';

/** Of the index, for RESTORE.md. */
export const indexRestoreCommand =
  '# where each path lies in the archive, for `lifeboat points extract`; a restore needs it not';

/** Gathers the index of an archive while it is read. */
export type ArchiveIndexGatherer = {
  readonly visit: (member: TarMember) => void;
  /** What was met so far, in the order of the archive. */
  readonly members: readonly ArchiveMember[];
};

/** Gathers where each member of an archive lies, all but the top. */
export function gatherArchiveIndex(): ArchiveIndexGatherer {
  const members: ArchiveMember[] = [];
  return {
    members,
    visit: ({ path, type, mode, uid, gid, sizeBytes, mtime, at, target }) => {
      if (path.byteLength === 0) return;
      const named = target === undefined ? undefined : type === 'hardlink' ? trimmed(target) : target;
      members.push({
        ...{ path: pathSegment(path, 'keep'), type, mode, uid, gid, sizeBytes, mtime: asInstant(mtime), at },
        ...(named === undefined ? {} : { target: pathSegment(named, 'keep') }),
      });
    },
  };
}

/** The furthest that a Date reaches. */
const lastSecond = 8_640_000_000_000;

function asInstant(mtime: number): number {
  return Number.isFinite(mtime) ? Math.max(-lastSecond, Math.min(lastSecond, mtime)) : 0;
}

/** The bytes of an index: lines of JSON, first its header, then its members. */
export function formatArchiveIndex(members: readonly ArchiveMember[]): Buffer {
  const header: ArchiveIndexHeader = { kind: 'ArchiveIndex', formatVersion: 1, stream: 'tar' };
  const lines = [header, ...members].map((line) => Buffer.from(`${JSON.stringify(line)}\n`));
  return Buffer.concat(lines);
}

/** Reads the bytes of an index. @throws ManifestNewer, ManifestInvalid */
export function parseArchiveIndex(bytes: Buffer): ArchiveMember[] {
  const [first = '', ...lines] = bytes.toString('utf8').trimEnd().split('\n');
  const header = JSON.parse(first) as { formatVersion?: unknown };
  if (typeof header.formatVersion === 'number' && header.formatVersion > 1)
    throw failure('ManifestNewer', { message: `read index: its format is ${String(header.formatVersion)}` });
  if (!ArchiveIndexHeader.safeParse(header).success)
    throw failure('ManifestInvalid', { message: 'read index: its first line is not that of an index' });
  return lines.map((line) => ArchiveMember.parse(JSON.parse(line)));
}
