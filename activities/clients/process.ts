import type { Readable, Writable } from 'node:stream';
import { ExecaError, execa } from 'execa';
import { failure } from '../../model/failures.ts';

/** How much of a tool's output is kept, in characters: enough for its last lines, bounded against a flood. */
const keptOutput = 64 * 1024;

/** What a finished process said. */
export type ProcessResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** A process to run: argument array, no shell. Secrets go by `input` or `env`, never by `args`. */
export type ProcessSpec = {
  readonly file: string;
  readonly args: readonly string[];
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  /** stdout of this many bytes at most; default 64 MiB. */
  readonly maxBufferBytes?: number;
};

/**
 * helm and kubectl are Go programs that live for half a second, of which collecting garbage takes a sixth: they may use
 * five times what they need before they do. What the environment says goes before.
 */
const toolEnv: Readonly<Record<string, string>> = { GOGC: process.env['GOGC'] ?? '400' };

/**
 * Runs a process to its end.
 * @throws ToolMissing when the file cannot be started; the signal's reason when cancelled; StepTimedOut
 */
export async function runProcess(spec: ProcessSpec): Promise<ProcessResult> {
  const { file, args, input, env, signal, timeoutMs, maxBufferBytes = 64 * 1024 * 1024 } = spec;
  signal?.throwIfAborted();
  try {
    const result = await execa(file, args, {
      reject: false,
      ...(input === undefined ? { stdin: 'ignore' } : { input }),
      env: { ...toolEnv, ...env },
      ...(signal === undefined ? {} : { cancelSignal: signal }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      forceKillAfterDelay: 2_000,
      maxBuffer: maxBufferBytes,
      stripFinalNewline: false,
    });
    signal?.throwIfAborted();
    if (result.timedOut) {
      throw failure('StepTimedOut', {
        message: `run ${baseName(file)} ${args[0] ?? ''}: no end after ${String(timeoutMs)} ms`,
        changed: 'unknown',
      });
    }
    if (result.exitCode === undefined) throw startFailure(file, result);
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr.slice(-keptOutput) };
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (error instanceof ExecaError) throw startFailure(file, error);
    throw error;
  }
}

/** A process whose streams the caller reads and writes as bytes. */
export type RunningProcess = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process ended, however it ended; `exitCode` is null after a signal. */
  readonly ended: Promise<{ exitCode: number | null }>;
};

/**
 * Starts a process; it is killed when `signal` aborts. Who begins to read its stdout later than now must wait for it by
 * `readable`: execa, and Node once the process has ended, throw away what nobody reads. @throws ToolMissing from `ended`
 */
export function startProcess(spec: Omit<ProcessSpec, 'input' | 'timeoutMs' | 'maxBufferBytes'>): RunningProcess {
  const { file, args, env, signal } = spec;
  signal?.throwIfAborted();
  const child = execa(file, args, {
    reject: false,
    buffer: false,
    encoding: 'buffer',
    env: { ...toolEnv, ...env },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    forceKillAfterDelay: 2_000,
  });
  const ended = child.then((result) => {
    if (result.exitCode === undefined && (result.code === 'ENOENT' || result.code === 'EACCES'))
      throw startFailure(file, result);
    return { exitCode: result.exitCode ?? null };
  });
  ended.catch(() => undefined);
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, kill: (name) => child.kill(name), ended };
}

/** The last line that is not blank: what a tool says when it fails. */
export function lastLine(text: string): string {
  const lines = text.trimEnd().split('\n');
  // What kubectl exec adds to the complaint of the program in the pod.
  if (lines.length > 1 && /^command terminated with exit code \d+$/.test(lines.at(-1) ?? '')) lines.pop();
  return lines.at(-1)?.trim().slice(0, 400) ?? '';
}

function startFailure(file: string, error: { code?: string | undefined }): Error {
  if (error.code === 'ENOENT' || error.code === 'EACCES') {
    return failure('ToolMissing', {
      message: `start ${baseName(file)}: ${error.code === 'ENOENT' ? 'not found' : 'not executable'} at ${file}`,
    });
  }
  return failure('StepTimedOut', { message: `run ${baseName(file)}: ended by a signal`, changed: 'unknown' });
}

function baseName(file: string): string {
  return file.split('/').at(-1) ?? file;
}
