import { z } from 'zod';
import { compareFacts, type Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { eventsWouldRun, switchEvents } from '../executors/mysql-events.ts';
import {
  dropScratch,
  exchangeSchemas,
  readMarker,
  restoreGrants,
  restoreLogins,
  scratchName,
  userSchemas,
  withMysqlSession,
  writeMarker,
} from '../executors/mysql-exchange.ts';
import { fillScratch } from '../executors/mysql-scratch.ts';
import { dumpCommand, type MysqlServer, runMysql } from '../executors/mysql-server.ts';
import { openSnapshots, readServerClock } from '../executors/mysql-snapshot.ts';
import { streamFromPod } from '../executors/pod-exec.ts';
import { stockCommand } from '../executors/stock-command.ts';
import { componentRules } from '../facts/component-rules.ts';
import {
  type Ask,
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
  isAdministratorLogin,
  parseAccounts,
  readAccounts,
  renderAccounts,
  scopeAccounts,
} from '../facts/mysql-accounts.ts';
import { withoutSandboxMode } from '../facts/mysql-dump-text.ts';
import { checkTables } from '../facts/mysql-limits.ts';
import { listViews, renderViews } from '../facts/mysql-views.ts';
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
      await context.writeBytes('accounts', renderAccounts(accounts), loadBy(context));
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
    // whatever follows the exchange is proven before it
    const programs = await Promise.all(
      ['programs', 'views']
        .filter((stream) => context.streams.includes(stream))
        .map((stream) => context.readText(stream)),
    );
    const accounts = parseAccounts(await context.readText('accounts'));
    if (marker.state === 'none') {
      context.progress('restore tables beside the live ones');
      const rules = componentRules(context.bound.plan.compare, context.component.name);
      if (schemas.length > 0) await fillScratch(server, context, schemas, rules);
      marker = { state: 'compared', schedulerWasOn: await eventsWouldRun(server, context.capturedFacts) };
      await writeMarker(server, component, context.generation, marker);
    }
    if (marker.schedulerWasOn) await switchEvents(server, 'OFF');
    context.progress('exchange schemas');
    const scope = scopeOf(
      context,
      schemas.map(({ shown }) => shown),
    );
    if (scope.whole) await restoreLogins(server, accounts, 'others');
    if (schemas.length > 0) await exchangeSchemas(server, schemas, countTables(context.capturedFacts));
    for (const sql of programs) await runMysql(server, 'restore programs', withoutSandboxMode(sql));
    await restoreGrants(server, accounts, scope);
    if (scope.whole && context.keepsCredentials !== true) await restoreLogins(server, accounts, 'administrators');
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
      const kept = Object.entries(context.capturedFacts).filter(
        ([path]) => context.keepsCredentials === true && isAdministratorLogin(path),
      );
      // an account that the point does not know is none of its facts
      const isKnown = ([path]: [string, unknown]): boolean =>
        !scope.whole || !path.startsWith('account/') || Object.hasOwn(context.capturedFacts, path);
      return { ...Object.fromEntries(Object.entries(read).filter(isKnown)), ...Object.fromEntries(kept) };
    });
    const marker = await readMarker(server, markerName(context), context.generation);
    if (marker.state === 'done' && marker.schedulerWasOn) {
      await switchEvents(server, 'ON');
      await writeMarker(server, markerName(context), context.generation, { ...marker, schedulerWasOn: false });
    }
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

/** The line of RESTORE.md for each stream; the password is that of the pod. */
function loadBy(context: CaptureContext<Options>): string {
  const { user, passwordEnv } = context.options;
  const client = `MYSQL_PWD="$${passwordEnv}" exec "$(command -v mariadb || command -v mysql)"`;
  const args = `--protocol=socket --user=${user} --binary-mode --default-character-set=utf8mb4 --max-allowed-packet=1G`;
  return stockCommand(context.workload, ['sh', '-c', `${client} ${args}`]);
}

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
    ...(await listViews(ask, names)).map((view) => `--ignore-table=${view.join('.')}`),
    '--databases',
    ...names,
  ];
  context.progress('dump tables and rows');
  const { capturedAt, stored } = await openSnapshots(server, ask, async (onLine) => {
    const source = streamFromPod(server.access, server.pod, dumpCommand(server, args), server.signal, onLine);
    return await context.write('data', source, {
      minimumProofs: ['status', 'trailer'],
      trailer: { kind: 'text', endsWith: '-- Dump completed' },
      restoreCommand: loadBy(context),
    });
  });
  await stored;
  context.progress('count rows');
  const rowFacts = await readRowFacts(ask, schemas);
  await ask('COMMIT;');
  return { capturedAt, rowFacts };
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
    restoreCommand: loadBy(context),
  });
  await context.writeBytes('views', await renderViews(ask, await listViews(ask, names)), loadBy(context));
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
