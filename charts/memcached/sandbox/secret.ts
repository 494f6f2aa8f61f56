import type { SandboxSecret } from '../../sandbox-recipe.ts';

/** Memcached asks for no password. */
export function secret(): SandboxSecret | undefined {
  return undefined;
}
