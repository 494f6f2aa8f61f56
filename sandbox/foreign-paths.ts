import { lstat, readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Layout } from './layout.ts';

const cniResults = '/var/lib/cni/results';
const devicePlugins = '/var/lib/kubelet/device-plugins';
const containerLogs = '/var/log/containers';
const shimSockets = '/run/containerd/s';

/**
 * Removes what kubelet, containerd and the CNI library write at fixed places whatever they are told. Only what is ours
 * by its content; a directory that others use is not empty and stays.
 */
export async function removeForeignPaths(at: Layout): Promise<void> {
  await removeCniResults();
  for (const name of await list(containerLogs)) {
    const target = await readlink(join(containerLogs, name)).catch(() => '');
    if (target.startsWith(`${at.podLogs}/`)) await rm(join(containerLogs, name), { force: true });
  }
  // Where kubelet alone left files, it was ours: another one has its configuration there.
  if ((await list('/var/lib/kubelet')).every((name) => name === 'device-plugins')) {
    for (const file of ['kubelet.sock', 'kubelet_internal_checkpoint'])
      await rm(join(devicePlugins, file), { force: true });
  }
  await removeDeadSockets();
  const directories = [
    devicePlugins,
    '/var/lib/kubelet',
    cniResults,
    '/var/lib/cni',
    containerLogs,
    shimSockets,
    '/run/containerd',
  ];
  for (const path of directories) await rmdir(path).catch(() => undefined);
}

/** Results of our network, and of the loopback of the same pods. */
async function removeCniResults(): Promise<void> {
  const files = await list(cniResults);
  for (const file of files) {
    const pod = /^lifeboat-([0-9a-f]{64})-/.exec(file)?.[1];
    if (pod === undefined) continue;
    for (const same of files.filter((name) => name.includes(pod))) await rm(join(cniResults, same), { force: true });
  }
}

/** Sockets of shims that nobody listens on any more. */
async function removeDeadSockets(): Promise<void> {
  const live = await readFile('/proc/net/unix', 'utf8').catch(() => undefined);
  if (live === undefined) return;
  for (const name of await list(shimSockets)) {
    const path = join(shimSockets, name);
    const isSocket = (await lstat(path).catch(() => undefined))?.isSocket() === true;
    if (isSocket && !live.includes(name)) await rm(path, { force: true });
  }
}

async function list(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}
