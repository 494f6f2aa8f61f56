import { createHash } from 'node:crypto';
import { z } from 'zod';
import { userSchema } from '../facts/postgresql.ts';
import { identifier, literal, maintenance, type PostgresServer, psql } from './postgres-server.ts';

/** What CREATE DATABASE needs and what pg_restore without --create leaves out. */
export const DatabaseSettings = z.object({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** Since PostgreSQL 15; `c` is the C library. */
  provider: z.string().nullable().default(null),
  locale: z.string().nullable().default(null),
  rules: z.string().nullable().default(null),
  /** Where its tables are that name no other one. */
  tablespace: z.string().default('pg_default'),
  /** `%1$s` stands for the database. */
  statements: z.array(z.string()),
});
export type DatabaseSettings = z.infer<typeof DatabaseSettings>;

/** Settings whose value is a list of names: a literal would make one name of it. */
const listSettings = `('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries', 'shared_preload_libraries')`;
const settingValue = `CASE WHEN split_part(c.v, '=', 1) IN ${listSettings} THEN replace(substr(c.v, strpos(c.v, '=') + 1), '""', '''''') ELSE quote_literal(substr(c.v, strpos(c.v, '=') + 1)) END`;

/** Reads the settings of databases; those that are not there are left out. */
export async function readDatabaseSettings(
  server: PostgresServer,
  names: readonly string[],
): Promise<DatabaseSettings[]> {
  if (names.length === 0) return [];
  const lines = await psql(
    server,
    maintenance,
    `SELECT json_agg(json_build_object('name', d.datname, 'owner', d.datdba::regrole::text, 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'provider', to_jsonb(d) ->> 'datlocprovider', 'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), 'rules', to_jsonb(d) ->> 'daticurules',
  'tablespace', (SELECT t.spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace), 'statements', (
  SELECT coalesce(json_agg(s), '[]') FROM (
    SELECT format('ALTER DATABASE %%1$s CONNECTION LIMIT %s', d.datconnlimit) AS s
    UNION ALL SELECT 'REVOKE ALL ON DATABASE %1$s FROM PUBLIC' WHERE d.datacl IS NOT NULL
    UNION ALL SELECT format('GRANT %s ON DATABASE %%1$s TO %s%s', a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM aclexplode(d.datacl) a
    UNION ALL SELECT format('COMMENT ON DATABASE %%1$s IS %L', c.description) FROM pg_shdescription c WHERE c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
    UNION ALL SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %%1$s SET %I TO %s', split_part(c.v, '=', 1), ${settingValue})
      ELSE format('ALTER ROLE %s IN DATABASE %%1$s SET %I TO %s', s.setrole::regrole, split_part(c.v, '=', 1), ${settingValue}) END
      FROM pg_db_role_setting s, unnest(s.setconfig) c(v) WHERE s.setdatabase = d.oid AND c.v NOT LIKE 'lifeboat.%') x)))
FROM pg_database d WHERE d.datname IN (${names.map(literal).join(', ')});`,
  );
  return z.array(DatabaseSettings).parse(JSON.parse(lines.join('\n') || '[]'));
}

/** A database that is restored: its settings, and the name that it has until it is exchanged. */
export type ScratchDatabase = { readonly settings: DatabaseSettings; readonly scratch: string };

/** A generation as names carry it. */
export function shortGeneration(generation: string): string {
  return createHash('sha256').update(generation).digest('hex').slice(0, 10);
}

/** The scratch name of a database in a generation. */
export function scratchName(generation: string, name: string): string {
  return `lifeboat_${shortGeneration(generation)}_${shortGeneration(name)}`;
}

/** The databases that this generation restored. */
export async function listRestored(server: PostgresServer, generation: string): Promise<string[]> {
  return await psql(server, maintenance, `SELECT d.datname ${restoredBy(generation)};`);
}

/** Databases with the marker of a generation. */
function restoredBy(generation: string): string {
  const marker = literal(`lifeboat.generation=${shortGeneration(generation)}`);
  return `FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0 WHERE ${marker} = ANY (s.setconfig)`;
}

/** Makes an empty scratch database with the captured owner, locale and tablespace. Its other settings come with the exchange. */
export async function createScratch(server: PostgresServer, { settings, scratch }: ScratchDatabase): Promise<void> {
  const { owner, encoding, collate, ctype, provider, locale, rules, tablespace } = settings;
  const byProvider =
    provider === 'i'
      ? ` LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale ?? '')}${rules === null ? '' : ` ICU_RULES ${literal(rules)}`}`
      : provider === 'b'
        ? ` LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale ?? '')}`
        : '';
  await psql(
    server,
    maintenance,
    `${dropSql(scratch)}
CREATE DATABASE ${identifier(scratch)} TEMPLATE template0 OWNER ${owner} ENCODING ${literal(encoding)} LC_COLLATE ${literal(collate)} LC_CTYPE ${literal(ctype)}${byProvider} TABLESPACE ${identifier(tablespace)};`,
  );
}

