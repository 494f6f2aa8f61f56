import { cut, type Part, parseInSteps, type Steps, skip, take } from './step-parser.ts';
import type { TrailerCheck } from './trailer.ts';

const blockBytes = 512;
/** Extended headers hold names and attributes; a larger one is damage. */
const extendedLimitBytes = 8 * 1024 * 1024;
/** Links, devices, directories and pipes: whatever size they state, no data follows. */
const withoutData = new Set(['1', '2', '3', '4', '5', '6']);

/**
 * Walks through the members by the sizes in their headers (ustar, GNU, pax), so that a cut inside a member, even one of
 * zeros, is seen; then demands two zero blocks, and nothing but zeros up to a whole block.
 */
export function tarCheck(): TrailerCheck {
  const check = parseInSteps(walkMembers);
  let size = 0;
  return {
    update: (chunk) => {
      size += chunk.byteLength;
      check.update(chunk);
    },
    end: () => {
      const verdict = check.end();
      if (verdict.end === 'whole' && size % blockBytes !== 0) return cut('the tar archive ends inside a block');
      return verdict;
    },
  };
}

function* walkMembers(): Steps {
  let paxSize: number | undefined;
  for (;;) {
    const header = yield* take(blockBytes, 'a tar header or the end of the archive');
    if (isZero(header)) {
      const second = yield* take(blockBytes, 'the second zero block of the tar archive');
      if (!isZero(second)) return cut('a single zero block stands inside the tar archive');
      return yield* restIsZero();
    }
    if (!checksumFits(header)) return cut('a tar header is damaged');
    const type = String.fromCharCode(header.readUInt8(156));
    const size = numberField(header.subarray(124, 136));
    if (size === undefined) return cut('a tar header states no size');
    if (type === 'x') {
      if (size > extendedLimitBytes) return cut('an extended tar header is damaged');
      paxSize = paxSizeOf(yield* take(size, 'an extended tar header')) ?? paxSize;
      yield* skip(padding(size), 'an extended tar header');
      continue;
    }
    if (type === 'S') yield* skipSparseMaps(header);
    // names too long for a header (L, K) and global headers (g) stand before the member that a pax size is meant for
    const isMember = !['L', 'K', 'g'].includes(type);
    const memberBytes = withoutData.has(type) ? 0 : (paxSize ?? size);
    const dataBytes = isMember ? memberBytes : size;
    yield* skip(dataBytes + padding(dataBytes), 'a member of the tar archive');
    if (isMember) paxSize = undefined;
  }
}

function* restIsZero(): Steps {
  for (;;) {
    const block = yield* take(blockBytes, undefined);
    if (block.byteLength === 0) return { end: 'whole' };
    if (!isZero(block)) return cut('bytes follow the end of the tar archive');
  }
}

function* skipSparseMaps(header: Buffer): Part<void> {
  let extended = header[482] === 1;
  while (extended) extended = (yield* take(blockBytes, 'a sparse map of the tar archive'))[504] === 1;
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function checksumFits(header: Buffer): boolean {
  const stated = numberField(header.subarray(148, 156));
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  return sum === stated;
}

/** Octal digits, or a big-endian number whose first bit is set (GNU, for 8 GiB and more). */
function numberField(field: Buffer): number | undefined {
  if ((field.readUInt8(0) & 0x80) !== 0) {
    const value = field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte), 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = /^[ \0]*([0-7]*)(?:[ \0]|$)/.exec(field.toString('latin1'))?.[1];
  return digits === undefined ? undefined : Number(`0o0${digits}`);
}

/** Record by record: a name or an attribute may hold what looks like one. */
function paxSizeOf(records: Buffer): number | undefined {
  let size: number | undefined;
  for (let at = 0; at < records.byteLength; ) {
    const space = records.indexOf(0x20, at);
    const length = Number(records.toString('latin1', at, space));
    if (!(length > 0)) return size;
    const found = /^size=([0-9]+)\n$/.exec(records.toString('latin1', space + 1, at + length))?.[1];
    if (found !== undefined) size = Number(found);
    at += length;
  }
  return size;
}
