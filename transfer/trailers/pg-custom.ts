import { cut, type Part, parseInSteps, type Steps, skip, skipPieces, take } from './step-parser.ts';
import type { TrailerCheck } from './trailer.ts';

/** Archive versions, major * 100 + minor: 1.12 is PostgreSQL 9.0 to 10, 1.16 is 17 and 18. */
const oldestVersion = 112;
const newestVersion = 116;
const customFormat = 1;
/** Kinds of data blocks. */
const tableData = 1;
const largeObjects = 3;
/** State of an entry's offset: it has no data. */
const noData = 3;

type Sizes = { readonly int: number; readonly offset: number };

/**
 * Walks through a `pg_dump -Fc` archive: header, table of contents, data blocks. It is whole when every entry that has
 * data has its block, each block reaches its end mark, and nothing follows. `pg_restore -l` reads the table of contents
 * only, and so accepts an archive that is cut behind it.
 * Source: PostgreSQL 18, src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c.
 */
export function pgCustomCheck(): TrailerCheck {
  return parseInSteps(walkArchive);
}

function* walkArchive(): Steps {
  const head = yield* take(11, 'the header of the archive');
  if (head.toString('latin1', 0, 5) !== 'PGDMP') return cut('it does not begin as an archive of pg_dump');
  const version = head.readUInt8(5) * 100 + head.readUInt8(6);
  const sizes: Sizes = { int: head.readUInt8(8), offset: head.readUInt8(9) };
  if (head[10] !== customFormat) return cut('it is not an archive in the custom format');
  if (version < oldestVersion || version > newestVersion) {
    return {
      end: 'unknown',
      reason: `archive version ${String(head[5])}.${String(head[6])} of pg_dump is not known to this Lifeboat`,
    };
  }
  if (sizes.int < 4 || sizes.int > 8 || sizes.offset < 4 || sizes.offset > 8)
    return cut('the header of the archive is damaged');
  if (version >= 115) yield* skip(1, 'the header of the archive');
  else yield* readInt(sizes);
  for (let field = 0; field < 7; field += 1) yield* readInt(sizes);
  for (let field = 0; field < 3; field += 1) yield* skipText(sizes);
  const waiting = new Set<number>();
  const entries = yield* readInt(sizes);
  for (let entry = 0; entry < entries; entry += 1) {
    const dumpId = yield* readEntry(version, sizes);
    if (dumpId !== undefined) waiting.add(dumpId);
  }
  return yield* walkBlocks(waiting, sizes);
}

function* walkBlocks(waiting: Set<number>, sizes: Sizes): Steps {
  for (;;) {
    const kind = yield* take(1, undefined);
    if (kind.byteLength === 0) break;
    const dumpId = yield* readInt(sizes);
    if (!waiting.delete(dumpId)) return cut(`data block ${String(dumpId)} is not in the table of contents`);
    if (kind[0] === tableData) yield* skipPieces(sizes.int, `data block ${String(dumpId)}`);
    else if (kind[0] === largeObjects) yield* skipLargeObjects(dumpId, sizes);
    else return cut(`data block ${String(dumpId)} is of no known kind`);
  }
  const [missing] = waiting;
  return missing === undefined
    ? { end: 'whole' }
    : cut(`data block ${String(missing)} and ${String(waiting.size - 1)} others are missing`);
}

function* skipLargeObjects(dumpId: number, sizes: Sizes): Part<void> {
  while ((yield* readInt(sizes)) !== 0) yield* skipPieces(sizes.int, `the large objects of block ${String(dumpId)}`);
}

/** One entry of the table of contents; its dump id where it has data. */
function* readEntry(version: number, sizes: Sizes): Part<number | undefined> {
  const dumpId = yield* readInt(sizes);
  yield* readInt(sizes);
  for (let field = 0; field < 4; field += 1) yield* skipText(sizes); // table oid, oid, tag, description
  yield* readInt(sizes); // section
  for (let field = 0; field < 5; field += 1) yield* skipText(sizes); // definition, drop, copy, namespace, tablespace
  if (version >= 114) yield* skipText(sizes); // table access method
  if (version >= 116) yield* readInt(sizes); // kind of relation
  for (let field = 0; field < 2; field += 1) yield* skipText(sizes); // owner, with oids
  while (yield* skipText(sizes));
  const offset = yield* take(1 + sizes.offset, 'the table of contents of the archive');
  return offset[0] === noData ? undefined : dumpId;
}

/** A sign byte and a little-endian number. */
function* readInt(sizes: Sizes): Part<number> {
  const bytes = yield* take(1 + sizes.int, 'the archive');
  const value = bytes.readUIntLE(1, Math.min(sizes.int, 6));
  return bytes[0] === 0 ? value : -value;
}

/** A length and bytes; false for a text that is not there, which ends a list. */
function* skipText(sizes: Sizes): Part<boolean> {
  const length = yield* readInt(sizes);
  yield* skip(Math.max(length, 0), 'the table of contents of the archive');
  return length >= 0;
}
