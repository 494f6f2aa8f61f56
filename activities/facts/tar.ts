import { createHash } from 'node:crypto';
import type { Facts, FactTotals } from '../../model/facts.ts';
import { pathSegment } from './path-segment.ts';
import type { Parser } from './push-parser.ts';

const blockBytes = 512;

/** A member of a tar archive. */
export type TarMember = {
  /** Without `./` in front and `/` behind; empty for the top. */
  readonly path: Buffer;
  readonly type: 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'pipe';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly sha256: string | undefined;
  readonly target: Buffer | undefined;
  /** Seconds since 1970, with a fraction where the archive has one. */
  readonly mtime: number;
  /** Where its content begins in the stream. */
  readonly at: number;
  /** SHA-256 of the extended attributes that the archive carries of it; undefined where it carries none. */
  readonly attributes: string | undefined;
  /** The same of its ACLs. */
  readonly acl: string | undefined;
};

const types: Readonly<Record<string, TarMember['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'pipe',
};

/** What headers before that of a member say of it. */
type Extended = {
  path?: Buffer;
  target?: Buffer;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  /** Extended attributes and ACLs, by their key. */
  records?: ReadonlyMap<string, Buffer>;
};

/** Takes the content of a file in pieces. */
export type TakeContent = (piece: Buffer) => void;

/**
 * Reads a tar stream (ustar, GNU long names and large numbers, pax paths and sizes), each member's content hashed as it
 * passes; `contentOf` says who else wants that of a file, before its member is visited. Throws a plain Error for what is
 * damaged or not of these formats. Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU
 * tar 1.34 manual, "Basic Tar Format".
 */
export function* readTar(
  visit: (member: TarMember) => void,
  contentOf: (path: Buffer) => TakeContent | undefined = () => undefined,
): Parser<void> {
  let long: Extended = {};
  let at = 0;
  for (;;) {
    const header = Buffer.from(yield blockBytes);
    at += blockBytes;
    if (header.every((byte) => byte === 0)) {
      while ((yield -65_536).byteLength > 0);
      return;
    }
    requireChecksum(header);
    const kind = header.toString('latin1', 156, 157);
    const stated = number(header.subarray(124, 136));
    if ('LKxg'.includes(kind)) {
      const content = Buffer.from(yield stated);
      yield padding(stated);
      at += stated + padding(stated);
      if (kind === 'L') long.path = upToZero(content);
      else if (kind === 'K') long.target = upToZero(content);
      else if (kind === 'x') long = { ...long, ...paxRecords(content) };
      continue;
    }
    const type = types[kind];
    if (type === undefined) throw new Error(`members of type ${kind} are not known to this Lifeboat`);
    const sizeBytes = type === 'file' ? (long.size ?? stated) : 0;
    const path = trimmed(long.path ?? ustarPath(header));
    const sha256 = type === 'file' ? yield* hashContent(sizeBytes, contentOf(path)) : undefined;
    visit({
      path,
      type,
      mode: number(header.subarray(100, 108)) & 0o7777,
      uid: long.uid ?? number(header.subarray(108, 116)),
      gid: long.gid ?? number(header.subarray(116, 124)),
      sizeBytes,
      sha256,
      target:
        type === 'hardlink' || type === 'symlink' ? (long.target ?? upToZero(header.subarray(157, 257))) : undefined,
      mtime: long.mtime ?? number(header.subarray(136, 148)),
      at,
      attributes: recordsDigest(long.records, 'SCHILY.xattr.'),
      acl: recordsDigest(long.records, 'SCHILY.acl.'),
    });
    at += sizeBytes + padding(sizeBytes);
    long = {};
  }
}

function* hashContent(size: number, take: TakeContent | undefined): Parser<string> {
  const sum = createHash('sha256');
  for (let left = size; left > 0; ) {
    const piece = yield -Math.min(left, 1 << 20);
    if (piece.byteLength === 0) throw new Error('it ends inside a file');
    sum.update(piece);
    take?.(piece);
    left -= piece.byteLength;
  }
  yield padding(size);
  return sum.digest('hex');
}

/** Gathers the facts of an archive while it is read. */
export type TarFacts = { readonly visit: (member: TarMember) => void; facts(): Facts; readonly totals: FactTotals };

/**
 * Facts of an archive: `file/<path>` → type, mode, owner, size and digest, or target. Not those of the top, which belongs
 * to the volume, and of a symbolic link not its mode, which no system keeps alike. Of names for one file the first by the
 * alphabet has its facts, and the others lead to it: which of them tar meets first is chance. `attributes/<path>` and
 * `acl/<path>` → digest of its extended attributes and of its ACLs, where the archive carries any.
 */
