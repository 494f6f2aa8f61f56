import { createHash, randomBytes } from 'node:crypto';
import { failure } from '../../model/failures.ts';
import { writeAndRelease } from '../../transfer/buffers.ts';
import type { ByteSource, EndReport } from '../../transfer/source.ts';
import { type ClusterAccess, kubectl, kubectlArgs, kubectlFailure, type PodAddress } from '../clients/kubectl.ts';
import { lastLine, type ProcessResult, startProcess } from '../clients/process.ts';
import { openPodStream } from './pod-stream.ts';

/** How much of a container's stderr is kept, in characters. */
export const keptStderr = 64 * 1024;

/**
 * Runs "$@" and proves its end: a line on stderr with the nonce of this call and the exit code, and the digest of
 * what was written, taken beside the command. The command's output goes to `tee`, which writes it to the original
 * stdout (descriptor 3) and to sha256sum. Where the container lacks these tools, only the exit code is proven.
 * Where it has zstd too, the bytes are packed for their way: less than half of them cross the kubelet and the API server,
 * which are slower than the compressor. The first line of stdout says which, the last one that there is no more.
 * It stays until its reader says that the last line arrived, or is gone: of a connection that the server closes kubectl
 * loses what it has not read yet, up to 30 MB where it is read more slowly than the command writes, and may end with 0.
 * A stdin that ends without that word is a reader who is gone: the command is told to end, and what it writes through. The
 * runtime would leave it there, blocked at a full pipe, and a dump would keep its snapshot and its locks on the server. They
 * are the process group of this shell: runtimes begin one for what they run, and where there is none the kill finds nobody.
 */
const proveOutput = `
n=$1; input=$2; shift 2
given=$([ "$input" = 0 ] || head -c "$input"; echo .)
exec 5<&0
{ read -r _ || kill -s TERM -- "-$$"; } <&5 >/dev/null 2>&1 &
reader=$!
fed() {
  if [ "$input" = 0 ]; then "$@" </dev/null 5<&-; else printf %s "\${given%.}" | "$@" 5<&-; fi
}
proven() {
  { fed "$@"; printf '\\n%s rc=%s\\n' "$n" "$?" >&2; } | tee /dev/fd/3 | sha256sum | { read -r h rest; printf '\\n%s sha256=%s\\n' "$n" "$h" >&2; }
}
if command -v sha256sum >/dev/null 2>&1 && command -v tee >/dev/null 2>&1 && ( : >/dev/fd/1 ) 2>/dev/null; then
  if command -v zstd >/dev/null 2>&1; then
    printf '%s zstd\\n' "$n"
    { proven "$@" 3>&1 >&2; } | zstd -q -1 -c
  else
    printf '%s plain\\n' "$n"
    proven "$@" 3>&1 >&2
  fi
else
  printf '%s plain\\n' "$n"
  fed "$@"; rc=$?; printf '\\n%s rc=%s\\n' "$n" "$rc" >&2
fi
printf '\\n%s end\\n' "$n" && wait "$reader"
sleep 0.2 2>/dev/null || :`;

/** What a shell that was told to end by SIGTERM exits with. */
const endedForWantOfReader = 143;

/** The same for what a command reads: the digest of the bytes that arrived in the pod, and the command's exit code. */
const proveInput = `
n=$1; shift
if command -v sha256sum >/dev/null 2>&1 && command -v tee >/dev/null 2>&1; then
  { tee /dev/fd/3 | sha256sum | { read -r h rest; printf '\\n%s sha256=%s\\n' "$n" "$h" >&2; }; } 3>&1 | { "$@"; rc=$?; cat >/dev/null; printf '\\n%s rc=%s\\n' "$n" "$rc" >&2; }
else
  "$@"; rc=$?; printf '\\n%s rc=%s\\n' "$n" "$rc" >&2
fi
sleep 0.2 2>/dev/null || :`;

/** The same for zstd frames, which are unpacked in the pod; the digest is that of the plaintext. */
const provePackedInput = `zstd -q -d -c | { ${proveInput}
}`;

