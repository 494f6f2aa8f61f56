import { z } from 'zod';
import { compareFacts, describeDifferences, type Facts } from '../../model/facts.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { keptUntil } from '../../model/platform.ts';
import type { MovedCommand } from '../executors/mover-pod.ts';
import { streamFromPod } from '../executors/pod-exec.ts';
import { putServerBack, readServerBefore, ServerBefore } from '../executors/postgres-before.ts';
import { carryDatabase, isCarried, listUnknown } from '../executors/postgres-carry.ts';
import { factSegment, listDatabases, streamName } from '../executors/postgres-databases.ts';
import {
  createScratch,
  DatabaseSettings,
  dropDatabase,
  exchangeDatabase,
  listReplaced,
  listRestored,
  readDatabaseSettings,
  type ScratchDatabase,
  scratchName,
  undoExchange,
} from '../executors/postgres-exchange.ts';
import { readDatabase, readServer, withoutOtherRoles } from '../executors/postgres-facts.ts';
import { databaseLine, globalsLine } from '../executors/postgres-guide.ts';
import { dropRoles, dumpGlobals, makeMissingRoles, restoreGlobals } from '../executors/postgres-roles.ts';
import {
  maintenance,
  moveClient,
  openPsql,
  type PostgresServer,
  postgresFailure,
  psql,
  type ReachedServer,
} from '../executors/postgres-server.ts';
import { dropTablespaces, listMissingTablespaces, makeMissingTablespaces } from '../executors/postgres-tablespaces.ts';
import { storedToPod } from '../executors/stored-stream.ts';
import { componentRules } from '../facts/component-rules.ts';
import {
  databaseFactsSql,
  parseFactLines,
  pinnedSettings,
  postgresTotals,
  sequenceFactsSql,
} from '../facts/postgresql.ts';
import { keepBefore, readBefore } from '../kept-before.ts';
import type { CaptureContext, Method, MethodContext, RestoreContext } from './method.ts';

const passwordFact = 'administrator/password';

const Options = z.strictObject({
  /** Parameter that holds the name of the administrating role; it connects through the socket. */
  user: z.string().min(1),
  /** Variable of the container with that role's password, for a mover: it connects over TCP. */
  passwordEnv: z.string().min(1).optional(),
});
type Options = z.infer<typeof Options>;

/**
 * PostgreSQL: globals and every database, each dumped from an exported snapshot in which its facts are counted.
 * No consistency across databases is claimed: a snapshot cannot be shared between them.
 * Restore: every database into a scratch database, compared there; then the roles, then names exchanged one by one, each
 * in one transaction. What was live stays as `<name>__before_<run>`, where it was not empty; what the roles were is kept
 * with the run.
 * Idempotent because: a scratch database is named by the run and dropped first; a restored one carries the run in its
 * setting `lifeboat.generation`. Changes: databases, roles and tablespaces; before the last comparison at most missing
 * roles and tablespaces, which are dropped again. Throws: CaptureToolMissing, CredentialMismatch, DumpFailed,
 * DumpEndedEarly, SourceInconsistent, RestoreFailed, RestoreTargetInUse, FactsDiffer, DiskFull. Source: PostgreSQL 16 documentation, 26.1 "SQL Dump", pg_dump
 * `--snapshot`, and 9.28.5 "Snapshot Synchronization Functions".
 */
