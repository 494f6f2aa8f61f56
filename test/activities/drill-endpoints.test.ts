import { describe, expect, it } from 'vitest';
import { whyOutside } from '../../activities/drill-endpoints.ts';
import { parseManifest } from '../../activities/facts/manifest.ts';

const outside = (text: string): string[] => parseManifest(text).flatMap((object) => whyOutside(object, 'web-drill-1'));

describe('whyOutside', () => {
  it('finds nothing in what a namespace holds', () => {
    const text = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: web-drill-1 }
spec: { type: ClusterIP }
---
kind: Deployment
metadata: { name: web }
spec: { template: { spec: { containers: [{ name: web }], volumes: [{ name: tmp, emptyDir: {} }] } } }
---
kind: NetworkPolicy
metadata: { name: own }
spec:
  ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }]
  egress: [{ to: [{ podSelector: { matchLabels: { app: db } } }] }]
`;
    expect(outside(text)).toEqual([]);
  });

  it.each([
    ['kind: ClusterRole\nmetadata: { name: reader }', 'ClusterRole reader is not held by a namespace'],
    ['kind: Ingress\nmetadata: { name: web }', 'Ingress web is not held by a namespace'],
    ['kind: Service\nmetadata: { name: web }\nspec: { type: NodePort }', 'Service web is a NodePort'],
    ['kind: ConfigMap\nmetadata: { name: web, namespace: other }', 'ConfigMap web names the namespace other'],
    [
      'kind: DaemonSet\nmetadata: { name: agent }\nspec: { template: { spec: { hostNetwork: true } } }',
      'DaemonSet agent uses the network of its node',
    ],
    [
      'kind: CronJob\nmetadata: { name: tidy }\nspec: { jobTemplate: { spec: { template: { spec: { hostNetwork: true } } } } }',
      'CronJob tidy uses the network of its node',
    ],
    [
      'kind: Pod\nmetadata: { name: agent }\nspec: { volumes: [{ name: logs, hostPath: { path: /var/log } }] }',
      'Pod agent mounts a path of its node',
    ],
    [
      'kind: NetworkPolicy\nmetadata: { name: open }\nspec: { egress: [{ ports: [{ port: 443 }] }] }',
      'NetworkPolicy open lets traffic through the isolation of the drill',
    ],
    [
      'kind: NetworkPolicy\nmetadata: { name: open }\nspec: { ingress: [{ from: [{ namespaceSelector: {} }] }] }',
      'NetworkPolicy open lets traffic through the isolation of the drill',
    ],
    [
      'kind: CiliumNetworkPolicy\nmetadata: { name: open }',
      'CiliumNetworkPolicy open lets traffic through the isolation of the drill',
    ],
  ])('names what leaves it: %j', (text, why) => {
    expect(outside(text)).toEqual([why]);
  });
});
