import { z } from 'zod';
import { compareFacts, type Facts } from '../../model/facts.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import {
  dropScratch,
  exchangeSchemas,
  type Marker,
  readMarker,
  requireNoForeignReferences,
  restoreGrants,
  restoreLogins,
  scratchName,
  userSchemas,
  withMysqlSession,
  writeMarker,
} from '../executors/mysql-exchange.ts';
import { dumpCommand, loadCommand, type MysqlServer, mysqlFailure } from '../executors/mysql-server.ts';
import { openSnapshots, readServerClock } from '../executors/mysql-snapshot.ts';
import { streamFromPod, streamToPod } from '../executors/pod-exec.ts';
import { componentRules } from '../facts/component-rules.ts';
import {
  type Ask,
  identifier,
  literal,
  mysqlTotals,
  type NamedSchema,
  readProgramFacts,
  readRowFacts,
  readTableFacts,
  rows,
  schemasOf,
} from '../facts/mysql.ts';
import {
  accountFacts,
  type GrantScope,
  parseAccounts,
  readAccounts,
  renderAccounts,
  scopeAccounts,
} from '../facts/mysql-accounts.ts';
import { renameSchemas } from '../facts/mysql-dump-text.ts';
import { renderViews } from '../facts/mysql-views.ts';
import { fromPathSegment } from '../facts/path-segment.ts';
import type { CaptureContext, Method, MethodContext, RestoreContext } from './method.ts';

const Options = z.strictObject({
  /** The administrating account; it connects through the socket. */
  user: z.string().min(1),
  /** Environment variable of the container that holds its password. */
  passwordEnv: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  /** Parameter that names one schema. Without it: every schema that no other plan claims, and the accounts. */
  database: z.string().optional(),
});
type Options = z.infer<typeof Options>;

/**
 * MariaDB and MySQL: schemas, their programs and the accounts. Under a read lock of at most twice ten seconds one session
 * opens the snapshot in which rows are counted and the dump opens its own; the lock goes when both are seen. What is
 * defined is read before and after, and must be the same.
 * Streams: `data` (tables and rows), `programs` (routines, triggers, events), `views`, `accounts`; each can be run again.
 * Restore: tables go into scratch schemas of the run and are compared there; one RENAME TABLE exchanges all of them with
 * the live ones; programs, views and accounts follow, then what was replaced is dropped. A restore that stops before the
 * exchange has changed nothing; one that stops behind it goes on from its marker, a row in the schema `lifeboat`, and
 * nothing is green before the last step and the facts. Events rest until the facts have been read.
 * Not captured: the history of system-versioned tables; FLOAT beyond the six digits that the dump tools write.
 * Throws: CaptureToolMissing, CredentialMismatch, EngineNotSupported, DumpStalled, DumpFailed, DumpEndedEarly,
 * SourceInconsistent, RestoreFailed, FactsDiffer, DiskFull. Source: MySQL 8.4 manual, 6.5.4 "mysqldump" and 15.1.36
 * "RENAME TABLE"; MariaDB documentation, "mariadb-dump" and "Atomic DDL".
 */
