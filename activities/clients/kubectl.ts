import { failure, type LifeboatFailure } from '../../model/failures.ts';
import type { Platform } from '../../model/platform.ts';
import { lastLine, type ProcessResult, runProcess } from './process.ts';

/** A pod's container that a command runs in. */
export type PodAddress = { readonly namespace: string; readonly pod: string; readonly container: string };

/** What kubectl is called with to reach the platform's cluster. */
export type ClusterAccess = {
  readonly kubectl: string;
  readonly helm: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
};

/** The access of a platform file, with the tools of the process. */
export function clusterAccess(platform: Platform, tools: { kubectl: string; helm: string }): ClusterAccess {
  return { ...tools, kubeconfig: platform.cluster.kubeconfig, context: platform.cluster.context };
}

/** Arguments of kubectl that name the cluster. */
export function kubectlArgs(access: ClusterAccess): string[] {
  return [
    ...(access.kubeconfig === undefined ? [] : ['--kubeconfig', access.kubeconfig]),
    ...(access.context === undefined ? [] : ['--context', access.context]),
  ];
}

/** Runs kubectl to its end; a bad exit is for the caller to judge. */
export async function kubectl(
  access: ClusterAccess,
  args: readonly string[],
  options: { input?: string | Uint8Array; signal?: AbortSignal | undefined; timeoutMs?: number } = {},
): Promise<ProcessResult> {
  return await runProcess({ file: access.kubectl, args: [...kubectlArgs(access), ...args], ...options });
}

/**
 * Applies objects on the server, as Helm's field manager so that a later `helm upgrade` owns every field.
 * Idempotent: server-side apply. @throws KubernetesFailed, ClusterDenied, ClusterUnreachable
 */
export async function applyObjects(
  access: ClusterAccess,
  objects: readonly object[],
  options: { namespace: string; fieldManager?: string; signal?: AbortSignal | undefined },
): Promise<void> {
  if (objects.length === 0) return;
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  const { exitCode, stderr } = await kubectl(
    access,
    [
      'apply',
      '--server-side',
      '--force-conflicts',
      '--field-manager',
      options.fieldManager ?? 'helm',
      '-n',
      options.namespace,
      '-f',
      '-',
    ],
    { input: JSON.stringify(list), signal: options.signal },
  );
  if (exitCode !== 0) throw kubectlFailure('apply objects', stderr, 'unknown');
}

/**
 * What the API server says against a manifest, one line an object: a server-side apply that changes nothing.
 * @throws ClusterUnreachable, ClusterDenied
 */
export async function tryManifest(
  access: ClusterAccess,
  of: { manifest: string; namespace: string; signal?: AbortSignal | undefined },
): Promise<string[]> {
  const { exitCode, stderr } = await kubectl(
    access,
    [
      ...['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--field-manager', 'helm'],
      ...['-n', of.namespace, '-o', 'name', '-f', '-'],
    ],
    { input: of.manifest, signal: of.signal, timeoutMs: 120_000 },
  );
  if (exitCode === 0) return [];
  const about = kubectlFailure('try the manifest', stderr, 'no');
  if (about.code !== 'KubernetesFailed') throw about;
  return stderr.split('\n').filter((line) => line.trim() !== '' && !/^(Warning|W[0-9]{4})/.test(line));
}

/** Turns kubectl's complaint into a failure of the table. The text is the server's own and holds no secret data. */
export function kubectlFailure(verb: string, stderr: string, changed: 'no' | 'yes' | 'unknown'): LifeboatFailure {
  const line = lastLine(stderr);
  if (/was refused|no such host|i\/o timeout|Unable to connect|no route to host|TLS handshake timeout/i.test(stderr)) {
    return failure('ClusterUnreachable', { message: `${verb}: ${line}`, changed });
  }
  if (/Forbidden|Unauthorized|must be logged in/i.test(stderr))
    return failure('ClusterDenied', { message: `${verb}: ${line}`, changed });
  if (/container not found|pods? ".*" not found|unable to upgrade connection/i.test(stderr))
    return failure('PodGone', { message: `${verb}: ${line}`, changed });
  return failure('KubernetesFailed', { message: `${verb}: ${line}`, changed });
}
