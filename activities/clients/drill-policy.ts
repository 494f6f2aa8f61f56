import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { marks } from '../../model/run-names.ts';
import { gone, type Kubernetes, made } from './kubernetes.ts';

const name = 'lifeboat-drill';

/**
 * Lets the pods of a scratch namespace talk with those of the same drill and ask for names, and with nobody else.
 * Idempotent.
 */
export async function applyDrillPolicy(kubernetes: Kubernetes, namespace: string, drill: string): Promise<void> {
  const sameDrill = { namespaceSelector: { matchLabels: { [marks.drill]: drill } } };
  const body: V1NetworkPolicy = {
    metadata: { name, namespace },
    spec: {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ _from: [sameDrill] }],
      egress: [
        { to: [sameDrill] },
        {
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
      ],
    },
  };
  await made(`make network policy of ${namespace}`, () =>
    kubernetes.networking.createNamespacedNetworkPolicy({ namespace, body }),
  );
}

/** Takes the policy away again. Idempotent. */
export async function removeDrillPolicy(kubernetes: Kubernetes, namespace: string): Promise<void> {
  await gone(`delete network policy of ${namespace}`, () =>
    kubernetes.networking.deleteNamespacedNetworkPolicy({ namespace, name }),
  );
}
