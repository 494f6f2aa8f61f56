import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** What an odd tree is made of. */
export type OddTree = {
  readonly directory: string;
  /** Files, links and the like, without the directories. */
  readonly count: number;
  readonly seed: number;
  /** Attributes of `user.` and ACLs on some of them; needs setfattr and setfacl. */
  readonly attributes: boolean;
  /** Only owners and times that fit into the fields of a plain tar header, which is all that busybox writes. */
  readonly plain?: boolean;
  /** All of one owner, who can read everything: for who archives it is not root. */
  readonly own?: boolean;
};

/** Names that a shell, a parser or a table stumbles over; each is followed by a number that makes it unique. */
const oddNames: readonly Buffer[] = [
  '1416421123.M0P1.mail:2,S-',
  'with a blank ',
  'line\nbreak\n',
  'täglich-日本-🙂-',
  'e\u0301-decomposed-',
  '-rf ',
  '--exclude=*',
  'back\\slash\\n',
  'quote\'s"`$(id)`',
  '*?[a]{b}~#',
  '%41%2F%',
  '.hidden',
  '...',
  'tab\tbell\u0007',
  'return\r',
  ' ',
].map((name) => Buffer.from(name));
const notText = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0x2d]);

const fileModes = [0o644, 0o600, 0o444, 0o000, 0o4755, 0o2755, 0o6711, 0o1644];
const directoryModes = [0o755, 0o700, 0o1777, 0o2770, 0o500];
/** Above 2,097,151 a number does not fit into the field of a tar header. */
const plainOwners = [0, 8, 1000, 65_534];
const owners = [...plainOwners, 3_000_000_000];
const plainTimes = [0, 1, 1_416_421_123.25, 1_795_000_000, 4_102_444_800];
const times = [...plainTimes, -86_400.5, 8_589_934_592];

/** `name` and a number, at most 255 bytes. */
function uniqueName(random: () => number, index: number): Buffer {
  const number = Buffer.from(String(index));
  const kind = Math.floor(random() * (oddNames.length + 3));
  const name = oddNames[kind] ?? (kind === oddNames.length ? notText : Buffer.alloc(255 - number.byteLength, 'x'));
  return Buffer.concat([name, number]);
}

/**
 * Makes a tree like a spool of mail, the same for the same seed: odd names, symbolic links that lead nowhere, hard links
 * across directories, sparse files, a pipe, setuid, and, for root, other owners.
 */
export function makeOddTree({ directory, count, seed, attributes, plain = false, own = false }: OddTree): void {
  const random = mulberry32(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const isRoot = process.getuid?.() === 0 && !own;
  const folders: Buffer[] = [];
  const files: Buffer[] = [];
  const late: (() => void)[] = [];
  const attributed: Buffer[] = [];
  /** What changes when an entry is added comes last. */
  const finish = (path: Buffer, mode: number | undefined): void => {
    const [owner, time] = [pick(plain ? plainOwners : owners), pick(plain ? plainTimes : times)];
    if (isRoot) lchownSync(path, owner, owner);
    if (mode !== undefined) chmodSync(path, mode);
    late.push(() => {
      lutimesSync(path, time, time);
    });
  };
  const inFolder = (name: Buffer): Buffer => Buffer.concat([pick(folders), Buffer.from('/'), name]);

  let deep = Buffer.from(join(directory, 'deep'));
  mkdirSync(deep);
  folders.push(deep);
  for (let level = 0; level < 12; level += 1) {
    deep = Buffer.concat([deep, Buffer.from(`/${String(level)}${'d'.repeat(level % 2 === 0 ? 120 : 30)}`)]);
    mkdirSync(deep);
    folders.push(deep);
  }
  for (let index = 0; index < Math.ceil(count / 200); index += 1) {
    const folder = Buffer.concat([Buffer.from(`${directory}/`), uniqueName(random, index)]);
    mkdirSync(folder);
    folders.push(folder);
  }
  execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', join(directory, 'pipe')]);
  finish(Buffer.from(join(directory, 'pipe')), 0o620);

  for (let index = 0; index < count; index += 1) {
    const path = inFolder(uniqueName(random, index));
    const kind = random();
    if (kind < 0.03) {
      symlinkSync(pick(['../nowhere', '/etc/passwd', '-', 'l'.repeat(300), 'line\nbreak', '.', 'ü']), path);
      finish(path, undefined);
    } else if (kind < 0.06 && files.length > 0) linkSync(pick(files), path);
    else {
      const file = openSync(path, 'wx');
      if (index % 997 === 5) {
        ftruncateSync(file, 3 << 20);
        writeSync(file, 'islet', 1 << 20);
      } else writeSync(file, content(random, Math.floor(random() ** 3 * 6_000)));
      closeSync(file);
      const mode = own ? pick(fileModes) | 0o400 : pick(fileModes);
      finish(path, mode);
      files.push(path);
      if (attributes && own && index % 10 === 3 && (mode & 0o200) !== 0) attributed.push(path);
      // Without write permission only root can give a file its attributes back.
      if (attributes && index % 10 === 3 && !own) attributed.push(path);
    }
  }
  for (const folder of folders) finish(folder, isRoot ? pick(directoryModes) : 0o755);
  if (attributes) addAttributes(attributed, folders.slice(-3));
  // times of directories change with their entries, the deepest first
  for (const touch of late) touch();
}

function content(random: () => number, size: number): Buffer {
  const bytes = Buffer.alloc(size, `Subject: ${String(random())}\n`);
  if (size > 8) bytes.writeDoubleLE(random(), size - 8);
  return bytes;
}

/** One process for each kind of attribute, whatever the number of files. */
function addAttributes(files: readonly Buffer[], folders: readonly Buffer[]): void {
  const xargs = (paths: readonly Buffer[], command: readonly string[]): void => {
    const input = Buffer.concat(paths.map((path) => Buffer.concat([path, Buffer.alloc(1)])));
    execFileSync('xargs', ['-0', '-r', ...command], { input });
  };
  const half = Math.ceil(files.length / 2);
  xargs(files.slice(0, half), ['setfattr', '-h', '-n', 'user.odd', '-v', '0x00ff0a31312073697a653d390a', '--']);
  xargs(files.slice(half - 1), ['setfacl', '-m', 'u:4711:r,g:4712:rw,m::rwx', '--']);
  xargs(folders, ['setfacl', '-d', '-m', 'u:4711:rwx', '--']);
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
