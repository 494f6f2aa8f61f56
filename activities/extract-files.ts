import { createHash, randomBytes } from 'node:crypto';
import { chmod, lchown, link, lutimes, mkdir, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import type { ArchiveMember } from '../model/archive-index.ts';
import type { Facts } from '../model/facts.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import type { ChosenMembers } from './facts/choose-members.ts';
import { pathBytes } from './facts/path-segment.ts';
import type { PointArchive } from './point-archive.ts';

/** What is written where. */
export type FilesToExtract = {
  readonly archive: PointArchive;
  readonly chosen: ChosenMembers;
  /** The facts that were captured with the archive. */
  readonly facts: Facts;
  /** A directory that is empty or not there. */
  readonly to: string;
  /** Called after each file. */
  readonly onProgress?: (files: number, bytes: number) => void;
};

/** What was written, and what this system cannot make. */
export type ExtractedFiles = {
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly bytes: number;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
};

/** Files by the member that holds their content, which may be one that was not chosen. */
type Contents = Map<ArchiveMember, [ArchiveMember, ...ArchiveMember[]]>;

/**
 * Writes members of an archive below a directory, as tar does: mode, time of change, links; the owner where this process is
 * root. Of the archive only the frames that hold them are read. A file gets its name when its bytes have the digest that the
 * facts say, and symbolic links are made last: nothing is written through one.
 * Changes: the directory; what a failure leaves there is whole. Throws: InputInvalid where the directory is not empty,
 * ArtifactDigestMismatch naming the file, DiskFull, RestoreFailed, and what reading frames throws.
 */
export async function extractFiles(of: FilesToExtract): Promise<ExtractedFiles> {
  try {
    await openTarget(of.to);
    return await extract(of);
  } catch (error) {
    throw localFailure(error, of.to);
  }
}

async function extract({ archive, chosen, facts, to, onProgress }: FilesToExtract): Promise<ExtractedFiles> {
  const at = (path: string): Buffer => Buffer.concat([Buffer.from(`${to}/`), pathBytes(path)]);
  const ofType = (...types: readonly ArchiveMember['type'][]): ArchiveMember[] =>
    chosen.members.filter(({ type }) => types.includes(type));
  const directories = [...chosen.parents, ...ofType('directory')];
  for (const { path } of directories) await mkdir(at(path), { recursive: true, mode: 0o700 });

  const part = Buffer.from(`${to}/.lifeboat-${randomBytes(8).toString('hex')}.part`);
  let files = 0;
  let bytes = 0;
  let links = 0;
  for (const [holder, [first, ...others]] of contentsOf(archive.index, ofType('file', 'hardlink'))) {
    await makeParent(at(first.path));
    await writePart(part, archive, holder, digestOf(facts, first.path));
    await rename(part, at(first.path));
    for (const other of others) {
      await makeParent(at(other.path));
      await link(at(first.path), at(other.path));
    }
    files += 1;
    links += others.length;
    bytes += holder.sizeBytes;
    onProgress?.(files, bytes);
  }
  for (const member of ofType('symlink')) {
    await makeParent(at(member.path));
    await symlink(pathBytes(member.target ?? ''), at(member.path));
    await setAttributes(at(member.path), member);
    links += 1;
  }
  // What is made in a directory changes its times, and one without the right to search shuts out what is below it.
  for (const member of [...directories].reverse()) await setAttributes(at(member.path), member);
  return {
    ...{ files, links, bytes, directories: directories.length },
    skipped: ofType('character', 'block', 'pipe').map(({ path, type }) => ({ path, reason: `a ${type} is not made` })),
  };
}

async function openTarget(to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  if ((await readdir(to)).length > 0)
    throw failure('InputInvalid', { message: `extract to ${to}: name a new or an empty directory` });
}

/** A directory that the archive leaves out. */
async function makeParent(path: Buffer): Promise<void> {
  await mkdir(path.subarray(0, path.lastIndexOf('/')), { recursive: true });
}

/** Which names share which content, in the order of the archive, so that each frame is read once. */
function contentsOf(index: readonly ArchiveMember[], chosen: readonly ArchiveMember[]): Contents {
  const contents: Contents = new Map();
  const byPath = new Map(index.filter(({ type }) => type === 'file').map((member) => [member.path, member]));
  for (const member of chosen) {
    const holder = member.type === 'file' ? member : byPath.get(member.target ?? '');
    if (holder === undefined)
      throw failure('PathUnsafe', {
        message: `write ${member.path}: it is a link to what is no file of the archive`,
      });
    const known = contents.get(holder);
    if (known === undefined) contents.set(holder, [member]);
    else known.push(member);
  }
  return new Map([...contents].sort(([one], [other]) => one.at - other.at));
}

/** The digest of a file; of names for one file the facts give it to the first. */
function digestOf(facts: Facts, path: string): string {
  const fact = String(facts[`file/${path}`] ?? '');
  const other = /^hardlink (.*)$/s.exec(fact)?.[1];
  const digest = / ([0-9a-f]{64})$/.exec(other === undefined ? fact : String(facts[`file/${other}`] ?? ''))?.[1];
  if (digest !== undefined) return digest;
  throw failure('ArtifactDigestMismatch', { message: `extract ${path}: the facts of the point have no digest of it` });
}

/** Writes the content of a file, with all its attributes, under a name that is not its own yet. */
async function writePart(part: Buffer, archive: PointArchive, holder: ArchiveMember, sha256: string): Promise<void> {
  const file = await open(part, 'wx', 0o600);
  try {
    const sum = createHash('sha256');
    for await (const piece of archive.content.read(holder.at, holder.sizeBytes)) {
      sum.update(piece);
      await file.writeFile(piece);
    }
    if (sum.digest('hex') !== sha256)
      throw failure('ArtifactDigestMismatch', {
        message: `extract ${holder.path}: the stored bytes are not the captured ones, nothing of it was written`,
      });
  } catch (error) {
    await file.close();
    await rm(part, { force: true });
    throw error;
  }
  await file.close();
  await setAttributes(part, holder);
}

const isRoot = process.getuid?.() === 0;

/** The owner first: giving a file away takes setuid from it, which nobody else gets by a restore. */
async function setAttributes(path: Buffer, { type, mode, uid, gid, mtime }: ArchiveMember): Promise<void> {
  if (isRoot) await lchown(path, uid, gid);
  if (type !== 'symlink') await chmod(path, isRoot ? mode : mode & 0o1777);
  await lutimes(path, mtime, mtime);
}

function localFailure(error: unknown, to: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (error instanceof LifeboatFailure || code === undefined || !(error instanceof Error)) return error;
  return failure(code === 'ENOSPC' || code === 'EDQUOT' ? 'DiskFull' : 'RestoreFailed', {
    message: `extract to ${to}: ${error.message}`,
    changed: 'yes',
    cause: error,
  });
}
