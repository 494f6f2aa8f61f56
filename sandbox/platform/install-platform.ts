import { randomBytes } from 'node:crypto';
import type { SharedSecrets } from '../../charts/sandbox-recipe.ts';
import type { Progress } from '../run.ts';
import { type InstallOptions, installRelease, readSecretKey } from './install-release.ts';
import type { ClusterOfSandbox } from './kubectl.ts';
import type { SandboxRelease } from './release.ts';

/** Charts whose release needs another one of the same namespace to be ready. */
const needs: Readonly<Record<string, string>> = { wordpress: 'mysql' };

/** Installs and fills a set of releases side by side, each after the one it needs. Idempotent. */
export async function installPlatform(
  sandbox: ClusterOfSandbox,
  platform: readonly SandboxRelease[],
  options: Omit<InstallOptions, 'shared'> = {},
  progress: Progress = () => undefined,
): Promise<void> {
  const started = new Map<SandboxRelease, Promise<void>>();
  const install = (release: SandboxRelease): Promise<void> => {
    const known = started.get(release);
    if (known !== undefined) return known;
    const needed = platform.find(
      (other) => other.namespace === release.namespace && other.chart === needs[release.chart],
    );
    const done = (async (): Promise<void> => {
      if (needed !== undefined) await install(needed);
      await installRelease(sandbox, release, { ...options, shared: await shared(release.namespace) }, progress);
    })();
    started.set(release, done);
    return done;
  };
  const passwords = new Map<string, Promise<SharedSecrets>>();
  const shared = (namespace: string): Promise<SharedSecrets> => {
    const known = passwords.get(namespace) ?? readShared(sandbox, namespace);
    passwords.set(namespace, known);
    return known;
  };
  const results = await Promise.allSettled(platform.map(install));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Passwords that releases of a namespace agree on: the one in use, else a new one. */
async function readShared(sandbox: ClusterOfSandbox, namespace: string): Promise<SharedSecrets> {
  const inUse = await readSecretKey(sandbox, namespace, 'mysql-credentials', 'wordpress-password');
  return { wordpressDatabasePassword: inUse ?? randomBytes(18).toString('base64url') };
}
