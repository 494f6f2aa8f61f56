import { helm, helmFailure, helmOrFail } from './helm.ts';
import { type ClusterAccess, kubectl, kubectlFailure } from './kubectl.ts';

const goneWithin = '120s';
const limitMs = 150_000;

/** The one thing that went wrong with an uninstallation, and each object that was on its way out when Helm stopped waiting. */
const oneError = /uninstallation completed with 1 error\(s\)/;
const stillThere = /resource (\S+?)\/(\S*?)\/(\S+) still exists/g;

/**
 * Uninstalls a release and waits until its objects are gone; a release that is not there is a success. Helm 4 may stop waiting for an
 * object that takes a while to go, and calls that an error: it is waited for here then.
 * @throws HelmFailed, HelmBusy, ClusterUnreachable, ClusterDenied, KubernetesFailed
 */
export async function uninstallRelease(
  access: ClusterAccess,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const about = `uninstall ${name}`;
  const args = ['uninstall', name, '-n', namespace, '--ignore-not-found', '--wait', '--timeout', goneWithin];
  const options = { signal, timeoutMs: limitMs };
  const first = await helm(access, args, options);
  if (first.exitCode === 0) return;
  const left = oneError.test(first.stderr) ? [...first.stderr.matchAll(stillThere)] : [];
  if (left.length === 0) throw helmFailure(about, first.stderr, 'unknown');
  for (const [, kind = '', own = '', object = ''] of left) {
    const where = own === '' ? [] : ['-n', own];
    const wait = ['wait', '--for=delete', `${kind}/${object}`, ...where, `--timeout=${goneWithin}`];
    const { exitCode, stderr } = await kubectl(access, wait, options);
    if (exitCode !== 0) throw kubectlFailure(`${about}: wait until ${kind} ${object} is gone`, stderr, 'unknown');
  }
  await helmOrFail(access, about, args, options, 'unknown');
}
