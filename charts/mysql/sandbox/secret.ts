import { randomBytes } from 'node:crypto';
import type { SandboxSecret, SharedSecrets } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names; the account of the wordpress release has the password they share. */
export function secret(shared: SharedSecrets = {}): SandboxSecret {
  const password = (): string => randomBytes(18).toString('base64url');
  return {
    name: 'mysql-credentials',
    data: {
      'mysql-root-password': password(),
      'application-password': password(),
      'wordpress-password': shared.wordpressDatabasePassword ?? password(),
    },
  };
}
