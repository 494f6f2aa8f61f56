import { createHash } from 'node:crypto';
import { failure } from '../../model/failures.ts';
import { type Ask, identifier, literal, type NamedSchema, pinnedSession, rows } from '../facts/mysql.ts';
import {
  type Account,
  alterStatements,
  createStatements,
  type GrantScope,
  grantChanges,
  readAccounts,
  scopeAccounts,
} from '../facts/mysql-accounts.ts';
import { type MysqlServer, openMysqlSession, runMysql } from './mysql-server.ts';

/** The schema of ours where a restore leaves its marker: one row a component. No capture contains it. */
export const markerSchema = 'lifeboat';

/** Schemas that are no user's: the server's, the marker's, scratch ones. */
export const userSchemas = `schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'ndbinfo', '${markerSchema}') AND schema_name NOT REGEXP '^lifeboat_[0-9a-f]{10}_[0-9]+(_before)?$'`;

/** The scratch name of the n-th schema of a generation. */
export function scratchName(generation: string, index: number): string {
  return `lifeboat_${shortGeneration(generation)}_${String(index)}`;
}

/** A generation as names carry it. */
export function shortGeneration(generation: string): string {
  return createHash('sha256').update(generation).digest('hex').slice(0, 10);
}

/** Runs one session's questions with the pinned settings. */
export async function withMysqlSession<T>(server: MysqlServer, use: (ask: Ask) => Promise<T>): Promise<T> {
  const session = openMysqlSession(server);
  try {
    await session.ask(pinnedSession);
    return await use((sql) => session.ask(sql));
  } finally {
    await session.close();
  }
}

/** What a restore has reached: `compared` once the scratch schemas hold what was captured, `done` at its end. */
export type Marker = { readonly state: 'none' | 'compared' | 'done'; readonly schedulerWasOn: boolean };

/** Reads the marker that this generation left for a component. */
export async function readMarker(server: MysqlServer, component: string, generation: string): Promise<Marker> {
  return await withMysqlSession(server, async (ask) => {
    const [there] = await ask(
      `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '${markerSchema}' AND table_name = 'restores';`,
    );
    if (there !== '1') return { state: 'none', schedulerWasOn: false };
    const [row] = rows(
      await ask(
        `SELECT state, scheduler FROM ${markerSchema}.restores WHERE component = ${literal(component)} AND generation = ${literal(shortGeneration(generation))};`,
      ),
    );
    return {
      state: row?.[0] === 'done' || row?.[0] === 'compared' ? row[0] : 'none',
      schedulerWasOn: row?.[1] === 'ON',
    };
  });
}

/** Writes the marker; the row of an earlier generation is replaced. */
export async function writeMarker(
  server: MysqlServer,
  component: string,
  generation: string,
  marker: Marker,
): Promise<void> {
  const values = [component, shortGeneration(generation), marker.state, marker.schedulerWasOn ? 'ON' : 'OFF']
    .map(literal)
    .join(', ');
  await runMysql(
    server,
    'write marker of the restore',
    `CREATE DATABASE IF NOT EXISTS ${markerSchema};
CREATE TABLE IF NOT EXISTS ${markerSchema}.restores (component varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, generation char(10) NOT NULL, state varchar(10) NOT NULL, scheduler varchar(10) NOT NULL, at timestamp NOT NULL) ENGINE = InnoDB;
REPLACE INTO ${markerSchema}.restores VALUES (${values}, UTC_TIMESTAMP());`,
  );
}

/** Drops the scratch schemas of a generation, and those that hold what it replaced. */
export async function dropScratch(server: MysqlServer, generation: string): Promise<void> {
  await withMysqlSession(server, async (ask) => {
    const found = rows(
      await ask(
        `SELECT schema_name FROM information_schema.schemata WHERE schema_name REGEXP '^lifeboat_${shortGeneration(generation)}_[0-9]+(_before)?$';`,
      ),
    );
    await ask(
      `SET foreign_key_checks = 0; ${found.map(([name = '']) => `DROP DATABASE ${identifier(name)};`).join(' ')}`,
    );
  });
}

/**
 * Exchanges the tables of live schemas with those of scratch schemas in one RENAME TABLE: all or none, also after a
 * crash of the server. Foreign keys among them follow. Views, routines, triggers and events of the live schemas are dropped before, since a table with
 * triggers cannot be moved. Idempotent: where the scratch schemas are empty the exchange was done.
 */
