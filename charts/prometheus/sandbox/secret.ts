import type { SandboxSecret } from '../../sandbox-recipe.ts';

/** Prometheus asks for no password. */
export function secret(): SandboxSecret | undefined {
  return undefined;
}
