import { describe, expect, it } from 'vitest';
import { differingObjects, neverPulled, parseManifest, referencesOf } from '../../../activities/facts/manifest.ts';

const pod = `
spec:
  template:
    spec:
      imagePullSecrets: [{ name: pull }]
      initContainers:
        - name: init
          envFrom: [{ configMapRef: { name: from-map } }, { secretRef: { name: from-secret } }]
      containers:
        - name: main
          env:
            - { name: A, valueFrom: { secretKeyRef: { name: key-secret, key: a } } }
            - { name: B, valueFrom: { configMapKeyRef: { name: key-map, key: b } } }
            - { name: C, value: plain }
      volumes:
        - { name: s, secret: { secretName: volume-secret, defaultMode: 0400 } }
        - { name: m, configMap: { name: volume-map } }
        - { name: c, persistentVolumeClaim: { claimName: claim } }
        - { name: d, csi: { driver: x, nodePublishSecretRef: { name: mount-secret } } }
        - { name: p, projected: { sources: [{ secret: { name: projected-secret } }, { configMap: { name: projected-map } }] } }
`;

const manifest = `
# Source: chart/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
${pod}
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: x, envFrom: [{ secretRef: { name: cron-secret } }] }] } } } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec: { tls: [{ secretName: certificate }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: web }
spec: { listeners: [{ name: https, tls: { certificateRefs: [{ name: gateway-certificate }] } }] }
---
apiVersion: v1
kind: Secret
metadata: { name: own }
stringData: { password: one }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: says }
data: { text: "secretName: not-a-reference" }
---
`;

describe('referencesOf', () => {
  it('finds every object that pods refer to, wherever they do', () => {
    expect(referencesOf(parseManifest(manifest)).map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'ConfigMap/from-map',
      'ConfigMap/key-map',
      'ConfigMap/projected-map',
      'ConfigMap/volume-map',
      'PersistentVolumeClaim/claim',
      'Secret/certificate',
      'Secret/cron-secret',
      'Secret/from-secret',
      'Secret/gateway-certificate',
      'Secret/key-secret',
      'Secret/mount-secret',
      'Secret/projected-secret',
      'Secret/pull',
      'Secret/volume-secret',
    ]);
  });

  it('takes from custom resources what looks like it, and says so unless a pod asks too', () => {
    const custom = `
apiVersion: monitoring.example.com/v1
kind: Monitor
metadata: { name: one }
spec:
  secrets: [listed]
  tlsSecretName: named
  auth: { password: { name: selected, key: a }, tokenSecretRef: { name: referred }, clientSecret: not-a-name }
  containers: [{ name: x, env: [{ name: A, valueFrom: { secretKeyRef: { name: key-secret, key: a } } }] }]
  files: [{ configMap: { name: map, key: x } }]
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: { name: of-kubernetes }
parameters: { secretName: not-of-the-release }
`;
    const found = referencesOf(parseManifest(`${custom}---${manifest}`));

    expect(
      found.filter(({ byCustomResources }) => byCustomResources).map(({ kind, name }) => `${kind}/${name}`),
    ).toEqual([...['ConfigMap/map', 'Secret/listed', 'Secret/named', 'Secret/referred', 'Secret/selected']]);
    expect(found).toContainEqual({ kind: 'Secret', name: 'key-secret' });
    expect(JSON.stringify(found)).not.toMatch(/not-/);
  });
});

describe('parseManifest', () => {
  it('reads YAML as Helm writes it, and leaves out what is no object', () => {
    const [deployment] = parseManifest(manifest);

    expect(JSON.stringify(deployment)).toContain('"defaultMode":256');
    expect(parseManifest('---\n# nothing\n---\nkind: X\n')).toEqual([]);
  });

  it('takes an empty namespace for none', () => {
    const empty = ['""', 'null', ''].map((text) => `kind: Service\nmetadata:\n  name: web\n  namespace: ${text}\n`);

    expect(parseManifest(empty.join('---\n')).map(({ metadata }) => metadata.namespace)).toEqual(
      empty.map(() => undefined),
    );
  });

  it('takes the objects out of lists', () => {
    const listed = `
kind: List
items:
  - { kind: Secret, metadata: { name: one } }
  - { kind: SecretList, items: [{ metadata: { name: two } }] }
  - { kind: AllowList, metadata: { name: three } }
`;
    expect(parseManifest(listed).map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      ...['Secret/one', 'Secret/two', 'AllowList/three'],
    ]);
  });

  it('leaves dates and times the texts that they are to Helm', () => {
    const [object] = parseManifest(
      'kind: X\nmetadata: { name: x }\nspec: { mode: 0755, day: 2026-01-01, ports: [80:80, 10:30] }\n',
    );

    expect(object).toMatchObject({ spec: { mode: 0o755, day: '2026-01-01', ports: ['80:80', '10:30'] } });
  });
});

describe('differingObjects', () => {
  it('is empty for the same objects in another order, with other Secret data, checksums and hooks', () => {
    const turned = `${manifest.split('\n---\n').reverse().join('\n---\n').replace('password: one', 'password: two')}
---
apiVersion: v1
kind: Pod
metadata: { name: probe, annotations: { helm.sh/hook: test } }
`;

    expect(differingObjects(manifest, turned)).toEqual([]);
    expect(
      differingObjects(
        manifest.replace('metadata: { name: web }', 'metadata: { name: web, annotations: { checksum/secret: a } }'),
        manifest.replace('metadata: { name: web }', 'metadata: { name: web, annotations: { checksum/secret: b } }'),
      ),
    ).toEqual([]);
  });

  it('names what changed, came or went', () => {
    expect(differingObjects(manifest, manifest.replace('value: plain', 'value: other'))).toEqual(['Deployment/web']);
    expect(differingObjects(manifest, manifest.replace('name: says', 'name: said'))).toEqual([
      'ConfigMap/said',
      'ConfigMap/says',
    ]);
  });
});

describe('neverPulled', () => {
  it('finds the images of containers that are never pulled, in whatever order a chart names them', () => {
    const containers = [
      { name: 'a', image: 'one', imagePullPolicy: 'Never' },
      { imagePullPolicy: 'Never', env: [{ name: 'image', value: 'no' }], image: 'two' },
      { name: 'c', image: 'three', imagePullPolicy: 'IfNotPresent' },
    ];
    const jobs = { spec: { jobTemplate: { spec: { template: { spec: { initContainers: [containers[1]] } } } } } };

    expect(neverPulled([{ spec: { template: { spec: { containers } } } }, jobs])).toEqual(['one', 'two', 'two']);
  });
});
