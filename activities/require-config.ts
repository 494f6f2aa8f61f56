import { failure } from '../model/failures.ts';
import type { Backends } from './backends.ts';

/** Refuses a client whose lifeboat.yaml is not the worker's. @throws ConfigDiffers */
export function requireConfig(backends: Backends, digest: string | null): void {
  if (digest === null || digest === backends.platformDigest) return;
  throw failure('ConfigDiffers', {
    message: `compare lifeboat.yaml: the client has ${digest.slice(0, 12)}, the worker has ${backends.platformDigest.slice(0, 12)}`,
  });
}
