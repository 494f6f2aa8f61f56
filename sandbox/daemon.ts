import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLine } from '../activities/clients/process.ts';
import type { Layout } from './layout.ts';
import { type Port, refuseTakenPorts } from './ports.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { waitUntil } from './run.ts';

/** A long-running program of the sandbox. `ports` are those it listens on, `fresh` files whose content it was started with. */
export type Daemon = {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly Port[];
  readonly fresh?: readonly string[];
};

/**
 * Nearly all of them are Go programs, those that they start too. Under the tests the API server takes 16 % of its processor time to collect
 * garbage at Go's default of twice the memory in use, and 4 % at five times, with 780 MB instead of 460.
 */
const daemonEnv: Readonly<Record<string, string>> = { GOGC: '400' };

type DaemonRecord = ProcessIdentity & { readonly command: string };

/** Starts a daemon unless the same command already runs; one that runs with another command is replaced. */
export async function startDaemon(at: Layout, daemon: Daemon): Promise<'started' | 'running'> {
  const command = createHash('sha256')
    .update(
      JSON.stringify([
        daemon.file,
        daemon.args,
        daemon.env,
        await Promise.all((daemon.fresh ?? []).map((file) => readFile(file, 'utf8'))),
      ]),
    )
    .digest('hex');
  const known = await readRecord(at, daemon.name);
  if (known !== undefined && (await isAlive(known))) {
    if (known.command === command) return 'running';
    await stopDaemon(at, daemon.name);
  }
  await refuseTakenPorts(daemon.ports ?? []);
  await mkdir(at.processes, { recursive: true });
  await mkdir(at.logs, { recursive: true });
  const log = logPath(at, daemon.name);
  await rename(log, `${log}.before`).catch(() => undefined);
  const file = await open(log, 'a');
  try {
    const child = spawn(daemon.file, daemon.args, {
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
      cwd: '/',
      env: { ...daemonEnv, ...process.env, ...daemon.env },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const identity = child.pid === undefined ? undefined : await identify(child.pid);
    child.unref();
    if (identity === undefined)
      throw new Error(`start ${daemon.name}: ended at once; ${await lastLogLine(at, daemon.name)}`);
    await writeRecord(at, daemon.name, { ...identity, command });
    return 'started';
  } finally {
    await file.close();
  }
}

/** Ends a daemon that was started here: SIGTERM, then SIGKILL. Another process of the same number is left alone. */
export async function stopDaemon(at: Layout, name: string, graceMs = 10_000): Promise<void> {
  const known = await readRecord(at, name);
  if (known !== undefined && (await isAlive(known))) {
    process.kill(known.pid, 'SIGTERM');
    const gone = async (): Promise<true | undefined> => ((await isAlive(known)) ? undefined : true);
    await waitUntil(`stop ${name}`, gone, { timeoutMs: graceMs, everyMs: 50 }).catch(async () => {
      if (await isAlive(known)) process.kill(known.pid, 'SIGKILL');
      await waitUntil(`stop ${name}`, gone, { timeoutMs: 10_000, everyMs: 50 });
    });
  }
  await rm(recordPath(at, name), { force: true });
}

/** The process of a daemon while it lives. */
export async function runningDaemon(at: Layout, name: string): Promise<ProcessIdentity | undefined> {
  const known = await readRecord(at, name);
  return known !== undefined && (await isAlive(known)) ? known : undefined;
}

/** Names of all daemons that were started and not stopped, alive or not. */
export async function recordedDaemons(at: Layout): Promise<string[]> {
  const files = await readdir(at.processes).catch(() => []);
  return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
}

/** Waits until a daemon answers; its end, or no answer, throws with its last line. */
export async function waitForDaemon(
  at: Layout,
  name: string,
  answers: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  await waitUntil(
    `wait for ${name}`,
    async () => {
      if (await answers().catch(() => false)) return true;
      if ((await runningDaemon(at, name)) === undefined)
        throw new Error(`start ${name}: ended; ${await lastLogLine(at, name)} (all of it: ${logPath(at, name)})`);
      return undefined;
    },
    { timeoutMs, detail: async () => `${await lastLogLine(at, name)} (all of it: ${logPath(at, name)})` },
  );
}

function recordPath(at: Layout, name: string): string {
  return join(at.processes, `${name}.json`);
}

function logPath(at: Layout, name: string): string {
  return join(at.logs, `${name}.log`);
}

async function lastLogLine(at: Layout, name: string): Promise<string> {
  return lastLine(await readFile(logPath(at, name), 'utf8').catch(() => ''));
}

async function readRecord(at: Layout, name: string): Promise<DaemonRecord | undefined> {
  const text = await readFile(recordPath(at, name), 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as DaemonRecord);
  } catch {
    return undefined;
  }
}

async function writeRecord(at: Layout, name: string, record: DaemonRecord): Promise<void> {
  const path = recordPath(at, name);
  await writeFile(`${path}.new`, JSON.stringify(record));
  await rename(`${path}.new`, path);
}
