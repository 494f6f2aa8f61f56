import type { ReadSecretKey, SandboxSecret } from '../../sandbox-recipe.ts';

/** The Secret that `sandbox/values.yaml` names; the password is that of the account in the mysql release. */
export async function secret(read: ReadSecretKey): Promise<SandboxSecret> {
  return {
    name: 'wordpress-credentials',
    data: { 'database-password': await read('mysql-credentials', 'wordpress-password') },
  };
}
