import { randomBytes } from 'node:crypto';
import type { SandboxSecret } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names. */
export function secret(): SandboxSecret {
  return {
    name: 'postgresql-credentials',
    data: {
      'postgres-password': randomBytes(18).toString('base64url'),
      'application-password': randomBytes(18).toString('base64url'),
    },
  };
}