export const mysqlDump: Method<Options> = {
  name: 'mysql-dump',
  options: Options,

  async capture(context) {
    const server = await serverOf(context);
    return await withMysqlSession(server, async (ask) => {
      const names = await namesToCapture(context, ask);
      const scope = scopeOf(context, names);
      const schemas = names.map((name) => ({ shown: name, actual: name }));
      const notes = await checkTables(ask, names);
      const defined = await readDefinitions(ask, server, schemas, scope);
      const { capturedAt, rowFacts } =
        names.length === 0
          ? { capturedAt: await readServerClock(ask), rowFacts: {} }
          : await captureRows(context, server, ask, schemas);
      if (names.length > 0) await capturePrograms(context, server, ask, names);
      const accounts = scopeAccounts(await readAccounts(ask), scope);
      await context.writeBytes('accounts', renderAccounts(accounts), stockCommand);
      if (!compareFacts(defined, await readDefinitions(ask, server, schemas, scope), []).equal) {
        throw failure('SourceInconsistent', {
          message: 'capture schemas: tables, programs or accounts were changed during the dump',
        });
      }
      const facts = { ...defined, ...rowFacts };
      return { capturedAt, facts, totals: mysqlTotals(facts), notes };
    });
  },

  async restore(context) {
    const server = await serverOf(context);
    const component = markerName(context);
    const schemas = scratchSchemas(context);
    let marker = await readMarker(server, component, context.generation);
    if (marker.state === 'done') return;
    if (marker.state === 'none') {
      await loadScratch(context, server, schemas);
      marker = { state: 'compared', schedulerWasOn: await holdEvents(context, server) };
      await writeMarker(server, component, context.generation, marker);
    }
    context.progress('exchange schemas');
    const scope = scopeOf(
      context,
      schemas.map(({ shown }) => shown),
    );
    const accounts = parseAccounts(await context.readText('accounts'));
    if (scope.whole) await restoreLogins(server, accounts);
    if (schemas.length > 0) {
      await exchangeSchemas(server, schemas, countTables(context.capturedFacts));
      for (const stream of ['programs', 'views']) await load(context, server, stream, (name) => name);
    }
    await restoreGrants(server, accounts, scope);
    await dropScratch(server, context.generation);
    await writeMarker(server, component, context.generation, { ...marker, state: 'done' });
  },

  async readFacts(context) {
    const server = await serverOf(context);
    const names = schemasOf(context.capturedFacts).map(({ name }) => name);
    const schemas = names.map((name) => ({ shown: name, actual: name }));
    const facts = await withMysqlSession(server, async (ask) => {
      const scope = scopeOf(context, names);
      const read = { ...(await readDefinitions(ask, server, schemas, scope)), ...(await readRowFacts(ask, schemas)) };
      // an account that the point does not know is none of its facts
      return Object.fromEntries(
        Object.entries(read).filter(
          ([path]) => !scope.whole || !path.startsWith('account/') || Object.hasOwn(context.capturedFacts, path),
        ),
      );
    });
    await releaseEvents(context, server);
    return facts;
  },

  expired: (facts, at) => ({
    paths: Object.keys(facts).filter((path) => {
      const due = /^db\/[^/]+\/event\/([0-9]{4}-[0-9T:-]+Z)\//.exec(path)?.[1];
      return due !== undefined && Date.parse(due) <= at.getTime();
    }),
    reason: 'events that were due once, at an instant that has passed',
  }),
};

const stockCommand = 'mariadb --binary-mode -uroot -p';

async function serverOf(context: MethodContext<Options>): Promise<MysqlServer> {
  const { user, passwordEnv } = context.options;
  return { access: context.backends.access, pod: await context.pod(), user, passwordEnv, signal: context.signal };
}

function scopeOf(context: MethodContext<Options>, schemas: readonly string[]): GrantScope {
  return { schemas, whole: context.options.database === undefined };
}

function markerName(context: MethodContext<Options>): string {
  return `${context.bound.release.namespace}/${context.bound.release.name}/${context.component.name}`;
}

async function namesToCapture(context: MethodContext<Options>, ask: Ask): Promise<string[]> {
  const there = rows(
    await ask(`SELECT schema_name FROM information_schema.schemata WHERE ${userSchemas} ORDER BY schema_name;`),
  ).map(([name = '']) => name);
  const { database } = context.options;
  if (database === undefined) {
    const own = `${context.bound.release.namespace}/${context.bound.release.name}`;
    const claimed = context.bound.claims.filter((claim) => claim.by !== own).map((claim) => claim.database);
    return there.filter((name) => !claimed.includes(name));
  }
  const name = context.bound.parameters[database];
  if (name === undefined || !there.includes(name))
    throw failure('BindingFailed', {
      message: `bind mysql-dump: the server has no schema for the parameter ${database}`,
    });
  return [name];
}

