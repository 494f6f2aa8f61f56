import type { Layout } from '../layout.ts';
import { type Progress, timed } from '../run.ts';
import { startDns, startVolumes } from './addons.ts';
import { makeCertificates } from './certificates.ts';
import type { KubernetesPrograms } from './compile.ts';
import { startContainerd } from './container-runtime.ts';
import { startApiServer, startControllers, startEtcd } from './control-plane.ts';
import { layNetwork } from './network.ts';
import { startNode } from './node.ts';

/** Starts the cluster, or what is missing of it, and waits until its node is Ready. `giveImages` runs beside it. */
export async function startCluster(
  at: Layout,
  programs: KubernetesPrograms,
  kubectl: string,
  giveImages: () => Promise<void>,
  progress: Progress,
): Promise<void> {
  // The bridge first: certificates and servers bind to its address.
  await layNetwork(at);
  await makeCertificates(at, programs);
  const runtime = startContainerd(at);
  const images = runtime.then(giveImages);
  images.catch(() => undefined);
  await timed(progress, 'control plane', async () => {
    await startEtcd(at);
    await startApiServer(at, programs, kubectl);
    await startControllers(at, programs);
  });
  await runtime;
  await timed(progress, 'node Ready', () => startNode(at, programs, kubectl));
  await Promise.all([startDns(at, programs), startVolumes(at, programs, kubectl)]);
  await images;
}
