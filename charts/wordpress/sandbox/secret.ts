import { randomBytes } from 'node:crypto';
import type { SandboxSecret, SharedSecrets } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names; the password is that of the account in the mysql release. */
export function secret(shared: SharedSecrets = {}): SandboxSecret {
  return {
    name: 'wordpress-credentials',
    data: { 'database-password': shared.wordpressDatabasePassword ?? randomBytes(18).toString('base64url') },
  };
}
