import { CoreV1Api, KubeConfig, type KubernetesObject, makeInformer, NetworkingV1Api } from '@kubernetes/client-node';
import { run, tryRun } from '../run.ts';
import { policyRules, policyTable } from './policy-rules.ts';

// Watches the network policies of the cluster and enforces them on the bridge: `enforce-policies.ts KUBECONFIG`.
const config = new KubeConfig();
config.loadFromFile(process.argv[2] ?? '');
const core = config.makeApiClient(CoreV1Api);
const networking = config.makeApiClient(NetworkingV1Api);

let changed = true;
const namespaces = await watch('/api/v1/namespaces', () => core.listNamespace());
const policies = await watch('/apis/networking.k8s.io/v1/networkpolicies', () =>
  networking.listNetworkPolicyForAllNamespaces(),
);
const pods = await watch('/api/v1/pods', () => core.listPodForAllNamespaces());

let enforced: string | null = null;
await tryRun('nft', ['delete', 'table', 'ip', policyTable]);
let wanted = true;
for (const stop of ['SIGTERM', 'SIGINT'])
  process.on(stop, () => {
    wanted = false;
  });

while (isWanted()) {
  if (!changed) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    continue;
  }
  changed = false;
  const rules = policyRules({ namespaces: namespaces(), policies: policies(), pods: pods() });
  if (rules === enforced) continue;
  await run('nft', ['-f', '-'], {
    input: `table ip ${policyTable}\ndelete table ip ${policyTable}\n${rules ?? ''}`,
  });
  enforced = rules;
}
await tryRun('nft', ['delete', 'table', 'ip', policyTable]);
process.exit(0);

function isWanted(): boolean {
  return wanted;
}

/** Keeps a list of the cluster up to date; resolves when it was read once. */
async function watch<T extends KubernetesObject>(
  path: string,
  list: () => Promise<{ items: T[] }>,
): Promise<() => readonly T[]> {
  const informer = makeInformer(config, path, list as Parameters<typeof makeInformer<T>>[2]);
  informer.on('change', () => {
    changed = true;
  });
  // An API server that is away comes back; meanwhile the rules stay as they are.
  const restart = (): void => {
    setTimeout(() => {
      informer.start().catch(restart);
    }, 1_000);
  };
  informer.on('error', restart);
  await informer.start();
  return () => informer.list();
}
