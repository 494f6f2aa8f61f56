import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeConfig } from '../config-file.ts';
import { startDaemon, waitForDaemon } from '../daemon.ts';
import { addresses, type Layout, names } from '../layout.ts';
import { run } from '../run.ts';
import { makeCgroup } from './cgroup.ts';
import type { KubernetesPrograms } from './compile.ts';

/** Starts kubelet and kube-proxy and waits until the node is Ready. */
export async function startNode(at: Layout, programs: KubernetesPrograms, kubectl: string): Promise<void> {
  await makeCgroup();
  const kubelet = join(at.config, 'kubelet.yaml');
  const proxy = join(at.config, 'kube-proxy.yaml');
  await writeConfig(kubelet, stringify(kubeletConfig(at)));
  await writeConfig(proxy, stringify(proxyConfig(at)));
  const startedAt = Date.now();
  const kubeletIs = await startDaemon(at, {
    name: 'kubelet',
    file: programs.kubelet,
    ports: [
      { host: addresses.gateway, port: 10250 },
      { host: '127.0.0.1', port: 10248 },
    ],
    args: [
      `--config=${kubelet}`,
      `--kubeconfig=${join(at.kubeconfigs, 'kubelet.conf')}`,
      `--hostname-override=${names.node}`,
      `--node-ip=${addresses.gateway}`,
      `--root-dir=${at.kubelet}`,
      `--cert-dir=${join(at.kubelet, 'pki')}`,
    ],
    fresh: [kubelet],
  });
  await startDaemon(at, {
    name: 'kube-proxy',
    file: programs['kube-proxy'],
    ports: [10249, 10256].map((port) => ({ host: '127.0.0.1', port })),
    args: [`--config=${proxy}`],
    fresh: [proxy],
  });
  const read = async (kind: string, namespace: string, path: string): Promise<string> =>
    await run(
      kubectl,
      ['--kubeconfig', at.kubeconfig, 'get', kind, names.node, '-n', namespace, '-o', `jsonpath=${path}`],
      { timeoutMs: 10_000 },
    );
  const ready = async (): Promise<boolean> => {
    // After a crash the API server still has the word of the kubelet before: its lease tells which one spoke.
    const renewed = Date.parse(await read('lease', 'kube-node-lease', '{.spec.renewTime}'));
    if (kubeletIs === 'started' && !(renewed >= startedAt)) return false;
    return (await read('node', 'default', '{.status.conditions[?(@.type=="Ready")].status}')) === 'True';
  };
  await waitForDaemon(at, 'kubelet', ready, 120_000);
  // A test that was killed may have left it cordoned.
  await run(kubectl, ['--kubeconfig', at.kubeconfig, 'uncordon', names.node], { timeoutMs: 10_000 });
}

function kubeletConfig(at: Layout): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.gateway,
    healthzBindAddress: '127.0.0.1',
    containerRuntimeEndpoint: `unix://${at.containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${names.cgroup}`,
    failSwapOn: false,
    failCgroupV1: false,
    makeIPTablesUtilChains: false,
    podLogsDir: at.podLogs,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(at.pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    clusterDomain: 'cluster.local',
    clusterDNS: [addresses.gateway],
    // A developer's disk may be nearly full, and an image that is collected cannot be pulled again.
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageMinimumGCAge: '8760h',
    imageMaximumGCAge: '0s',
    serializeImagePulls: false,
    maxPods: 200,
    // A drill watches many changes in a short time.
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '5s',
    registerNode: true,
  };
}

function proxyConfig(at: Layout): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: names.node,
    clusterCIDR: addresses.podRange,
    clientConnection: { kubeconfig: at.kubeconfig },
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    nodePortAddresses: [`${addresses.gateway}/32`],
  };
}
