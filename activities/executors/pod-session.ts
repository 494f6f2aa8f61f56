import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { failure } from '../../model/failures.ts';
import type { ClusterAccess, PodAddress } from '../clients/kubectl.ts';
import { lastLine, startProcess } from '../clients/process.ts';
import { execArgs, keptStderr } from './pod-exec.ts';

/** A client of a server that stays open over several statements, so that a snapshot or a lock lives as long as it. */
export type PodSession = {
  /** Sends text, then `marker`'s statement, and returns the lines that came before the marker. */
  ask(text: string): Promise<string[]>;
  close(): Promise<void>;
};

/**
 * Opens an interactive client in a container (psql, mariadb) whose stdin and stdout are ours.
 * @param echo - the statement that makes the client print a line, given the line
 */
export function openPodSession(
  access: ClusterAccess,
  at: PodAddress,
  command: readonly string[],
  echo: (line: string) => string,
  signal?: AbortSignal,
): PodSession {
  const child = startProcess({ file: access.kubectl, args: execArgs(access, at, command, true), signal });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-keptStderr);
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity })[Symbol.asyncIterator]();
  let count = 0;
  return {
    ask: async (text) => {
      count += 1;
      const marker = `lifeboat-${String(count)}-${randomBytes(6).toString('hex')}`;
      child.stdin.write(`${text}\n${echo(marker)}\n`);
      const answer: string[] = [];
      for (;;) {
        const next = await lines.next();
        if (next.done === true) {
          await child.ended;
          signal?.throwIfAborted();
          throw sessionFailure(at, stderr);
        }
        if (next.value === marker) return answer;
        answer.push(next.value);
      }
    },
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await child.ended;
      clearTimeout(timer);
    },
  };
}

function sessionFailure(at: PodAddress, stderr: string): Error {
  const line = lastLine(stderr);
  // Not the missing socket of a server that starts.
  if (/executable file not found|not found in \$PATH|no such file or directory: unknown/i.test(stderr)) {
    return failure('CaptureToolMissing', { message: `open session in ${at.pod}: ${line}` });
  }
  if (/Access denied|password authentication failed|NOAUTH|WRONGPASS/i.test(stderr)) {
    return failure('CredentialMismatch', { message: `open session in ${at.pod}: ${line}` });
  }
  return failure('DumpFailed', { message: `open session in ${at.pod}: ${line}` });
}
