import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { names } from '../layout.ts';

const root = '/sys/fs/cgroup';

/** The sandbox's own group in each hierarchy: pods live below it, so that what is in it is what we started. */
async function groups(): Promise<{ parent: string; group: string; unified: boolean }[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts
    .filter(([, at, type]) => (type === 'cgroup' || type === 'cgroup2') && at?.startsWith(root) === true)
    .map(([, at = root, type]) => ({
      parent: at,
      group: join(at, names.cgroup),
      unified: type === 'cgroup2' && at === root,
    }));
}

/** Makes the group in every hierarchy, with the controllers that the kubelet asks for. */
export async function makeCgroup(): Promise<void> {
  for (const { parent, group, unified } of await groups()) {
    if (unified) {
      const controllers = (await readFile(join(parent, 'cgroup.controllers'), 'utf8')).trim().split(' ');
      for (const controller of controllers)
        await writeFile(join(parent, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined);
    }
    await mkdir(group, { recursive: true });
    // A new cpuset of version 1 is empty and takes no process.
    for (const file of ['cpuset.mems', 'cpuset.cpus']) {
      const value = await readFile(join(parent, file), 'utf8').catch(() => undefined);
      if (value !== undefined && !unified) await writeFile(join(group, file), value.trim()).catch(() => undefined);
    }
  }
}

/** Processes of all pods. */
export async function cgroupProcesses(): Promise<number[]> {
  const found = new Set<number>();
  for (const { group } of await groups()) {
    for (const directory of await directoriesBelow(group)) {
      const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const line of text.split('\n')) if (line !== '') found.add(Number(line));
    }
  }
  return [...found];
}

/** Removes the emptied groups, the innermost first. */
export async function removeCgroup(): Promise<void> {
  for (const { group } of await groups()) {
    for (const directory of (await directoriesBelow(group)).reverse()) await rmdir(directory).catch(() => undefined);
  }
}

async function directoriesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [];
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => directoriesBelow(join(directory, entry.name))),
  );
  return [directory, ...below.flat()];
}
