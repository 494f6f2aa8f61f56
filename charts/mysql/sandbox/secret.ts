import { randomBytes } from 'node:crypto';
import type { SandboxSecret } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names; the wordpress release reads the password of its account here. */
export function secret(): SandboxSecret {
  const password = (): string => randomBytes(18).toString('base64url');
  return {
    name: 'mysql-credentials',
    data: {
      'mysql-root-password': password(),
      'application-password': password(),
      'wordpress-password': password(),
    },
  };
}
