import { failure, type LifeboatFailure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { pinnedSettings } from '../facts/postgresql.ts';
import { runInPod } from './pod-exec.ts';
import { openPodSession, type PodSession } from './pod-session.ts';

/** A PostgreSQL server in a pod, reached through its socket as the administrating role. */
export type PostgresServer = {
  readonly access: ClusterAccess;
  readonly pod: PodAddress;
  readonly role: string;
  readonly signal: AbortSignal;
};

/** The database that is connected to for work on others: it is never renamed or restored. */
export const maintenance = 'template1';

/** A string. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A quoted name. */
export function identifier(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** Command line of psql on a database of the server. */
export function psqlCommand({ role }: PostgresServer, database: string): string[] {
  return ['psql', '-X', '-A', '-t', '-q', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-U', role, '-d', database];
}

/** Runs SQL to its end and returns the lines of its output. @throws what postgresFailure makes of psql's complaint */
export async function psql(server: PostgresServer, database: string, sql: string): Promise<string[]> {
  const input = `${pinnedSettings}\n${sql}\n`;
  const command = psqlCommand(server, database);
  const result = await runInPod(server.access, server.pod, command, { input, signal: server.signal });
  if (result.exitCode !== 0) throw postgresFailure(`run psql in ${database}`, result.stderr);
  return result.stdout.split('\n').filter((line) => line !== '');
}

/** Opens a session, so that a snapshot lives as long as it. */
export function openPsql(server: PostgresServer, database: string): PodSession {
  return openPodSession(
    server.access,
    server.pod,
    psqlCommand(server, database),
    (line) => `\\echo ${line}`,
    server.signal,
  );
}

/** Turns the complaint of a client tool into a failure of the table. */
export function postgresFailure(verb: string, stderr: string): LifeboatFailure {
  const line = lastLine(stderr);
  const because = (code: Parameters<typeof failure>[0]): LifeboatFailure =>
    failure(code, { message: `${verb}: ${line}`, changed: 'unknown' });
  if (/executable file not found|no such file or directory: unknown|command not found/i.test(stderr))
    return failure('CaptureToolMissing', { message: `${verb}: ${line}` });
  if (/No space left on device/i.test(stderr)) return because('DiskFull');
  if (/is being accessed by other users/.test(stderr)) return because('RestoreTargetInUse');
  if (/password authentication failed|FATAL: {2}role ".*" does not exist|no pg_hba.conf entry/i.test(stderr))
    return failure('CredentialMismatch', { message: `${verb}: ${line}` });
  return because('DumpFailed');
}
