import { Resolver } from 'node:dns/promises';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeConfig } from '../config-file.ts';
import { startDaemon, waitForDaemon } from '../daemon.ts';
import { addresses, helperImage, type Layout, names } from '../layout.ts';
import { run, waitUntil } from '../run.ts';
import type { KubernetesPrograms } from './compile.ts';

/** Starts the cluster's DNS as a process of the host and waits until it resolves a Service. */
export async function startDns(at: Layout, programs: KubernetesPrograms): Promise<void> {
  const corefile = join(at.config, 'Corefile');
  await writeConfig(
    corefile,
    `. {
  bind ${addresses.gateway}
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${at.kubeconfig} ${names.context}
    pods insecure
    ttl 5
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . /etc/resolv.conf
}
`,
  );
  await startDaemon(at, {
    name: 'dns',
    file: programs.dns,
    ports: [{ host: addresses.gateway, port: 53 }],
    args: ['-conf', corefile],
    fresh: [corefile],
  });
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([addresses.gateway]);
  await waitForDaemon(
    at,
    'dns',
    async () => (await resolver.resolve4('kubernetes.default.svc.cluster.local')).length > 0,
    60_000,
  );
}

/** Starts the provisioner of volumes, which are directories below the state directory, and makes its class the default. */
export async function startVolumes(at: Layout, programs: KubernetesPrograms, kubectl: string): Promise<void> {
  const config = join(at.config, 'local-path.json');
  await mkdir(at.volumes, { recursive: true });
  await writeConfig(
    config,
    JSON.stringify({ nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [at.volumes] }] }),
  );
  const objects = volumeObjects()
    .map((object) => stringify(object))
    .join('---\n');
  const apply = async (): Promise<true | undefined> => {
    // The namespace's service account is made by a controller that may still be starting.
    return await run(
      kubectl,
      ['--kubeconfig', at.kubeconfig, 'apply', '--server-side', '--force-conflicts', '-f', '-'],
      { input: objects },
    ).then(
      () => true as const,
      () => undefined,
    );
  };
  await waitUntil('make the storage class', apply, { timeoutMs: 60_000, everyMs: 500 });
  await startDaemon(at, {
    name: 'local-path-provisioner',
    file: programs['local-path-provisioner'],
    args: [
      ...[
        'start',
        '--kubeconfig',
        at.kubeconfig,
        '--config',
        config,
        '--namespace',
        names.storageNamespace,
        '--helper-image',
        helperImage,
      ],
      ...['--configmap-name', 'local-path-config', '--service-account-name', 'local-path-provisioner'],
    ],
    env: { POD_NAMESPACE: names.storageNamespace },
    fresh: [config],
  });
}

function volumeObjects(): object[] {
  const namespace = names.storageNamespace;
  const helperPod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'helper-pod' },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'helper-pod', image: helperImage, imagePullPolicy: 'Never' }],
    },
  };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'local-path-provisioner', namespace } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'local-path-config', namespace },
      data: {
        setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        'helperPod.yaml': stringify(helperPod),
      },
    },
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: 'local-path',
        // `local` volumes get the owner of the pod's fsGroup, as volumes of a CSI driver do.
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true', defaultVolumeType: 'local' },
      },
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
  ];
}
