import { failure } from '../../model/failures.ts';

/** Longest line that is looked at; the lines that name a schema are shorter. */
const lookBytes = 16 * 1024;

/** Whether a line that begins so may be one that is changed. */
const starts = ['CREATE DATABASE ', 'USE `', '  CONSTRAINT `', '/*M!999999'].map((text) => Buffer.from(text));

/**
 * A dump of `mysqldump --databases` whose schemas have other names: the lines `CREATE DATABASE` and `USE` are changed, and
 * the schema that a foreign key leads to; everything else passes as it is. Such a line cannot be data, which is written without line breaks, and the streams that
 * come here hold no programs. The mark of the sandbox mode is left out, which other clients take for an error.
 * @param rename - the new name of a schema. @throws RestoreFailed where the dump fills a schema that has none
 */
export async function* renameSchemas(
  bytes: AsyncIterable<Uint8Array>,
  rename: (schema: string) => string | undefined,
): AsyncGenerator<Uint8Array> {
  let atLineStart = true;
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    let rest: Buffer =
      held.byteLength > 0
        ? Buffer.concat([held, chunk])
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    held = Buffer.alloc(0);
    const out: Buffer[] = [];
    while (rest.byteLength > 0) {
      const end = rest.indexOf(10);
      if (atLineStart && mayChange(rest)) {
        if (end === -1 && rest.byteLength < lookBytes) {
          held = Buffer.from(rest);
          break;
        }
        if (end !== -1 && end < lookBytes) {
          out.push(Buffer.from(changedLine(rest.toString('utf8', 0, end + 1), rename)));
          rest = rest.subarray(end + 1);
          continue;
        }
      }
      const size = end === -1 ? rest.byteLength : end + 1;
      out.push(rest.subarray(0, size));
      atLineStart = end !== -1;
      rest = rest.subarray(size);
    }
    if (out.length > 0) yield out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }
  if (held.byteLength > 0) yield held;
}

function mayChange(rest: Buffer): boolean {
  return starts.some((start) =>
    rest.subarray(0, start.byteLength).equals(start.subarray(0, Math.min(start.byteLength, rest.byteLength))),
  );
}

function changedLine(line: string, rename: (schema: string) => string | undefined): string {
  if (line.startsWith('/*M!999999')) return '\n';
  const named = line.startsWith('  CONSTRAINT ')
    ? /^( {2}CONSTRAINT `(?:[^`]|``)+` FOREIGN KEY \(.*?\) REFERENCES )`((?:[^`]|``)+)`(?=\.)/
    : /^(CREATE DATABASE (?:\/\*.*?\*\/ )?|USE )`((?:[^`]|``)+)`/;
  return line.replace(named, (all, before: string, name: string) => {
    const renamed = rename(name.replaceAll('``', '`'));
    if (renamed === undefined && !line.startsWith('  CONSTRAINT '))
      throw failure('RestoreFailed', { message: 'restore data: the dump fills a schema that has no facts' });
    return renamed === undefined ? all : `${before}\`${renamed.replaceAll('`', '``')}\``;
  });
}

/** A small dump without the mark of the sandbox mode, which clients of other versions take for an error. */
export function withoutSandboxMode(sql: string): string {
  return sql.replace(/^\/\*M!999999.*\n/, '');
}