export const pgDump: Method<Options> = {
  name: 'pg-dump',
  options: Options,
  moves: true,

  async capture(context) {
    const server = await serverOf(context);
    // psql says why it cannot connect, pg_dumpall does not
    await psql(server, maintenance, 'SELECT 1;');
    context.progress('read roles and grants');
    const globals = await dumpGlobals(server);
    await context.writeBytes('globals', globals, globalsLine(context.workload, server));
    const own = `${context.bound.release.namespace}/${context.bound.release.name}`;
    const claimed = context.bound.claims.filter((claim) => claim.by !== own).map((claim) => claim.database);
    const { names, notes } = await listDatabases(server, claimed);
    const facts: Facts = {};
    let capturedAt: string | undefined;
    for (const name of names) {
      const captured = await captureDatabase(context, server, name);
      Object.assign(facts, captured.facts);
      notes.push(...captured.notes);
      if (capturedAt === undefined || captured.capturedAt < capturedAt) capturedAt = captured.capturedAt;
    }
    Object.assign(facts, await readServer(server, names));
    if ((await dumpGlobals(server)) !== globals) {
      throw failure('SourceInconsistent', {
        message: 'capture globals: roles or grants changed during the dump',
      });
    }
    if (capturedAt === undefined) throw failure('BindingFailed', { message: 'capture databases: the server has none' });
    return { capturedAt, facts, totals: postgresTotals(facts), notes };
  },

  async restore(context) {
    const server = await serverOf(context);
    const waiting: (ScratchDatabase & { stream: string })[] = [];
    const restored = await listRestored(server, context.generation);
    for (const [stream, settings] of await databasesOf(context)) {
      if (restored.includes(settings.name)) continue;
      waiting.push({ stream, settings, scratch: scratchName(context.generation, settings.name) });
    }
    if (waiting.length === 0) return;
    const globals = await context.readText('globals');
    const names = waiting.map(({ settings }) => settings.name);
    await keepBefore(context, async () =>
      JSON.stringify(await readServerBefore(server, names, { globals, facts: context.capturedFacts })),
    );
    const made = await makeMissingRoles(server, globals);
    const tablespaces = await listMissingTablespaces(server, globals);
    try {
      await makeMissingTablespaces(server, globals);
      for (const each of waiting) await fillScratch(context, server, each);
    } catch (error) {
      const again = { ...server, signal: new AbortController().signal };
      for (const { scratch } of waiting) await dropDatabase(again, scratch).catch(() => undefined);
      await dropTablespaces(again, tablespaces).catch(() => undefined);
      await dropRoles(again, made).catch(() => undefined);
      throw error;
    }
    context.progress('restore roles and grants');
    await restoreGlobals(server, globals, context.capturedFacts, context.keepsCredentials === true);
    const until = keptUntil(context.backends.platform, new Date());
    for (const each of waiting) await exchangeDatabase(server, each, context.generation, until);
  },

  async readFacts(context) {
    const server = await serverOf(context);
    const names = (await databasesOf(context)).map(([, { name }]) => name);
    const facts: Facts = await readServer(server, names);
    const password = context.capturedFacts[passwordFact];
    if (context.keepsCredentials === true && password !== undefined) facts[passwordFact] = password;
    const there = await psql(server, maintenance, 'SELECT datname FROM pg_database WHERE datallowconn;');
    for (const name of names) if (there.includes(name)) Object.assign(facts, await readDatabase(server, name, name));
    // a role that the point does not know is none of its facts, nor is what it is a member of
    return withoutOtherRoles(facts, context.capturedFacts);
  },

  async undoRestore(context) {
    const server = await serverOf(context);
    const before = await readBefore(context);
    if (before === undefined) await undoExchange(server, context.generation);
    else await putServerBack(server, context.generation, ServerBefore.parse(JSON.parse(before)));
  },

  replaced: {
    list: async (context) => await listReplaced(await serverOf(context)),
    async drop(context, name) {
      await dropDatabase(await serverOf(context), name);
    },
  },

  carryBack: {
    isData: isCarried,
    beyondFacts: async (from, to) => await listUnknown(await serverOf(from), await serverOf(to)),
    async carry(from, to, changed) {
      const servers = [await serverOf(from), await serverOf(to)] as const;
      for (const database of await psql(servers[0], maintenance, carriedDatabases)) {
        const prefix = `db/${factSegment(database)}/`;
        const own = changed.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
        if (own.length > 0) await carryDatabase(...servers, { database, changed: own });
      }
    },
  },
};

const carriedDatabases = 'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate;';

async function serverOf(context: MethodContext<Options>): Promise<PostgresServer> {
  const role = context.bound.parameters[context.options.user];
  if (role === undefined)
    throw failure('BindingFailed', { message: `bind pg-dump: the parameter ${context.options.user} has no value` });
  return { access: context.backends.access, pod: await context.pod(), role, signal: context.signal };
}

