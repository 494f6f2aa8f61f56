import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Artifact, ComponentRecord, Manifest } from '../model/recovery-point.ts';
import type { ReleaseName } from '../model/release-name.ts';
import type { Store } from './store.ts';

/** What a restore guide tells of. */
export type GuideSubject = {
  readonly release: ReleaseName;
  readonly point: string;
  readonly capturedAt: string;
  /** In restore order. */
  readonly components: readonly ComponentRecord[];
  readonly plan: Artifact;
};

/** The text of RESTORE.md: how the point is checked and restored with sha256sum, openssl, age and zstd alone. */
export function restoreGuideText(of: GuideSubject & { readonly storeAddress: string; readonly publicKey: string }): string {
  throw new Error(`restoreGuideText is not built yet: ${of.point}`);
}

/**
 * Writes RESTORE.md, its SHA256SUMS, its detached ed25519 signature and the public key into the point's folder.
 * Idempotent because: the same point gives the same text. @returns what the manifest says of it
 */
export function writeRestoreGuide(of: GuideSubject & { readonly store: Store; readonly kit: RecoveryKit }): Promise<Manifest['restoreGuide']> {
  return Promise.reject(new Error(`writeRestoreGuide is not built yet: ${of.point}`));
}