/** Arguments of kubectl that run a command in a container. */
export function execArgs(access: ClusterAccess, at: PodAddress, command: readonly string[], stdin: boolean): string[] {
  return [
    ...kubectlArgs(access),
    'exec',
    ...(stdin ? ['-i'] : []),
    '-n',
    at.namespace,
    at.pod,
    '-c',
    at.container,
    '--',
    ...command,
  ];
}

/** Runs a command in a container to its end. A bad exit of the command is for the caller; a lost pod is PodGone. */
export async function runInPod(
  access: ClusterAccess,
  at: PodAddress,
  command: readonly string[],
  options: { input?: string; signal?: AbortSignal | undefined; timeoutMs?: number } = {},
): Promise<ProcessResult> {
  const args = [
    'exec',
    ...(options.input === undefined ? [] : ['-i']),
    '-n',
    at.namespace,
    at.pod,
    '-c',
    at.container,
    '--',
    ...command,
  ];
  const ran = await kubectl(access, args, options);
  // kubectl's own last word hides what the command said
  const result = { ...ran, stderr: ran.stderr.replace(/command terminated with exit code [0-9]+\s*$/, '') };
  if (
    result.exitCode !== 0 &&
    !/executable file not found|no such file or directory: unknown/.test(result.stderr) &&
    /error dialing backend|container not found|unable to upgrade connection|pods? ".*" not found|connection refused.*Dial|error: Internal error occurred|error reading from error stream|connection reset by peer/i.test(
      result.stderr,
    )
  ) {
    throw kubectlFailure(`run ${command[0] ?? ''} in ${at.pod}`, result.stderr, 'unknown');
  }
  return result;
}

/**
 * A command's stdout in a container as a source of bytes with its end proof. Requires `sh` in the image.
 * @param onLine - sees each line of the command's stderr as it comes; what it says true to is not kept for messages
 * @param input - the command's stdin
 */
export function streamFromPod(
  access: ClusterAccess,
  at: PodAddress,
  command: readonly string[],
  signal?: AbortSignal,
  onLine?: (line: string) => boolean,
  input = '',
): ByteSource {
  const nonce = `lifeboat-${randomBytes(12).toString('hex')}`;
  const child = startProcess({
    file: access.kubectl,
    args: execArgs(
      access,
      at,
      ['sh', '-c', proveOutput, 'sh', nonce, String(Buffer.byteLength(input)), ...command],
      true,
    ),
    signal,
  });
  let stderr = '';
  let partial = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const lines = (partial + chunk.toString('utf8')).split('\n');
    partial = lines.pop() ?? '';
    const kept = lines.filter((line) => onLine?.(line) !== true);
    if (kept.length > 0) stderr = `${stderr}${kept.join('\n')}\n`.slice(-keptStderr);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.write(input);
  const stream = openPodStream(child.stdout, nonce, () => child.stdin.end('\n'));
  return {
    bytes: stream.bytes,
    cancel: () => {
      // it has not ended before what it wrote is read or thrown away
      stream.discard();
      child.stdin.destroy();
      child.kill('SIGTERM');
    },
    end: async (): Promise<EndReport> => {
      stream.drop();
      // whoever is cancelled does not say that all is well
      if (child.stdin.writable && signal?.aborted !== true) child.stdin.end('\n');
      const { exitCode } = await child.ended;
      signal?.throwIfAborted();
      stderr += partial;
      partial = '';
      const proof = readProof(stderr, nonce);
      const said =
        lastLine(
          stderr
            .split('\n')
            .filter((line) => !line.includes(nonce))
            .join('\n'),
        ) ||
        (stream.problem() ?? '');
      return {
        // a shell that ended the command for want of a reader says nothing of it
        exitCode: proof.exitCode ?? (exitCode === 0 || exitCode === endedForWantOfReader ? null : exitCode),
        // the pod's own word is enough where its digest says that every byte of it and before it arrived
        statusSeen: proof.exitCode !== undefined && (exitCode === 0 || proof.sha256 !== undefined),
        trailerSeen: false,
        ...(proof.sha256 === undefined ? {} : { digestSha256: proof.sha256 }),
        ...(said === '' ? {} : { lastLine: said }),
      };
    },
  };
}

