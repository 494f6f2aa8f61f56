#!/usr/bin/env node
// The real kubectl with a fault around it: it alters a command on its way into the pod, or cuts what comes back.
// KUBECTL_WITHOUT_FAULTS is the real one; FAULT_FILE holds the name of the fault, and may change between two calls.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const kubectl = process.env.KUBECTL_WITHOUT_FAULTS;
const fault = readFileSync(process.env.FAULT_FILE, 'utf8').trim();
const args = process.argv.slice(2);
const cutAfterBytes = 64 * 1024;
/** How the last line that a pod says ends. */
const lastLine = ' end\n';

/** Where a command begins among the arguments, if it is about the database `shop`, the last one of the dump. */
const program = (name) => (args.includes('shop') || name === 'pg_restore' ? args.indexOf(name) : -1);
/** Where the command `sh -c <script>` of a script with this text begins. */
const script = (text) => args.findIndex((arg, index) => arg.includes(text) && args[index - 1] === '-c') - 2;
const runs = (at) => at >= 0;

/** Puts a shell script before the command at this place; it finds the command in "$@". */
function wrap(at, text) {
  args.splice(at, 0, 'sh', '-c', text, 'sh');
}

/** Passes this many bytes of the real stdout on and swallows the rest; the end looks clean, in the pod too. */
function cutStdout(keepStderr) {
  let left = cutAfterBytes;
  let last = '';
  const child = spawn(kubectl, args, { stdio: ['pipe', 'pipe', keepStderr ? 'inherit' : 'ignore'] });
  child.stdin.on('error', () => undefined);
  process.stdin.pipe(child.stdin);
  child.stdout.on('data', (chunk) => {
    if (left > 0) process.stdout.write(chunk.subarray(0, left));
    left -= chunk.length;
    // The reader in the worker never sees the last line, and would not answer it. Answered before it is here, the pod could
    // be told to end before it has said what it wrote.
    last = (last + chunk.subarray(-lastLine.length).toString('latin1')).slice(-lastLine.length);
    if (last === lastLine) child.stdin.end('\n');
  });
  follow(child);
}

/** Passes this many bytes of stdin on, then an end of file. */
function cutStdin() {
  let left = cutAfterBytes;
  const child = spawn(kubectl, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.on('error', () => undefined);
  process.stdin.on('data', (chunk) => {
    if (left > 0) child.stdin.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) child.stdin.end();
  });
  process.stdin.on('end', () => child.stdin.end());
  follow(child);
}

function follow(child) {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
  child.once('close', (code) => process.exit(code ?? 1));
}

function pass() {
  if (process.execve !== undefined) process.execve(kubectl, [kubectl, ...args], process.env);
  follow(spawn(kubectl, args, { stdio: 'inherit' }));
}

const faults = {
  none: pass,
  'dump tool missing': () => {
    const at = program('pg_dump');
    if (runs(at)) args[at] = 'pg_dump-is-not-in-this-image';
    pass();
  },
  // The dump stays a child of a shell that waits for it: an orphan that is killed would restart the database.
  'dump killed half way': () => {
    const at = program('pg_dump');
    const killed = `f=$(mktemp -u); mkfifo "$f"; "$@" >"$f" & p=$!; exec 4<"$f"; rm "$f"; head -c ${cutAfterBytes} <&4; kill -KILL "$p"; wait "$p"; exit "$?"`;
    if (runs(at)) wrap(at, killed);
    pass();
  },
  // With the status of PostgreSQL's command lost, and that of Redis's kept.
  'streams cut cleanly': () => {
    if (runs(program('pg_dump'))) cutStdout(false);
    else if (runs(script('--rdb -'))) cutStdout(true);
    else pass();
  },
  'restore cut cleanly': () => (runs(program('pg_restore')) ? cutStdin() : pass()),
  'row lost after the restore': () => {
    const at = program('pg_restore');
    const lose = `"$@" || exit; psql -X -q -U postgres -d "${args[args.indexOf('-d', at) + 1]}" -c 'DELETE FROM sales.invoices WHERE number = (SELECT min(number) FROM sales.invoices)' >&2 || :`;
    if (runs(at)) wrap(at, lose);
    pass();
  },
  'key lost after the restore': () => {
    if (loseKey()) writeFileSync(process.env.FAULT_FILE, 'none');
    pass();
  },
  'key lost after every restore': () => {
    loseKey();
    pass();
  },
};

function loseKey() {
  const at = script('.lifeboat-generation.new');
  if (runs(at))
    wrap(at, '"$@" || exit; REDISCLI_AUTH=$REDIS_PASSWORD redis-cli --no-auth-warning DEL page:7 >/dev/null');
  return runs(at);
}

faults[fault]();
