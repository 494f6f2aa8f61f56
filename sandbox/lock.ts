import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { type Layout, runDirectory } from './layout.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { type Progress, waitUntil } from './run.ts';

/** Runs a step while no other process brings the sandbox up or takes it down. A holder that died holds nothing. */
export async function withSandboxLock<T>(at: Layout, progress: Progress, step: () => Promise<T>): Promise<T> {
  const own = await identify(process.pid);
  let announced = false;
  await waitUntil(
    'lock sandbox',
    async () => {
      if (await take(at.lock, own)) return true;
      const holder = await readHolder(at.lock);
      if (holder !== undefined && (await isAlive(holder))) {
        if (!announced) progress(`waiting for process ${String(holder.pid)}, which is changing the sandbox`);
        announced = true;
      } else {
        // Renamed first: of two that see the dead holder only one gets the file away.
        await rename(at.lock, `${at.lock}.dead-${String(process.pid)}`).catch(() => undefined);
        await rm(`${at.lock}.dead-${String(process.pid)}`, { force: true });
      }
      return undefined;
    },
    { timeoutMs: 45 * 60_000, everyMs: 250 },
  );
  try {
    return await step();
  } finally {
    await rm(at.lock, { force: true });
    // Empty after the sandbox was taken down.
    await rmdir(runDirectory).catch(() => undefined);
  }
}

async function take(path: string, own: ProcessIdentity | undefined): Promise<boolean> {
  await mkdir(runDirectory, { recursive: true });
  return await writeFile(path, JSON.stringify(own), { flag: 'wx' }).then(
    () => true,
    () => false,
  );
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as ProcessIdentity);
  } catch {
    return undefined;
  }
}