/**
 * Feeds bytes to a command in a container. It returns only when the command ended well and the pod received exactly
 * the bytes that were sent: a cut stdin looks like an end of file to the command.
 * @param expected - digest of the stored bytes, where they are sent as they are; of their plaintext where they are sent packed;
 * `disposable` where nobody else uses the chunks
 * @throws RestoreFailed or DiskFull with the command's last line
 */
export async function streamToPod(
  access: ClusterAccess,
  at: PodAddress,
  command: readonly string[],
  bytes: AsyncIterable<Uint8Array>,
  expected: { readonly sha256?: string; readonly packed?: true; readonly disposable?: true },
  signal?: AbortSignal,
): Promise<{ stdout: string; stderr: string }> {
  const nonce = `lifeboat-${randomBytes(12).toString('hex')}`;
  const child = startProcess({
    file: access.kubectl,
    args: execArgs(
      access,
      at,
      ['sh', '-c', expected.packed ? provePackedInput : proveInput, 'sh', nonce, ...command],
      true,
    ),
    signal,
  });
  let stderr = '';
  let stdout = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-keptStderr);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    stdout = (stdout + chunk.toString('utf8')).slice(-keptStderr);
  });
  const sent = createHash('sha256');
  let broken: unknown;
  child.stdin.on('error', (error) => {
    broken = error;
  });
  try {
    for await (const chunk of bytes) {
      if (broken !== undefined) break;
      if (expected.packed !== true) sent.update(chunk);
      const hasRoom = expected.disposable === true ? writeAndRelease(child.stdin, chunk) : child.stdin.write(chunk);
      if (!hasRoom) await drained(child.stdin);
    }
  } catch (error) {
    child.kill('SIGKILL');
    await child.ended;
    throw error;
  }
  child.stdin.end();
  const { exitCode } = await child.ended;
  signal?.throwIfAborted();
  const proof = readProof(stderr, nonce);
  const said = stderr
    .split('\n')
    .filter((line) => !line.includes(nonce))
    .join('\n');
  const verb = `restore through ${command[0] ?? ''} in ${at.pod}`;
  if (proof.exitCode === undefined)
    throw failure('RestoreFailed', { message: `${verb}: ended without status, ${lastLine(said)}`, changed: 'unknown' });
  if (proof.exitCode !== 0 || (exitCode !== 0 && proof.sha256 === undefined))
    throw failure(/No space left on device/i.test(said) ? 'DiskFull' : 'RestoreFailed', {
      message: `${verb}: exit ${String(proof.exitCode)}, ${lastLine(said)}`,
      changed: 'unknown',
    });
  const sentSha256 = sent.digest('hex');
  const isWhole =
    expected.packed === true
      ? proof.sha256 !== undefined && proof.sha256 === expected.sha256
      : (expected.sha256 ?? sentSha256) === sentSha256 && (proof.sha256 ?? sentSha256) === sentSha256;
  if (!isWhole) {
    throw failure('RestoreFailed', {
      message: `${verb}: the pod received other bytes than were stored`,
      changed: 'unknown',
    });
  }
  return { stdout, stderr: said };
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      stream.off('error', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    stream.on('error', done);
  });
}

function readProof(stderr: string, nonce: string): { exitCode?: number; sha256?: string } {
  const rc = new RegExp(`${nonce} rc=([0-9]+)`).exec(stderr)?.[1];
  const sha256 = new RegExp(`${nonce} sha256=([0-9a-f]{64})`).exec(stderr)?.[1];
  return { ...(rc === undefined ? {} : { exitCode: Number(rc) }), ...(sha256 === undefined ? {} : { sha256 }) };
}

/** The pod's own clock, in whole seconds, as an instant. */
export async function readPodClock(access: ClusterAccess, at: PodAddress, signal?: AbortSignal): Promise<string> {
  const { exitCode, stdout, stderr } = await runInPod(access, at, ['date', '-u', '+%Y-%m-%dT%H:%M:%SZ'], { signal });
  const said = stdout.trim();
  if (exitCode === 0 && /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$/.test(said)) return said;
  throw failure('CaptureToolMissing', { message: `read clock of ${at.pod}: ${lastLine(stderr) || said}` });
}
