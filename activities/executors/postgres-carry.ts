import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { notOfExtension, pinnedSettings, segment, userSchema } from '../facts/postgresql.ts';
import { streamFromPod, streamToPod } from './pod-exec.ts';
import { literal, maintenance, type PostgresServer, psql, psqlCommand } from './postgres-server.ts';

const tableFact = /^table\/(.+)\/(?:rows|digest)$/;

/** Whether a fact of a database tells of rows or of a sequence that was there before: what a carry brings along. */
export function isCarried(path: string, was: Facts): boolean {
  const [, inDatabase = ''] = /^db\/[^/]+\/(.*)$/.exec(path) ?? [];
  return was[path] !== undefined && (tableFact.test(inDatabase) || /^sequence\/.+\/(?:last|covers)$/.test(inDatabase));
}

/**
 * Replaces the rows of the tables that changed, those of the tables that refer to them, and every sequence, by those of
 * another server with the same schema; materialized views are refreshed. One transaction: its COMMIT is the last line
 * that the source writes, so that a cut stream changes nothing. Plain SQL: an older server reads what a newer one wrote.
 * Changes: the tables of `to`. Source: PostgreSQL documentation, COPY, and `session_replication_role`.
 */
export async function carryDatabase(
  from: PostgresServer,
  to: PostgresServer,
  of: { database: string; changed: readonly string[] },
): Promise<void> {
  const tables = [...new Set(of.changed.flatMap((path) => tableFact.exec(path)?.[1] ?? []))];
  const command = psqlCommand(from, of.database);
  const source = streamFromPod(
    from.access,
    from.pod,
    command,
    from.signal,
    undefined,
    `${pinnedSettings}\n${carrySql(tables)}\n`,
  );
  try {
    await streamToPod(
      to.access,
      to.pod,
      [...psqlCommand(to, of.database), '-o', '/dev/null'],
      source.bytes,
      {},
      to.signal,
    );
  } catch (error) {
    source.cancel();
    throw error;
  }
  const { exitCode, statusSeen, lastLine } = await source.end();
  if (!statusSeen || exitCode !== 0)
    throw failure('RestoreFailed', {
      message: `read ${of.database} to carry it back: ${lastLine ?? 'ended without status'}`,
      changed: 'no',
    });
}

/** Databases and roles that the other server does not have: nothing tells of them, and nothing brings them back. */
export async function listUnknown(from: PostgresServer, to: PostgresServer): Promise<string[]> {
  const sql = `SELECT 'database ' || datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname !~ '__before_[0-9a-f]{10}$'
UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname !~ '^pg_';`;
  const there = new Set(await psql(to, maintenance, sql));
  const news = (await psql(from, maintenance, sql)).filter((line) => !there.has(line));
  return ['database', 'role'].flatMap((kind) => {
    const count = news.filter((line) => line.startsWith(`${kind} `)).length;
    return count === 0 ? [] : [`${String(count)} × ${kind} new`];
  });
}

/** A script for psql whose output is the script that brings the data into the other server. */
function carrySql(tables: readonly string[]): string {
  const named = tables.length === 0 ? 'NULL' : tables.map(literal).join(', ');
  const affected = `WITH RECURSIVE t(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND ${userSchema} AND ${segment("n.nspname || '.' || c.relname")} IN (${named})
  UNION SELECT k.conrelid FROM t JOIN pg_constraint k ON k.confrelid = t.oid AND k.contype = 'f' JOIN pg_class c ON c.oid = k.conrelid AND c.relkind = 'r')`;
  return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT $pinned$${pinnedSettings}$pinned$;
SELECT 'BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = on;';
${affected}
SELECT 'TRUNCATE ' || string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', ') || ';' FROM t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace HAVING count(*) > 0;
${affected}
SELECT format('SELECT %L', format('COPY %I.%I %s FROM stdin;', n.nspname, c.relname, l.columns)), format('COPY %I.%I %s TO STDOUT', n.nspname, c.relname, l.columns), $$SELECT '\\.'$$
FROM t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace,
LATERAL (SELECT '(' || coalesce(string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), '') || ')' AS columns FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') l
WHERE l.columns <> '()' ORDER BY c.oid \\gexec
SELECT format($f$SELECT format('SELECT setval(%%L, %%s, %%L);', %L, last_value, is_called) FROM %I.%I$f$, format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND ${userSchema} AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY c.oid \\gexec
SELECT format('REFRESH MATERIALIZED VIEW %I.%I;', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated AND ${userSchema} ORDER BY c.oid;
COMMIT;
SELECT 'COMMIT;';`;
}
