import { createHash } from 'node:crypto';
import { z } from 'zod';
import { compareFacts, type Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { openPodSession, runInPod, streamFromPod, streamToPod } from '../executors/pod-exec.ts';
import {
  databaseFactsSql,
  databaseObjectFactsSql,
  parseFactLines,
  pinnedSettings,
  postgresTotals,
  sequenceFactsSql,
  serverFactsSql,
} from '../facts/postgresql.ts';
import type { CaptureContext, Method, MethodContext, RestoreContext } from './method.ts';

const Options = z.strictObject({
  /** Parameter that holds the name of the administrating role; it connects through the socket. */
  user: z.string().min(1),
});
type Options = z.infer<typeof Options>;

/**
 * PostgreSQL: globals and every database, each dumped from an exported snapshot in which its facts are counted.
 * No consistency across databases is claimed: a snapshot cannot be shared between them.
 * Restore: into a scratch database, compared there, then names swapped in one transaction.
 * Idempotent because: a scratch database is named by the run and dropped first; a swapped one carries the run in its
 * setting `lifeboat.generation`. Changes: databases and roles. Throws: CaptureToolMissing, DumpFailed, DumpEndedEarly,
 * SourceInconsistent, RestoreFailed, FactsDiffer. Source: PostgreSQL 16 documentation, 26.1 "SQL Dump", pg_dump
 * `--snapshot`, and 9.28.5 "Snapshot Synchronization Functions".
 */
export const pgDump: Method<Options> = {
  name: 'pg-dump',
  options: Options,

  async capture(context) {
    const pod = await context.pod();
    context.progress('read roles and grants');
    const globals = await dumpGlobals(context, pod);
    const names = await listDatabases(context, pod);
    const facts: Facts = {};
    let capturedAt: string | undefined;
    for (const name of names) {
      const captured = await captureDatabase(context, pod, name);
      Object.assign(facts, captured.facts);
      if (capturedAt === undefined || captured.capturedAt < capturedAt) capturedAt = captured.capturedAt;
    }
    const literals = names.map((name) => ({ shown: literal(name), actual: literal(name) }));
    Object.assign(
      facts,
      parseFactLines(await psql(context, pod, 'template1', `${serverFactsSql}${databaseObjectFactsSql(literals)}`), ''),
    );
    await context.writeBytes(
      'globals',
      globals,
      'psql -X -U "$PGUSER" -d template1   # "already exists" of the administrating role is expected',
    );
    if ((await dumpGlobals(context, pod)) !== globals) {
      throw failure('SourceInconsistent', { message: 'capture globals: roles or grants changed during the dump' });
    }
    if (capturedAt === undefined) throw failure('BindingFailed', { message: 'capture databases: the server has none' });
    return { capturedAt, facts, totals: postgresTotals(facts) };
  },

  async restore(context) {
    const pod = await context.pod();
    context.progress('restore roles and grants');
    await restoreGlobals(context, pod, await context.readText('globals'));
    for (const stream of context.streams.filter((name) => name.startsWith('database-')))
      await restoreDatabase(context, pod, stream);
  },

  async readFacts(context) {
    const pod = await context.pod();
    const names = await databasesOf(context);
    const facts: Facts = {};
    for (const name of names) Object.assign(facts, await readDatabase(context, pod, name, name));
    const literals = names.map((name) => ({ shown: literal(name), actual: literal(name) }));
    return Object.assign(
      facts,
      parseFactLines(await psql(context, pod, 'template1', `${serverFactsSql}${databaseObjectFactsSql(literals)}`), ''),
    );
  },

  async undoRestore(context) {
    const pod = await context.pod();
    const suffix = `__before_${short(context.generation)}`;
    const kept = await psql(
      context,
      pod,
      'template1',
      `SELECT datname FROM pg_database WHERE datname LIKE ${literal(`%${suffix.replaceAll('_', '\\_')}`)};`,
    );
    for (const before of kept) {
      const name = before.slice(0, -suffix.length);
      await endSessions(context, pod, [before, name]);
      await psql(context, pod, 'template1', `DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE);`);
      await psql(context, pod, 'template1', `ALTER DATABASE ${identifier(before)} RENAME TO ${identifier(name)};`);
    }
    await psql(
      context,
      pod,
      'template1',
      `SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname) FROM pg_database WHERE datname LIKE ${literal(`lifeboat\\_${short(context.generation)}\\_%`)} \\gexec`,
    );
  },
};

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function role(context: MethodContext<Options>): string {
  const name = context.bound.parameters[context.options.user];
  if (name === undefined)
    throw failure('BindingFailed', { message: `bind pg-dump: the parameter ${context.options.user} has no value` });
  return name;
}

function psqlCommand(context: MethodContext<Options>, database: string): string[] {
  return ['psql', '-X', '-A', '-t', '-q', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-U', role(context), '-d', database];
}

/** Runs SQL through the socket and returns the lines of its output. */
async function psql(
  context: MethodContext<Options>,
  pod: PodAddress,
  database: string,
  sql: string,
): Promise<string[]> {
  const result = await runInPod(context.backends.access, pod, psqlCommand(context, database), {
    input: `${pinnedSettings}\n${sql}\n`,
    signal: context.signal,
  });
  if (result.exitCode !== 0) throw toolFailure('psql', database, result.stderr);
  return result.stdout.split('\n').filter((line) => line !== '');
}

function toolFailure(tool: string, subject: string, stderr: string): Error {
  const line = lastLine(stderr);
  if (
    /not found|no such file or directory.*exec|executable file/i.test(stderr) &&
    !/database .* does not exist/.test(stderr)
  ) {
    return failure('CaptureToolMissing', { message: `run ${tool} for ${subject}: ${line}` });
  }
  if (/No space left on device/i.test(stderr))
    return failure('DiskFull', { message: `run ${tool} for ${subject}: ${line}`, changed: 'unknown' });
  if (/password authentication failed|role ".*" does not exist|no pg_hba.conf entry/i.test(stderr)) {
    return failure('CredentialMismatch', { message: `run ${tool} for ${subject}: ${line}` });
  }
  return failure('DumpFailed', { message: `run ${tool} for ${subject}: ${line}`, changed: 'unknown' });
}

/** Roles, memberships and tablespaces as SQL; the random \\restrict lines of newer minors are left out. */
async function dumpGlobals(context: CaptureContext<Options>, pod: PodAddress): Promise<string> {
  const { exitCode, stdout, stderr } = await runInPod(
    context.backends.access,
    pod,
    ['pg_dumpall', '-U', role(context), '-l', 'template1', '--globals-only'],
    { signal: context.signal },
  );
  if (exitCode !== 0) throw toolFailure('pg_dumpall', 'globals', stderr);
  if (!stdout.includes('PostgreSQL database cluster dump complete'))
    throw failure('DumpEndedEarly', { message: 'capture globals: pg_dumpall ended without its last line' });
  return stdout
    .split('\n')
    .filter((line) => !/^\\(un)?restrict /.test(line))
    .join('\n');
}

async function listDatabases(context: MethodContext<Options>, pod: PodAddress): Promise<string[]> {
  const claimed = context.bound.claims
    .filter((claim) => claim.by !== `${context.bound.release.namespace}/${context.bound.release.name}`)
    .map((claim) => claim.database);
  const names = await psql(
    context,
    pod,
    'template1',
    `SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname !~ '^lifeboat_' AND datname !~ '__before_[0-9a-f]{10}$' ORDER BY 1;`,
  );
  return names.filter((name) => !claimed.includes(name));
}

async function captureDatabase(
  context: CaptureContext<Options>,
  pod: PodAddress,
  name: string,
): Promise<{ facts: Facts; capturedAt: string }> {
  const session = openPodSession(
    context.backends.access,
    pod,
    psqlCommand(context, name),
    (line) => `\\echo ${line}`,
    context.signal,
  );
  try {
    const prefix = `db/${factSegment(name)}/`;
    const sequences = await session.ask(`${pinnedSettings}\n${sequenceFactsSql}`);
    const [opened] = await session.ask(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot(), to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');`,
    );
    const [snapshot, capturedAt] = (opened ?? '').split('\t');
    if (snapshot === undefined || capturedAt === undefined)
      throw failure('DumpFailed', { message: `capture database ${name}: no snapshot` });
    context.progress(`dump ${name}`);
    const source = streamFromPod(
      context.backends.access,
      pod,
      ['pg_dump', '-U', role(context), '-d', name, '-Fc', '-Z0', `--snapshot=${snapshot}`],
      context.signal,
    );
    await context.write(`database-${segment(name)}`, source, {
      minimumProofs: ['status', 'trailer'],
      trailer: { kind: 'pg-custom-toc' },
      restoreCommand: `pg_restore --exit-on-error --create -U "$PGUSER" -d template1   # creates the database ${name}`,
    });
    context.progress(`count ${name}`);
    const facts = parseFactLines(await session.ask(databaseFactsSql), prefix);
    await session.ask('COMMIT;');
    await context.writeBytes(
      `settings-${segment(name)}`,
      await readSettings(context, pod, name),
      '# part of the dump above; used for a restore under another name',
    );
    return { facts: { ...facts, ...parseFactLines(sequences, prefix) }, capturedAt };
  } finally {
    await session.close();
  }
}

/** What CREATE DATABASE needs and what pg_restore without --create leaves out, as JSON. */
const Settings = z.object({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  statements: z.array(z.string()),
});

async function readSettings(context: MethodContext<Options>, pod: PodAddress, name: string): Promise<string> {
  const lines = await psql(
    context,
    pod,
    'template1',
    `SELECT json_build_object('name', d.datname, 'owner', d.datdba::regrole::text, 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype, 'statements', (
  SELECT coalesce(json_agg(s), '[]') FROM (
    SELECT format('ALTER DATABASE %%1$s CONNECTION LIMIT %s', d.datconnlimit) AS s
    UNION ALL SELECT 'REVOKE ALL ON DATABASE %1$s FROM PUBLIC' WHERE d.datacl IS NOT NULL
    UNION ALL SELECT format('GRANT %s ON DATABASE %%1$s TO %s%s', a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM aclexplode(d.datacl) a
    UNION ALL SELECT format('COMMENT ON DATABASE %%1$s IS %L', c.description) FROM pg_shdescription c WHERE c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
    UNION ALL SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %%1$s SET %I TO %L', split_part(c.v, '=', 1), substr(c.v, strpos(c.v, '=') + 1))
      ELSE format('ALTER ROLE %s IN DATABASE %%1$s SET %I TO %L', s.setrole::regrole, split_part(c.v, '=', 1), substr(c.v, strpos(c.v, '=') + 1)) END
      FROM pg_db_role_setting s, unnest(s.setconfig) c(v) WHERE s.setdatabase = d.oid AND c.v NOT LIKE 'lifeboat.%') x))
FROM pg_database d WHERE d.datname = ${literal(name)};`,
  );
  return lines.join('\n');
}

async function readDatabase(
  context: MethodContext<Options>,
  pod: PodAddress,
  actual: string,
  shown: string,
): Promise<Facts> {
  return parseFactLines(
    await psql(context, pod, actual, `${sequenceFactsSql}\n${databaseFactsSql}`),
    `db/${factSegment(shown)}/`,
  );
}

/** Applies the globals; an error is fatal unless it says that a role is there already. */
async function restoreGlobals(context: RestoreContext<Options>, pod: PodAddress, globals: string): Promise<void> {
  const command = ['psql', '-X', '-q', '-U', role(context), '-d', 'template1'];
  const { stderr, exitCode } = await runInPod(context.backends.access, pod, command, {
    input: globals,
    signal: context.signal,
  });
  const errors = stderr.split('\n').filter((line) => /ERROR:|FATAL:/.test(line) && !/already exists/.test(line));
  if (exitCode !== 0 || errors.length > 0) {
    throw failure('RestoreFailed', { message: `restore globals: ${errors[0] ?? lastLine(stderr)}`, changed: 'yes' });
  }
}

async function restoreDatabase(context: RestoreContext<Options>, pod: PodAddress, stream: string): Promise<void> {
  const settings = Settings.parse(JSON.parse(await context.readText(stream.replace(/^database-/, 'settings-'))));
  const name = settings.name;
  const scratch = `lifeboat_${short(context.generation)}_${short(name)}`;
  const before = `${name}__before_${short(context.generation)}`;
  const marked = await psql(
    context,
    pod,
    'template1',
    `SELECT 1 FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid WHERE d.datname = ${literal(name)} AND ${literal(`lifeboat.generation=${short(context.generation)}`)} = ANY (s.setconfig);`,
  );
  if (marked.length > 0) return;
  context.progress(`restore ${name}`);
  const create = `CREATE DATABASE ${identifier(scratch)} TEMPLATE template0 OWNER ${settings.owner} ENCODING ${literal(settings.encoding)} LC_COLLATE ${literal(settings.collate)} LC_CTYPE ${literal(settings.ctype)};`;
  await psql(context, pod, 'template1', `DROP DATABASE IF EXISTS ${identifier(scratch)} WITH (FORCE);`);
  await psql(context, pod, 'template1', create);
  const { bytes, sha256 } = context.read(stream);
  await streamToPod(
    context.backends.access,
    pod,
    ['pg_restore', '--exit-on-error', '-U', role(context), '-d', scratch],
    bytes,
    { sha256 },
    context.signal,
  );
  await psql(context, pod, scratch, 'ANALYZE;');
  context.progress(`compare ${name}`);
  await assertScratchEqual(context, pod, scratch, name);
  const statements = settings.statements
    .map((statement) => `${statement.replaceAll('%1$s', identifier(scratch))};`)
    .join('\n');
  await psql(
    context,
    pod,
    'template1',
    `${statements}\nALTER DATABASE ${identifier(scratch)} SET lifeboat.generation TO ${literal(short(context.generation))};`,
  );
  await swap(context, pod, { name, scratch, before });
}

async function assertScratchEqual(
  context: RestoreContext<Options>,
  pod: PodAddress,
  scratch: string,
  name: string,
): Promise<void> {
  const prefix = `db/${factSegment(name)}/`;
  const captured = Object.fromEntries(
    Object.entries(context.capturedFacts).filter(([path]) => path.startsWith(prefix) && path !== `${prefix}database`),
  );
  const rules = context.bound.plan.compare.map((rule) => ({
    ...rule,
    facts: rule.facts.replace(`${context.component.name}/`, ''),
  }));
  const comparison = compareFacts(captured, await readDatabase(context, pod, scratch, name), rules);
  if (comparison.equal) return;
  await psql(context, pod, 'template1', `DROP DATABASE IF EXISTS ${identifier(scratch)} WITH (FORCE);`);
  const shown = comparison.differences
    .slice(0, 3)
    .map((difference) => `${difference.path} was ${String(difference.before)}, is ${String(difference.after)}`);
  throw failure('FactsDiffer', {
    message: `compare database ${name}: ${String(comparison.differenceCount)} facts differ: ${shown.join('; ')}`,
  });
}

/** Exchanges the names in one transaction; an empty database that stood there is dropped, another one is kept. */
async function swap(
  context: MethodContext<Options>,
  pod: PodAddress,
  of: { name: string; scratch: string; before: string },
): Promise<void> {
  await endSessions(context, pod, [of.name, of.scratch]);
  const exists =
    (await psql(context, pod, 'template1', `SELECT 1 FROM pg_database WHERE datname = ${literal(of.name)};`)).length >
    0;
  const away = exists ? `ALTER DATABASE ${identifier(of.name)} RENAME TO ${identifier(of.before)};` : '';
  await psql(
    context,
    pod,
    'template1',
    `BEGIN; ${away} ALTER DATABASE ${identifier(of.scratch)} RENAME TO ${identifier(of.name)}; COMMIT;`,
  );
  if (!exists) return;
  const [relations] = await psql(
    context,
    pod,
    of.before,
    `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast';`,
  );
  if (relations === '0') await psql(context, pod, 'template1', `DROP DATABASE ${identifier(of.before)} WITH (FORCE);`);
}

async function endSessions(context: MethodContext<Options>, pod: PodAddress, names: readonly string[]): Promise<void> {
  await psql(
    context,
    pod,
    'template1',
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${names.map(literal).join(', ')}) AND pid <> pg_backend_pid();`,
  );
}

async function databasesOf(context: RestoreContext<Options>): Promise<string[]> {
  const names: string[] = [];
  for (const stream of context.streams.filter((name) => name.startsWith('settings-'))) {
    names.push(Settings.parse(JSON.parse(await context.readText(stream))).name);
  }
  return names;
}

/** A name as one segment of a key or a path. */
function segment(name: string): string {
  return encodeURIComponent(name).replaceAll("'", '%27');
}

/** A name as one segment of a path of facts; the SQL of the facts does the same. */
function factSegment(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}
