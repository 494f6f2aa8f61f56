import { join } from 'node:path';
import { writeConfig } from '../config-file.ts';
import { startDaemon, waitForDaemon } from '../daemon.ts';
import { type Layout, pauseImage, runDirectory } from '../layout.ts';
import { tryRun } from '../run.ts';

/** Starts containerd with its own root, state and socket. */
export async function startContainerd(at: Layout): Promise<void> {
  const config = join(at.config, 'containerd.toml');
  await writeConfig(config, containerdConfig(at));
  await startDaemon(at, { name: 'containerd', file: 'containerd', args: ['--config', config], fresh: [config] });
  await waitForDaemon(
    at,
    'containerd',
    async () => (await tryRun('ctr', ['--address', at.containerdSocket, 'version'])) !== undefined,
    60_000,
  );
}

function containerdConfig(at: Layout): string {
  // restrict_oom_score_adj: root of a small virtual machine or container may not lower it, and runc dies trying.
  return `version = 2
root = "${at.containerd}"
state = "${at.containerdState}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${at.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(at.containerd, 'opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(at.cni, 'conf')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
    Root = "${join(runDirectory, 'runc')}"
`;
}
