import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { lastLine } from '../clients/process.ts';
import { fromPathSegment } from '../facts/path-segment.ts';
import { runInPod } from './pod-exec.ts';
import { identifier, literal, maintenance, type PostgresServer, postgresFailure, psql } from './postgres-server.ts';

/** Roles, memberships and tablespaces as SQL; the random \\restrict lines of newer minors are left out. */
export async function dumpGlobals(server: PostgresServer): Promise<string> {
  const command = ['pg_dumpall', '-U', server.role, '-l', maintenance, '--globals-only'];
  const { exitCode, stdout, stderr } = await runInPod(server.access, server.pod, command, { signal: server.signal });
  if (exitCode !== 0) throw postgresFailure('dump globals', stderr);
  if (!stdout.includes('PostgreSQL database cluster dump complete'))
    throw failure('DumpEndedEarly', { message: 'dump globals: pg_dumpall ended without its last line' });
  return stdout
    .split('\n')
    .filter((line) => !/^\\(un)?restrict /.test(line))
    .join('\n');
}

/** Makes the roles of the globals that are missing, as mere names, so that they can own things. Returns which. */
export async function makeMissingRoles(server: PostgresServer, globals: string): Promise<string[]> {
  const statements = globals.split('\n').filter((line) => /^CREATE ROLE .*;$/.test(line));
  const before = await listRoles(server);
  await applyGlobals(server, statements.join('\n'));
  return (await listRoles(server)).filter((role) => !before.includes(role));
}

/** Drops roles again that nothing has come to need. */
export async function dropRoles(server: PostgresServer, roles: readonly string[]): Promise<void> {
  if (roles.length > 0)
    await psql(server, maintenance, roles.map((role) => `DROP ROLE IF EXISTS ${identifier(role)};`).join('\n'));
}

/** Drops those of the roles that nothing needs. @returns those that stay */
export async function dropUnneededRoles(server: PostgresServer, roles: readonly string[]): Promise<string[]> {
  if (roles.length === 0) return [];
  const there = `SELECT rolname FROM pg_roles WHERE rolname IN (${roles.map(literal).join(', ')})`;
  return await psql(
    server,
    maintenance,
    `DO $drop$ DECLARE role name; BEGIN FOR role IN ${there} LOOP
  BEGIN EXECUTE format('DROP ROLE %I', role); EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END;
END LOOP; END $drop$;
${there};`,
  );
}

/** The names of the roles that facts tell of. */
export function rolesOf(facts: Facts): string[] {
  return Object.keys(facts).flatMap((path) => /^role\/([^/]+)$/.exec(path)?.slice(1, 2).map(fromPathSegment) ?? []);
}

/**
 * Gives the captured roles exactly their captured attributes, settings and memberships; other roles stay as they are.
 * What pg_dumpall leaves out because it is the default is set to it first. Idempotent.
 * @param keepsPassword - the administrating role keeps the password it has
 */
export async function restoreGlobals(
  server: PostgresServer,
  globals: string,
  captured: Facts,
  keepsPassword: boolean,
): Promise<void> {
  const roles = rolesOf(captured);
  if (roles.length === 0) return;
  const own = roles.map(literal).join(', ');
  const members = Object.entries(captured).flatMap(([path, admin]) => {
    const [, member, role] = /^member\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    return member === undefined || role === undefined
      ? []
      : [`(${literal(fromPathSegment(member))}, ${literal(fromPathSegment(role))}, ${String(admin)})`];
  });
  await psql(
    server,
    maintenance,
    `SELECT format('ALTER ROLE %I CONNECTION LIMIT -1 VALID UNTIL ''infinity''%s', rolname, CASE WHEN rolname = ${literal(server.role)} THEN '' ELSE ' PASSWORD NULL' END) FROM pg_roles WHERE rolname IN (${own}) \\gexec
SELECT format('ALTER ROLE %I RESET ALL', r.rolname) FROM pg_roles r JOIN pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0 WHERE r.rolname IN (${own}) \\gexec
SELECT format('REVOKE %s%I FROM %I CASCADE', CASE WHEN w.admin IS NULL THEN '' ELSE 'ADMIN OPTION FOR ' END, g.rolname, r.rolname)
FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
LEFT JOIN (VALUES (NULL, NULL, false)${members.map((each) => `, ${each}`).join('')}) w(member, role, admin) ON w.member = r.rolname AND w.role = g.rolname
WHERE r.rolname IN (${own}) AND (w.admin IS NULL OR (m.admin_option AND NOT w.admin)) \\gexec`,
  );
  await applyGlobals(server, keepsPassword ? withoutPasswordOf(globals, server.role) : globals);
}

async function listRoles(server: PostgresServer): Promise<string[]> {
  return await psql(server, maintenance, 'SELECT rolname FROM pg_roles;');
}

/** Applies globals; an error is fatal unless it says that a role is there already. */
async function applyGlobals(server: PostgresServer, globals: string): Promise<void> {
  const command = ['psql', '-X', '-q', '-U', server.role, '-d', maintenance];
  const { stderr, exitCode } = await runInPod(server.access, server.pod, command, {
    input: globals,
    signal: server.signal,
  });
  const errors = stderr.split('\n').filter((line) => /ERROR:|FATAL:/.test(line) && !/already exists/.test(line));
  if (exitCode === 0 && errors.length === 0) return;
  throw failure('RestoreFailed', { message: `restore globals: ${errors[0] ?? lastLine(stderr)}`, changed: 'yes' });
}

function withoutPasswordOf(globals: string, role: string): string {
  return globals
    .split('\n')
    .map((line) =>
      line.startsWith(`ALTER ROLE ${role} WITH `) || line.startsWith(`ALTER ROLE ${identifier(role)} WITH `)
        ? line.replace(/ PASSWORD '(?:[^']|'')*'/, '')
        : line,
    )
    .join('\n');
}
