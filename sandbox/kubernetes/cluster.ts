import type { Layout } from '../layout.ts';
import { type Progress, timed } from '../run.ts';
import { startDns, startVolumes } from './addons.ts';
import { makeCertificates } from './certificates.ts';
import type { KubernetesPrograms } from './compile.ts';
import { startContainerd } from './container-runtime.ts';
import { startApiServer, startControllers, startEtcd } from './control-plane.ts';
import { layNetwork } from './network.ts';
import { startNetworkPolicies } from './network-policies.ts';
import { startNode } from './node.ts';

/** Lays the network and starts containerd, which takes images before there is a cluster. */
export async function startRuntime(at: Layout): Promise<void> {
  await layNetwork(at);
  await startContainerd(at);
}

/** Starts the cluster over the runtime, or what is missing of it, and waits until its node is Ready. */
export async function startCluster(
  at: Layout,
  programs: KubernetesPrograms,
  kubectl: string,
  progress: Progress,
): Promise<void> {
  await makeCertificates(at, programs);
  await timed(progress, 'control plane', async () => {
    await startEtcd(at);
    await startApiServer(at, programs, kubectl);
    await startControllers(at, programs);
  });
  await timed(progress, 'node Ready', () => startNode(at, programs, kubectl));
  await Promise.all([startDns(at, programs), startVolumes(at, programs, kubectl), startNetworkPolicies(at)]);
}
