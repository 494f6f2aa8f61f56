import { failure, type LifeboatFailure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { runInPod } from './pod-exec.ts';
import { openPodSession, type PodSession } from './pod-session.ts';

/** A MariaDB or MySQL server in a pod, reached through its socket. The password stays in the pod: `passwordEnv` names its variable there. */
export type MysqlServer = {
  readonly access: ClusterAccess;
  readonly pod: PodAddress;
  readonly user: string;
  readonly passwordEnv: string;
  readonly signal: AbortSignal;
};

/** Runs the first of two tools that the image has, with the password in its environment. */
function withPassword(
  server: MysqlServer,
  tools: readonly [string, string],
  args: readonly string[],
  prepare = '',
): string[] {
  const script = `export MYSQL_PWD="\${${server.passwordEnv}-}"
tool=$(command -v ${tools[0]} || command -v ${tools[1]}) || { echo "${tools[0]}, ${tools[1]}: executable file not found in the image" >&2; exit 127; }
${prepare}exec "$tool" "$@"`;
  return ['sh', '-c', script, 'sh', '--protocol=socket', `--user=${server.user}`, ...args];
}

/** The client as a reader of a whole dump: it stops at the first error, and takes no commands of its own from the text. */
export function loadCommand(server: MysqlServer): string[] {
  return withPassword(
    server,
    ['mariadb', 'mysql'],
    ['--binary-mode', '--batch', '--default-character-set=utf8mb4', '--max-allowed-packet=1G'],
  );
}

/** The dump tool. MySQL's writes the position of its replication unless told not to; MariaDB's does not know that option. */
export function dumpCommand(server: MysqlServer, args: readonly string[]): string[] {
  const common = [
    '--single-transaction',
    '--skip-lock-tables',
    '--quick',
    '--hex-blob',
    '--no-tablespaces',
    '--verbose',
    '--default-character-set=utf8mb4',
    '--max-allowed-packet=1G',
  ];
  const ofMysql = 'case $("$tool" --version) in *MariaDB*) ;; *) set -- --set-gtid-purged=OFF "$@" ;; esac\n';
  return withPassword(server, ['mariadb-dump', 'mysqldump'], [...common, ...args], ofMysql);
}

/** Opens a session of the client: one connection, so that a lock or a snapshot lives as long as it. */
export function openMysqlSession(server: MysqlServer): PodSession {
  const command = withPassword(
    server,
    ['mariadb', 'mysql'],
    ['--batch', '--skip-column-names', '--unbuffered', '--default-character-set=utf8mb4', '--max-allowed-packet=1G'],
  );
  return openPodSession(server.access, server.pod, command, (line) => `SELECT '${line}';`, server.signal);
}

/** Runs SQL, as one session, to its end. @throws what mysqlFailure makes of the client's complaint */
export async function runMysql(server: MysqlServer, verb: string, sql: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runInPod(server.access, server.pod, loadCommand(server), {
    input: sql,
    signal: server.signal,
  });
  if (exitCode !== 0) throw mysqlFailure(verb, stderr);
  return stdout;
}

/** Turns the complaint of a client or a dump tool into a failure of the table. */
export function mysqlFailure(verb: string, stderr: string): LifeboatFailure {
  const line = lastLine(stderr);
  if (/executable file not found|not found in \$PATH/i.test(stderr))
    return failure('CaptureToolMissing', { message: `${verb}: ${line}` });
  if (/Access denied|error: 1045|ERROR 1045|ERROR 1698/i.test(stderr))
    return failure('CredentialMismatch', { message: `${verb}: ${line}` });
  if (/No space left on device|ERROR (1021|1114) |errno: 28/i.test(stderr))
    return failure('DiskFull', { message: `${verb}: ${line}`, changed: 'unknown' });
  return failure('RestoreFailed', { message: `${verb}: ${line}`, changed: 'unknown' });
}