export function gatherTarFacts(): TarFacts {
  const facts = new Map<string, string>();
  const links = new Map<string, string[]>();
  const carried = { attributes: new Map<string, string>(), acl: new Map<string, string>() };
  const totals = { files: 0, bytes: 0 };
  return {
    totals,
    visit: (member) => {
      if (member.path.byteLength === 0) return;
      totals.files += 1;
      totals.bytes += member.sizeBytes;
      const path = pathSegment(member.path, 'keep');
      if (member.type === 'hardlink') {
        const target = pathSegment(trimmed(member.target ?? Buffer.alloc(0)), 'keep');
        const known = links.get(target);
        if (known === undefined) links.set(target, [path]);
        else known.push(path);
      } else facts.set(path, memberFact(member));
      if (member.attributes !== undefined) carried.attributes.set(path, member.attributes);
      if (member.acl !== undefined) carried.acl.set(path, member.acl);
    },
    facts: () => {
      for (const [target, others] of links) {
        const [first = target, ...rest] = [target, ...others].sort();
        facts.set(first, facts.get(target) ?? `hardlink ${target}`);
        for (const other of rest) facts.set(other, `hardlink ${first}`);
        for (const digests of Object.values(carried)) {
          const known = digests.get(target);
          for (const name of [target, ...others]) digests.delete(name);
          if (known !== undefined) digests.set(first, known);
        }
      }
      const all: [string, string][] = [...facts].map(([path, fact]) => [`file/${path}`, fact]);
      for (const [kind, digests] of Object.entries(carried))
        for (const [path, digest] of digests) all.push([`${kind}/${path}`, digest]);
      return Object.fromEntries(all);
    },
  };
}

function memberFact({ type, mode, uid, gid, sizeBytes, sha256, target }: TarMember): string {
  const owner = `${String(uid)}:${String(gid)}`;
  if (type === 'symlink') return `symlink ${owner} ${pathSegment(target ?? Buffer.alloc(0), 'keep')}`;
  return `${type} ${mode.toString(8).padStart(4, '0')} ${owner}${sha256 === undefined ? '' : ` ${String(sizeBytes)} ${sha256}`}`;
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function upToZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end));
}

function ustarPath(header: Buffer): Buffer {
  const name = upToZero(header.subarray(0, 100));
  // GNU's own format has other fields where ustar has the prefix
  const prefix =
    header.toString('latin1', 257, 263) === 'ustar\0' ? upToZero(header.subarray(345, 500)) : Buffer.alloc(0);
  return prefix.byteLength === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

/** A path without `./` in front and `/` behind; empty for `.`. */
export function trimmed(path: Buffer): Buffer {
  let from = 0;
  let to = path.byteLength;
  while (path[from] === 0x2e && path[from + 1] === 0x2f) from += 2;
  while (to > from && path[to - 1] === 0x2f) to -= 1;
  return to - from === 1 && path[from] === 0x2e ? Buffer.alloc(0) : path.subarray(from, to);
}

/** Octal digits, or a big-endian number in two's complement behind a first bit that is set. */
function number(field: Buffer): number {
  const first = field[0] as number;
  if ((first & 0x80) !== 0) {
    const sign = 1n << BigInt(field.byteLength * 8 - 1);
    const value = BigInt(`0x${field.toString('hex')}`) - sign;
    return Number((first & 0x40) === 0 ? value : value - sign);
  }
  const digits = /^[ \0]*([0-7]*)/.exec(field.toString('latin1'))?.[1] ?? '';
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function requireChecksum(header: Buffer): void {
  let sum = 0;
  for (let index = 0; index < blockBytes; index += 1)
    sum += index >= 148 && index < 156 ? 32 : (header[index] as number);
  if (sum !== number(header.subarray(148, 156))) throw new Error('a tar header is damaged');
}

function paxRecords(content: Buffer): Extended {
  const found: Extended = {};
  const records = new Map<string, Buffer>();
  for (let at = 0; at < content.byteLength; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString('latin1', at, space));
    const equals = content.indexOf(0x3d, space);
    if (!(length > 0) || space === -1 || equals === -1) throw new Error('an extended tar header is damaged');
    const value = content.subarray(equals + 1, at + length - 1);
    const key = content.toString('latin1', space + 1, equals);
    if (key === 'path') found.path = Buffer.from(value);
    else if (key === 'linkpath') found.target = Buffer.from(value);
    else if (key === 'size' || key === 'uid' || key === 'gid' || key === 'mtime')
      found[key] = Number(value.toString('latin1'));
    else if (key.startsWith('SCHILY.xattr.') || key.startsWith('SCHILY.acl.')) records.set(key, Buffer.from(value));
    else if (key.startsWith('GNU.sparse.')) throw new Error('sparse members are not known to this Lifeboat');
    at += length;
  }
  return records.size === 0 ? found : { ...found, records };
}

/** The same for the same records of a kind, in whatever order a file system lists them. */
function recordsDigest(records: ReadonlyMap<string, Buffer> | undefined, prefix: string): string | undefined {
  const ofKind = [...(records ?? [])].filter(([key]) => key.startsWith(prefix));
  if (ofKind.length === 0) return undefined;
  const sum = createHash('sha256');
  for (const [key, value] of ofKind.sort(([one], [other]) => (one < other ? -1 : 1)))
    sum.update(`${key}\0${String(value.byteLength)}\0`).update(value);
  return sum.digest('hex');
}