/** Refuses tables without a consistent snapshot, and says what a dump cannot carry. */
async function checkTables(ask: Ask, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const within = `table_schema IN (${names.map(literal).join(', ')})`;
  const others = rows(
    await ask(
      `SELECT CONCAT(table_schema, '.', table_name, ' (', COALESCE(engine, 'broken'), ')') FROM information_schema.tables WHERE ${within} AND table_type <> 'VIEW' AND COALESCE(engine, '-') <> 'InnoDB';`,
    ),
  );
  if (others.length > 0)
    throw failure('EngineNotSupported', {
      message: `capture schemas: ${String(others.length)} tables are not of InnoDB: ${others.slice(0, 3).flat().join(', ')}`,
    });
  const [floats = '0'] = await ask(
    `SELECT COUNT(*) FROM information_schema.columns WHERE ${within} AND data_type = 'float';`,
  );
  const [versioned = '0'] = await ask(
    `SELECT COUNT(*) FROM information_schema.tables WHERE ${within} AND table_type = 'SYSTEM VERSIONED';`,
  );
  return [
    ...(floats === '0' ? [] : [`${floats} FLOAT columns are kept to six digits, as the dump tool writes them`]),
    ...(versioned === '0' ? [] : [`the history of ${versioned} system-versioned tables is not captured`]),
  ];
}

async function readDefinitions(
  ask: Ask,
  server: MysqlServer,
  schemas: readonly NamedSchema[],
  scope: GrantScope,
): Promise<Facts> {
  return {
    ...(await readTableFacts(ask, schemas)),
    ...(await readProgramFacts(ask, schemas)),
    ...accountFacts(await readAccounts(ask), server.user, scope),
  };
}

/** Dumps tables and rows, and counts them in a snapshot of the same instant. */
async function captureRows(
  context: CaptureContext<Options>,
  server: MysqlServer,
  ask: Ask,
  schemas: readonly NamedSchema[],
): Promise<{ capturedAt: string; rowFacts: Facts }> {
  const names = schemas.map(({ actual }) => actual);
  const args = [
    '--skip-triggers',
    '--skip-add-locks',
    ...(await viewsOf(ask, names)).map((view) => `--ignore-table=${view.join('.')}`),
    '--databases',
    ...names,
  ];
  context.progress('dump tables and rows');
  const { capturedAt, stored } = await openSnapshots(server, ask, async (onLine) => {
    const source = streamFromPod(server.access, server.pod, dumpCommand(server, args), server.signal, onLine);
    return await context.write('data', source, {
      minimumProofs: ['status', 'trailer'],
      trailer: { kind: 'text', endsWith: '-- Dump completed' },
      restoreCommand: stockCommand,
    });
  });
  await stored;
  context.progress('count rows');
  const rowFacts = await readRowFacts(ask, schemas);
  await ask('COMMIT;');
  return { capturedAt, rowFacts };
}

async function viewsOf(ask: Ask, names: readonly string[]): Promise<(readonly [string, string])[]> {
  const listed = rows(
    await ask(
      `SELECT table_schema, table_name FROM information_schema.views WHERE table_schema IN (${names.map(literal).join(', ')}) ORDER BY 1, 2;`,
    ),
  );
  return listed.map(([schema = '', name = '']) => [schema, name] as const);
}

async function capturePrograms(
  context: CaptureContext<Options>,
  server: MysqlServer,
  ask: Ask,
  names: readonly string[],
): Promise<void> {
  const args = [
    '--no-data',
    '--no-create-info',
    '--no-create-db',
    '--routines',
    '--events',
    '--triggers',
    '--databases',
    ...names,
  ];
  const source = streamFromPod(server.access, server.pod, dumpCommand(server, args), server.signal, (line) =>
    line.startsWith('-- '),
  );
  await context.write('programs', source, {
    minimumProofs: ['status', 'trailer'],
    trailer: { kind: 'text', endsWith: '-- Dump completed' },
    restoreCommand: stockCommand,
  });
  await context.writeBytes('views', await renderViews(ask, await viewsOf(ask, names)), stockCommand);
}

function scratchSchemas(context: RestoreContext<Options>): (NamedSchema & { charset: string; collation: string })[] {
  return schemasOf(context.capturedFacts).map(({ name, ...rest }, index) => ({
    shown: name,
    actual: scratchName(context.generation, index),
    ...rest,
  }));
}

