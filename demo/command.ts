import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import nodeStart from '../bin/node-start.json' with { type: 'json' };

/** What a command of Lifeboat said. */
export type CommandResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** How Lifeboat is called: as a user does, by its launcher. */
export type CommandSetting = { readonly directory: string; readonly env: Readonly<Record<string, string>> };

const root = join(import.meta.dirname, '..');
const launcher = [join(root, 'bin', 'lifeboat.js')];
/** The command without its launcher: the process itself is what a kill has to hit. */
const itself = [...nodeStart.flags, join(root, 'cli', 'main.ts')];

function start(setting: CommandSetting, program: readonly string[], args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...program, ...args], {
    cwd: setting.directory,
    env: { ...nodeStart.env, ...process.env, ...setting.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs `lifeboat …` to its end; its progress lines are passed on. A bad exit is for the caller to judge. */
export async function lifeboat(
  setting: CommandSetting,
  args: readonly string[],
  progress: (line: string) => void = () => undefined,
): Promise<CommandResult> {
  const child = start(setting, launcher, args);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      stderr += `${line}\n`;
      progress(line);
    });
  }
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
  return { exitCode, stdout, stderr };
}

/** A worker process that a demo or a test started. */
export type WorkerProcess = {
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly output: () => string;
};

/** Starts `lifeboat worker` and waits until it polls. */
export async function startWorkerProcess(
  setting: CommandSetting,
  options: readonly string[] = [],
): Promise<WorkerProcess> {
  const child = start(setting, itself, [...options, 'worker']);
  let output = '';
  const polls = new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      if (/ polls /.test(output)) resolve();
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`the worker ended with ${String(code)}: ${output.trim().split('\n').slice(-3).join(' ')}`));
    });
  });
  await polls;
  const exited = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    child.once('exit', () => {
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    output: () => output,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await exited;
    },
  };
}
