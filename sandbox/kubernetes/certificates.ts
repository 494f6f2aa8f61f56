import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { writeConfig } from '../config-file.ts';
import { addresses, type Layout, names } from '../layout.ts';
import { run } from '../run.ts';
import { type KubernetesPrograms, kubernetesVersion } from './compile.ts';

/** kubeadm's certificates last a year; they are made anew well before. */
const renewAfterMs = 300 * 24 * 60 * 60_000;

/** The cluster's certificates and kubeconfigs, made by kubeadm where they are missing or old. The authorities are kept. */
export async function makeCertificates(at: Layout, programs: KubernetesPrograms): Promise<void> {
  const marker = join(at.kubeconfigs, 'super-admin.conf');
  const made = await stat(marker).catch(() => undefined);
  if (made !== undefined && Date.now() - made.mtimeMs < renewAfterMs) return;
  await removeLeaves(at);
  const config = join(at.config, 'kubeadm.yaml');
  await writeConfig(config, kubeadmConfig(at));
  await mkdir(at.kubeconfigs, { recursive: true, mode: 0o700 });
  await run(programs.kubeadm, ['init', 'phase', 'certs', 'all', '--config', config]);
  await run(programs.kubeadm, [
    'init',
    'phase',
    'kubeconfig',
    'all',
    '--config',
    config,
    '--kubeconfig-dir',
    at.kubeconfigs,
  ]);
  await writeKubeconfig(at, marker);
}

async function removeLeaves(at: Layout): Promise<void> {
  await rm(at.kubeconfigs, { recursive: true, force: true });
  const leaves = [
    'apiserver',
    'apiserver-kubelet-client',
    'apiserver-etcd-client',
    'front-proxy-client',
    'etcd/server',
    'etcd/peer',
    'etcd/healthcheck-client',
  ];
  await Promise.all(
    leaves.flatMap((leaf) => ['crt', 'key'].map((ending) => rm(join(at.pki, `${leaf}.${ending}`), { force: true }))),
  );
}

/** The kubeconfig that people and Lifeboat use: one context, called like the sandbox. */
async function writeKubeconfig(at: Layout, superAdmin: string): Promise<void> {
  const made = parse(await readFile(superAdmin, 'utf8')) as {
    clusters: { cluster: object }[];
    users: { user: object }[];
  };
  const name = names.context;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: made.clusters[0]?.cluster }],
    users: [{ name, user: made.users[0]?.user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await writeFile(at.kubeconfig, stringify(kubeconfig), { mode: 0o600 });
}

function kubeadmConfig(at: Layout): string {
  const { gateway, apiServerPort, serviceRange, podRange } = addresses;
  const init = {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'InitConfiguration',
    localAPIEndpoint: { advertiseAddress: gateway, bindPort: apiServerPort },
    nodeRegistration: { name: names.node, criSocket: `unix://${at.containerdSocket}` },
  };
  const cluster = {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    kubernetesVersion,
    clusterName: names.context,
    certificatesDir: at.pki,
    // Every kubectl is a handshake, and RSA costs each side a millisecond of its processor.
    encryptionAlgorithm: 'ECDSA-P256',
    controlPlaneEndpoint: `${gateway}:${String(apiServerPort)}`,
    networking: { serviceSubnet: serviceRange, podSubnet: podRange, dnsDomain: 'cluster.local' },
  };
  return [init, cluster].map((document) => stringify(document)).join('---\n');
}