function countTables(facts: Facts): number {
  return Object.keys(facts).filter((path) => /^db\/[^/]+\/(table|sequence)\/[^/]+\/definition$/.test(path)).length;
}

async function load(
  context: RestoreContext<Options>,
  server: MysqlServer,
  stream: string,
  rename: (schema: string) => string | undefined,
): Promise<void> {
  if (!context.streams.includes(stream)) return;
  try {
    await streamToPod(
      server.access,
      server.pod,
      loadCommand(server),
      renameSchemas(context.read(stream).bytes, rename),
      {},
      server.signal,
    );
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'RestoreFailed')
      throw mysqlFailure(`restore ${stream}`, error.message);
    throw error;
  }
}

/** Fills the scratch schemas and compares them; they are dropped again where they are not what was captured. */
async function loadScratch(
  context: RestoreContext<Options>,
  server: MysqlServer,
  schemas: readonly NamedSchema[],
): Promise<void> {
  await dropScratch(server, context.generation);
  if (schemas.length === 0) return;
  await requireNoForeignReferences(server, schemas);
  context.progress('restore tables beside the live ones');
  const scratch = new Map(schemas.map(({ shown, actual }) => [shown, actual]));
  try {
    await makeSequences(context, server);
    await load(context, server, 'data', (name) => scratch.get(name));
    context.progress('compare tables');
    const isOfTables = /^db\/[^/]+\/(table|sequence)\//;
    const captured = Object.fromEntries(
      Object.entries(context.capturedFacts).filter(([path]) => isOfTables.test(path)),
    );
    const restored = await withMysqlSession(server, async (ask) => ({
      ...(await readTableFacts(ask, schemas)),
      ...(await readRowFacts(ask, schemas)),
    }));
    const comparison = compareFacts(
      captured,
      restored,
      componentRules(context.bound.plan.compare, context.component.name),
    );
    if (comparison.equal) return;
    const shown = comparison.differences
      .slice(0, 3)
      .map(({ path, before, after }) => `${path} was ${String(before)}, is ${String(after)}`);
    throw failure('FactsDiffer', {
      message: `compare tables: ${String(comparison.differenceCount)} facts differ: ${shown.join('; ')}`,
    });
  } catch (error) {
    await dropScratch(server, context.generation);
    throw error;
  }
}

/** A default that draws from a sequence names it with its live schema, where it must be when the table is made. */
async function makeSequences(context: RestoreContext<Options>, server: MysqlServer): Promise<void> {
  const paths = Object.keys(context.capturedFacts).map(
    (path) => /^db\/([^/]+)\/sequence\/([^/]+)\/definition$/.exec(path)?.slice(1, 3).map(fromPathSegment) ?? [],
  );
  const needed = paths.filter((names) => names.length === 2);
  if (needed.length === 0) return;
  const make = needed.map(
    ([schema = '', name = '']) =>
      `CREATE DATABASE IF NOT EXISTS ${identifier(schema)}; CREATE SEQUENCE IF NOT EXISTS ${identifier(schema, name)};`,
  );
  await withMysqlSession(server, async (ask) => await ask(make.join('\n')));
}

/** Turns the event scheduler off where restored events could run before the facts are read. */
async function holdEvents(context: RestoreContext<Options>, server: MysqlServer): Promise<boolean> {
  if (!Object.keys(context.capturedFacts).some((path) => /^db\/[^/]+\/event\//.test(path))) return false;
  return await withMysqlSession(server, async (ask) => {
    const [state] = await ask('SELECT @@GLOBAL.event_scheduler;');
    if (state === 'ON') await ask('SET GLOBAL event_scheduler = OFF;');
    return state === 'ON';
  });
}

async function releaseEvents(context: RestoreContext<Options>, server: MysqlServer): Promise<void> {
  const component = markerName(context);
  const marker = await readMarker(server, component, context.generation);
  if (!marker.schedulerWasOn || marker.state !== 'done') return;
  await withMysqlSession(server, async (ask) => await ask('SET GLOBAL event_scheduler = ON;'));
  await writeMarker(server, component, context.generation, { ...marker, schedulerWasOn: false } satisfies Marker);
}