/** Drops a database with its sessions; one that is not there is a success. */
export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  await psql(server, maintenance, dropSql(name));
}

function dropSql(name: string): string {
  return `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE);`;
}

/**
 * Gives a scratch database its settings and the marker of the generation, and exchanges its name with the live one's in
 * one transaction. What was live stays beside it, as the safety copy; where it was empty it is dropped.
 * @param keptUntil - the instant until which the safety copy is kept at least, ISO-8601
 */
export async function exchangeDatabase(
  server: PostgresServer,
  { settings, scratch }: ScratchDatabase,
  generation: string,
  keptUntil: string,
): Promise<void> {
  const { name } = settings;
  const before = beforeName(name, generation);
  const statements = settings.statements.map((each) => `${each.replaceAll('%1$s', identifier(scratch))};`).join('\n');
  const live = identifier(name);
  const away = [
    `ALTER DATABASE ${live} SET lifeboat.replaced TO ${literal(name)}`,
    `ALTER DATABASE ${live} SET lifeboat.kept_until TO ${literal(keptUntil)}`,
    `ALTER DATABASE ${live} RENAME TO ${identifier(before)}`,
    `SELECT 'replaced'`,
  ];
  // One script: a client has no time to come back between the end of the sessions and the new name.
  const said = await psql(
    server,
    maintenance,
    `${statements}
ALTER DATABASE ${identifier(scratch)} SET lifeboat.generation TO ${literal(shortGeneration(generation))};
${endSessionsSql([name, scratch])}
BEGIN;
SELECT ${away.map(literal).join(', ')} FROM pg_database WHERE datname = ${literal(name)} \\gexec
ALTER DATABASE ${identifier(scratch)} RENAME TO ${live};
COMMIT;`,
  );
  if (!said.includes('replaced')) return;
  const [objects] = await psql(
    server,
    before,
    `SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${userSchema})
  + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${userSchema})
  + (SELECT count(*) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${userSchema})
  + (SELECT count(*) FROM pg_namespace n WHERE ${userSchema} AND n.nspname <> 'public')
  + (SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql') + (SELECT count(*) FROM pg_largeobject_metadata);`,
  );
  if (objects === '0') await dropDatabase(server, before);
}

/** Puts back every database that a generation replaced, and drops what it had not exchanged yet. Idempotent. */
export async function undoExchange(server: PostgresServer, generation: string): Promise<void> {
  const kept = await psql(
    server,
    maintenance,
    `SELECT d.datname, substr(c.v, length('lifeboat.replaced=') + 1) FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0, unnest(s.setconfig) c(v)
WHERE d.datname LIKE ${literal(`%\\_\\_before\\_${shortGeneration(generation)}`)} AND c.v LIKE 'lifeboat.replaced=%';`,
  );
  for (const [before = '', name = ''] of kept.map((line) => line.split('\t'))) {
    await psql(
      server,
      maintenance,
      `${endSessionsSql([before, name])}
${dropSql(name)}
ALTER DATABASE ${identifier(before)} RENAME TO ${identifier(name)}; ALTER DATABASE ${identifier(name)} RESET lifeboat.replaced; ALTER DATABASE ${identifier(name)} RESET lifeboat.kept_until;`,
    );
  }
  await psql(
    server,
    maintenance,
    `SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database WHERE datname LIKE ${literal(`lifeboat\\_${shortGeneration(generation)}\\_%`)} \\gexec`,
  );
}

/** Drops the databases that a generation restored and whose predecessors are not beside them. Idempotent. */
export async function dropRestored(server: PostgresServer, generation: string): Promise<void> {
  await psql(
    server,
    maintenance,
    `SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', d.datname) ${restoredBy(generation)} \\gexec`,
  );
}

/** The databases that restores have replaced, with the instant until which each is kept at least. */
export async function listReplaced(server: PostgresServer): Promise<{ name: string; until: string | null }[]> {
  const lines = await psql(
    server,
    maintenance,
    `SELECT d.datname, (SELECT substr(u, length('lifeboat.kept_until=') + 1) FROM unnest(s.setconfig) u WHERE u LIKE 'lifeboat.kept_until=%')
FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0, unnest(s.setconfig) c(v)
WHERE d.datname ~ '__before_[0-9a-f]{10}$' AND c.v LIKE 'lifeboat.replaced=%' ORDER BY 1;`,
  );
  return lines.map((line) => {
    const [name = '', until = ''] = line.split('\t');
    return { name, until: until === '' ? null : until };
  });
}

/** Names have 63 bytes at most; the whole one is in the setting `lifeboat.replaced`. */
function beforeName(name: string, generation: string): string {
  const suffix = `__before_${shortGeneration(generation)}`;
  let start = name;
  while (Buffer.byteLength(start) + suffix.length > 63) start = start.slice(0, -1);
  return `${start}${suffix}`;
}

function endSessionsSql(names: readonly string[]): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${names.map(literal).join(', ')}) AND pid <> pg_backend_pid();`;
}