export async function exchangeSchemas(
  server: MysqlServer,
  schemas: readonly (NamedSchema & { charset: string; collation: string })[],
  capturedTables: number,
): Promise<void> {
  await withMysqlSession(server, async (ask) => {
    for (const { shown, charset, collation } of schemas) {
      const options = `CHARACTER SET ${charset} COLLATE ${collation}`;
      await ask(
        `CREATE DATABASE IF NOT EXISTS ${identifier(shown)} ${options}; ALTER DATABASE ${identifier(shown)} ${options};`,
      );
      await dropPrograms(ask, shown);
    }
    const restored: (NamedSchema & { tables: string[] })[] = [];
    for (const schema of schemas) restored.push({ ...schema, tables: await tablesOf(ask, schema.actual) });
    if (capturedTables > 0 && restored.every(({ tables }) => tables.length === 0)) return;
    const moves: string[] = [];
    for (const { shown, actual, tables } of restored) {
      await ask(`CREATE DATABASE IF NOT EXISTS ${identifier(`${actual}_before`)};`);
      for (const table of await tablesOf(ask, shown))
        moves.push(`${identifier(shown, table)} TO ${identifier(`${actual}_before`, table)}`);
      for (const table of tables) moves.push(`${identifier(actual, table)} TO ${identifier(shown, table)}`);
    }
    if (moves.length > 0) await ask(`RENAME TABLE ${moves.join(', ')};`);
  });
}

/**
 * Foreign keys follow a renamed parent: one that leads from another schema into those that are exchanged would lead to
 * what was replaced. @throws RestoreFailed naming the schemas
 */
export async function requireNoForeignReferences(server: MysqlServer, schemas: readonly NamedSchema[]): Promise<void> {
  const list = schemas.map(({ shown }) => literal(shown)).join(', ');
  const sql = `SELECT DISTINCT constraint_schema, unique_constraint_schema FROM information_schema.referential_constraints WHERE unique_constraint_schema IN (${list}) AND constraint_schema NOT IN (${list});`;
  const [found] = await withMysqlSession(server, async (ask) => rows(await ask(sql)));
  if (found === undefined) return;
  throw failure('RestoreFailed', {
    message: `exchange schemas: foreign keys lead from ${found[0] ?? ''}, which is not restored here, to ${found[1] ?? ''}; drop them first`,
  });
}

/**
 * Makes the captured accounts and gives them their captured login; other accounts stay as they are. Idempotent.
 * @param whose - administrators come last, and apart: their password is this session's too
 */
export async function restoreLogins(
  server: MysqlServer,
  captured: readonly Account[],
  whose: 'administrators' | 'others',
): Promise<void> {
  await withMysqlSession(server, async (ask) => {
    const live = new Map((await readAccounts(ask)).map((account) => [nameOf(account), account]));
    for (const account of captured) {
      const now = live.get(nameOf(account));
      const isMeant = (account.user === server.user) === (whose === 'administrators');
      if (now === undefined) await ask(`${createStatements(account).join('; ')};`);
      else if (isMeant && now.login !== account.login) await ask(`${alterStatements(account).join('; ')};`);
    }
  });
}

/** Gives the captured accounts exactly their captured grants, as far as they are in scope. Idempotent: only differences are changed. */
export async function restoreGrants(
  server: MysqlServer,
  captured: readonly Account[],
  scope: GrantScope,
): Promise<void> {
  await withMysqlSession(server, async (ask) => {
    const wanted = new Map(captured.map((account) => [nameOf(account), account.grants]));
    const live = scopeAccounts(await readAccounts(ask), scope).filter(
      (account) => !scope.whole || wanted.has(nameOf(account)),
    );
    const present = new Map(live.map((account) => [nameOf(account), account.grants]));
    const revokes = live.flatMap((account) => grantChanges(account.grants, wanted.get(nameOf(account)) ?? []).revokes);
    const grants = captured.flatMap(
      (account) => grantChanges(present.get(nameOf(account)) ?? [], account.grants).grants,
    );
    if (revokes.length + grants.length > 0) await ask(`${[...revokes, ...grants].join(';\n')};`);
  });
}

function nameOf({ user, host }: Account): string {
  return `${user}@${host}`;
}

async function tablesOf(ask: Ask, schema: string): Promise<string[]> {
  return rows(
    await ask(
      `SELECT table_name FROM information_schema.tables WHERE table_schema = ${literal(schema)} AND table_type <> 'VIEW' ORDER BY table_name;`,
    ),
  ).map(([name = '']) => name);
}

async function dropPrograms(ask: Ask, schema: string): Promise<void> {
  const name = literal(schema);
  const found = rows(
    await ask(`SELECT 'TRIGGER', trigger_name FROM information_schema.triggers WHERE trigger_schema = ${name};
SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = ${name};
SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = ${name};
SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = ${name} AND routine_type <> 'PACKAGE BODY';`),
  );
  if (found.length > 0)
    await ask(
      found.map(([kind = '', program = '']) => `DROP ${kind} IF EXISTS ${identifier(schema, program)};`).join('\n'),
    );
}
