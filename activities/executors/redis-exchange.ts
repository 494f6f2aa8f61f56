import { failure, type LifeboatFailure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { runInPod } from './pod-exec.ts';

/** A Redis or Valkey server in a pod. The password stays in the pod: `passwordEnv` names its variable there. */
export type RedisServer = {
  readonly access: ClusterAccess;
  readonly pod: PodAddress;
  readonly passwordEnv: string | undefined;
  readonly signal: AbortSignal;
};

/** Functions that every script here begins with. Errors are replies, not exit codes: `ask` looks at them. */
function preamble(server: RedisServer): string {
  return `set -eu
${server.passwordEnv === undefined ? 'unset REDISCLI_AUTH' : `export REDISCLI_AUTH="\${${server.passwordEnv}-}"`}
client=$(command -v redis-cli || command -v valkey-cli) || { echo "redis-cli: executable file not found in the image" >&2; exit 127; }
cli() { "$client" --no-auth-warning "$@"; }
ask() { said=$(cli "$@") || { echo "$said" >&2; return 1; }; case $said in NOAUTH*|WRONGPASS*|ERR*|NOPERM*|MISCONF*|LOADING*|BUSY*) echo "$said" >&2; return 1 ;; esac; printf '%s\\n' "$said"; }
setting() { ask CONFIG GET "$1" | sed -n 2p; }
info() { ask INFO "$1" | tr -d '\\r' | sed -n "s/^$2://p"; }
`;
}

/** The command that writes a snapshot to stdout. Its answer to a wrong password is an exit code of 1. */
export function snapshotCommand(server: RedisServer): string[] {
  return ['sh', '-c', `${preamble(server)}exec "$client" --no-auth-warning --rdb -`];
}

/** Complains of a server that takes its snapshot to a disk that has no room for it. */
export const snapshotTroubleScript = `
[ "$(info persistence rdb_last_bgsave_status)" = ok ] && exit
dir=$(setting dir)
echo "the server cannot write its snapshot to $dir, where $(df -Pk "$dir" | awk 'END { print $4 }') KiB are free" >&2
exit 1`;

/** Runs a script with the functions above. @throws what redisFailure makes of its complaint, `otherwise` where it knows none */
export async function runRedisScript(
  server: RedisServer,
  verb: string,
  script: string,
  args: readonly string[] = [],
  otherwise: 'DumpFailed' | 'RestoreFailed' = 'RestoreFailed',
): Promise<string> {
  const { exitCode, stdout, stderr } = await runInPod(
    server.access,
    server.pod,
    ['sh', '-c', `${preamble(server)}${script}`, 'sh', ...args],
    { signal: server.signal },
  );
  if (exitCode !== 0) throw redisFailure(verb, stderr, otherwise);
  return stdout;
}

/** Turns a complaint of the client, the server or the shell into a failure of the table. */
export function redisFailure(
  verb: string,
  stderr: string,
  otherwise: 'DumpFailed' | 'RestoreFailed' = 'RestoreFailed',
): LifeboatFailure {
  const line = lastLine(stderr);
  if (/executable file not found|not found in \$PATH/i.test(stderr))
    return failure('CaptureToolMissing', { message: `${verb}: ${line}` });
  if (/NOAUTH|WRONGPASS|NOPERM|AUTH failed|invalid password|called without any password/i.test(stderr))
    return failure('CredentialMismatch', { message: `${verb}: ${line}` });
  if (/No space left on device|MISCONF .*unable to persist to disk|cannot write its snapshot/i.test(stderr))
    return failure('DiskFull', { message: `${verb}: ${line}`, changed: 'unknown' });
  return failure(otherwise, { message: `${verb}: ${line}`, changed: otherwise === 'DumpFailed' ? 'no' : 'unknown' });
}

/**
 * Asks the server whether it can be written to, ends what an earlier attempt left, and prints: directory, marker,
 * used memory, memory limit of the container or 0.
 */
export const prepareScript = `
ask PING >/dev/null
dir=$(setting dir)
role=$(info replication role)
port=$(info replication master_port)
host=$(info replication master_host)
if [ -f "$dir/.lifeboat-restore/pid" ]; then
  pid=$(cat "$dir/.lifeboat-restore/pid")
  running() { grep -q lifeboat-restore "/proc/$pid/cmdline" 2>/dev/null; }
  if running; then kill "$pid" || :; fi
  tries=0
  while running; do tries=$((tries + 1)); [ $tries -lt 300 ] || { echo "an earlier restore still runs" >&2; exit 1; }; sleep 0.1; done
  role=$(info replication role)
fi
if [ "$role" = slave ]; then
  if [ "$host" = 127.0.0.1 ] && [ "$port" = "$1" ]; then ask REPLICAOF NO ONE >/dev/null
  else echo "this server is a replica of $host" >&2; exit 1; fi
fi
rm -rf "$dir/.lifeboat-restore"
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || echo 0)
case $limit in *[!0-9]*) limit=0 ;; esac
printf '%s\\n%s\\n%s\\n%s\\n' "$dir" "$(cat "$dir/.lifeboat-generation" 2>/dev/null || :)" "$(info memory used_memory)" "$limit"
`;

/** Receives the snapshot. */
export const receiveScript = `umask 077; mkdir -p "$1/.lifeboat-restore" && cat >"$1/.lifeboat-restore/dump.rdb"`;

/**
 * Starts a second server on the received snapshot, makes the live one its replica until it has taken over everything,
 * makes it a primary again and has it write its own snapshot. The live server refuses a snapshot that does not arrive
 * whole, and keeps its data. Arguments: directory, port, generation.
 * A server that asks for a user and password of its primary (masterauth, masteruser) finds them on the second one.
 */
export const exchangeScript = `
dir=$1 port=$2 generation=$3
scratch=$dir/.lifeboat-restore
echo $$ >"$scratch/pid"
server=$(command -v redis-server || command -v valkey-server) || { echo "redis-server: executable file not found in the image" >&2; exit 127; }
masterauth=$(setting masterauth)
masteruser=$(setting masteruser)
second() { if [ -n "$masterauth" ]; then REDISCLI_AUTH=$masterauth "$client" --no-auth-warning -p "$port" "$@"; else (unset REDISCLI_AUTH; "$client" --no-auth-warning -p "$port" "$@"); fi; }
child=
attached=
finish() {
  trap - EXIT TERM INT HUP
  [ -z "$attached" ] || cli REPLICAOF NO ONE >/dev/null 2>&1 || :
  if [ -n "$child" ]; then kill "$child" 2>/dev/null || :; wait "$child" 2>/dev/null || :; fi
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/["\\\\]/\\\\&/g')"; }
"$server" - >"$scratch/log" 2>&1 <<CONFIG &
port $port
bind 127.0.0.1
dir $(quoted "$scratch")
dbfilename dump.rdb
save ""
appendonly no
maxmemory 0
repl-diskless-sync yes
repl-diskless-sync-delay 0
$([ -z "$masterauth" ] || printf 'requirepass %s' "$(quoted "$masterauth")")
$([ -z "$masteruser" ] || [ -z "$masterauth" ] || printf 'user %s on ~* &* +@all %s' "$(quoted "$masteruser")" "$(quoted ">$masterauth")")
CONFIG
child=$!
while :; do
  reply=$(second PING 2>/dev/null || :)
  case $reply in PONG) break ;; LOADING* | '') ;; *) echo "the second server answers: $reply" >&2; exit 1 ;; esac
  kill -0 "$child" 2>/dev/null || { echo "the second server refuses the snapshot: $(grep -v -e '^$' "$scratch/log" | tail -n 1)" >&2; exit 1; }
  sleep 0.1
done
attached=yes
ask REPLICAOF 127.0.0.1 "$port" >/dev/null
waited=0
while :; do
  state=$(cli INFO replication 2>/dev/null | tr -d '\\r' || :)
  case $state in *master_link_status:up*) case $state in *master_sync_in_progress:0*) break ;; esac ;; esac
  kill -0 "$child" 2>/dev/null || { echo "the second server ended: $(tail -n 1 "$scratch/log")" >&2; exit 1; }
  case $state in *master_link_status:down*) waited=$((waited + 1)) ;; esac
  if [ $waited -ge 300 ] && case $state in *master_sync_in_progress:1*) false ;; esac; then echo "the live server does not connect to the second one" >&2; exit 1; fi
  sleep 0.1
done
ask REPLICAOF NO ONE >/dev/null
attached=
before=$(ask LASTSAVE)
sleep 1
until
  [ "$(info persistence aof_rewrite_in_progress)$(info persistence aof_rewrite_scheduled)$(info persistence rdb_bgsave_in_progress)" = 000 ] && {
    if [ "$(ask LASTSAVE)" -gt "$before" ]; then true; else
      [ "$(info persistence rdb_last_bgsave_status)" = ok ] || [ -z "\${asked-}" ] || { echo "the live server cannot write its snapshot" >&2; exit 1; }
      asked=yes; cli BGSAVE >/dev/null; false; fi; }
do sleep 0.2; done
for status in rdb_last_bgsave_status aof_last_bgrewrite_status; do
  [ "$(info persistence $status)" = ok ] || { echo "$status is not ok" >&2; exit 1; }
done
printf %s "$generation" >"$dir/.lifeboat-generation.new"
mv "$dir/.lifeboat-generation.new" "$dir/.lifeboat-generation"
`;