async function captureDatabase(
  context: CaptureContext<Options>,
  server: PostgresServer,
  name: string,
): Promise<{ facts: Facts; capturedAt: string; notes: string[] }> {
  const session = openPsql(server, name);
  try {
    const prefix = `db/${factSegment(name)}/`;
    const sequences = await session.ask(`${pinnedSettings}\n${sequenceFactsSql}`);
    const [opened] = await session.ask(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');`,
    );
    const [snapshot, capturedAt] = (opened ?? '').split('\t');
    if (snapshot === undefined || capturedAt === undefined)
      throw failure('DumpFailed', { message: `capture database ${name}: no snapshot` });
    context.progress(`dump ${name}`);
    const command = ['pg_dump', '-U', server.role, '-d', name, '-Fc', '-Z0', `--snapshot=${snapshot}`];
    const notes = await writeDump(context, server, name, command);
    context.progress(`count ${name}`);
    const facts = parseFactLines(await session.ask(databaseFactsSql), prefix);
    await session.ask('COMMIT;');
    const [settings] = await readDatabaseSettings(server, [name]);
    if (settings === undefined)
      throw failure('SourceInconsistent', { message: `capture database ${name}: it was dropped during the dump` });
    await context.writeBytes(
      `settings-${streamName(name)}`,
      JSON.stringify(settings),
      '# part of the dump above; used for a restore under another name',
    );
    return { facts: { ...facts, ...parseFactLines(sequences, prefix) }, capturedAt, notes };
  } finally {
    await session.close();
  }
}

/** Stores what pg_dump writes. @returns what a reader of the point should know of the way it took */
async function writeDump(
  context: CaptureContext<Options>,
  server: PostgresServer,
  name: string,
  command: readonly string[],
): Promise<string[]> {
  const { mover, signal } = context;
  const stream = `database-${streamName(name)}`;
  const rules = {
    minimumProofs: ['status', 'trailer'],
    trailer: { kind: 'pg-custom-toc' },
    restoreCommand: databaseLine(context.workload, server, name),
  } as const;
  const move = mover && (async (moved: MovedCommand) => await mover.capture(stream, moved, rules));
  if (move !== undefined && (await moveClient(reached(context, server), command, move))) return [];
  await context.write(stream, streamFromPod(server.access, server.pod, command, signal), rules);
  return move === undefined
    ? []
    : [`${name} was dumped without a mover: the server refuses its Secret's password over TCP`];
}

/** Feeds a stored dump to pg_restore: by the mover where there is one that the server lets in. */
async function feedRestore(
  context: RestoreContext<Options>,
  server: PostgresServer,
  stream: string,
  command: readonly string[],
): Promise<void> {
  const { mover, signal } = context;
  const move = mover && (async (moved: MovedCommand) => await mover.restore(stream, moved));
  if (move !== undefined && (await moveClient(reached(context, server), command, move))) return;
  await storedToPod(server.access, server.pod, command, context.read(stream), signal);
}

function reached({ backends, options }: MethodContext<Options>, server: PostgresServer): ReachedServer {
  return { kubernetes: backends.kubernetes, server, passwordEnv: options.passwordEnv };
}

/** Restores a database beside the live one and compares it there. @throws FactsDiffer */
async function fillScratch(
  context: RestoreContext<Options>,
  server: PostgresServer,
  database: ScratchDatabase & { stream: string },
): Promise<void> {
  const { settings, scratch, stream } = database;
  context.progress(`restore ${settings.name}`);
  await createScratch(server, database);
  try {
    await feedRestore(context, server, stream, ['pg_restore', '--exit-on-error', '-U', server.role, '-d', scratch]);
  } catch (error) {
    if (error instanceof LifeboatFailure && /No space left on device/i.test(error.message))
      throw postgresFailure(`restore ${settings.name}`, error.message);
    throw error;
  }
  context.progress(`compare ${settings.name}`);
  const prefix = `db/${factSegment(settings.name)}/`;
  const captured = Object.entries(context.capturedFacts).filter(
    ([path]) => path.startsWith(prefix) && path !== `${prefix}database`,
  );
  const comparison = compareFacts(
    Object.fromEntries(captured),
    await readDatabase(server, scratch, settings.name, 'ANALYZE;'),
    componentRules(context.bound.plan.compare, context.component.name),
  );
  if (comparison.equal) return;
  throw failure('FactsDiffer', { message: `compare database ${settings.name}: ${describeDifferences(comparison)}` });
}

/** The databases of a point: the stream of each, and its settings. */
async function databasesOf(context: RestoreContext<Options>): Promise<[stream: string, settings: DatabaseSettings][]> {
  const databases: [string, DatabaseSettings][] = [];
  for (const stream of context.streams.filter((name) => name.startsWith('settings-'))) {
    const settings = DatabaseSettings.parse(JSON.parse(await context.readText(stream)));
    databases.push([stream.replace(/^settings-/, 'database-'), settings]);
  }
  return databases;
}
