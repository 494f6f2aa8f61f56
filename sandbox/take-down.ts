import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { recordedDaemons, runningDaemon, stopDaemon } from './daemon.ts';
import { removeForeignPaths } from './foreign-paths.ts';
import { cgroupProcesses, removeCgroup } from './kubernetes/cgroup.ts';
import { removeNetwork } from './kubernetes/network.ts';
import { type Layout, runDirectory } from './layout.ts';
import { identify, isAlive } from './process-identity.ts';
import { tryRun, waitUntil } from './run.ts';

/** Daemons in the order in which they are ended: first those that would start something anew. */
const order = [
  'network-policies',
  'kubelet',
  'local-path-provisioner',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'dns',
  'kube-apiserver',
  'etcd',
  'temporal',
  'versitygw',
  'containerd',
];

/** Ends everything the sandbox started, also after a crash. The state directory stays. */
export async function endEverything(at: Layout): Promise<void> {
  const recorded = await recordedDaemons(at);
  const first = order.filter((name) => name !== 'containerd');
  await stopDaemon(at, 'kubelet');
  await Promise.all(
    [...first, ...recorded.filter((name) => !order.includes(name))].map((name) => stopDaemon(at, name)),
  );
  await endPods(at);
  await stopDaemon(at, 'containerd');
  await unmountBelow([at.directory, runDirectory]);
  await removeNetwork(at);
  await removeCgroup();
}

/** Ends what runs in pods: whatever is in our control group, then the shims that belong to our containerd. */
async function endPods(at: Layout): Promise<void> {
  const killed = async (): Promise<true | undefined> => {
    const pids = [...(await cgroupProcesses()), ...(await shims(at))];
    for (const pid of pids) kill(pid);
    return pids.length === 0 ? true : undefined;
  };
  await waitUntil('end the pods', killed, { timeoutMs: 30_000, everyMs: 100 });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function shims(at: Layout): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words[0]?.includes('containerd-shim') === true && words.includes(at.containerdSocket)) {
      const identity = await identify(Number(name));
      if (identity !== undefined && (await isAlive(identity))) found.push(identity.pid);
    }
  }
  return found;
}

/** Unmounts all below the given directories, the newest first. */
async function unmountBelow(directories: readonly string[]): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  const ours = mounts.filter((path) => directories.some((directory) => path.startsWith(`${directory}/`)));
  for (const path of ours.reverse()) await tryRun('umount', ['--lazy', path]);
}

/** Removes the state directory and the sockets. Refused while a mount is left below: what is mounted there is not ours to delete. */
export async function removeState(at: Layout): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  if (mounts.includes(` ${at.directory}/`))
    throw new Error(`take sandbox down: something is still mounted below ${at.directory}`);
  if ((await runningDaemon(at, 'containerd')) !== undefined)
    throw new Error('take sandbox down: containerd still runs');
  await removeForeignPaths(at);
  await rm(at.directory, { recursive: true, force: true });
  // All but the lock, which its holder removes.
  for (const name of await readdir(runDirectory).catch(() => [])) {
    if (name !== basename(at.lock)) await rm(join(runDirectory, name), { recursive: true, force: true });
  }
}
