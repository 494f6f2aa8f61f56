import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The root of the checkout. */
export const checkout = join(import.meta.dirname, '..');

/** Fixed addresses: the sandbox is one per machine. Pods reach the host at the bridge's address. */
export const addresses = {
  bridge: 'lifeboat0',
  gateway: '10.244.0.1',
  podRange: '10.244.0.0/24',
  serviceRange: '10.96.0.0/16',
  apiServerPort: 6443,
  etcdPort: 23790,
  etcdPeerPort: 23800,
  temporalPort: 7233,
  temporalUiPort: 8233,
  storePort: 7070,
} as const;

/** Names that show up in the cluster. */
export const names = {
  node: 'sandbox',
  context: 'lifeboat-sandbox',
  cgroup: 'lifeboat',
  storageNamespace: 'local-path-storage',
} as const;

/** Image of pods of our own: a shell, tar, find, zstd. */
export const helperImage = 'lifeboat.local/helper:1';

/** Image that holds a pod's namespaces. */
export const pauseImage = 'lifeboat.local/pause:1';

const isRoot = process.getuid?.() === 0;

/** All state of the sandbox on disk. */
export function sandboxDirectory(): string {
  return (
    process.env['LIFEBOAT_SANDBOX'] ??
    (isRoot ? '/var/lib/lifeboat-sandbox' : join(homedir(), '.local', 'state', 'lifeboat-sandbox'))
  );
}

/** Sockets and what does not outlive a boot; short, because a socket's path has at most 107 characters. */
export const runDirectory = isRoot ? '/run/lifeboat' : join(homedir(), '.local', 'state', 'lifeboat-run');

/** Paths below a state directory. */
export function layout(directory: string = sandboxDirectory()) {
  return {
    directory,
    processes: join(directory, 'processes'),
    logs: join(directory, 'logs'),
    pki: join(directory, 'pki'),
    kubeconfigs: join(directory, 'kubeconfigs'),
    kubeconfig: join(directory, 'kubeconfig'),
    config: join(directory, 'config'),
    containerd: join(directory, 'containerd'),
    etcd: join(directory, 'etcd'),
    kubelet: join(directory, 'kubelet'),
    podLogs: join(directory, 'pod-logs'),
    cni: join(directory, 'cni'),
    volumes: join(directory, 'volumes'),
    store: join(directory, 'store'),
    storeKey: join(directory, 'store-key.json'),
    temporal: join(directory, 'temporal'),
    importedImages: join(directory, 'containerd', 'imported-images.json'),
    description: join(directory, 'sandbox.json'),
    containerdSocket: join(runDirectory, 'containerd.sock'),
    containerdState: join(runDirectory, 'containerd'),
    owner: join(runDirectory, 'owner'),
    lock: join(runDirectory, 'lock'),
  } as const;
}

/** Paths of the sandbox. */
export type Layout = ReturnType<typeof layout>;

/** What must be equal for a running sandbox to be used by this checkout. Raised when the layout on disk changes. */
export function sandboxVersion(): string {
  const layoutVersion = 1;
  const sums = ['go.mod', 'go.sum', 'dns/main.go'].map((file) =>
    readFileSync(join(checkout, 'sandbox', 'kubernetes', file)),
  );
  return `${String(layoutVersion)}-${createHash('sha256').update(Buffer.concat(sums)).digest('hex').slice(0, 12)}`;
}
