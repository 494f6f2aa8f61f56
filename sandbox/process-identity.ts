import { readFile } from 'node:fs/promises';
import { tryRun } from './run.ts';

/** A process that cannot be mistaken for a later one of the same number: number, start time, boot. */
export type ProcessIdentity = { readonly pid: number; readonly started: string; readonly boot: string };

/** Identity of a live process; undefined when there is none (a zombie is none). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
  if (boot === undefined) return await identifyByPs(pid);
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  // The command's name is in brackets and may hold blanks and brackets itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields?.[19];
  if (started === undefined || fields?.[0] === 'Z' || fields?.[0] === 'X') return undefined;
  return { pid, started, boot: boot.trim() };
}

/** Whether that very process still runs. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const now = await identify(process.pid);
  return now !== undefined && now.started === process.started && now.boot === process.boot;
}

/** Where there is no /proc. */
async function identifyByPs(pid: number): Promise<ProcessIdentity | undefined> {
  const started = (await tryRun('ps', ['-o', 'lstart=', '-p', String(pid)]))?.trim();
  return started === undefined || started === '' ? undefined : { pid, started, boot: '' };
}
