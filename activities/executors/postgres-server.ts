import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { type Kubernetes, request } from '../clients/kubernetes.ts';
import { lastLine } from '../clients/process.ts';
import { pinnedSettings } from '../facts/postgresql.ts';
import type { MovedCommand } from './mover-pod.ts';
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

/** A server that a mover reaches. */
export type ReachedServer = {
  readonly kubernetes: Kubernetes;
  readonly server: PostgresServer;
  /** Variable of the server's container with the role's password. */
  readonly passwordEnv: string | undefined;
};

/**
 * Has a client's command run by a mover: from its pod it reaches the server at that pod's address, with a password.
 * @returns false where the server does not let it in so, as before a restore has brought the password of the Secret back
 * @throws BindingFailed, and what `move` throws
 */
export async function moveClient(
  { kubernetes, server, passwordEnv }: ReachedServer,
  [tool = '', ...args]: readonly string[],
  move: (command: MovedCommand) => Promise<unknown>,
): Promise<boolean> {
  const { pod, namespace } = server.pod;
  const found = await request(`read pod ${pod}`, () => kubernetes.core.readNamespacedPod({ name: pod, namespace }));
  const address = found.status?.podIP;
  if (passwordEnv === undefined || address === undefined)
    throw failure('BindingFailed', {
      message: `reach ${pod} from a mover: ${address === undefined ? 'it has no address' : 'the plan names no passwordEnv'}`,
    });
  const script = `PGPASSWORD=$${passwordEnv} exec "$@"`;
  try {
    await move({ command: ['sh', '-c', script, 'sh', tool, '-w', '-h', address, ...args], env: [passwordEnv] });
    return true;
  } catch (error) {
    if (error instanceof LifeboatFailure && /password authentication failed|no pg_hba\.conf entry/i.test(error.message))
      return false;
    throw error;
  }
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
