import { failure } from '../../model/failures.ts';
import { type ClusterAccess, kubectl } from './kubectl.ts';
import { type Kubernetes, request } from './kubernetes.ts';
import { lastLine } from './process.ts';

/** The version of the kubectl that is called, `1.34.5`. @throws ToolMissing */
export async function kubectlVersion(access: ClusterAccess): Promise<string> {
  const { stdout, stderr } = await kubectl(access, ['version', '--client', '-o', 'json'], { timeoutMs: 10_000 });
  const version = /"gitVersion": "v?([0-9.]+)/.exec(stdout)?.[1];
  if (version === undefined)
    throw failure('ToolMissing', { message: `read version of ${access.kubectl}: ${lastLine(stderr)}` });
  return version;
}

/** The version of the API server, `1.34.4`. @throws ClusterUnreachable, ClusterDenied, KubernetesFailed */
export async function serverVersion(kubernetes: Kubernetes, limitMs = 8_000): Promise<string> {
  const { gitVersion } = await request('read version of the API server', () => kubernetes.version.getCode(), limitMs);
  return gitVersion.replace(/^v/, '');
}

/** Whether a kubectl is one for a server: within one minor version. Source: Kubernetes, version skew policy. */
export function kubectlFits(client: string, server: string): boolean {
  return Math.abs(minorOf(client) - minorOf(server)) <= 1;
}

/** What is wrong with the version of a kubectl beside a server's, or undefined. */
export function kubectlMisfit(client: string, server: string): string | undefined {
  const minor = minorOf(server);
  return kubectlFits(client, server)
    ? undefined
    : `version ${client} is more than one minor version from the server's ${server}: put one from 1.${String(minor - 1)} to 1.${String(minor + 1)} on PATH of the worker, or name it in LIFEBOAT_KUBECTL`;
}

function minorOf(version: string): number {
  return Number(version.split('.')[1] ?? 0);
}
