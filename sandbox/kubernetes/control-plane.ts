import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon, waitForDaemon } from '../daemon.ts';
import { addresses, type Layout } from '../layout.ts';
import { run } from '../run.ts';
import type { KubernetesPrograms } from './compile.ts';

/** Starts etcd and waits until it serves. */
export async function startEtcd(at: Layout): Promise<void> {
  const { etcdPort, etcdPeerPort } = addresses;
  const client = `https://127.0.0.1:${String(etcdPort)}`;
  const peer = `https://127.0.0.1:${String(etcdPeerPort)}`;
  const pki = (file: string): string => join(at.pki, 'etcd', file);
  await mkdir(at.etcd, { recursive: true, mode: 0o700 });
  await startDaemon(at, {
    name: 'etcd',
    file: 'etcd',
    ports: [etcdPort, etcdPeerPort].map((port) => ({ host: '127.0.0.1', port })),
    args: [
      '--name=sandbox',
      `--data-dir=${at.etcd}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=sandbox=${peer}`,
      `--cert-file=${pki('server.crt')}`,
      `--key-file=${pki('server.key')}`,
      '--client-cert-auth=true',
      `--trusted-ca-file=${pki('ca.crt')}`,
      `--peer-cert-file=${pki('peer.crt')}`,
      `--peer-key-file=${pki('peer.key')}`,
      '--peer-client-cert-auth=true',
      `--peer-trusted-ca-file=${pki('ca.crt')}`,
      '--log-level=warn',
      '--auto-compaction-retention=1h',
    ],
  });
}

/** Starts the API server and waits until it is ready. */
export async function startApiServer(at: Layout, programs: KubernetesPrograms, kubectl: string): Promise<void> {
  const { gateway, apiServerPort, serviceRange, etcdPort } = addresses;
  const pki = (file: string): string => join(at.pki, file);
  await startDaemon(at, {
    name: 'kube-apiserver',
    file: programs['kube-apiserver'],
    ports: [{ host: gateway, port: apiServerPort }],
    args: [
      `--advertise-address=${gateway}`,
      `--bind-address=${gateway}`,
      `--secure-port=${String(apiServerPort)}`,
      `--service-cluster-ip-range=${serviceRange}`,
      `--etcd-servers=https://127.0.0.1:${String(etcdPort)}`,
      `--etcd-cafile=${pki('etcd/ca.crt')}`,
      `--etcd-certfile=${pki('apiserver-etcd-client.crt')}`,
      `--etcd-keyfile=${pki('apiserver-etcd-client.key')}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--client-ca-file=${pki('ca.crt')}`,
      `--tls-cert-file=${pki('apiserver.crt')}`,
      `--tls-private-key-file=${pki('apiserver.key')}`,
      `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
      `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${pki('sa.pub')}`,
      `--service-account-signing-key-file=${pki('sa.key')}`,
      `--proxy-client-cert-file=${pki('front-proxy-client.crt')}`,
      `--proxy-client-key-file=${pki('front-proxy-client.key')}`,
      `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    ],
  });
  const ready = async (): Promise<boolean> => {
    await run(kubectl, ['--kubeconfig', at.kubeconfig, 'get', '--raw', '/readyz'], { timeoutMs: 10_000 });
    return true;
  };
  await waitForDaemon(at, 'kube-apiserver', ready, 120_000);
  await run(kubectl, ['--kubeconfig', at.kubeconfig, 'apply', '--server-side', '--force-conflicts', '-f', '-'], {
    input: JSON.stringify(administrators),
  });
}

/** The group that kubeadm writes into the API server's certificate for the kubelet: without it no logs and no exec. */
const administrators = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'kubeadm:cluster-admins' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'kubeadm:cluster-admins' }],
};

/** Starts the controllers and the scheduler. */
export async function startControllers(at: Layout, programs: KubernetesPrograms): Promise<void> {
  const pki = (file: string): string => join(at.pki, file);
  const kubeconfigs = (name: string): string[] => {
    const file = join(at.kubeconfigs, `${name}.conf`);
    return [
      `--kubeconfig=${file}`,
      `--authentication-kubeconfig=${file}`,
      `--authorization-kubeconfig=${file}`,
      '--bind-address=127.0.0.1',
      '--leader-elect=false',
    ];
  };
  await startDaemon(at, {
    name: 'kube-controller-manager',
    file: programs['kube-controller-manager'],
    ports: [{ host: '127.0.0.1', port: 10257 }],
    args: [
      ...kubeconfigs('controller-manager'),
      '--controllers=*,bootstrapsigner,tokencleaner',
      '--use-service-account-credentials=true',
      `--root-ca-file=${pki('ca.crt')}`,
      `--client-ca-file=${pki('ca.crt')}`,
      `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
      `--service-account-private-key-file=${pki('sa.key')}`,
      `--cluster-signing-cert-file=${pki('ca.crt')}`,
      `--cluster-signing-key-file=${pki('ca.key')}`,
    ],
  });
  await startDaemon(at, {
    name: 'kube-scheduler',
    file: programs['kube-scheduler'],
    ports: [{ host: '127.0.0.1', port: 10259 }],
    args: kubeconfigs('scheduler'),
  });
}
