import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Verification } from '../model/recovery-point.ts';
import type { ReleaseName } from '../model/release-name.ts';
import type { Store } from './store.ts';

/** Writes a signed verification beside its point. Idempotent because: the same one again is a success. */
export function writeVerification(of: { store: Store; kit: RecoveryKit; verification: Verification }): Promise<void> {
  return Promise.reject(new Error(`writeVerification is not built yet: ${of.verification.point}`));
}

/** The verifications of a point that a trusted key signed, newest first. */
export function readVerifications(of: { store: Store; trustedKeys: readonly string[]; release: ReleaseName; point: string }): Promise<Verification[]> {
  return Promise.reject(new Error(`readVerifications is not built yet: ${of.point}`));
}
