import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileExists } from '../workers/tools/file-exists.ts';
import { type Progress, run, timed } from './run.ts';

/** Programs of Debian's that the sandbox and the tests run, and the package of each. */
const programs: Readonly<Record<string, string>> = {
  '/usr/bin/containerd': 'containerd',
  '/usr/sbin/runc': 'runc',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  '/usr/bin/etcd': 'etcd-server',
  '/usr/sbin/nft': 'nftables',
  '/usr/sbin/conntrack': 'conntrack',
  '/usr/sbin/ip': 'iproute2',
  '/usr/bin/mmdebstrap': 'mmdebstrap',
  '/usr/bin/catatonit': 'catatonit',
  '/usr/bin/socat': 'socat',
  '/usr/bin/curl': 'curl',
  '/usr/bin/setfattr': 'attr',
  '/usr/bin/setfacl': 'acl',
  '/bin/busybox': 'busybox',
  '/usr/bin/age': 'age',
  '/usr/bin/zstd': 'zstd',
  '/usr/bin/openssl': 'openssl',
};

/** Ways out where the native sandbox cannot run. */
const waysOut = 'use a cluster of your own: create one with kind, or name a context of your kubeconfig';

/** Says in one sentence why the native sandbox cannot run here. */
export async function checkMachine(): Promise<void> {
  if (process.platform !== 'linux') throw new Error(`start sandbox: it needs Linux; ${waysOut}`);
  if (process.getuid?.() !== 0) throw new Error(`start sandbox: it needs root; ${waysOut}`);
  if (!(await fileExists('/usr/bin/apt-get'))) throw new Error(`start sandbox: it needs Debian's packages; ${waysOut}`);
}

/** Installs the Debian packages that are missing; nothing is asked of the network when none is. */
export async function installPackages(progress: Progress): Promise<void> {
  const missing = new Set<string>();
  for (const [file, name] of Object.entries(programs)) if (!(await fileExists(file))) missing.add(name);
  if (!(await onPath('pip')) && !(await onPath('pip3'))) missing.add('python3-pip');
  if (missing.size === 0) return;
  await timed(progress, `Debian packages: ${[...missing].join(', ')}`, async () => {
    await aptInstall([...missing]);
  });
}

/** Installs packages of Debian. @param env - over that of this process */
export async function aptInstall(names: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  await apt(['update', '-q'], env);
  await apt(['install', '-q', '-y', '--no-install-recommends', ...names], env);
}

async function apt(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive', ...env },
    timeoutMs: 15 * 60_000,
  });
}

/** The Debian release of this machine, `bookworm`. */
export async function debianSuite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  return /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1] ?? 'bookworm';
}

async function onPath(program: string): Promise<boolean> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter))
    if (await fileExists(join(directory, program))) return true;
  return false;
}
