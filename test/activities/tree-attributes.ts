import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Every attribute of every path below a directory, by path with its bytes as latin1. */
export type TreeAttributes = ReadonlyMap<string, string>;

const slash = Buffer.from('/');

/**
 * Reads type, mode, owner, size, mtime in seconds, link target, content digest and the first name of the same file.
 * @param of.skip - entries of the top that are left out
 * @param of.attributes - extended attributes and ACLs too; needs getfattr and getfacl
 */
export function readTreeAttributes(of: {
  readonly directory: string;
  readonly attributes: boolean;
  readonly skip?: readonly string[];
}): TreeAttributes {
  const found = new Map<string, string>();
  const names = new Map<bigint, string[]>();
  const walk = (folder: Buffer, path: Buffer): void => {
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      if (path.byteLength === 0 && of.skip?.includes(name.toString()) === true) continue;
      const full = Buffer.concat([folder, slash, name]);
      const below = path.byteLength === 0 ? name : Buffer.concat([path, slash, name]);
      const stat = lstatSync(full, { bigint: true });
      const key = below.toString('latin1');
      const type = stat.mode & 0o170000n;
      const isFile = stat.isFile();
      found.set(
        key,
        [
          `type ${type.toString(8)} mode ${(stat.mode & 0o7777n).toString(8)} owner ${String(stat.uid)}:${String(stat.gid)}`,
          `mtime ${String(stat.mtimeNs < 0n ? (stat.mtimeNs - 999_999_999n) / 1_000_000_000n : stat.mtimeNs / 1_000_000_000n)}`,
          ...(isFile ? [`size ${String(stat.size)} ${digest(readFileSync(full))}`] : []),
          ...(stat.isSymbolicLink() ? [`target ${readlinkSync(full, { encoding: 'buffer' }).toString('latin1')}`] : []),
        ].join(' '),
      );
      if (isFile && stat.nlink > 1n) names.set(stat.ino, [...(names.get(stat.ino) ?? []), key]);
      if (stat.isDirectory()) walk(full, below);
    }
  };
  walk(Buffer.from(of.directory), Buffer.alloc(0));
  for (const group of names.values()) {
    const sorted = group.sort();
    for (const name of group) found.set(name, `${found.get(name) ?? ''} one of ${sorted.join(' ')}`);
  }
  if (of.attributes) for (const [path, listed] of listAttributes(of.directory)) found.set(path, listed);
  return found;
}

/** Blocks of getfattr and getfacl, which write odd names in a way of their own. */
function listAttributes(cwd: string): [string, string][] {
  const blocks = (file: string, args: readonly string[]): [string, string][] =>
    execFileSync(file, args, { cwd, maxBuffer: 1 << 30, encoding: 'utf8' })
      .split('\n\n')
      .filter((block) => block !== '')
      .map((block) => [`${file} ${block.slice(0, block.indexOf('\n'))}`, block]);
  return [
    ...blocks('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.']),
    ...blocks('getfacl', ['-R', '-P', '-n', '-s', '.']),
  ];
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What differs, in both directions, at most twenty lines of it. */
export function differencesOf(one: TreeAttributes, other: TreeAttributes): string[] {
  const lines: string[] = [];
  for (const path of new Set([...one.keys(), ...other.keys()])) {
    const [was, is] = [one.get(path), other.get(path)];
    if (was !== is) lines.push(`${JSON.stringify(path)}: ${was ?? 'missing'} → ${is ?? 'missing'}`);
    if (lines.length === 20) break;
  }
  return lines;
}
