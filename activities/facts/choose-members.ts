import type { ArchiveMember } from '../../model/archive-index.ts';
import { failure } from '../../model/failures.ts';
import { pathBytes, pathSegment } from './path-segment.ts';

/** What was chosen out of an archive, by path: its directories before what is in them. */
export type ChosenMembers = {
  readonly members: readonly ArchiveMember[];
  /** Directories above them that were not chosen themselves. */
  readonly parents: readonly ArchiveMember[];
};

/**
 * Chooses members of an archive: each path with all that is below it, `.` for everything. A path is meant as it is typed, or
 * as listings show it.
 * @throws FileUnknown naming the nearest paths; PathUnsafe where a member would lie outside of the directory that it is written to
 */
export function chooseMembers(index: readonly ArchiveMember[], paths: readonly string[]): ChosenMembers {
  const byPath = new Map(index.map((member) => [member.path, member]));
  const roots = new Set(paths.map((path) => (tidy(path) === '' ? '' : knownPath(byPath, path))));
  const isChosen = (path: string): boolean =>
    roots.has('') || [path, ...ancestorsOf(path)].some((each) => roots.has(each));
  const members = [...byPath.values()].filter(({ path }) => isChosen(path)).sort(byPathOrder);
  const above = new Set(members.flatMap(({ path }) => ancestorsOf(path)).filter((path) => !isChosen(path)));
  const parents = [...above].flatMap((path) => byPath.get(path) ?? []).sort(byPathOrder);
  for (const { path } of [...parents, ...members]) assertInside(byPath, path);
  return { members, parents };
}

/** Members whose path begins with a text, by path. @throws FileUnknown where there are none */
export function membersBelow(index: readonly ArchiveMember[], prefix: string): ArchiveMember[] {
  const start = `${tidy(prefix)}${/[^/]\/+$/.test(prefix) ? '/' : ''}`;
  const starts = [pathSegment(start, 'keep'), start];
  const found = index.filter(({ path }) => starts.some((start) => path.startsWith(start))).sort(byPathOrder);
  if (found.length > 0 || tidy(prefix) === '') return found;
  throw unknownPath(
    prefix,
    index.map(({ path }) => path),
  );
}

/** As it is typed where it stands so in the archive, else as a listing shows it. */
function knownPath(byPath: ReadonlyMap<string, ArchiveMember>, path: string): string {
  const found = [pathSegment(tidy(path), 'keep'), tidy(path)].find((each) => byPath.has(each));
  if (found !== undefined) return found;
  throw unknownPath(path, [...byPath.keys()]);
}

function unknownPath(path: string, known: readonly string[]): Error {
  const near = nearestOf(pathSegment(tidy(path), 'keep'), known);
  const said = near.length === 0 ? 'it is empty' : `nearest: ${near.join(', ')}`;
  return failure('FileUnknown', { message: `find ${path} in the archive: it has none of that path; ${said}` });
}

/** Without `./` in front and `/` behind. */
function tidy(path: string): string {
  return path
    .replace(/^(\.\/+)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

/** `a/b` and `a` of `a/b/c`. */
function ancestorsOf(path: string): string[] {
  const found: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) found.push(path.slice(0, at));
  return found;
}

/** What lies above it must be a directory of the archive, and no step may lead up. */
function assertInside(byPath: ReadonlyMap<string, ArchiveMember>, path: string): void {
  const refuse = (why: string): never => {
    throw failure('PathUnsafe', { message: `write ${path}: ${why}` });
  };
  const steps = pathBytes(path).toString('latin1').split('/');
  if (steps.some((step) => step === '' || step === '.' || step === '..')) refuse('it leads out of the directory');
  if (path.includes('%00')) refuse('its name has a zero byte');
  for (const above of ancestorsOf(path)) {
    const type = byPath.get(above)?.type ?? 'directory';
    if (type !== 'directory') refuse(`${above} is a ${type} of the archive`);
  }
}

/** Code units, so that a directory comes before what is in it, on every machine alike. */
function byPathOrder(one: ArchiveMember, other: ArchiveMember): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}

const shownNearest = 3;

/** The paths that share most with one: the same name elsewhere, else the longest beginning and end. */
function nearestOf(path: string, known: readonly string[]): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const scored = known.map((each) => {
    const most = Math.min(path.length, each.length);
    let start = 0;
    while (start < most && path[start] === each[start]) start += 1;
    let end = 0;
    while (end < most - start && path[path.length - 1 - end] === each[each.length - 1 - end]) end += 1;
    const sameName = each === name || each.endsWith(`/${name}`);
    return { each, score: (sameName ? 1 : 0) + (start + end) / Math.max(path.length, each.length, 1) };
  });
  return scored
    .sort((one, other) => other.score - one.score)
    .slice(0, shownNearest)
    .map(({ each }) => each);
}
